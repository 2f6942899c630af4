"""Any sequence of appends, rotations, crashes, takings over and drains: acknowledged ⊆ stored ⊆ appended, each once."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailtrack import StorageUnavailable
from mailtrack._ingest.drain import drain
from mailtrack._ingest.lines import UnreadableLine, from_line
from mailtrack._model import Hit
from mailtrack._spool import Reader, Spool, SpoolFull, get_status, inspect
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))
MOST_PROCESSES = 3

_place = st.integers(0, 5)


class Crash(BaseException):
    """The end of a process."""


class Process:
    """One that shares the folder: with a spool of its own, and a reader that leads or stands by."""

    def __init__(self, folder: Path, **options) -> None:
        self.spool = Spool(folder, **options)
        self.spool.open()
        self.reader = Reader(folder, batch_bytes=3 * ONE_LINE)  # so that a segment takes several batches

    def segments(self) -> list[Path]:
        return [one.path for one in (*self.spool._sealed, *([self.spool._active] if self.spool._active else []))]


class SpoolMachine(RuleBasedStateMachine):
    """Up to three processes that share a folder and a storage, which is a plain list here."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.stored: list[str] = []
        self.poison: set[str] = set()  # hits that the storage refuses
        self.processes: list[Process] = []
        self.orphans: set[Path] = set()  # segments of processes that crashed
        self.appended: list[str] = []
        self.acknowledged: set[str] = set()
        self.damaged: set[str] = set()

    def teardown(self) -> None:
        try:
            self.in_the_end_everything_is_stored_once()
        finally:
            for process in self.processes:
                process.spool.close()
                process.reader.release()
            shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self.processes.append(Process(self.folder, segment_bytes=10 * ONE_LINE))

    @precondition(lambda self: len(self.processes) < MOST_PROCESSES)
    @rule(
        lines=st.sampled_from([1, 3, 10**6]),
        seconds=st.sampled_from([0.0, 1000.0]),
        most=st.sampled_from([2, 12, 10**6]),
        durability=st.sampled_from(["everysec", "always"]),
    )
    def begin_another(self, lines: int, seconds: float, most: int, durability: str) -> None:
        options = {"segment_bytes": lines * ONE_LINE, "segment_seconds": seconds, "max_bytes": most * ONE_LINE}
        self.processes.append(Process(self.folder, durability=durability, **options))

    @precondition(lambda self: self.processes)
    @rule(place=_place, number=st.integers(1, 8))
    def append(self, place: int, number: int) -> None:
        for _ in range(number):
            self._append(place, make_hit("a1b2c3d4"))

    @precondition(lambda self: self.processes)
    @rule(place=_place)
    def append_what_the_storage_refuses(self, place: int) -> None:
        hit = make_hit("a1b2c3d4")
        self.poison.add(hit.id)
        self._append(place, hit)

    @precondition(lambda self: self.processes)
    @rule(place=_place)
    def sync(self, place: int) -> None:
        self._process(place).spool.sync()

    @precondition(lambda self: self.processes)
    @rule(place=_place)
    def lead(self, place: int) -> None:
        others = [one for one in self.processes if one is not self._process(place) and one.reader.leads]
        assert self._process(place).reader.lead() == (not others)

    @rule()
    def release(self) -> None:
        if (leader := self._leader()) is not None:
            leader.reader.release()

    @precondition(lambda self: self._leader())
    @rule()
    def drain(self) -> None:
        self._drain(self._leader().reader)

    @precondition(lambda self: self._leader())
    @rule(after=st.integers(0, 3))
    def drain_until_the_storage_fails(self, after: int) -> None:
        calls = iter(range(after))

        def store(hits) -> int:
            if next(calls, None) is None:
                raise StorageUnavailable("away")
            return self._store(hits)

        with suppress(StorageUnavailable, ValueError):
            drain(self._leader().reader, store)

    @precondition(lambda self: self._leader())
    @rule(batches=st.integers(0, 2), torn=st.integers(0, ONE_LINE - 1))
    def crash_after_storing_before_acknowledging(self, batches: int, torn: int) -> None:
        leader = self._leader()
        left = iter(range(batches))

        def store(batch) -> int:
            found = self._store(batch)
            if next(left, None) is None:
                raise Crash
            return found

        with suppress(Crash, ValueError):
            drain(leader.reader, store)
        self._crash(leader, torn)

    @precondition(lambda self: self.processes)
    @rule(place=_place, torn=st.integers(0, ONE_LINE - 1))
    def crash(self, place: int, torn: int) -> None:
        self._crash(self._process(place), torn)

    @precondition(lambda self: self.processes)
    @rule(place=_place)
    def stop(self, place: int) -> None:
        process = self._process(place)
        process.spool.close()
        process.reader.release()
        mine = process.spool._left
        assert process.spool.waits() == any(path.exists() for path in mine)
        self.processes.remove(process)
        self.orphans |= set(mine)

    @precondition(lambda self: any(path.exists() for path in self.orphans))
    @rule(place=_place)
    def damage_a_line_of_a_segment_without_an_owner(self, place: int) -> None:
        left = sorted(path for path in self.orphans if path.exists())
        path = left[place % len(left)]
        lines = path.read_bytes().split(b"\n")
        whole = [number for number, line in enumerate(lines[:-1]) if line[:1] == b"2"]
        if whole:
            number = whole[place % len(whole)]
            self.damaged.add(from_line(lines[number]).id)
            lines[number] = b"0" + lines[number][1:]
            path.write_bytes(b"\n".join(lines))

    @invariant()
    def what_was_acknowledged_is_stored_or_spooled_or_set_aside(self) -> None:
        spooled = set()
        for line in inspect(self.folder):
            try:
                spooled.add(from_line(line).id)
            except UnreadableLine:
                assert line[:1] == b"0"  # the damaged ones, and never half a record
        assert self.acknowledged <= set(self.stored) | spooled | self.damaged | self._aside()
        assert set(self.stored) <= set(self.appended) - self.poison
        assert len(self.stored) == len(set(self.stored))

    @invariant()
    def what_is_set_aside_was_damaged_or_refused_and_no_line_is_there_twice(self) -> None:
        assert self._aside() <= self.damaged | self.poison
        lines = self._lines_aside()
        assert get_status(self.folder).dead_letters == len(lines) == len(set(lines))

    @invariant()
    def a_process_that_took_nothing_more_knows_what_waits(self) -> None:
        for process in self.processes:
            process.spool.waits()
            assert process.spool._left_bytes == sum(process.spool._left.values())

    def in_the_end_everything_is_stored_once(self) -> None:
        for process in list(self.processes):
            self._crash(process, 0)
        self.begin()
        self._append(0, make_hit("a1b2c3d4"))  # something that the storage takes, so that it can refuse others
        spool = self.processes[0].spool
        spool.close()
        last = Reader(self.folder)
        assert last.lead()
        drain(last, self._store)
        last.release()
        assert get_status(self.folder).segments == 0
        assert not spool.waits()
        assert self.acknowledged - self.damaged - self.poison <= set(self.stored)
        assert self.acknowledged & self.poison - self.damaged <= self._aside()
        assert self._aside() <= self.damaged | self.poison

    def _append(self, place: int, hit: Hit) -> None:
        self.appended.append(hit.id)
        with suppress(SpoolFull):
            self._process(place).spool.append(to_line(hit))
            self.acknowledged.add(hit.id)

    def _drain(self, reader: Reader) -> None:
        with suppress(ValueError):
            drain(reader, self._store)

    def _store(self, hits) -> int:
        """Store all or none; what is there stays as it is. Return how many are there."""
        if any(hit.id in self.poison for hit in hits):
            raise ValueError("poison")
        self.stored += [hit.id for hit in hits if hit.id not in self.stored]
        return len(hits)

    def _crash(self, process: Process, torn: int) -> None:
        """End a process in the middle of writing a record."""
        mine = process.segments()
        for segment in (*process.spool._sealed, process.spool._active):
            segment.abandon()
        process.spool._active, process.spool._sealed = None, []
        process.reader.release()
        self.processes.remove(process)
        with suppress(FileNotFoundError), mine[-1].open("rb+") as file:
            file.seek(0, 2)
            file.write(to_line(make_hit("a1b2c3d4"))[:torn])
        self.orphans |= set(mine)

    def _lines_aside(self) -> list[bytes]:
        file = self.folder / "set-aside.lines"
        return file.read_bytes().splitlines() if file.exists() else []

    def _aside(self) -> set[str]:
        return {from_line(b"2" + line[1:]).id for line in self._lines_aside()}

    def _process(self, place: int) -> Process:
        return self.processes[place % len(self.processes)]

    def _leader(self) -> Process | None:
        return next((one for one in self.processes if one.reader.leads), None)


TestSpoolMachine = pytest.mark.filterwarnings("error")(SpoolMachine.TestCase)
TestSpoolMachine.settings = settings(stateful_step_count=40)
