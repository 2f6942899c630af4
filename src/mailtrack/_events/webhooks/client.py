"""`Client`: posts to one URL, on addresses that the guard lets through, within a time."""

import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import cast
from urllib.parse import urlsplit

from mailtrack._events.webhooks.answer import Answer
from mailtrack._events.webhooks.guard import Network
from mailtrack._events.webhooks.sockets import (
    BoundedSocket,
    Connector,
    Deadline,
    Refused,
    Resolve,
    resolve_by_system,
)
from mailtrack._version import __version__

TIMEOUT = 15.0
"""Seconds that a try may take, from the look-up of the name to the end of the answer."""

_MOST_READ = 64 * 1024  # of an answer
_READ_SECONDS = 1.0  # for that, once its status and headers have come
_MOST_RETRY_AFTER = timedelta(days=1)
_WAITING = (429, 503)  # the statuses whose `Retry-After` is honoured
_USER_AGENT = f"mailtrack/{__version__}"

_logger = logging.getLogger(__name__)


class _Response(http.client.HTTPResponse):
    """Passes over what comes before the answer, such as 103 Early Hints, and not only 100 as the superclass does."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # undocumented, so no stub has it
            if not 100 < status < 200 or status == 101:  # the classes of RFC 9110, section 15
                return version, status, reason
            http.client.parse_headers(self.fp)


class Client:
    """Posts to one URL, and keeps the connection for the next time. For one thread; `abort` is for others.

    Neither redirects are followed, nor proxies used that the environment names.

    Args:
        url: the URL, as `check_url` returns it.
        allow: networks that are allowed though they are not public.
        timeout: seconds that a try may take.
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
        self._secure = parts.scheme == "https"
        self._host = (parts.hostname or "").strip("[]")
        self._port = parts.port or (443 if self._secure else 80)
        self._host_header = parts.netloc
        self._target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._allow = allow
        self._timeout = timeout
        self._resolve = resolve
        self._given_context = context
        self._connection: http.client.HTTPConnection | None = None
        self._socket: BoundedSocket | None = None
        self._ended = threading.Event()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a JSON body once, and return what became of it. Never raises."""
        try:
            return self._post_on_any(body, headers, Deadline(self._timeout, self._ended))
        except Exception as error:  # noqa: BLE001  # whatever an endpoint does, others are served
            self.close()
            return Answer(error=self._describe(error))

    def abort(self) -> None:
        """End the try that is under way, from another thread; later ones fail at once."""
        self._ended.set()
        found = self._socket
        if found is not None:
            found.abort()

    def close(self) -> None:
        """Close the connection."""
        connection, found = self._connection, self._socket
        self._connection = self._socket = None
        if connection is not None:
            connection.close()
        if found is not None:
            found.close()

    def _post_on_any(self, body: bytes, headers: Mapping[str, str], deadline: Deadline) -> Answer:
        if self._connection is not None and self._socket is not None:
            self._socket.deadline = deadline
            try:
                return self._post(self._connection, self._socket, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                self.close()  # as servers do with connections that wait; a new one is tried
        self._connection, self._socket = self._connect(deadline)
        return self._post(self._connection, self._socket, body, headers)

    def _post(
        self, connection: http.client.HTTPConnection, sock: BoundedSocket, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        connection.putrequest("POST", self._target, skip_host=True, skip_accept_encoding=True)
        own = {"Host": self._host_header, "User-Agent": _USER_AGENT, "Content-Type": "application/json"}
        for name, value in {**own, "Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        answer = _to_answer(response)
        sock.deadline = Deadline(_READ_SECONDS, self._ended)  # the answer has come; the rest only serves the next one
        try:
            response.read(_MOST_READ)
            if not response.isclosed() or connection.sock is None:
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
        finally:
            response.close()
        return answer

    def _connect(self, deadline: Deadline) -> tuple[http.client.HTTPConnection, BoundedSocket]:
        connector = Connector(
            host=self._host,
            port=self._port,
            allow=self._allow,
            resolve=self._resolve,
            context=self._context if self._secure else None,
        )
        sock = connector.connect(deadline)
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.response_class = _Response
        connection.auto_open = 0  # never to an address that was not checked
        connection.sock = cast(socket.socket, sock)  # it has all that `http.client` uses
        return connection, sock

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._given_context or ssl.create_default_context()

    def _describe(self, error: Exception) -> str:
        if self._ended.is_set():
            return "interrupted"
        match error:
            case TimeoutError():
                return f"timed out after {self._timeout:g} s"
            case Refused():
                return str(error)
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
