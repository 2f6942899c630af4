"""`Reader`: hands out the lines of a spool's folder in batches, to one process at a time."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import attrs

from mailtrack import _forking as forking
from mailtrack._spool import dead_letters, progress
from mailtrack._spool.merging import Front, Piece, Queue, come_before, make_queues, merge, order_of
from mailtrack._spool.segment import is_at, segments, try_lock

_BATCH_BYTES = 2 * 1024 * 1024  # some 7,000 opens: fewer cost more commits, more block other writers longer
_LINE_BYTES = 512  # ordinary lines are shorter
_MOST_BATCHES = 8  # in memory at once, if many processes have left lines

_logger = logging.getLogger(__name__)


@attrs.define
class Batch:
    """Lines to be stored together and then acknowledged.

    Attributes:
        ends: the position behind the batch in each segment, in bytes.
        lines: the lines without their line breaks, sorted by their order keys.
        dead_letters: the lines that can't be stored, each with the reason. The caller adds them.
    """

    ends: dict[Path, int]
    lines: list[bytes]
    dead_letters: list[tuple[bytes, str]] = attrs.Factory(list)


class Reader:
    """Reads all segments of a folder, for one thread of the process that leads.

    Segments are read while they are written. A segment is removed once all its lines are acknowledged and its writer
    has closed it or died.

    Args:
        folder: the spool's folder.
        batch_bytes: approximate size of a batch.
    """

    def __init__(self, folder: Path, *, batch_bytes: int = _BATCH_BYTES) -> None:
        self._folder = folder
        self._batch_bytes = batch_bytes
        self._leading: int | None = None  # descriptor of the folder, which is locked through it
        self._done: dict[Path, int] = {}
        self._noted: dict[Path, int] | None = None  # what the progress says of `_done`, `None` if that is not known
        self._waited = 0.0
        self._unusable: set[Path] = set()
        self._files = threading.Lock()  # held while a file is open: a forked child would keep it open, and locked
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<Reader {self._folder.name}>"

    @property
    def leads(self) -> bool:
        """Whether this process leads: no other one reads the folder."""
        return self._leading is not None

    def lead(self) -> bool:
        """Take the lead if no other process has it; return whether this process leads.

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
        """Give up the lead. The next leader reads again what is not acknowledged."""
        with self._files:
            self._release()

    def _release(self) -> None:
        descriptor, self._leading = self._leading, None
        self._done.clear()
        self._noted = None
        if descriptor is not None:
            os.close(descriptor)

    def batches(self) -> Iterator[Batch]:
        """Iterate over the waiting lines in their order of arrival. Acknowledge each batch before the next.

        A batch that holds all waiting lines is the last one: lines that are written meanwhile make a larger batch
        later, instead of many small ones.
        """
        more = True
        while more:
            batch, more = self._read()
            if batch.ends:
                yield batch
        for path in batch.ends:  # these were read to their ends
            with self._skipping_unreadable(path):
                self._read_segment(path, _LINE_BYTES)
        self._note()

    def acknowledge(self, batch: Batch) -> None:
        """Mark a batch as stored, and move its dead letters to their file.

        Raises:
            OSError: the dead letters can't be written. The batch is not marked.
        """
        if batch.dead_letters:
            with self._files:
                dead_letters.keep(self._folder, [line for line, _ in batch.dead_letters])
            for _, reason in batch.dead_letters:
                _logger.error("A line of the spool was moved to %s: %s.", dead_letters.FILE, reason)
        self._done |= batch.ends
        self._waited = _age_of(batch.lines[0]) if batch.lines else 0.0
        self._note()

    def _note(self) -> None:
        """Write down how far this reader is, where that has changed."""
        if self._noted == self._done:
            return
        positions = {path.name: position for path, position in self._done.items()}
        with self._files, suppress(OSError):  # a hint, without which more seems to wait than does
            progress.write(self._folder, progress.Progress(positions, self._waited))
            self._noted = dict(self._done)

    def before_fork(self) -> None:
        """Wait until no file is open."""
        self._files.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Give up the parent's lead in a forked child."""
        if child:
            self._release()
        self._files.release()

    def _read(self) -> tuple[Batch, bool]:
        """Return the next batch, and whether more lines wait."""
        with self._files:
            queues = make_queues(segments(self._folder))
        fronts, until = self._read_fronts(queues)
        more = until is not None or any(front.more for front in fronts)
        return self._make_batch(merge(fronts, until)), more

    def _read_fronts(self, queues: list[Queue]) -> tuple[list[Front], bytes | None]:
        """Return the next lines of each queue, and a key that sorts before those of the queues that were not read."""
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
        """Return the next lines of a queue, and their size."""
        pieces: list[Piece] = []
        size = 0
        for path in queue.paths:
            data, more = b"", False
            with self._skipping_unreadable(path):
                data, more = self._read_segment(path, room - size)
            size += len(data)
            if data:
                pieces.append((path, data[:-1].split(b"\n")))
            if more or size >= room:
                return Front(pieces, more=True), size
        return Front(pieces, more=False), size

    def _make_batch(self, pieces: list[Piece]) -> Batch:
        ends = {path: self._done.get(path, 0) + sum(map(len, lines)) + len(lines) for path, lines in pieces}
        return Batch(ends, sorted(chain.from_iterable(lines for _, lines in pieces), key=order_of))

    @contextmanager
    def _skipping_unreadable(self, path: Path) -> Iterator[None]:
        """Skip a segment that can't be read, and log it once."""
        try:
            yield
            self._unusable.discard(path)
        except FileNotFoundError:
            self._done.pop(path, None)  # an operator removed it
        except OSError as error:
            if path not in self._unusable:
                self._unusable.add(path)
                _logger.error("%s in the spool can't be read: %s.", path.name, error.strerror)

    def _read_segment(self, path: Path, limit: int) -> tuple[bytes, bool]:
        """Return about `limit` bytes of whole lines that are not acknowledged, and whether there are more.

        An abandoned segment without any is removed.
        """
        with self._files:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_size < self._done.get(path, 0):
                    del self._done[path]  # it was truncated: its lines are read again, which is harmless
                done = self._done.get(path, 0)
                data, more = _read_lines(descriptor, done, limit)
                if not data and try_lock(descriptor) and is_at(descriptor, path):
                    # Its writer has closed it or died: read the lines that came between reading and locking. A last
                    # line without its line break was being written when the writer died, and was not acknowledged.
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
        limit *= 2  # a line longer than the limit, which is foreign


def _age_of(line: bytes) -> float:
    """Return the age of a line in seconds, 0 where it has no time."""
    try:
        return max(0.0, time.time() - int(order_of(line)[:12], 16) / 1000)
    except ValueError:
        return 0.0


def _count_rivals(queues: list[Queue]) -> int:
    """Return about how many queues share a batch: those begun before the last write to the oldest segment."""
    try:
        written = queues[0].paths[0].stat().st_mtime_ns
    except (IndexError, OSError):
        return max(1, len(queues))
    return max(1, sum(queue.begun <= written for queue in queues))
