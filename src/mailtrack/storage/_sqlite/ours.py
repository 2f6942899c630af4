"""`check_ours`: whether a file is a database of mailtrack, and complete; checked without changing anything.

A foreign file must stay as it is, with the files beside it. SQLite's ordinary way of opening one does not keep that: it
would play back a hot journal, and make a WAL and its index. And reading the file past SQLite, by `open` and `close`,
would drop the locks that SQLite holds on it in this process (POSIX: closing any descriptor of a file drops all of the
process's locks on it). So SQLite reads the header, by a connection that takes the file for immutable: such a connection
neither locks nor writes, looks at nothing beside the file, and SQLite closes its descriptor only when that drops no
lock.

But it also reads past the WAL, and may see a checkpoint half done: by another process just now, or by one that was
killed. The header may then count pages that the file does not have yet. The WAL still has them, and an ordinary
connection finds them there. So the header counts here for one thing only: whose file it is. Whether the file is whole
is for SQLite to find, with the WAL, once the file is known to be ours.

A power cut may even have damaged the first page while it was written. Its right content is in the WAL then, and SQLite
takes it from there. So where the header is none of SQLite's, the first page in the WAL says whose the file is. Where
it is that of another program, the file is theirs, and the WAL does not matter: files of ours have their id in the
header before they appear in their place.
"""

import sqlite3
from pathlib import Path

from mailtrack._errors import StorageError
from mailtrack.storage._sqlite import wal

APPLICATION_ID = 0x6D61696C  # "mail", in the header of every file of ours

_UNREADABLE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def check_ours(path: Path) -> None:
    """Make sure that a file is a database of mailtrack, without changing anything.

    Raises:
        StorageError: it is not.
        sqlite3.Error: it can't be read.
    """
    try:
        found = _read_header(path, "PRAGMA writable_schema = ON")  # then the pages are not counted
    except sqlite3.DatabaseError as error:
        if _code(error) not in _UNREADABLE or wal.read_application_id(path) != APPLICATION_ID:
            raise
        return
    if found != APPLICATION_ID:
        raise StorageError(f"{path} is not a database of mailtrack.")


def is_cut(path: Path, error: sqlite3.Error) -> bool:
    """Return whether SQLite can't read a file for this reason: it has fewer pages than it should, and no WAL."""
    return _code(error) == sqlite3.SQLITE_CORRUPT and not wal.has_content(path) and _counts_more_pages(path)


def _counts_more_pages(path: Path) -> bool:
    try:
        _read_header(path)
    except sqlite3.DatabaseError as error:
        return _code(error) == sqlite3.SQLITE_CORRUPT
    return False


def _read_header(path: Path, *pragmas: str) -> int:
    """Return the application id as the file has it."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        for pragma in pragmas:
            connection.execute(pragma)
        (found,) = connection.execute("PRAGMA application_id").fetchone()
        return int(found)
    finally:
        connection.close()


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
