"""The checks of the machine: permissions of files, disk space, the clock."""

import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailtrack.cli._doctor.finding import Finding, failed, ok, skipped, warning

LITTLE_SPACE = 1024 * 1024 * 1024
"""Bytes that should be free beside the database."""

NO_SPACE = 64 * 1024 * 1024
"""Free bytes below which the disk is about to be full."""

_BEGAN = datetime(2025, 11, 1, tzinfo=UTC)  # there was no mailtrack before
_TOLERANCE = timedelta(minutes=1)


def check_permissions(files: Iterable[Path]) -> Finding:
    """Check that other users of the machine may not read or write files. Missing files are left out."""
    modes = {}
    for path in files:
        with suppress(OSError):  # not made yet
            modes[path] = path.stat().st_mode
    if not modes:
        return skipped("permissions", "There are no files yet.")
    readable, writable = [], []
    for path, mode in modes.items():
        if mode & stat.S_IWOTH:
            writable.append(path)
        elif mode & (stat.S_IROTH | stat.S_IXOTH):
            readable.append(path)
    if writable:
        return failed("permissions", f"Every user of this machine may write {_names(writable)}.", _chmod(writable))
    if readable:
        return warning(
            "permissions",
            f"Every user of this machine may read {_names(readable)}, which hold addresses.",
            _chmod(readable),
        )
    return ok("permissions", "Database and spool are closed to other users of this machine.")


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


def _chmod(paths: Iterable[Path]) -> str:
    return f"Run chmod o= {' '.join(map(str, paths))}, as their owner."


def check_space(check: str, folder: Path, *, wanted: int) -> Finding:
    """Check the free space of the disk that holds a folder, or would hold it.

    Args:
        check: the name of the check.
        folder: the folder.
        wanted: the number of bytes that should be free.
    """
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), None)
    try:
        free = shutil.disk_usage(there or folder).free
    except OSError as error:
        return failed(
            check, f"{folder} can't be examined: {error.strerror}.", "Run this as the user that runs the server."
        )
    space = f"{_mebibytes(free)} MiB are free on the disk of {folder.absolute()}"
    if free < NO_SPACE:
        return failed(check, f"Only {space}.", "Free some space now: a full disk refuses opens.")
    if free < wanted:
        return warning(
            check, f"Only {space}; {_mebibytes(wanted)} MiB should be.", "Free some space, or use a larger disk."
        )
    return ok(check, f"{space}.")


def _mebibytes(size: int) -> str:
    return f"{size // (1024 * 1024):,}"


def check_clock(now: datetime, stored: Iterable[tuple[str, datetime]]) -> Finding:
    """Check that stored times lie in the past by the clock of this machine.

    Args:
        now: the time by the clock of this machine.
        stored: times of past events, each with the name of its event.
    """
    advice = "Set the time and keep it by NTP: verdicts and reports depend on it."
    if now < _BEGAN:
        return failed("clock", f"The date of this machine, {now:%Y-%m-%d}, is wrong.", advice)
    ahead = [(what, at) for what, at in stored if at > now + _TOLERANCE]
    if ahead:
        what, at = max(ahead, key=lambda one: one[1])
        return warning("clock", f"{what} is {_span(at - now)} ahead of this machine's clock.", advice)
    return ok("clock", "No stored time is ahead of this machine's clock.")


def check_server_clock(now: datetime, server: datetime | None) -> Finding:
    """Compare the clock of this machine with the date of the server's answer."""
    if server is None:
        return skipped("server-clock", "The answer has no valid date.")
    if abs(server - now) > _TOLERANCE:
        direction = "ahead of" if server > now else "behind"
        return warning(
            "server-clock",
            f"The server's clock is {_span(abs(server - now))} {direction} this machine's.",
            "Correct the clock that is wrong, and keep both by NTP.",
        )
    return ok("server-clock", "The server's clock agrees with this machine's.")


def _span(value: timedelta) -> str:
    return str(value - timedelta(microseconds=value.microseconds))


def times_of(files: Iterable[Path]) -> Iterator[tuple[str, datetime]]:
    """Return the times at which files were last written. Missing files are left out."""
    for path in files:
        with suppress(OSError):
            yield f"The last change of {path}", datetime.fromtimestamp(path.stat().st_mtime, UTC)
