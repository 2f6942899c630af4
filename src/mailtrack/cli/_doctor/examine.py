"""All checks of a deployment, from inside and from outside, in order."""

import ssl
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from mailtrack._errors import InvalidRules, InvalidSetting, StorageError
from mailtrack._ingest.owning import owner_of
from mailtrack._spool import read_owner
from mailtrack._times import Clock, now
from mailtrack._tracker import Tracker
from mailtrack.cli._doctor import database, machine
from mailtrack.cli._doctor.finding import Finding, Outcome, failed, ok, reason, skipped, warning
from mailtrack.cli._doctor.http_client import TIMEOUT, Web
from mailtrack.cli._doctor.limiter import check_limits
from mailtrack.cli._doctor.networks import check_networks
from mailtrack.cli._doctor.public_url import check_url
from mailtrack.cli._doctor.recording import check_recording
from mailtrack.cli._doctor.spool import check_spool
from mailtrack.cli._doctor.webhooks import check_webhooks
from mailtrack.cli._networks.status import list_status
from mailtrack.cli._settings import Settings
from mailtrack.storage import Storage, open_storage
from mailtrack.storage._sqlite.inspection import Inspection
from mailtrack.storage._sqlite.wal import beside
from mailtrack_wsgi._rate_limit import limits_file

# The outcomes with which the database may be opened as a server does, which repairs what it can.
_USABLE = {
    "database": {Outcome.OK},
    "tables": {Outcome.OK},
    "journal": {Outcome.OK},
    "integrity": {Outcome.OK, Outcome.SKIPPED},  # the file may be too large to be searched
}


def examine(
    settings: Settings,
    *,
    timeout: float = TIMEOUT,
    context: ssl.SSLContext | None = None,
    clock: Clock = now,
) -> Iterator[Finding]:
    """Check a deployment, and yield each finding when its check ends.

    Nothing is changed, except for a temporary pixel if there are both a database and a URL.

    Args:
        settings: those of the server; the checks from outside use its `base_url`.
        timeout: the limit for each answer, in seconds.
        context: the trusted certificates; by default those of the system.
        clock: returns the current time.

    Raises:
        StorageError: the database passed its checks, but can't be opened a moment later.
    """
    usable = True
    for finding in _examine_inside(settings, clock):
        usable = usable and finding.outcome in _USABLE.get(finding.check, Outcome)
        yield finding
    if usable:
        yield _check_keys(settings.database)
        with open_storage(settings.database) as storage:
            if settings.spool_folder is not None:
                yield from _check_owner(storage, settings.spool_folder)
            yield from check_webhooks(storage, clock())
    if settings.base_url is None:
        yield skipped("reachable", "No URL is given, so nothing was checked from outside.", "Give it with --url.")
        return
    web = Web(timeout=timeout, context=context)
    answers = False
    for finding in check_url(settings.base_url, web=web, clock=clock):
        answers = answers or (finding.check == "tracker" and finding.outcome is Outcome.OK)
        yield finding
    if not answers or not usable:
        yield skipped("recording", "To follow an open takes a usable database and a tracker that answers.")
        return
    with open_storage(settings.database) as storage:
        yield from check_recording(Tracker(storage), settings.base_url, web=web)


def _check_owner(storage: Storage, folder: Path) -> Iterator[Finding]:
    theirs, ours = read_owner(folder), owner_of(storage)
    if theirs is not None and ours is not None and theirs.id != ours.id:
        yield warning(
            "spool-owner",
            f"The spool is that of another database, {theirs.name}.",
            "Name a spool of its own with --spool, unless that database is not used any more; see docs/spool.md.",
        )


def _check_keys(database: str) -> Finding:
    with open_storage(database) as storage:
        number = len(storage.list_keys())
    if number:
        return ok(
            "keys", f"Keys are stored ({number:,}): a server that is started now requires one, except for images."
        )
    return warning(
        "keys",
        "No key is stored: a server that is started now requires none.",
        "Run mailtrack keys create and restart the server, unless access is restricted by other means.",
    )


def _examine_inside(settings: Settings, clock: Clock) -> Iterator[Finding]:
    file, spool = settings.database_file, settings.spool_folder
    if file is not None:
        yield database.check_sqlite()
        yield from database.check_database(file)
        yield machine.check_space("disk", file.parent, wanted=machine.LITTLE_SPACE)
    elif settings.in_memory:
        yield skipped("database", "Each process has its own memory://, so there is nothing to check.")
    else:
        yield _check_storage(settings.database)
        if settings.database.partition("://")[0].lower() in ("postgres", "postgresql") and find_spec("psycopg"):
            from mailtrack.cli._doctor.postgres import check_postgres, check_replica  # only here: they need psycopg

            yield from check_postgres(settings.database)
            if settings.read_url is not None:
                yield check_replica(settings.database, settings.read_url)
    if spool is None:
        yield skipped("spool", "There is no spool: each open is committed on its own.")
    else:
        yield from check_spool(spool, clock())
        yield machine.check_space("spool-disk", spool, wanted=settings.spool_max_bytes * settings.workers)
    files = [*_files_of(file), *([spool, limits_file(spool)] if spool else [])]
    yield machine.check_permissions(files)
    yield machine.check_clock(clock(), chain(_newest_open(file), machine.times_of(files)))
    yield from check_limits(settings.rate_limit_storage)
    yield from _check_rules(settings, clock)


def _check_storage(url: str) -> Finding:
    try:
        with open_storage(url) as storage:
            storage.ping()
    except (InvalidSetting, StorageError) as error:
        return failed(
            "database",
            f"The storage can't be used: {reason(error)}.",
            "Check that its server runs, and that its URL is right.",
        )
    return ok("database", "The storage answers.")


def _files_of(database: Path | None) -> list[Path]:
    if database is None:
        return []
    return [database, *beside(database), limits_file(database)]


def _newest_open(database: Path | None) -> Iterator[tuple[str, datetime]]:
    try:
        if database is not None and database.exists():
            with Inspection(database) as inspection:
                if newest := inspection.newest_open():
                    yield "The newest open", newest
    except StorageError:
        return  # the check of the database reports it


def _check_rules(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        table = settings.make_table()
    except (InvalidSetting, InvalidRules) as error:
        yield failed("rules", f"The judge can't be made: {reason(error)}.", "Correct the file, or omit the option.")
        return
    yield ok("rules", f"Opens are judged by {len(table.rules)} rules, version {table.version}.")
    yield from check_networks(list_status(table, settings.stored_networks, settings.network_files), clock())
