"""`Client`: posts to one URL, on addresses that the guard lets through, within a time."""

import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs

from mailtrack._events.webhooks.guard import Network, is_allowed, parse_address
from mailtrack._version import __version__

TIMEOUT = 15.0
"""Seconds that a try may take, from the look-up of the name to the end of the answer."""

_MOST_READ = 64 * 1024  # of an answer
_MOST_RETRY_AFTER = timedelta(days=1)
_WAITING = (429, 503)  # the statuses whose `Retry-After` is honoured
_USER_AGENT = f"mailtrack/{__version__}"

_logger = logging.getLogger(__name__)

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host name, given also the port."""


@attrs.frozen
class Answer:
    """The end of a try.

    Attributes:
        status: the HTTP status of the answer, `None` without one.
        error: why the try failed, in a line that quotes nothing of the answer; `None` where it succeeded.
        retry_after: the time that the endpoint asks to wait.
    """

    status: int | None = None
    error: str | None = None
    retry_after: timedelta = timedelta(0)


class _Refused(Exception):
    """The guard lets none of the addresses through."""


def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses of a host name by the system's resolver.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Client:
    """Posts to one URL, and keeps the connection for the next time. For one thread; `abort` is for others.

    Neither redirects are followed, nor proxies used that the environment names.

    Args:
        url: the URL, as `check_url` returns it.
        allow: networks that are allowed though they are not public.
        timeout: seconds that a try may take. The system's resolver can't be interrupted; it gives up by itself.
        resolve: looks names up.
        context: how to use TLS; by default as Python does, with the certificates of the system.
    """

    def __init__(
        self,
        url: str,
        *,
        allow: Sequence[Network] = (),
        timeout: float = TIMEOUT,
        resolve: Resolve = resolve_by_system,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        parts = urlsplit(url)
        self._host, self._secure = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._host_header = parts.netloc
        self._target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._allow = allow
        self._timeout = timeout
        self._resolve = resolve
        self._given_context = context
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._ended = threading.Event()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a JSON body once, and return what became of it. Never raises."""
        with self._within_time():
            try:
                return self._post_on_any(body, headers)
            except Exception as error:  # noqa: BLE001  # whatever an endpoint does, others are served
                self.close()
                return Answer(error=self._describe(error))

    def abort(self) -> None:
        """End the try that is under way, from another thread; later ones fail at once."""
        self._ended.set()
        self._interrupt()

    def _interrupt(self) -> None:
        found = self._socket
        if found is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(found, socket.SHUT_RDWR)  # that of TLS is not for other threads

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _within_time(self) -> Iterator[None]:
        self._until = time.monotonic() + self._timeout
        timer = threading.Timer(self._timeout, self._interrupt)  # also against an answer that comes byte by byte
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _post_on_any(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._connection is not None:
            try:
                return self._post(self._connection, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                self.close()  # as servers do with connections that wait; a new one is tried
        self._connection = self._connect()
        return self._post(self._connection, body, headers)

    def _post(self, connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection.putrequest("POST", self._target, skip_host=True, skip_accept_encoding=True)
        own = {"Host": self._host_header, "User-Agent": _USER_AGENT, "Content-Type": "application/json"}
        for name, value in {**own, "Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        answer = _to_answer(response)
        try:
            response.read(_MOST_READ)
            if not response.isclosed() or connection.sock is None:
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        addresses = self._resolve(self._host.strip("[]"), self._port)
        allowed = [one for one in addresses if is_allowed(parse_address(one), self._allow)]
        if not allowed:
            raise _Refused(f"{self._host} is at {addresses[0]}, which is not public" if addresses else "")
        plain = self._open(allowed)
        self._socket = plain
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.auto_open = 0  # never to an address that was not checked
        connection.sock = self._secured(plain) if self._secure else plain
        return connection

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        try:
            secured = self._context.wrap_socket(plain, server_hostname=self._host, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
        self._socket = secured
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _open(self, addresses: Sequence[str]) -> socket.socket:
        failed: OSError | None = None
        for address in addresses:
            left = self._until - time.monotonic()
            if left <= 0 or self._ended.is_set():
                break
            try:
                return socket.create_connection((address, self._port), timeout=left)
            except OSError as error:
                failed = error
        raise failed or TimeoutError

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._given_context or ssl.create_default_context()

    def _describe(self, error: Exception) -> str:
        if time.monotonic() >= self._until or isinstance(error, TimeoutError):
            return f"timed out after {self._timeout:g} s"
        if self._ended.is_set():
            return "interrupted"
        match error:
            case _Refused():
                return str(error) or "the name has no address"
            case socket.gaierror():
                return "the name can't be resolved"
            case ssl.SSLCertVerificationError():
                return f"TLS: {error.verify_message}"
            case ssl.SSLError():
                return "TLS: no secure connection can be made"
            case http.client.RemoteDisconnected():
                return "the connection was closed without an answer"
            case http.client.HTTPException():
                return "the answer is not HTTP"
            case OSError():
                return (error.strerror or type(error).__name__).lower()
            case _:
                _logger.error("A webhook can't be tried.", exc_info=error)
                return f"an error of the program ({type(error).__name__})"


def _to_answer(response: http.client.HTTPResponse) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(status)
    if 300 <= status < 400:
        return Answer(status, f"HTTP {status}: redirects are not followed")
    wait = _to_wait(response.getheader("Retry-After")) if status in _WAITING else timedelta(0)
    return Answer(status, f"HTTP {status}", wait)


def _to_wait(text: str | None) -> timedelta:
    """Return the time of a `Retry-After`, in seconds or as an HTTP date; none for anything else."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text[:18]), 10**9)), _MOST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return timedelta(0)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - datetime.now(UTC), timedelta(0)), _MOST_RETRY_AFTER)
