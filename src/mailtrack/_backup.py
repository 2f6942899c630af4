"""`back_up`: a whole copy of a storage in one file, with the hits that wait in the spool, while servers run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import attrs

from mailtrack._errors import InvalidInput, StorageError, StorageUnavailable
from mailtrack._ingest.enrich import Examiner
from mailtrack._ingest.recorder import Recorder
from mailtrack._spool import Waiting
from mailtrack._times import now
from mailtrack.storage._protocol import Storage, SupportsBackup

_STORED_AT_ONCE = 4000  # hits
_COMPANIONS = ("-wal", "-shm", "-journal")  # what SQLite would take for a part of a file with the name before


@attrs.frozen(kw_only=True)
class Backup:
    """A backup that was written.

    Attributes:
        file: where it is.
        size: its size in bytes.
        from_spool: how many of its opens were in the spool only.
    """

    file: Path
    size: int
    from_spool: int


def back_up(storage: Storage, file: Path, *, spool: Path | None, examiner: Examiner) -> Backup:
    """Write a backup with all that was stored, or taken by the spool, before this was called.

    The segments of the spool are held first, then the storage is copied, then what only they have is added to the copy:
    a hit that moves from the one to the other meanwhile is in one of them, or in both, and is one open.

    Args:
        storage: what is copied.
        file: the backup, which must not exist.
        spool: the folder of the spool, `None` for none.
        examiner: makes opens of the hits in the spool; it must be fresh.
    """
    if not isinstance(storage, SupportsBackup):
        raise StorageError("A storage of this kind can't be backed up to a file.")
    if any(os.path.lexists(f"{file}{ending}") for ending in ("", *_COMPANIONS)):
        raise InvalidInput("There is a file of this name, or a part of a database beside it; a backup overwrites none.")
    with _explained(), _draft(file) as draft, nullcontext() if spool is None else Waiting(spool) as waiting:
        with storage.copy_to(draft) as copy:
            added = 0 if waiting is None else _add(copy, waiting, examiner)
        _publish(draft, file)
        return Backup(file=file, size=file.stat().st_size, from_spool=added)


@contextmanager
def _explained() -> Iterator[None]:
    """Say in each error what came of the backup."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"No backup was written: {error.strerror}.") from error
    except StorageError as error:
        kind = StorageUnavailable if isinstance(error, StorageUnavailable) else StorageError
        raise kind(f"No backup was written: {error}") from error


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """Make an empty, private file in a folder of its own beside another, and remove that folder at the end."""
    folder = file.with_name(f"{file.name}.{os.urandom(4).hex()}.partial")
    folder.mkdir(mode=0o700)
    try:
        draft = folder / file.name
        draft.touch(mode=0o600)  # it will hold addresses of people
        yield draft
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def _add(copy: Storage, waiting: Waiting, examiner: Examiner) -> int:
    """Store hits in a copy that may have them already, and return how many it did not have."""
    recorder = Recorder(copy, examiner, None, now)
    hits, added = waiting.hits(), 0
    while batch := list(islice(hits, _STORED_AT_ONCE)):
        added += recorder.store(batch)
    return added


def _publish(draft: Path, file: Path) -> None:
    """Bring a file to disk and to its place, where it appears whole and takes the place of no other."""
    if any(draft.with_name(draft.name + ending).exists() for ending in _COMPANIONS):
        raise StorageUnavailable("A part of it is still beside its file. Is the disk full?")
    _sync(draft)
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # some file systems have no links
        if file.exists():
            raise
        draft.rename(file)
    _sync(file.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
