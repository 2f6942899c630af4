"""Read the hits that wait in a spool, without draining it."""

import heapq
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from pathlib import Path

from mailtrack._ingest.lines import UnreadableLine, from_line
from mailtrack._model import Hit
from mailtrack._spool import Snapshot

_logger = logging.getLogger(__name__)


def pending_hits(snapshot: Snapshot) -> Iterator[Hit]:
    """Iterate once over the hits of a snapshot, roughly in their order of arrival, in bounded memory.

    Some of them may be stored already. Unreadable lines, which the drainer makes dead letters, are skipped and logged.
    """
    unreadable = 0

    def read(lines: Iterable[bytes]) -> Iterator[Hit]:
        nonlocal unreadable
        for line in lines:
            try:
                yield from_line(line)
            except UnreadableLine:
                unreadable += 1

    yield from heapq.merge(*map(read, snapshot.segments()), key=attrgetter("id"))  # ids begin with the time
    if unreadable:
        _logger.warning("%d lines in the spool can't be read.", unreadable)


def oldest_hit(folder: Path) -> datetime | None:
    """Return roughly the time of the oldest hit in a spool's folder, stored or not; `None` without any.

    Raises:
        OSError: the folder or a segment can't be read.
    """
    with Snapshot(folder) as snapshot:
        return min(filter(None, map(_first_time, snapshot.segments())), default=None)


def _first_time(lines: Iterable[bytes]) -> datetime | None:
    for line in lines:
        with suppress(UnreadableLine):
            return from_line(line).at
    return None
