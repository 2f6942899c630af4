"""The reference server: mailtrack on granian."""

import ipaddress
import os
import socket
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mailtrack._errors import MailtrackError, StorageError
from mailtrack._images import heap
from mailtrack._ingest.drain import Drainer
from mailtrack._tracker import Tracker
from mailtrack.cli._server.parent import end_with_parent
from mailtrack.cli._settings import Settings
from mailtrack.storage import open_storage
from mailtrack_wsgi._app import Application, create_app
from mailtrack_wsgi._rate_limit import TokenLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_THREADS = 6  # for each worker: a slow storage or client holds up one; more of them queue for the interpreter
_MAX_SLOW = 2  # of them for changes
_MAX_DOWNLOADS = 2  # of them; the rest is there for the tracker, whatever slow clients do
_CONNECTIONS = 1024  # of a worker at once; a slow client holds one
_STOP_TIMEOUT = 3  # seconds until a worker that does not end by itself is ended
_DRAIN_TIMEOUT = 4.0  # seconds to store what the workers left in the spool; all is over within 10

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_NEEDS_KEY = (
    "Whoever reaches {} could see and delete everything. Create a key for this database with `mailtrack keys create`,"
    " or allow that with --allow-anonymous."
)


class ServerError(MailtrackError):
    """The server can't be started."""


def serve(settings: Settings, *, on_start: "Callable[[bool], None]" = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight then is still answered.

    Args:
        settings: how, and with which storage.
        on_start: called when the server listens, with whether it asks for keys.

    Raises:
        InvalidSetting: the URL of the place to count requests for tokens can't be used.
        ServerError: granian is not installed, the address can't be listened on, or not without keys, or the spool can't
            be used.
        StorageError: the storage can't be opened.
    """
    try:
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces
        from granian.log import LogLevels
    except ImportError as error:
        raise ServerError("The server needs granian: pip install 'mailtrack[server]'") from error
    with open_storage(settings.database) as storage:  # what is wrong with it is told before anything listens
        # Decided once, for all workers there will be: when the last key is revoked, nobody gets in.
        keys = bool(storage.list_keys())
    settings.make_judge()  # likewise what is wrong with the rules
    if settings.rate_limit_storage is not None:
        TokenLimiter(settings.rate_limit_storage)
    address = _check_address(settings.host, settings.port)
    if not (keys or settings.allow_anonymous or ipaddress.ip_address(address).is_loopback):
        raise ServerError(_NEEDS_KEY.format(settings.host))
    server = Granian(
        "mailtrack",
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=_THREADS,
        backpressure=_CONNECTIONS,
        http=HTTPModes.http1,  # else a client that sends nothing stays; so it is closed after 30 seconds
        workers_kill_timeout=_STOP_TIMEOUT,
        respawn_failed_workers=True,
        log_level=LogLevels.error,  # its warnings are advice on our choice of threads
    )
    server.on_startup(partial(on_start, keys))
    # The outer one is closed when the workers are gone: what they left in the WAL goes into the database file then.
    with open_storage(settings.database), _draining(settings):
        try:
            server.serve(target_loader=partial(_load, settings, keys, os.getpid()), wrap_loader=False)
        except SystemExit:  # a worker that died is still to be replaced
            if not server.interrupt_signal:
                raise


def _check_address(host: str, port: int) -> str:
    """Return the IP address that a host stands for, where it can be listened on."""
    # granian shares its port with whoever shares theirs, so a second server would take a part of the first one's
    # requests. This socket shares with nobody.
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was closed just now is in nobody's way
            probe.bind(address)
            return str(address[0])
    except OSError as error:
        raise ServerError(f"Can't listen on {host}, port {port}: {error.strerror}.") from error


def _own_hosts(settings: Settings) -> list[str] | None:
    """Return the names of a server without keys, `None` where it can't know them."""
    if settings.allow_anonymous or settings.trusted_proxies:
        return None
    base_url = [] if settings.base_url is None else [str(urlsplit(settings.base_url).hostname)]
    return [*_LOCAL_HOSTS, settings.host.lower(), *base_url]


def _load(settings: Settings, keys: bool, parent: int) -> Application:
    """Make the application of one worker, in its own process."""
    end_with_parent(parent)
    heap.keep_large_blocks_apart()
    storage = open_storage(settings.database)
    # Where this process outlives its parent, nothing else closes it: what ends a forked worker runs no `atexit`.
    Finalize(None, storage.close, exitpriority=0)
    tracker = Tracker(
        storage,
        base_url=settings.base_url,
        spool=settings.make_spool(),
        judge=settings.make_judge(),
        allow_special_domains=settings.allow_special_domains,
    )
    tracker.start()
    return create_app(
        tracker,
        stored_keys=keys,
        hosts=None if keys else _own_hosts(settings),
        trusted_proxies=settings.trusted_proxies,
        rate_limit_storage=settings.rate_limit_storage,
        max_slow=_MAX_SLOW,
        max_downloads=_MAX_DOWNLOADS,
    )


@contextmanager
def _draining(settings: Settings) -> "Iterator[None]":
    """Drain the spool of all workers in this process, beside them; at the end, what they left in whatever way.

    Should this process be killed, its workers end, and what they leave waits for the next server.
    """
    spool = settings.make_spool()
    if spool is None:
        yield
        return
    with open_storage(settings.database) as storage:
        tracker = Tracker(storage, judge=settings.make_judge())
        tracker.prepare()
        drainer = Drainer(spool.folder, tracker.store)
        try:
            spool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            drainer.start()
        except OSError as error:
            raise ServerError(f"The spool can't be used: {error.strerror}.") from error
        try:
            yield
        finally:
            drainer.stop(_DRAIN_TIMEOUT)
            with suppress(StorageError):  # the file may have been replaced: closing empties the WAL of the present one
                tracker.ping()
