"""Any sequence of appends, rotations, crashes, recoveries and drains: acknowledged ⊆ stored ⊆ appended, each once."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailtrack import StorageUnavailable, Tracker, open_storage
from mailtrack.spool import Spool, SpoolFull, drain, get_status, inspect
from mailtrack.spool import spool as module
from mailtrack.spool.records import UnreadableRecord, from_line, to_line
from mailtrack.testing import make_hit
from mailtrack.testing.contract.helpers import add_pixel, all_opens

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))
MOST_SPOOLS = 3

_place = st.integers(0, 5)


class SpoolMachine(RuleBasedStateMachine):
    """Up to three processes that share a folder, each with a spool of its own, and one storage."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.storage = open_storage("memory://")
        self.tracker = Tracker(self.storage)
        self.pixel = add_pixel(self.storage)
        self.spools: list[Spool] = []
        self.orphans: set[Path] = set()  # segments of spools that crashed
        self.appended: list[str] = []
        self.acknowledged: set[str] = set()
        self.damaged: set[str] = set()
        self.read_bytes = module._READ_BYTES
        module._READ_BYTES = 3 * ONE_LINE  # so that a segment takes several batches

    def teardown(self) -> None:
        try:
            self.in_the_end_everything_is_stored_once()
        finally:
            module._READ_BYTES = self.read_bytes
            for spool in self.spools:
                spool.close()
            self.storage.close()
            shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self._open(segment_bytes=10 * ONE_LINE)

    @precondition(lambda self: len(self.spools) < MOST_SPOOLS)
    @rule(
        lines=st.sampled_from([1, 3, 10**6]),
        seconds=st.sampled_from([0.0, 1000.0]),
        most=st.sampled_from([2, 12, 10**6]),
        durability=st.sampled_from(["everysec", "always"]),
    )
    def open_another(self, lines: int, seconds: float, most: int, durability: str) -> None:
        self._open(
            segment_bytes=lines * ONE_LINE, segment_seconds=seconds, max_bytes=most * ONE_LINE, durability=durability
        )

    @precondition(lambda self: self.spools)
    @rule(place=_place, number=st.integers(1, 8))
    def append(self, place: int, number: int) -> None:
        for _ in range(number):
            hit = make_hit(self.pixel)
            self.appended.append(hit.id)
            try:
                self._spool(place).append(hit)
            except SpoolFull:
                continue
            self.acknowledged.add(hit.id)

    @precondition(lambda self: self.spools)
    @rule(place=_place)
    def recover(self, place: int) -> None:
        self._spool(place).recover()
        self._count_orphans()

    @precondition(lambda self: self.spools)
    @rule(place=_place)
    def sync(self, place: int) -> None:
        self._spool(place).sync()

    @precondition(lambda self: self.spools)
    @rule(place=_place)
    def drain(self, place: int) -> None:
        drain(self._spool(place), self.tracker.store)

    @precondition(lambda self: self.spools)
    @rule(place=_place, after=st.integers(0, 3))
    def drain_until_the_storage_fails(self, place: int, after: int) -> None:
        calls = iter(range(after))

        def store(hits) -> None:
            if next(calls, None) is None:
                raise StorageUnavailable("away")
            self.tracker.store(hits)

        with suppress(StorageUnavailable):
            drain(self._spool(place), store)

    @precondition(lambda self: self.spools)
    @rule(place=_place, batches=st.integers(0, 2), torn=st.integers(0, ONE_LINE - 1))
    def crash_after_storing_before_acknowledging(self, place: int, batches: int, torn: int) -> None:
        spool = self._spool(place)
        for number, batch in enumerate(spool.batches()):
            self.tracker.store(batch.hits)
            if number == batches:
                break
            spool.acknowledge(batch)
        self._crash(spool, torn)

    @precondition(lambda self: self.spools)
    @rule(place=_place, torn=st.integers(0, ONE_LINE - 1))
    def crash(self, place: int, torn: int) -> None:
        self._crash(self._spool(place), torn)

    @precondition(lambda self: self.spools)
    @rule(place=_place)
    def close(self, place: int) -> None:
        spool = self._spool(place)
        mine = {segment.path for segment in spool._segments()}
        nothing_stays = spool.close()
        self.spools.remove(spool)
        assert nothing_stays == (not any(path.exists() for path in mine))
        self.orphans |= mine
        self._count_orphans()

    @precondition(lambda self: self.orphans)
    @rule(place=_place)
    def damage_a_line_of_a_segment_without_an_owner(self, place: int) -> None:
        path = sorted(self.orphans)[place % len(self.orphans)]
        lines = path.read_bytes().split(b"\n")
        whole = [number for number, line in enumerate(lines[:-1]) if line[:1] == b"1"]
        if whole:
            number = whole[place % len(whole)]
            self.damaged.add(from_line(lines[number]).id)
            lines[number] = b"0" + lines[number][1:]
            path.write_bytes(b"\n".join(lines))

    @invariant()
    def what_was_acknowledged_is_stored_or_spooled_or_was_damaged(self) -> None:
        spooled = set()
        for line in inspect(self.folder):
            try:
                spooled.add(from_line(line).id)
            except UnreadableRecord:
                assert line[:1] == b"0"  # the damaged ones, and never half a record
        stored = self._stored()
        assert self.acknowledged <= set(stored) | spooled | self.damaged
        assert set(stored) <= set(self.appended)
        assert len(stored) == len(set(stored))

    def in_the_end_everything_is_stored_once(self) -> None:
        for spool in self.spools:
            spool.abandon()
        self._open()
        drain(self.spools[-1], self.tracker.store)
        stored = self._stored()
        assert self.acknowledged - self.damaged <= set(stored) <= set(self.appended)
        assert len(stored) == len(set(stored)) == self.storage.get_pixel(self.pixel.id).opens.number
        assert self.spools[-1].close()
        assert get_status(self.folder).segments == 0
        file = self.folder / "set-aside.lines"
        # A line is there twice where the owner of its segment ended before all of that was stored.
        aside = set(file.read_bytes().splitlines()) if self.damaged else set()
        assert {from_line(b"1" + line[1:]).id for line in aside} == self.damaged

    def _open(self, **options) -> None:
        self.spools.append(Spool(self.folder, **options))
        self.spools[-1].open()
        self._count_orphans()

    def _crash(self, spool: Spool, torn: int) -> None:
        """End a spool as its process would, in the middle of writing a record."""
        mine = spool._segments()
        spool.abandon()
        self.spools.remove(spool)
        with mine[-1].path.open("ab") as file:
            file.write(to_line(make_hit(self.pixel))[:torn])
        self.orphans |= {segment.path for segment in mine}
        self._count_orphans()

    def _count_orphans(self) -> None:
        owned = {segment.path for spool in self.spools for segment in spool._segments()}
        self.orphans = {path for path in self.orphans - owned if path.exists()}

    def _spool(self, place: int) -> Spool:
        return self.spools[place % len(self.spools)]

    def _stored(self) -> list[str]:
        return [one.id for one in all_opens(self.storage, self.pixel)]


TestSpoolMachine = pytest.mark.filterwarnings("error")(SpoolMachine.TestCase)
TestSpoolMachine.settings = settings(stateful_step_count=40)
