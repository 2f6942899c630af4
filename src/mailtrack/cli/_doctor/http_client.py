"""An HTTP client that sends requests as mail programs do: limited in time and size, without redirects."""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import attrs

from mailtrack._errors import MailtrackError

TIMEOUT = 10.0
"""Default limit for a whole answer, in seconds."""

_MAX_BYTES = 1024 * 1024


class Unreachable(MailtrackError):
    """There is no answer. The message is the reason, as a part of a sentence."""


@attrs.frozen(kw_only=True)
class Answer:
    """An answer to a request.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        body: its body, at most the first 1 MiB.
        local_address: the IP address that the request was sent from.
        certificate_ends: when the server's certificate expires, `None` without one.
    """

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    local_address: str
    certificate_ends: datetime | None


class Web:
    """Sends requests, directly and without proxies.

    Args:
        timeout: the limit for a whole answer, in seconds.
        context: the trusted certificates; by default those of the system.
    """

    def __init__(self, *, timeout: float = TIMEOUT, context: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._context = context

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer to a GET, whatever its status.

        Raises:
            Unreachable: there is no answer, it is not HTTP, or it takes too long.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = self._context or ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=self._timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self._timeout)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with closing(connection):
            try:
                return self._get(connection, target, {"Connection": "close", **(headers or {})})
            except ssl.SSLCertVerificationError as error:
                raise Unreachable(f"its certificate is not trusted ({error.verify_message})") from error
            except ssl.SSLError as error:
                raise Unreachable(f"TLS fails ({error.reason or error})") from error
            except TimeoutError as error:
                raise Unreachable(f"no complete answer came within {self._timeout:g} seconds") from error
            except socket.gaierror as error:
                raise Unreachable(f"the host name {host} is unknown") from error
            except ConnectionRefusedError as error:
                raise Unreachable("the connection is refused") from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Unreachable("the connection broke, or the server does not speak HTTP") from error

    def _get(self, connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]) -> Answer:
        connection.connect()
        line = connection.sock
        local_address, certificate_ends = line.getsockname()[0], _certificate_ends(line)
        ended = threading.Event()

        def end() -> None:
            ended.set()
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        # Each byte restarts the timeout of the socket, so a server that sends one now and then would never time out.
        timer = threading.Timer(self._timeout, end)
        timer.start()
        try:
            connection.request("GET", target, headers=dict(headers))
            with connection.getresponse() as answer:
                body = answer.read(_MAX_BYTES)
        except (OSError, http.client.HTTPException, ValueError):
            if ended.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        if ended.is_set():
            raise TimeoutError
        return Answer(
            status=answer.status,
            headers=answer.headers,
            body=body,
            local_address=local_address,
            certificate_ends=certificate_ends,
        )


def _certificate_ends(line: socket.socket) -> datetime | None:
    certificate = line.getpeercert() if isinstance(line, ssl.SSLSocket) else None
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
