"""The checks of an SQLite database and its file."""

from collections.abc import Iterator
from pathlib import Path

from mailtrack._errors import StorageError, StorageUnavailable
from mailtrack.cli._doctor.finding import Finding, failed, ok, reason, skipped, warning
from mailtrack.storage._sqlite.inspection import NEEDED_SQLITE, SQLITE_VERSION, Inspection, may_damage_wal
from mailtrack.storage._sqlite.sweeping import KEPT_FREE
from mailtrack.storage._sqlite.wal import has_content, wal_of

QUICK_CHECK_SECONDS = 10.0
"""Default limit of the search for damage."""

_PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
"""The pragmas that each connection sets, with the values that SQLite then reports: `FULL`, on, on."""

_RESTORE = "Stop the server, keep a copy of the file and its WAL, and restore a backup."


def check_sqlite(version: tuple[int, int, int] = SQLITE_VERSION) -> Finding:
    """Check the version of SQLite."""
    name = ".".join(map(str, version))
    if version < NEEDED_SQLITE:
        needed = ".".join(map(str, NEEDED_SQLITE))
        return failed("sqlite", f"SQLite {name} is too old.", f"Use a Python with SQLite {needed} or newer.")
    if may_damage_wal(version):
        return warning(
            "sqlite",
            f"SQLite {name} can, very rarely, damage a database that is written during a checkpoint.",
            "Keep backups, and use 3.51.3 or newer (or 3.50.7, 3.44.6), unless your system's package has the fix.",
        )
    return ok("sqlite", f"SQLite {name} has no known fault that matters here.")


def check_database(path: Path, *, seconds: float = QUICK_CHECK_SECONDS) -> Iterator[Finding]:
    """Check a database file, without changing it.

    Args:
        path: the file.
        seconds: the limit of the search for damage.
    """
    if not path.exists():
        yield _missing(path)
        return
    try:
        inspection = Inspection(path)
    except StorageUnavailable as error:
        yield failed(
            "database", f"{path} can't be opened: {reason(error)}.", "Run this as the user that runs the server."
        )
        return
    except StorageError as error:
        yield failed(
            "database",
            f"{path} can't be used: {reason(error)}.",
            f"Name the right file. If this is the one: {_RESTORE}",
        )
        return
    with inspection:
        yield from _check_open(inspection, path, seconds)


def _missing(path: Path) -> Finding:
    if has_content(path):
        return failed(
            "database",
            f"There is no {path.absolute()}, but its WAL is there.",
            "Move the file back beside its WAL, which has the last changes. Before restoring a backup, remove the WAL.",
        )
    return failed(
        "database",
        f"There is no {path.absolute()}.",
        "Name the right file, or start the server once, which creates it.",
    )


def _check_open(inspection: Inspection, path: Path, seconds: float) -> Iterator[Finding]:
    try:
        yield _check_writable(inspection, path)
        yield _check_tables(inspection)
        yield _check_journal(inspection, path)
        yield _check_pragmas(inspection)
        yield _check_space(inspection)
        yield _check_integrity(inspection, seconds)
    except StorageError as error:
        yield failed("integrity", f"{path} can't be read: {reason(error)}.", _RESTORE)


def _check_writable(inspection: Inspection, path: Path) -> Finding:
    try:
        inspection.try_to_write()
    except StorageUnavailable as error:
        return failed(
            "database",
            f"{path} can't be written: {reason(error)}.",
            "Find the process that holds the lock, and check that this user may write the file and its folder.",
        )
    return ok("database", f"{path} can be read and written.")


def _check_tables(inspection: Inspection) -> Finding:
    if unknown := inspection.unknown():
        return failed(
            "tables",
            f"The tables are those of a newer mailtrack ({', '.join(unknown)}).",
            "Install that version again.",
        )
    if pending := inspection.pending():
        return warning(
            "tables",
            f"The tables are those of an older mailtrack; {len(pending)} migrations are pending.",
            "Make a backup, then start the server, which migrates them.",
        )
    return ok("tables", "The tables are those of this version.")


def _check_journal(inspection: Inspection, path: Path) -> Finding:
    mode = inspection.pragma("journal_mode")
    if mode != "wal":
        return failed(
            "journal",
            f"The journal mode is {mode}, so readers and writers block each other.",
            "Start the server, which sets WAL; the file must be on a local disk.",
        )
    if has_content(path):
        name = wal_of(path).name
        return ok(
            "journal", f"The journal mode is WAL. A copy of the file needs {name} too; `mailtrack backup` includes it."
        )
    return ok("journal", "The journal mode is WAL.")


def _check_pragmas(inspection: Inspection) -> Finding:
    wrong = [name for name, wanted in _PRAGMAS.items() if inspection.pragma(name) != wanted]
    if wrong:
        return failed(
            "durability",
            f"This SQLite ignores some settings: {', '.join(wrong)}.",
            "Use a Python with an ordinary SQLite.",
        )
    return ok("durability", "Commits are synced to disk, and deleted data is overwritten.")


def _check_space(inspection: Inspection) -> Finding:
    free = int(inspection.pragma("freelist_count"))
    size = f"{free * int(inspection.pragma('page_size')) / 2**20:,.0f} MiB"
    if free <= KEPT_FREE:
        return ok("space", "The file has no free space worth giving back.")
    if inspection.pragma("auto_vacuum"):
        return ok("space", f"{size} of the file are free. The server gives them back, as does `mailtrack purge`.")
    return warning(
        "space",
        f"{size} of the file are free, and only new rows will use them: an earlier version created the file.",
        "To make it smaller, stop the server, make a backup, and put it in the place of the file.",
    )


def _check_integrity(inspection: Inspection, seconds: float) -> Finding:
    problems = inspection.find_damage(seconds)
    if problems is None:
        return skipped(
            "integrity",
            f"The file is too large to be searched for damage in {seconds:g} seconds.",
            "At a quiet time, run sqlite3 FILE 'PRAGMA quick_check'.",
        )
    if problems:
        return failed("integrity", f"The file is damaged: {reason(problems[0])}.", _RESTORE)
    return ok("integrity", "SQLite finds no damage in the file.")
