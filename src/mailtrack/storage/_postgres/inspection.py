"""What a PostgreSQL server says about itself and our tables, for the doctor. Nothing is changed."""

from typing import NamedTuple

import psycopg

from mailtrack.storage._postgres.failures import translated
from mailtrack.storage._postgres.migrating import all_indexes
from mailtrack.storage._postgres.urls import parse

MANY_DEAD = 10_000
"""Dead rows of a table that are worth a look, where they are more than a fifth of the live ones."""

_SECONDS = 5  # to connect, and for each answer

_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")


class Lag(NamedTuple):
    """A replica, and by how many bytes of the write-ahead log it is behind; `None` where this role may not see it."""

    name: str
    behind: int | None


class Findings(NamedTuple):
    """What a server says.

    Attributes:
        version: as in `180004`.
        settings: some settings by name.
        used: the connections of clients that are open.
        most: how many there may be.
        is_standby: whether it is a replica, which can't be written.
        oldest: for how many seconds the oldest transaction has been open.
        replicas: its replicas.
        dead: the tables with many dead rows, each with their number.
        invalid: the indexes that can't be used.
        missing: the indexes that our tables should have and don't.
    """

    version: int
    settings: dict[str, str]
    used: int
    most: int
    is_standby: bool
    oldest: float
    replicas: list[Lag]
    dead: list[tuple[str, int]]
    invalid: list[str]
    missing: list[str]


def inspect(url: str) -> Findings:
    """Ask a server about itself.

    Raises:
        InvalidSetting: the URL is malformed.
        StorageUnavailable: it can't be reached, or does not answer.
        StorageError: it refuses.
    """
    address = parse(url)
    connect = {"connect_timeout": _SECONDS, "application_name": "mailtrack doctor", **address.parameters}
    with translated(), psycopg.connect(**connect, autocommit=True) as db:
        db.execute(f"SET statement_timeout = {1000 * _SECONDS}")
        is_standby = _one(db, "SELECT pg_is_in_recovery()::int") == "1"
        return Findings(
            version=int(_one(db, "SHOW server_version_num")),
            settings={name: str(_one(db, f"SHOW {name}")) for name in _SETTINGS},
            used=int(_one(db, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")),
            most=int(_one(db, "SHOW max_connections")) - int(_one(db, "SHOW superuser_reserved_connections")),
            is_standby=is_standby,
            oldest=float(
                _one(
                    db,
                    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)"
                    " FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
                )
            ),
            replicas=[] if is_standby else _list_replicas(db),
            dead=[
                (name, dead)
                for name, dead in db.execute(
                    "SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = %s AND n_dead_tup > %s"
                    " AND n_dead_tup > n_live_tup / 5 ORDER BY n_dead_tup DESC",
                    (address.schema, MANY_DEAD),
                )
            ],
            missing=_find_missing(db, address.schema),
            invalid=[
                name
                for (name,) in db.execute(
                    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                    " JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = %s AND NOT i.indisvalid ORDER BY c.relname",
                    (address.schema,),
                )
            ],
        )


def _find_missing(db: psycopg.Connection[tuple[object, ...]], schema: str) -> list[str]:
    found = {name for (name,) in db.execute("SELECT indexname FROM pg_indexes WHERE schemaname = %s", (schema,))}
    return sorted(all_indexes() - found) if found else []  # without any, there are no tables yet


def _list_replicas(db: psycopg.Connection[tuple[object, ...]]) -> list[Lag]:
    rows = db.execute(
        "SELECT coalesce(nullif(application_name, ''), 'a replica'), pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)"
        " FROM pg_stat_replication"
    )
    return [Lag(str(name), None if behind is None else int(str(behind))) for name, behind in rows]


def _one(db: psycopg.Connection[tuple[object, ...]], statement: str) -> str:
    found = db.execute(statement.encode()).fetchone()
    return "" if found is None else str(found[0])
