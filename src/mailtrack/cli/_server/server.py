"""The reference server: mailtrack on granian."""

import ipaddress
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from mailtrack._errors import InvalidSetting, MailtrackError, StorageError
from mailtrack._images import memory
from mailtrack._ingest.drain import Drainer
from mailtrack._ingest.owning import owner_of
from mailtrack._spool import claim, give_way
from mailtrack._tracker import Tracker
from mailtrack.cli._ages import parse_age
from mailtrack.cli._logs import hide_passwords
from mailtrack.cli._server.following import FollowingJudge
from mailtrack.cli._server.parent_watch import end_with_parent
from mailtrack.cli._server.retention import Retention
from mailtrack.cli._server.wakening import Wakening
from mailtrack.cli._settings import Settings
from mailtrack.storage import Storage, open_storage
from mailtrack_wsgi._app import Application, create_app
from mailtrack_wsgi._rate_limit import DEFAULT_LIMIT, TokenLimiter, limits_file

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from granian.server.common import AbstractServer

_THREADS = 6  # per worker: a slow storage or client blocks one; more of them only compete for the interpreter
_MAX_SLOW = 2  # of these threads for changes
_MAX_DOWNLOADS = 2  # of these threads; the others remain for the tracker, however slow clients are
_CONNECTIONS = 1024  # per worker; a slow client holds one
_STOP_TIMEOUT = 3  # seconds until a worker that does not end by itself is killed
_END_TIMEOUT = 1.0  # seconds for webhooks that are answering; their deliveries are tried again later
_DRAIN_TIMEOUT = 4.0  # seconds to store what the workers left in the spool; the whole stop takes at most 10

# Under load the images go first, and draining and sending catch up after the peak. A third of a processor that all want
# is left.
_NICENESS = 5

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_NEEDS_KEY = (
    "Every client that reaches {} could read and delete everything. Create a key for this database with `mailtrack keys"
    " create`, or accept that with --allow-anonymous."
)


class ServerError(MailtrackError):
    """The server can't be started."""


def serve(settings: Settings, *, on_start: "Callable[[bool], None]" = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are still answered.

    Args:
        settings: the settings of the server.
        on_start: called when the server listens, with whether it requires keys.

    Raises:
        InvalidSetting: a setting can't be used, such as the limit on requests for tokens.
        ServerError: granian is not installed, the address can't be listened on, or not without keys, or the spool can't
            be used.
        StorageError: the storage can't be opened.
    """
    if find_spec("granian") is None:
        raise ServerError("The server needs granian: pip install 'mailtrack[server]'")
    hide_passwords()
    # All errors come before the server listens. Whether keys are required is decided once, for all workers of this run:
    # a server whose last key is revoked stays closed.
    with open_storage(settings.database, read_url=settings.read_url) as storage:
        keys = bool(storage.list_keys())
    following = FollowingJudge(settings)
    TokenLimiter(_limits_url(settings) or "memory://", _token_limit(settings) or DEFAULT_LIMIT)
    address = _check_address(settings.host, settings.port)
    if not (keys or settings.allow_anonymous or ipaddress.ip_address(address).is_loopback):
        raise ServerError(_NEEDS_KEY.format(settings.host))
    server = _make_server(settings, address)
    server.on_startup(partial(on_start, keys))
    # The outer storage is closed after the workers have ended; their WAL then goes into the database file.
    with open_storage(settings.database) as storage, _draining(settings, following), _keeping(settings, storage):
        try:
            server.serve(target_loader=partial(_load, settings, keys, os.getpid()), wrap_loader=False)
        except SystemExit:  # a worker died and was not replaced yet
            if not server.interrupt_signal:
                raise


def _make_server(settings: Settings, address: str) -> "AbstractServer[Any]":
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    server = Granian(
        "mailtrack",
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=_THREADS,
        backpressure=_CONNECTIONS,
        http=HTTPModes.http1,  # only with HTTP/1 are idle connections closed, after 30 seconds
        workers_kill_timeout=_STOP_TIMEOUT,
        respawn_failed_workers=True,
        log_level=LogLevels.error,  # its warnings advise against our choice of threads
    )
    server.main_loop_interrupt = cast("threading.Event", Wakening())  # its own hangs at a second signal
    return server


def _check_address(host: str, port: int) -> str:
    """Return the IP address of a host, after an attempt to listen on it.

    Raises:
        ServerError: it can't be listened on.
    """
    # granian shares its port with other servers that share theirs, so a second server would take part of the first
    # one's requests. This socket does not share.
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports of connections closed just now are free
            probe.bind(address)
            return str(address[0])
    except OSError as error:
        raise ServerError(f"Can't listen on {host}, port {port}: {error.strerror}.") from error


def _own_hosts(settings: Settings) -> list[str] | None:
    """Return the host names of a server without keys, `None` if they can't be known."""
    if settings.allow_anonymous or settings.trusted_proxies:
        return None
    base_url = [] if settings.base_url is None else [str(urlsplit(settings.base_url).hostname)]
    return [*_LOCAL_HOSTS, settings.host.lower(), *base_url]


def _token_limit(settings: Settings) -> str | None:
    limit = settings.token_limit or DEFAULT_LIMIT
    return None if limit == "off" else limit


def _limits_url(settings: Settings) -> str | None:
    """Return where requests for tokens are counted, `None` for beside the database or the spool."""
    alone = settings.database_file is None and settings.spool_folder is None and not settings.in_memory
    return settings.rate_limit_storage or (f"sqlite:///{limits_file(Path('mailtrack'))}" if alone else None)


def _load(settings: Settings, keys: bool, parent: int) -> Application:
    """Make the application of one worker, in its own process."""
    end_with_parent(parent)
    hide_passwords()
    memory.keep_large_blocks_apart()
    storage = open_storage(settings.database, read_url=settings.read_url)
    # Forked workers end without running `atexit`, so a worker that outlives its parent closes its storage here.
    Finalize(None, storage.close, exitpriority=0)
    spool = settings.make_spool()
    following = FollowingJudge(settings)
    if spool is None:  # otherwise the main process judges, and no other need spend time on new lists
        following.start()
    tracker = Tracker(
        storage,
        base_url=settings.base_url,
        spool=spool,
        judge=following.judge,
        allow_special_domains=settings.allow_special_domains,
        webhook_allow=settings.webhook_allow,
    )
    if spool is None:
        Finalize(None, tracker.stop, kwargs={"timeout": _END_TIMEOUT}, exitpriority=1)  # before the storage is closed
        tracker.start()
    else:  # the main process stores the opens, and sends them to webhooks
        tracker._start_recording()
    return create_app(
        tracker,
        stored_keys=keys,
        hosts=None if keys else _own_hosts(settings),
        trusted_proxies=settings.trusted_proxies,
        token_limit=_token_limit(settings),
        rate_limit_storage=_limits_url(settings),
        max_slow=_MAX_SLOW,
        max_downloads=_MAX_DOWNLOADS,
    )


@contextmanager
def _draining(settings: Settings, following: FollowingJudge) -> "Iterator[None]":
    """Drain the spool of all workers in this process, and once more after they have ended; send events to webhooks.

    If this process is killed, its workers end, and the next server drains what they leave.
    """
    spool = settings.make_spool()
    if spool is None:
        yield
        return
    with open_storage(settings.database) as storage:
        tracker = Tracker(storage, judge=following.judge, webhook_allow=settings.webhook_allow)
        tracker.prepare()
        drainer = Drainer(spool.folder, tracker._keep, niceness=_NICENESS)
        try:
            spool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = owner_of(storage)
            if owner is not None:
                claim(spool.folder, owner)
            drainer.start()
            following.start()
            _start_behind(tracker)
        except OSError as error:
            raise ServerError(f"The spool can't be used: {error.strerror}.") from error
        try:
            yield
        finally:
            drainer.stop(_DRAIN_TIMEOUT)
            tracker.stop(timeout=_END_TIMEOUT)
            with suppress(StorageError):  # notices a replaced file, so that closing empties the WAL of the present one
                storage.ping()


def _start_behind(tracker: Tracker) -> None:
    """Start the threads of a tracker that send events, so that they give way to those that answer requests."""
    with ThreadPoolExecutor(1, initializer=give_way, initargs=(_NICENESS,)) as starting:
        starting.submit(tracker.start).result()


@contextmanager
def _keeping(settings: Settings, storage: Storage) -> "Iterator[None]":
    """Delete old opens in this process, where that is set."""
    if settings.keep is None:
        yield
        return
    if settings.in_memory:  # this process has none of the workers' opens
        raise InvalidSetting("keep", "can't be used with memory://")
    retention = Retention(Tracker(storage, spool=settings.make_spool()), parse_age(settings.keep))
    retention.start()
    try:
        yield
    finally:
        retention.stop(_STOP_TIMEOUT)
