"""The checks of the spool."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailtrack._spool import dead_letters
from mailtrack._spool.segment import is_unlocked, segments
from mailtrack._text import plural
from mailtrack.cli._doctor.finding import Finding, failed, ok, skipped, warning

_PATIENCE = timedelta(minutes=2)  # four times as long as a segment is written before the next begins


def check_spool(folder: Path, now: datetime) -> Iterator[Finding]:
    """Check the folder of a spool: the hits that wait, the process that stores them, and the dead letters.

    Args:
        folder: the spool's folder.
        now: the time by the clock of this machine.
    """
    if not folder.exists():
        yield skipped("spool", f"There is no {folder} yet; the server creates it.")
        return
    try:
        found = [_check_waiting(folder, now), _check_dead_letters(folder)]
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
    drained = not is_unlocked(folder)  # a process that drains it holds its lock
    size = f"{sum(number for _, number in waiting):,} bytes of opens in {plural(len(waiting), 'file')}"
    if waiting and not drained:
        return failed(
            "spool",
            f"{size} wait in the spool, and no process stores them.",
            "Start the server, or run mailtrack spool drain.",
        )
    if waiting and (age := now - min(waiting)[0]) > _PATIENCE:
        return failed(
            "spool",
            f"{size} wait in the spool, the oldest for {int(age.total_seconds() // 60):,} minutes.",
            "Read the server's log: the database may be locked, full or unreachable.",
        )
    if waiting:
        return ok("spool", f"{size} are in the spool and are being stored.")
    return ok("spool", f"The spool is empty; {'a' if drained else 'no'} process is running to store new opens.")


def _check_dead_letters(folder: Path) -> Finding:
    if number := dead_letters.count(folder):
        return warning(
            "dead-letters",
            f"The spool has {plural(number, 'dead letter')}: lines that could not become opens.",
            f"Compare {folder / dead_letters.FILE} with the server's log. Remove the file once the cause is known.",
        )
    return ok("dead-letters", "The spool has no dead letters.")
