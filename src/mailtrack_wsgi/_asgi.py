"""Between an ASGI server and WSGI: requests made clean, and clients that leave or fall asleep."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from werkzeug.wsgi import ClosingIterator

from mailtrack_wsgi._auth import SAFE_METHODS
from mailtrack_wsgi._downloads import STALL_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]

_GONE = "mailtrack.gone"  # entry of the scope
_PIECE_BYTES = 64 * 1024  # what servers buffer for a client; it has `STALL_SECONDS` to take that
_PRINTABLE = bytes(range(33, 127)).decode()


class Exchange:
    """A request and its answer, which ends early if the client leaves, or reads nothing for 30 seconds.

    Without that, the thread that makes the answer would wait for the client, or go on in vain. Errors of `send` are not
    raised in it either: `a2wsgi` would leave the thread behind.

    Args:
        scope: of the request.
        receive: returns the next message of the client.
        send: sends a message to the client.
        watch: whether to notice that the client leaves while the answer is being made.
    """

    def __init__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        *,
        watch: bool,
    ) -> None:
        self._gone = threading.Event()
        self._scope = {**_clean(scope), _GONE: self._gone}
        self._receive = receive
        self._send = send
        self._has_body = scope["method"] not in SAFE_METHODS
        self._watches = watch and not self._has_body

    async def run(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        """Have an application answer. If this is cancelled, the answer ends early, too."""
        answering = asyncio.ensure_future(app(self._scope, self._next_message, self._send_in_time))
        answering.add_done_callback(lambda one: one.cancelled() or one.exception())  # it may end when nothing waits
        watching = asyncio.ensure_future(self._watch()) if self._watches else None
        try:
            await asyncio.shield(answering)
        except asyncio.CancelledError:
            self._gone.set()
            raise
        finally:
            if watching is not None:
                watching.cancel()

    async def _next_message(self) -> Message:
        return await self._receive() if self._has_body else {"type": "http.request", "body": b"", "more_body": False}

    async def _watch(self) -> None:
        with suppress(OSError):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._gone.set()

    async def _send_in_time(self, message: Message) -> None:
        for piece in _in_pieces(message):
            if self._gone.is_set():
                return
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await self._send(piece)
            except Exception as error:  # noqa: BLE001  # each server has its own
                self._gone.set()
                _logger.info("An answer ends early: its client left, or reads nothing (%s).", type(error).__name__)


def _in_pieces(message: Message) -> Iterator[Message]:
    body: bytes = message.get("body", b"")
    last = max(0, len(body) - 1) // _PIECE_BYTES * _PIECE_BYTES
    for start in range(0, last, _PIECE_BYTES):
        yield {**message, "body": body[start : start + _PIECE_BYTES], "more_body": True}
    yield {**message, "body": body[last:]} if last else message


def _clean(scope: Message) -> Message:
    """Return the scope of a request as `a2wsgi` needs it.

    - A header with an underscore would count as the one with a hyphen, which a proxy may have set or removed.
    - Over HTTP/2 each cookie may have a header of its own (RFC 9113, 8.2.3).
    - Queries may hold bytes that are not ASCII.
    - The path begins with the root path (ASGI, "HTTP connection scope"), which not all servers put there.
    """
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name and name != b"cookie"]
    if cookies := [value for name, value in scope["headers"] if name == b"cookie"]:
        headers.append((b"cookie", b"; ".join(cookies)))
    query: bytes = scope["query_string"]
    root: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    return {
        **scope,
        "headers": headers,
        "query_string": query if query.isascii() else quote_from_bytes(query, _PRINTABLE).encode(),
        "root_path": root,
        "path": path if f"{path}/".startswith(f"{root}/") else root + path,
    }


def until_gone(environ: "WSGIEnvironment", pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Return the pieces of an answer up to where its client is gone. To close it closes the pieces."""
    gone: threading.Event = environ["asgi.scope"][_GONE]
    return ClosingIterator(takewhile(lambda _: not gone.is_set(), pieces), getattr(pieces, "close", None))
