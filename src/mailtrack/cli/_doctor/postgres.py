"""The checks of a PostgreSQL server."""

from collections.abc import Iterator

from mailtrack._errors import InvalidSetting, StorageError
from mailtrack.cli._doctor.finding import Finding, failed, ok, reason, warning
from mailtrack.storage import open_storage
from mailtrack.storage._postgres.inspection import Findings, inspect
from mailtrack.storage._replica import ReadsReplica

_OLDEST_VERSION = 14
_LONG = 60  # seconds that a transaction may last
_SPARE = 10  # connections
_FAR_BEHIND = 64 * 2**20  # bytes


def check_postgres(url: str) -> Iterator[Finding]:
    """Check the server of a database, given by its URL."""
    try:
        found = inspect(url)
    except (InvalidSetting, StorageError) as error:
        yield failed(
            "database",
            f"The server can't be examined: {reason(error)}.",
            "Check that it runs, that its URL is right, and that its role may read the statistics.",
        )
        return
    yield _check_version(found)
    yield _check_durability(found)
    yield _check_connections(found)
    yield _check_transactions(found)
    yield from _check_replicas(found)
    yield _check_indexes(found)
    yield _check_dead_rows(found)


def check_replica(url: str, read_url: str) -> Finding:
    """Check the replica of a database from which figures and lists are read."""
    try:
        with open_storage(url, create=False, read_url=read_url) as storage:
            state = storage.get_replica_state() if isinstance(storage, ReadsReplica) else None
    except (InvalidSetting, StorageError) as error:
        return failed(
            "read-url", f"The replica can't be read: {reason(error)}.", "Correct --read-url, or leave it out."
        )
    if state is None or state.lag is None:
        return warning(
            "read-url",
            f"The replica is not read, so all reads go to the primary: {reason(state.reason if state else '')}.",
            "Check that it runs and follows. It is read by itself once it does.",
        )
    if state.lag > _LONG:
        return warning(
            "read-url",
            f"The replica shows figures and lists as of {state.lag:,.0f} seconds ago.",
            "Look at its log, and at its network and disk.",
        )
    behind = f"{state.lag:,.1f} seconds behind" if state.lag else "not behind"
    return ok("read-url", f"Figures and lists are read from the replica, which is {behind}.")


def _check_version(found: Findings) -> Finding:
    version = f"{found.version // 10_000}.{found.version % 10_000}"
    if found.version < 10_000 * _OLDEST_VERSION:
        return failed("server", f"PostgreSQL {version} is too old.", f"Use {_OLDEST_VERSION} or newer.")
    if found.is_standby:
        return failed(
            "server",
            f"This PostgreSQL {version} is a replica, which can't be written.",
            "Name its primary server, or promote it.",
        )
    return ok("server", f"PostgreSQL {version} can be written.")


def _check_durability(found: Findings) -> Finding:
    wrong = [name for name in ("fsync", "full_page_writes") if found.settings[name] != "on"]
    if wrong:
        return failed(
            "durability",
            f"A power cut may destroy the database: {' and '.join(wrong)} must be on.",
            "Set it in postgresql.conf, and restart the server.",
        )
    if found.settings["synchronous_commit"] == "off":
        return warning(
            "durability",
            "A power cut loses the last commits, which are gone from the spool: synchronous_commit is off.",
            "Set synchronous_commit to on.",
        )
    return ok("durability", "Commits are synced to disk.")


def _check_connections(found: Findings) -> Finding:
    used = f"{found.used:,} of {found.most:,} connections are in use."
    if found.most - found.used < _SPARE:
        return warning(
            "connections",
            used,
            "Raise max_connections: each worker and each main process of a node opens up to 10.",
        )
    return ok("connections", used)


def _check_transactions(found: Findings) -> Finding:
    if found.oldest > _LONG:
        return warning(
            "transactions",
            f"A transaction has been open for {found.oldest:,.0f} seconds: events wait, and dead rows stay.",
            "Find it in pg_stat_activity, and end it.",
        )
    return ok("transactions", "No transaction has been open for long.")


def _check_replicas(found: Findings) -> Iterator[Finding]:
    for name, behind in found.replicas:
        if behind is not None and behind > _FAR_BEHIND:
            yield warning(
                "replicas",
                f"{name} is {behind / 2**20:,.0f} MiB of the write-ahead log behind.",
                "Look at its log, and at its network and disk.",
            )
        else:
            yield ok("replicas", f"{name} follows." if behind is None else f"{name} follows, {behind:,} bytes behind.")


def _check_indexes(found: Findings) -> Finding:
    if found.invalid:
        return failed(
            "indexes", f"Indexes can't be used: {', '.join(found.invalid)}.", "Run REINDEX INDEX on each of them."
        )
    if found.missing:
        return failed(
            "indexes",
            f"Indexes are missing, so requests read whole tables: {', '.join(found.missing)}.",
            "Make them as mailtrack/storage/_postgres/migrations does, with CREATE INDEX CONCURRENTLY.",
        )
    return ok("indexes", "All indexes are there, and can be used.")


def _check_dead_rows(found: Findings) -> Finding:
    if found.settings["autovacuum"] != "on":
        return warning("dead-rows", "Dead rows stay for good: autovacuum is off.", "Set autovacuum to on.")
    if found.dead:
        named = ", ".join(f"{name} ({number:,})" for name, number in found.dead)
        return warning(
            "dead-rows",
            f"Tables have many dead rows: {named}.",
            "If that stays so, run VACUUM on them, and let autovacuum run more often.",
        )
    return ok("dead-rows", "No table has many dead rows.")
