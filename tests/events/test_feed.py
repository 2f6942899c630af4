"""`Tracker.list_events` and `Tracker.iter_events`: the feed as programs read it."""

from typing import Any

import pytest

from mailtrack import InvalidPaging, Tracker, open_storage


@pytest.mark.parametrize("cursor", [b"1", 1, 1.5, object()])
def test_what_is_no_text_and_no_event_is_no_cursor(cursor: Any) -> None:
    with open_storage("memory://") as storage:
        tracker = Tracker(storage)
        with pytest.raises(InvalidPaging):
            tracker.list_events(after=cursor)
        with pytest.raises(InvalidPaging):
            tracker.iter_events(cursor)


@pytest.mark.parametrize("limit", [0, 1001, -1, "5", 1.5])
def test_a_limit_out_of_range_is_refused(limit: Any) -> None:
    with open_storage("memory://") as storage, pytest.raises(InvalidPaging, match="limit"):
        Tracker(storage).list_events(limit=limit)
