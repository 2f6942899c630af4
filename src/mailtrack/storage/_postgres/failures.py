"""Errors of the driver as mailtrack's; the only place where that happens."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from mailtrack._errors import StorageError, StorageUnavailable

# Errors that may pass by themselves, by the classes of their codes, and by whole codes.
_PASSING_CLASSES = frozenset(
    {
        "08",  # the connection
        "40",  # rolled back: deadlocks, serialization
        "53",  # no room on the disk or in memory, too many connections
        "57",  # an operator: shut down, backend terminated, statement cancelled or timed out
        "58",  # the system below: files
    }
)
_PASSING = frozenset(
    {
        "25006",  # read-only, as a standby is
        "25P03",  # idle in a transaction for too long
        "3F000",  # the schema, or a table, is gone, as while a database is restored
        "42P01",
        "42501",  # a right is missing, which the operator can give back
        "55P03",  # a lock not had in time
    }
)
_AGAIN = frozenset({"40001", "40P01"})


def may_pass(error: psycopg.Error) -> bool:
    """Return whether the same call may succeed later."""
    code = error.sqlstate
    if code is None:  # not the server's: the connection is lost, or was never made
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return code[:2] in _PASSING_CLASSES or code in _PASSING


def may_repeat(error: BaseException) -> bool:
    """Return whether the same transaction may succeed at once: it met others."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _AGAIN


@contextmanager
def translated(what: str = "PostgreSQL") -> Iterator[None]:
    """Turn errors of the driver into mailtrack's, which begin with `what`. Their texts have no values."""
    try:
        yield
    except psycopg.Error as error:
        text = _to_text(error)
        if may_pass(error):
            raise StorageUnavailable(f"{what}: {text}") from error
        raise StorageError(f"{what}: {text}") from error


def _to_text(error: psycopg.Error) -> str:
    """Return the first line of an error; the others may quote values."""
    text = error.diag.message_primary or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__
