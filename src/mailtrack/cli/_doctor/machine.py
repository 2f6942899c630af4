"""The checks of what the machine gives: files, disk space, time."""

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
"""Bytes without which a day is not to be survived."""

_BEGAN = datetime(2025, 11, 1, tzinfo=UTC)  # there was no mailtrack before
_TOLERANCE = timedelta(minutes=1)


def check_permissions(files: Iterable[Path]) -> Finding:
    """Check that nobody else on the machine may read or write files, those that there are."""
    modes = {}
    for path in files:
        with suppress(OSError):  # there is none yet
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
        return failed("permissions", f"Everybody on this machine may write {_names(writable)}.", _chmod(writable))
    if readable:
        return warning(
            "permissions",
            f"Everybody on this machine may read {_names(readable)}, which hold addresses.",
            _chmod(readable),
        )
    return ok("permissions", "Database and spool are closed to other users of this machine.")


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


def _chmod(paths: Iterable[Path]) -> str:
    return f"Run chmod o= {' '.join(map(str, paths))}, as their owner."


def check_space(check: str, folder: Path, *, wanted: int) -> Finding:
    """Check the free space of the disk on which a folder is, or would be made.

    Args:
        check: what the check is called.
        folder: the folder.
        wanted: how many bytes should be free.
    """
    there = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), None)
    try:
        free = shutil.disk_usage(there or folder).free
    except OSError as error:
        return failed(
            check, f"{folder} can't be looked at: {error.strerror}.", "Run this as the user that runs the server."
        )
    told = f"{_mebibytes(free)} MiB are free on the disk of {folder.absolute()}"
    if free < NO_SPACE:
        return failed(check, f"Only {told}.", "Make room now: opens are refused when the disk is full.")
    if free < wanted:
        return warning(check, f"Only {told}; {_mebibytes(wanted)} MiB should be.", "Make room, or use a larger disk.")
    return ok(check, f"{told}.")


def _mebibytes(size: int) -> str:
    return f"{size // (1024 * 1024):,}"


def check_clock(now: datetime, stored: Iterable[tuple[str, datetime]]) -> Finding:
    """Check the time of this machine against times that lie behind it.

    Args:
        now: the time here.
        stored: times in the past, each with what it is the time of.
    """
    advice = "Set the time, and let it be kept by NTP: verdicts and reports depend on it."
    if now < _BEGAN:
        return failed("clock", f"This machine takes today for {now:%Y-%m-%d}.", advice)
    ahead = [(what, at) for what, at in stored if at > now + _TOLERANCE]
    if ahead:
        what, at = max(ahead, key=lambda one: one[1])
        return warning("clock", f"{what} is {_span(at - now)} ahead of this machine's time.", advice)
    return ok("clock", "Nothing stored is ahead of this machine's time.")


def check_server_clock(now: datetime, server: datetime | None) -> Finding:
    """Check the time of this machine against that of the server's answer."""
    if server is None:
        return skipped("server-clock", "The answer has no date that can be read.")
    if abs(server - now) > _TOLERANCE:
        direction = "ahead of" if server > now else "behind"
        return warning(
            "server-clock",
            f"The server's time is {_span(abs(server - now))} {direction} this machine's.",
            "Set the time of whichever is wrong, and let it be kept by NTP.",
        )
    return ok("server-clock", "The server's time is that of this machine.")


def _span(value: timedelta) -> str:
    return str(value - timedelta(microseconds=value.microseconds))


def times_of(files: Iterable[Path]) -> Iterator[tuple[str, datetime]]:
    """Return when files were last written, those that there are."""
    for path in files:
        with suppress(OSError):
            yield f"The last change of {path}", datetime.fromtimestamp(path.stat().st_mtime, UTC)
