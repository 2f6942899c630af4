"""mailtrack as an ASGI application, to serve on its own or to mount in FastAPI, Starlette and others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from a2wsgi import WSGIMiddleware

from mailtrack._tracker import Tracker
from mailtrack._urls import TRACKER_PATH
from mailtrack_wsgi import _app as wsgi
from mailtrack_wsgi._asgi import Exchange, until_gone
from mailtrack_wsgi._lifespan import Lifespan
from mailtrack_wsgi._rate_limit import DEFAULT_LIMIT

__all__ = ["AsgiApplication", "create_app"]

_FREE_THREADS = 4  # besides those that slow requests may hold
_TRACKER_THREADS = 4


def create_app(
    tracker: Tracker,
    *,
    api_keys: Iterable[str] | None = None,
    stored_keys: bool = False,
    authorize: Callable[[WSGIEnvironment], bool | str] | None = None,
    hosts: Iterable[str] | None = None,
    trusted_proxies: int = 0,
    token_limit: str | None = DEFAULT_LIMIT,
    rate_limit_storage: str | None = None,
    max_slow: int = 2,
    max_downloads: int = 1,
) -> "AsgiApplication":
    """Make the ASGI application of a tracker, to be served on its own or mounted under any path.

    It runs in threads of its own. Their number follows `max_slow` and `max_downloads`, which therefore may be any, and
    images have threads that nothing else uses: they never wait for slow clients.

    Args:
        tracker: does the work. Its spool is started and stopped by the application.
        api_keys: as for `mailtrack_wsgi.create_app`, like all that follow.
        stored_keys: likewise.
        authorize: likewise. The environment has the scope of the request under `asgi.scope`, with what middleware put
            into it, such as `session` and `user`.
        hosts: likewise.
        trusted_proxies: likewise. Leave it out where the server itself reads the headers of proxies.
        token_limit: likewise.
        rate_limit_storage: likewise.
        max_slow: likewise.
        max_downloads: likewise.

    Raises:
        InvalidSetting: an option can't be used, as for `mailtrack_wsgi.create_app`.
        InvalidArgument: `tracker` is not a tracker.
    """
    app = wsgi.create_app(
        tracker,
        api_keys=api_keys,
        stored_keys=stored_keys,
        authorize=authorize,
        hosts=hosts,
        trusted_proxies=trusted_proxies,
        token_limit=token_limit,
        rate_limit_storage=rate_limit_storage,
        max_slow=max_slow,
        max_downloads=max_downloads,
    )
    return AsgiApplication(app, tracker, threads=max_slow + max_downloads + _FREE_THREADS)


class AsgiApplication:
    """The ASGI application that `create_app` makes. It may be made before a server forks.

    Args:
        wsgi_app: answers every request.
        tracker: its tracker, to start and stop.
        threads: number of requests besides those for images that it answers at once.
    """

    def __init__(self, wsgi_app: WSGIApplication, tracker: Tracker, *, threads: int) -> None:
        self._wsgi_app = wsgi_app
        self._lifespan = Lifespan(tracker)
        self._pages = WSGIMiddleware(cast(Any, self._answer), workers=threads)
        self._images = WSGIMiddleware(cast(Any, self._answer), workers=_TRACKER_THREADS)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request, or follow the server's lifespan."""
        match scope["type"]:
            case "http":
                is_image = TRACKER_PATH in scope["path"].lower()
                exchange = Exchange(scope, receive, send, watch=not is_image)
                await exchange.run(self._images if is_image else self._pages)
            case "lifespan":
                await receive()
                async with self.lifespan():
                    await send({"type": "lifespan.startup.complete"})
                    await receive()
                await send({"type": "lifespan.shutdown.complete"})
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Start the spool of this process on entering, and stop it on leaving.

        A server calls it for the application that it serves. One that mounts mailtrack takes it as its own:
        `FastAPI(lifespan=mailtrack.lifespan)`. Without it, the first request starts the spool, and the end of the
        process stops it.
        """
        await asyncio.to_thread(self._lifespan.start)
        try:
            yield
        finally:
            await asyncio.to_thread(self._lifespan.stop)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._lifespan.start()
        return until_gone(environ, self._wsgi_app(environ, start_response))
