"""The storage for many nodes: a PostgreSQL database, shared by any number of processes and machines."""

from mailtrack._errors import InvalidSetting

try:
    from mailtrack.storage._postgres.replicated import ReplicatedStorage
    from mailtrack.storage._postgres.storage import PostgresStorage
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "psycopg":
        raise
    raise InvalidSetting("database", "needs psycopg for PostgreSQL: pip install 'mailtrack[postgres]'") from error
except ImportError as error:  # psycopg is there, and libpq is not
    raise InvalidSetting("database", f"needs psycopg for PostgreSQL, which can't be used: {error}") from error

__all__ = ["PostgresStorage", "open_url"]


def open_url(url: str, *, create: bool = True, read_url: str | None = None) -> PostgresStorage:
    """Open the storage in a database, given as `postgresql://user:password@host:port/name`; by default, make tables.

    With `read_url`, the same for a replica of it, lists of opens and recipients and all figures are read from there.
    """
    return PostgresStorage(url, create=create) if read_url is None else ReplicatedStorage(url, read_url, create=create)
