"""The checks of the spool."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailtrack._spool import Backlog, dead_letters
from mailtrack._spool.segment import segments
from mailtrack.cli._doctor.finding import Finding, failed, ok, skipped, warning

_PATIENCE = timedelta(minutes=2)  # a file that is drained is begun anew after half a minute


def check_spool(folder: Path, now: datetime) -> Iterator[Finding]:
    """Check what waits in a spool's folder, whether anybody brings it to the storage, and what was set aside.

    Args:
        folder: the spool's folder.
        now: the time here.
    """
    if not folder.exists():
        yield skipped("spool", f"There is no {folder} yet; the server makes it.")
        return
    try:
        found = [_check_waiting(folder, now), _check_set_aside(folder)]
    except OSError as error:
        found = [
            failed("spool", f"{folder} can't be read: {error.strerror}.", "Run this as the user that runs the server.")
        ]
    yield from found


def _check_waiting(folder: Path, now: datetime) -> Finding:
    waiting = []
    for path in segments(folder):
        with suppress(FileNotFoundError):  # stored meanwhile
            found = path.stat()
            if found.st_size:
                waiting.append((datetime.fromtimestamp(found.st_mtime, UTC), found.st_size))
    drained = _is_drained(folder)
    told = f"{sum(size for _, size in waiting):,} bytes of opens in {len(waiting):,} files"
    if waiting and not drained:
        return failed(
            "spool",
            f"{told} wait in the spool, and no process stores them.",
            "Start the server, or run mailtrack spool drain.",
        )
    if waiting and (age := now - min(waiting)[0]) > _PATIENCE:
        return failed(
            "spool",
            f"{told} wait in the spool, the oldest for {int(age.total_seconds() // 60):,} minutes.",
            "See the server's log: the database may be locked, full or away.",
        )
    if waiting:
        return ok("spool", f"{told} are in the spool, and are being stored.")
    return ok("spool", f"Nothing waits in the spool; {'a' if drained else 'no'} process is there to store what comes.")


def _is_drained(folder: Path) -> bool:
    """Tell whether a process has the lead, by trying to get it for a moment."""
    backlog = Backlog(folder)
    try:
        return not backlog.lead()
    finally:
        backlog.release()


def _check_set_aside(folder: Path) -> Finding:
    if number := dead_letters.count(folder):
        return warning(
            "set-aside",
            f"{number:,} lines that could not become an open are set aside.",
            f"Look at {folder / dead_letters.FILE} and at the server's log, and remove it when it is clear why.",
        )
    return ok("set-aside", "No line of the spool had to be set aside.")
