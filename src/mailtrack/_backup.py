"""`back_up`: copies a storage and the opens that wait in its spool into one file, while servers run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import attrs

from mailtrack._errors import InvalidInput, StorageError, StorageUnavailable
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.pending import pending_hits
from mailtrack._ingest.storing import store_hits
from mailtrack._spool import Snapshot
from mailtrack.storage._abilities import SupportsBackup
from mailtrack.storage._protocol import Storage

_STORED_AT_ONCE = 4000  # hits
_COMPANIONS = ("-wal", "-shm", "-journal")  # SQLite takes files with these endings for parts of the database


@attrs.frozen(kw_only=True)
class Backup:
    """A backup that was written.

    Attributes:
        file: its path.
        size: its size in bytes.
        from_spool: number of its opens that were only in the spool.
    """

    file: Path
    size: int
    from_spool: int


def back_up(storage: Storage, file: Path, *, spool: Path | None, enricher: Enricher) -> Backup:
    """Write a backup of all opens that were stored or in the spool before the call.

    It takes a snapshot of the spool, copies the storage, and adds the hits of the snapshot to the copy. A hit that is
    drained meanwhile is in the snapshot, the copy or both, and becomes one open.

    Args:
        storage: the storage to copy.
        file: the path of the backup, which must not exist.
        spool: the folder of the spool, `None` for none.
        enricher: turns the hits of the spool into opens. It must be fresh.
    """
    if not isinstance(storage, SupportsBackup):
        raise StorageError(
            "A storage of this kind can't be backed up to a file. Use the tools of its server, such as pg_dump, or"
            " `mailtrack copy`."
        )
    if any(os.path.lexists(f"{file}{ending}") for ending in ("", *_COMPANIONS)):
        raise InvalidInput("There is a file of this name, or a part of a database beside it; a backup overwrites none.")
    with _explained(), _draft(file) as draft, nullcontext() if spool is None else Snapshot(spool) as snapshot:
        with storage.copy_to(draft) as copy:
            added = 0 if snapshot is None else _add(copy, snapshot, enricher)
        _publish(draft, file)
        return Backup(file=file, size=file.stat().st_size, from_spool=added)


@contextmanager
def _explained() -> Iterator[None]:
    """Say in each error that no backup was written."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"No backup was written: {error.strerror}.") from error
    except StorageError as error:
        kind = StorageUnavailable if isinstance(error, StorageUnavailable) else StorageError
        raise kind(f"No backup was written: {error}") from error


@contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """Create an empty, private file in a folder of its own beside `file`. Remove the folder at the end."""
    folder = file.with_name(f"{file.name}.{os.urandom(4).hex()}.partial")
    folder.mkdir(mode=0o700)
    try:
        draft = folder / file.name
        draft.touch(mode=0o600)  # it will contain addresses of people
        yield draft
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def _add(copy: Storage, snapshot: Snapshot, enricher: Enricher) -> int:
    """Store the hits of a snapshot in a copy, and return how many it did not have already."""
    hits, added = pending_hits(snapshot), 0
    while batch := list(islice(hits, _STORED_AT_ONCE)):
        added += len(store_hits(copy, enricher, batch))
    return added


def _publish(draft: Path, file: Path) -> None:
    """Sync a file and move it to its place, atomically and without replacing another file."""
    if any(draft.with_name(draft.name + ending).exists() for ending in _COMPANIONS):
        raise StorageUnavailable("A part of it is still in another file. Is the disk full?")
    _sync(draft)
    try:
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:  # some file systems have no hard links
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
