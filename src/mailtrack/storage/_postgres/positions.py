"""How far a server and its replica are: places in the write-ahead log, and whose replica it is."""

from typing import NamedTuple

from mailtrack.storage._postgres.connections import Connection

_END = (
    "SELECT pg_wal_lsn_diff(CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()"
    " ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint, extract(epoch FROM clock_timestamp())::float8"
)
_REPLAYED = (
    "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint,"
    " extract(epoch FROM coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))::float8"
    " WHERE pg_is_in_recovery()"
)
_IDENTITY = (
    "SELECT (SELECT system_identifier FROM pg_control_system()), oid FROM pg_database"
    " WHERE datname = current_database()"
)


class Position(NamedTuple):
    """A place in the write-ahead log, and the time at which the primary was there, in seconds since 1970."""

    place: int
    at: float


def get_end(db: Connection) -> Position:
    """Return the place up to which a primary has committed, by its own clock now."""
    place, at = db.execute(_END).fetchall()[0]
    return Position(place, at)


def get_replayed(db: Connection) -> Position | None:
    """Return the place up to which a replica shows what its primary has; `None` where the server is no replica.

    Its time is that of the last commit that it shows.
    """
    found = db.execute(_REPLAYED).fetchone()
    return None if found is None else Position(*found)


def identify(db: Connection) -> tuple[int, int]:
    """Return which database this is: equal for a primary and its replicas, and for no others."""
    cluster, database = db.execute(_IDENTITY).fetchall()[0]
    return cluster, database
