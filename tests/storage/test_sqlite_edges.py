"""The first and the last open that count are found again when opens are judged again, while others write."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrack import Open, Pixel
from mailtrack.storage._sqlite import SQLiteStorage, edges, rejudging
from mailtrack.testing import make_open, make_pixel
from mailtrack.testing._contract.full_scan import assert_scan
from mailtrack.testing._contract.helpers import make_judgement
from mailtrack.testing._contract.purging import PurgingContract
from mailtrack.testing._contract.rejudging import RejudgingContract
from mailtrack.testing._factories import NOON


@pytest.fixture
def storage(path: Path):
    with SQLiteStorage(path) as storage:
        yield storage


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """No edge is near the opens that are judged."""
    monkeypatch.setattr(edges, "_NEAR", -1)


@pytest.mark.usefixtures("far")
class TestFarEdges(RejudgingContract, PurgingContract):
    """The suite, with all edges read before others are made to wait."""


def _full(storage: SQLiteStorage) -> tuple[Pixel, list[Open]]:
    """Add a pixel with opens of two hours in any order."""
    pixel = make_pixel()
    storage.add_pixel(pixel)
    minutes = list(range(10, 110))
    random.Random(1).shuffle(minutes)  # the same order each time
    opens = [make_open(pixel, at=NOON + timedelta(minutes=minute)) for minute in minutes]
    storage.add_opens(opens)
    return pixel, sorted(opens, key=lambda one: one.opened_at)


def _rejudge_while(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch, opens: list[Open], act: Callable[[int], object]
) -> int:
    """Let opens count no more, and call a function with how often the edges were read, each time that they were."""
    read, times = rejudging.read_edges, 0

    def read_and_act(*arguments):
        nonlocal times
        found = read(*arguments)
        times += 1
        act(times)
        return found

    monkeypatch.setattr(rejudging, "read_edges", read_and_act)
    judgements = [make_judgement(one, counted=False) for one in opens]
    assert storage.rejudge(opens[0].pixel_id, judgements) == len(opens)
    return times


@pytest.mark.parametrize("near", [0, 50, 100])
def test_edges_near_the_opens_that_are_judged_are_found_at_once(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    monkeypatch.setattr(edges, "_NEAR", near)
    pixel, opens = _full(storage)
    times = _rejudge_while(storage, monkeypatch, [opens[0], opens[-1]], lambda _: None)
    assert times == (near < 100)
    span = storage.get_pixel(pixel.id).opens.counted
    assert (span.first, span.last) == (opens[1].opened_at, opens[-2].opened_at)
    assert_scan(storage, storage.get_pixel(pixel.id))


@pytest.mark.usefixtures("far")
class TestMeanwhile:
    """What others do between the reading of the edges and the change."""

    def test_opens_that_arrive_count(self, storage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pixel, opens = _full(storage)
        new = [make_open(pixel, at=NOON + timedelta(minutes=minute)) for minute in (60, 5, 115)]
        with SQLiteStorage(path) as other:
            act = lambda _: other.add_opens(new)  # noqa: E731  # one that is called once
            assert _rejudge_while(storage, monkeypatch, [opens[0], opens[-1]], act) == 1
        span = storage.get_pixel(pixel.id).opens.counted
        assert (span.first, span.last) == (new[1].opened_at, new[2].opened_at)
        assert_scan(storage, storage.get_pixel(pixel.id))

    def test_opens_that_are_purged_count_as_before(self, storage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pixel, opens = _full(storage)
        with SQLiteStorage(path) as other:
            act = lambda _: other.purge_opens(pixel.id, before=NOON + timedelta(minutes=30), limit=1)  # noqa: E731
            _rejudge_while(storage, monkeypatch, [opens[0], opens[-1]], act)
            while other.purge_opens(pixel.id, before=NOON + timedelta(minutes=30), limit=100):
                pass
        span = storage.get_pixel(pixel.id).opens.counted
        assert (span.first, span.last) == (opens[1].opened_at, opens[-2].opened_at)

    def test_opens_that_are_judged_again_have_the_edges_read_again(
        self, storage, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pixel, opens = _full(storage)
        with SQLiteStorage(path) as other:

            def judge(times: int) -> None:
                if times == 1:
                    monkeypatch.setattr(edges, "_NEAR", 1000)
                    other.rejudge(pixel.id, [make_judgement(one, counted=False) for one in opens[1:3]])
                    monkeypatch.setattr(edges, "_NEAR", -1)

            assert _rejudge_while(storage, monkeypatch, [opens[0], opens[-1]], judge) == 2
        span = storage.get_pixel(pixel.id).opens.counted
        assert (span.first, span.last) == (opens[3].opened_at, opens[-2].opened_at)
        assert_scan(storage, storage.get_pixel(pixel.id))

    def test_a_pixel_that_is_deleted_has_no_opens(self, storage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pixel, opens = _full(storage)
        read = rejudging.read_edges
        with SQLiteStorage(path) as other:

            def delete_and_read(*arguments):
                other.delete_pixel(pixel.id)
                return read(*arguments)

            monkeypatch.setattr(rejudging, "read_edges", delete_and_read)
            assert storage.rejudge(pixel.id, [make_judgement(opens[0], counted=False)]) == 0
