"""Migrations: numbered files of SQL, each applied once, in one transaction with its row in the table `migrations`."""

import re
from importlib.resources import files

from mailtrack._errors import DatabaseNotFound, StorageError
from mailtrack.storage._postgres.connections import Connection, Connections
from mailtrack.storage._postgres.failures import translated
from mailtrack.storage._postgres.urls import Address

_LOCK = 7_235_421_953_120_871  # of `pg_advisory_xact_lock`: any number that others don't use
_OLDEST = 140_000
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_MADE = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+)", re.MULTILINE)
_DROPPED = re.compile(r"^DROP INDEX (\w+)", re.MULTILINE)
_GIVEN = "SELECT max(place) AS place FROM feed" + "".join(
    f" UNION ALL SELECT max(substring(after FROM '^([0-9]{{1,18}})[.]')::bigint) FROM {table}"
    for table in ("readers", "webhooks")
)
_FIND = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = 'migrations'"


def all_names() -> list[str]:
    """Return the names of all migrations that this version knows, in order."""
    folder = files(__package__) / "migrations"
    return sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))


def all_indexes() -> set[str]:
    """Return the names of the indexes that the migrations make, but for those of keys."""
    folder = files(__package__) / "migrations"
    text = "".join((folder / f"{name}.sql").read_text(encoding="utf-8") for name in all_names())
    return set(_MADE.findall(text)) - set(_DROPPED.findall(text))


def prepare(connections: Connections, address: Address, *, create: bool) -> None:
    """Make the tables of a database, or bring them up to date. Of several processes at once, one does it.

    Raises:
        DatabaseNotFound: it has none, and `create` is false.
        StorageError: it was made by a newer version, which is left as it is, or can't be used.
    """
    with translated():
        db = connections.connect()
        try:
            _check_server(db)
            migrated = _migrate(db, address, create=create)
            _raise_feed_base(db)
        except BaseException:
            db.close()
            raise
    if migrated:
        db.close()  # it has no time limits
    else:
        connections.keep(db)


def _migrate(db: Connection, address: Address, *, create: bool) -> bool:
    """Apply the migrations that are missing, and return whether there were any."""
    applied = read_applied(db, address.schema)
    if applied is None and not create:
        raise DatabaseNotFound(address.shown)
    names = all_names()
    _check_known(applied or [], names)
    missing = [name for name in names if name not in (applied or [])]
    for name in missing:
        _apply(db, name, names, address.schema)
    return bool(missing)


def _check_server(db: Connection) -> None:
    if db.info.server_version < _OLDEST:
        raise StorageError("PostgreSQL: the server is older than version 14.")
    ((encoding,),) = db.execute("SELECT current_setting('server_encoding')").fetchall()
    if encoding != "UTF8":
        raise StorageError(f"PostgreSQL: the database has the encoding {encoding}, not UTF8.")


def read_applied(db: Connection, schema: str) -> list[str] | None:
    """Return the names of the migrations that were applied, `None` where there are no tables."""
    if db.execute(_FIND, (schema,)).fetchone() is None:
        return None
    return [name for (name,) in db.execute("SELECT name FROM migrations ORDER BY name")]


def _check_known(applied: list[str], known: list[str]) -> None:
    if not set(applied) <= set(known):
        raise StorageError("PostgreSQL: the database was made by a newer version of mailtrack.")


def _apply(db: Connection, name: str, names: list[str], schema: str) -> None:
    """Apply one migration, unless another process has done so meanwhile."""
    statements = (files(__package__) / "migrations" / f"{name}.sql").read_text(encoding="utf-8")
    db.patience = None  # of large tables, a migration may take hours
    db.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)")
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        applied = read_applied(db, schema)
        if applied is None:
            if db.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
                db.execute(f'CREATE SCHEMA "{schema}"')  # a right that is needed even `IF NOT EXISTS`
            db.execute("CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())")
        _check_known(applied or [], names)
        if name not in (applied or []):
            db.execute(statements.encode())
            db.execute("INSERT INTO migrations (name) VALUES (%s)", (name,))


def _raise_feed_base(db: Connection) -> None:
    """Put new events behind all others in a database that was restored into a server with lower transactions.

    They come behind those, too, that it had after that state: places begin at the time in microseconds. Where all
    events are purged, the cursors of readers and webhooks show what was given.
    """
    following = "base + pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    last = f"(SELECT max(place) FROM ({_GIVEN}) g)"
    lower = f"{last} >= {following}"  # cursors are stored by later transactions than they are of
    if db.execute(f"SELECT 1 FROM feed_base WHERE {lower}").fetchone():
        db.execute(f"UPDATE feed_base SET base = greatest({last}, {_NOW}) WHERE {lower}")
