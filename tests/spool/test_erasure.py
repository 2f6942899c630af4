"""Of a person who was erased, nothing stays in the spool: neither in waiting lines, nor in dead letters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailtrack import Erased, Pixel, Recipient, Tracker
from mailtrack._ingest.drain import drain
from mailtrack._spool import Spool, get_status
from mailtrack._spool.dead_letters import FILE, drop, keep, read
from mailtrack._spool.spool import request_rotation
from mailtrack.testing._contract.helpers import all_opens, at_once
from mailtrack.testing._factories import make_hit, to_line

ANN = "ann@example.org"
SECONDS = 30
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.fixture
def spool(make_spool: Callable[..., Spool]) -> Spool:
    return make_spool(opened=False)


@pytest.fixture
def tracker(storage: Any, spool: Spool) -> Any:
    tracker = Tracker(storage, spool=spool)
    yield tracker
    tracker.stop(timeout=SECONDS)


@pytest.fixture
def pixel(tracker: Tracker) -> Pixel:
    return tracker.create_pixel("Invoices")


@pytest.fixture
def ann(tracker: Tracker, pixel: Pixel) -> Recipient:
    return tracker.generate_tokens(pixel, [ANN])[0]


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


class TestWaitingLines:
    def test_a_hit_that_waits_is_judged_and_stored_without_the_person(
        self, storage: Any, tracker: Tracker, pixel: Pixel, ann: Recipient, make_spool: Any, make_reader: Any
    ) -> None:
        spool = make_spool()
        hit = make_hit(pixel, token=ann.token)
        spool.append(to_line(hit))
        assert tracker.erase(ANN) == Erased(recipients=1, opens=0)
        drain(make_reader(), tracker.store)
        (found,) = all_opens(storage, pixel)
        assert (found.id, found.erased) == (hit.id, True)
        assert found == found.as_erased()
        assert (found.recipient_id, found.ip, found.user_agent) == (None, None, "")

    def test_its_verdict_is_that_of_the_whole_hit(self, tracker: Tracker, pixel: Pixel, ann: Recipient) -> None:
        tracker.erase(ANN)
        tracker.record(pixel, token=ann.token, user_agent=GMAIL, ip="66.249.93.1")
        tracker.record(pixel, user_agent=GMAIL, ip="66.249.93.1")
        other, erased = tracker.list_opens(pixel).items
        assert erased.erased
        assert (erased.verdict, erased.client, erased.counted) == (other.verdict, other.client, other.counted)
        assert erased.verdict.kind == "proxy"

    def test_rejudging_leaves_an_erased_open_as_it_is(self, tracker: Tracker, pixel: Pixel, ann: Recipient) -> None:
        tracker.record(pixel, token=ann.token, user_agent=GMAIL)
        tracker.erase(ANN)
        before = tracker.list_opens(pixel).items
        assert [one.changed for one in tracker.rejudge(pixel)] == [0]
        assert tracker.list_opens(pixel).items == before

    def test_stored_lines_leave_the_folder_within_seconds(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, folder: Path, wait_until: Any
    ) -> None:
        tracker.start()
        tracker.record(pixel, token=ann.token, ip="192.0.2.7")
        wait_until(lambda: tracker.get_pixel(pixel).opens.raw.number)
        assert ann.token.encode() in content(folder)
        tracker.erase(ANN)
        wait_until(lambda: ann.token.encode() not in content(folder))
        tracker.record(pixel, ip="192.0.2.7")
        wait_until(lambda: tracker.get_pixel(pixel).opens.raw.number == 2)


class TestRotation:
    def test_a_request_makes_a_spool_go_on_with_a_new_segment_once(
        self, make_spool: Any, files: Any, folder: Path
    ) -> None:
        spool = make_spool()
        spool.append(b"a line\n")
        request_rotation(folder)
        for _ in range(3):
            spool.sync()
        assert len(files()) == 2
        spool.append(b"a line\n")
        spool.sync()
        assert len(files()) == 2

    def test_an_empty_segment_stays(self, make_spool: Any, files: Any, folder: Path) -> None:
        spool = make_spool()
        request_rotation(folder)
        spool.sync()
        assert len(files()) == 1

    def test_a_request_from_before_it_was_opened_means_nothing_to_a_spool(
        self, make_spool: Any, files: Any, folder: Path
    ) -> None:
        folder.mkdir()
        request_rotation(folder)
        spool = make_spool()
        spool.append(b"a line\n")
        spool.sync()
        assert len(files()) == 1


class TestDeadLetters:
    @pytest.mark.parametrize(
        "damage",
        [lambda line: line, lambda line: b"9" + line[1:], lambda line: line[:-4], lambda line: line + b" \xff\xfe"],
        ids=["whole", "newer", "cut", "not text"],
    )
    def test_those_of_the_person_are_removed_and_the_others_stay(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, folder: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        (bob,) = tracker.generate_tokens(pixel, ["bob@example.org"])
        lines = [damage(to_line(make_hit(pixel, token=one.token))[:-1]) for one in (ann, bob, ann)]
        folder.mkdir()
        keep(folder, [*lines, b"no line at all"])
        tracker.erase(ANN)
        assert read(folder) == [lines[1], b"no line at all"]
        assert get_status(folder).dead_letters == 2
        assert ann.token.encode() not in content(folder)

    def test_those_that_came_later_are_removed_when_it_is_asked_again(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, folder: Path
    ) -> None:
        tracker.erase(ANN)
        folder.mkdir()
        keep(folder, [to_line(make_hit(pixel, token=ann.token))[:-1]])
        assert tracker.erase(ANN) == Erased(recipients=0, opens=0)
        assert read(folder) == []

    def test_without_a_folder_nothing_is_made(self, tracker: Tracker, ann: Recipient, folder: Path) -> None:
        assert tracker.erase(ann.email) == Erased(recipients=1, opens=0)
        assert not folder.exists()

    def test_lines_that_are_kept_meanwhile_are_not_lost(self, folder: Path) -> None:
        folder.mkdir()
        keep(folder, [b"drop %d" % number for number in range(20)])

        def drop_all() -> None:
            for number in range(20):
                drop(folder, [b"drop %d" % number])

        def keep_all() -> None:
            for number in range(20):
                keep(folder, [b"keep %d" % number])

        at_once([drop_all, keep_all, keep_all])
        assert sorted(read(folder)) == sorted(b"keep %d" % number for number in range(20))
        assert (folder / FILE).stat().st_mode & 0o777 == 0o600
        assert [path.name for path in folder.iterdir()] == [FILE]
