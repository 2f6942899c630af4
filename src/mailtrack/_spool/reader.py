"""`Backlog`: what waits in a spool's folder, for the one that brings it to the storage."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

import attrs

from mailtrack import _forking as forking
from mailtrack._model import Hit
from mailtrack._spool import dead_letters
from mailtrack._spool.lines import UnreadableRecord, from_line
from mailtrack._spool.merging import Front, Piece, Queue, come_before, make_queues, merge
from mailtrack._spool.segment import is_at, segments, try_lock

_BATCH_BYTES = 1024 * 1024  # some four thousand hits: fewer cost more commits, more hold up other writers
_LINE_BYTES = 512  # an ordinary line is shorter
_MOST_BATCHES = 8  # in memory at once, where many processes have left something

_logger = logging.getLogger(__name__)


@attrs.define
class Batch:
    """Hits to be stored together, and then acknowledged.

    Attributes:
        ends: how far it reaches in each segment.
        hits: what can be stored.
        aside: lines that can't, each with the reason; more may be added.
    """

    ends: dict[Path, int] = attrs.Factory(dict)
    hits: list[Hit] = attrs.Factory(list)
    aside: list[tuple[bytes, str]] = attrs.Factory(list)


class Backlog:
    """All segments of a folder, whoever writes them or wrote them, for one thread of the one process that leads.

    Segments are read while they are written. One is removed when all in it is acknowledged and its owner has closed it,
    or has died.

    Args:
        folder: the spool's folder.
        batch_bytes: about how much is handed over at once.
    """

    def __init__(self, folder: Path, *, batch_bytes: int = _BATCH_BYTES) -> None:
        self._folder = folder
        self._batch_bytes = batch_bytes
        self._leading: int | None = None  # the folder, open and locked
        self._done: dict[Path, int] = {}
        self._unusable: set[Path] = set()
        self._files = threading.Lock()  # held while one is open, as a forked child would keep it open, and locked
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<Backlog {self._folder.name}>"

    @property
    def leads(self) -> bool:
        """Whether this process is the one that drains the folder."""
        return self._leading is not None

    def lead(self) -> bool:
        """Become the one that drains this folder, or stay it; tell whether that is so.

        Raises:
            OSError: the folder can't be used.
        """
        with self._files:
            if self._leading is None:
                descriptor = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if try_lock(descriptor):
                        self._leading = descriptor
                finally:
                    if self._leading is None:
                        os.close(descriptor)
            return self._leading is not None

    def release(self) -> None:
        """Let another process lead. What was not acknowledged is handed over to it."""
        with self._files:
            self._release()

    def _release(self) -> None:
        descriptor, self._leading = self._leading, None
        self._done.clear()
        if descriptor is not None:
            os.close(descriptor)

    def batches(self) -> Iterator[Batch]:
        """Return what waits, in the order of arrival. Acknowledge each batch before the next.

        A batch that holds all that waits is the last one: what is written meanwhile makes a larger batch later, instead
        of many of a line or two.
        """
        more = True
        while more:
            batch, more = self._read()
            if batch.ends:
                yield batch
        for path in batch.ends:  # these were read to their ends
            with self._passing_over_errors(path):
                self._read_segment(path, _LINE_BYTES)

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that the storage has.

        Raises:
            OSError: what it sets aside can't be kept, and it is not forgotten.
        """
        if batch.aside:
            with self._files:
                dead_letters.keep(self._folder, [line for line, _ in batch.aside])
            for _, reason in batch.aside:
                _logger.error("A line of the spool is set aside in %s: %s.", dead_letters.FILE, reason)
        self._done |= batch.ends

    def before_fork(self) -> None:
        """Wait until no file is open."""
        self._files.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Let go, in a forked child, of a lead that is the parent's."""
        if child:
            self._release()
        self._files.release()

    def _read(self) -> tuple[Batch, bool]:
        """Return the next batch, and whether more waits."""
        with self._files:
            queues = make_queues(segments(self._folder))
        fronts, until = self._read_fronts(queues)
        more = until is not None or any(front.more for front in fronts)
        return self._make_batch(merge(fronts, until)), more

    def _read_fronts(self, queues: list[Queue]) -> tuple[list[Front], bytes | None]:
        """Return what comes next of each queue, and what comes before those that are not needed now."""
        fronts: list[Front] = []
        left, share = self._batch_bytes, max(1, self._batch_bytes // _count_rivals(queues))
        for queue in queues:
            if left <= -_MOST_BATCHES * self._batch_bytes or come_before(fronts, queue, enough=left <= 0):
                return fronts, queue.order
            front, size = self._read_front(queue, share)
            fronts.append(front)
            left -= size
        return fronts, None

    def _read_front(self, queue: Queue, room: int) -> tuple[Front, int]:
        """Return what comes next of a queue, and its size."""
        pieces: list[Piece] = []
        size = 0
        for path in queue.paths:
            data, more = b"", False
            with self._passing_over_errors(path):
                data, more = self._read_segment(path, room - size)
            size += len(data)
            if data:
                pieces.append((path, data[:-1].split(b"\n")))
            if more or size >= room:
                return Front(pieces, more=True), size
        return Front(pieces, more=False), size

    def _make_batch(self, pieces: list[Piece]) -> Batch:
        batch = Batch()
        for path, lines in pieces:
            batch.ends[path] = self._done.get(path, 0) + sum(map(len, lines)) + len(lines)
            for line in lines:
                try:
                    batch.hits.append(from_line(line))
                except UnreadableRecord as error:
                    batch.aside.append((line, str(error)))
        batch.hits.sort(key=attrgetter("id"))  # ids begin with the time
        return batch

    @contextmanager
    def _passing_over_errors(self, path: Path) -> Iterator[None]:
        """Let a segment that can't be used now keep no other back, and tell of it once."""
        try:
            yield
            self._unusable.discard(path)
        except FileNotFoundError:
            self._done.pop(path, None)  # an operator has removed it
        except OSError as error:
            if path not in self._unusable:
                self._unusable.add(path)
                _logger.error("%s in the spool can't be used: %s.", path.name, error.strerror)

    def _read_segment(self, path: Path, limit: int) -> tuple[bytes, bool]:
        """Return about `limit` bytes of whole records that are not done, and whether there are more.

        A segment without any is removed.
        """
        with self._files:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_size < self._done.get(path, 0):
                    del self._done[path]  # somebody has cut it: what is in it now comes again, which is harmless
                done = self._done.get(path, 0)
                data, more = _read_lines(descriptor, done, limit)
                if not data and try_lock(descriptor) and is_at(descriptor, path):
                    # Nobody writes it any more; what came between the look and the lock is read now. A last line
                    # without its end was being written when its owner died: it was not answered, and is not part of
                    # the segment.
                    data, more = _read_lines(descriptor, done, limit)
                    if not data:
                        path.unlink()
                        self._done.pop(path, None)
                return data, more
            finally:
                os.close(descriptor)


def _read_lines(descriptor: int, start: int, limit: int) -> tuple[bytes, bool]:
    while True:
        data = os.pread(descriptor, limit, start)
        end = data.rfind(b"\n") + 1
        if end or len(data) < limit:
            return data[:end], len(data) == limit
        limit *= 2  # one line is longer than that: a foreign one, as ours are short


def _count_rivals(queues: list[Queue]) -> int:
    """Return among about how many queues a batch is shared: those begun while the oldest segment was written."""
    try:
        written = queues[0].paths[0].stat().st_mtime_ns
    except (IndexError, OSError):
        return max(1, len(queues))
    return max(1, sum(queue.begun <= written for queue in queues))
