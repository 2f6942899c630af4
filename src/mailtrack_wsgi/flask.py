"""mailtrack in a Flask application: `Mailtrack(app)`."""

import logging
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, current_app, has_app_context
from werkzeug.middleware.proxy_fix import ProxyFix

from mailtrack._errors import InvalidSetting
from mailtrack._tracker import Tracker
from mailtrack.storage import open_storage
from mailtrack_wsgi._app import create_app, is_own_path, is_route
from mailtrack_wsgi._auth import Authorize, check_authorize
from mailtrack_wsgi._lifespan import Lifespan, make_spool
from mailtrack_wsgi._mount import Mount
from mailtrack_wsgi.jinja import pixel_global

__all__ = ["Mailtrack"]

_logger = logging.getLogger(__name__)

_NAME = "mailtrack"  # of the extension, and of the endpoint for `url_for`
_REQUEST = "mailtrack.flask_environ"  # entry of our environment with that of Flask


class Mailtrack:
    """Mounts mailtrack in a Flask application, below one path.

    The first request for mailtrack in a process starts the tracker's spool there, also in the workers of a server that
    forks; the end of the process stops it. Requests for images do not pass through Flask: neither its session nor a
    function of `before_request` delays them, or adds a cookie. Other paths below `url_prefix` that are none of
    mailtrack's are left to the application and its blueprints.

    Templates have the global of `mailtrack_wsgi.jinja.pixel_global`: `{{ mailtrack_pixel(recipient) }}`.

    These settings are read from the application's `config` when it gets mailtrack:

    - `MAILTRACK_DATABASE`: the URL for `open_storage`, where no tracker is given.
    - `MAILTRACK_READ_URL`: the URL of a replica of a PostgreSQL database, from which figures and lists are read.
    - `MAILTRACK_BASE_URL`: the public URL with `url_prefix` in it, which URLs in mails need.
    - `MAILTRACK_SPOOL`: the folder of the spool; by default beside an SQLite database. `"off"` for none.
    - `MAILTRACK_OPTIONS`: a `dict` of other arguments of `mailtrack_wsgi.create_app`.

    Args:
        app: the application; without one, call `init_app`.
        tracker: the tracker, for all applications. By default each one gets its own, from its `config`.
        url_prefix: where mailtrack is mounted.
        authorize: decides who may see the pages and use the API, as in `mailtrack_wsgi.create_app`. It is called in a
            request of the application, after its functions of `before_request`, so that `session`, `g`, `url_for` and
            the current user of a login extension can be used. If one of these functions answers the request itself, it
            is refused, or redirected if that is the answer. Changes to the session are not saved. Without it, and
            without keys in `MAILTRACK_OPTIONS`, nothing is protected.

    Raises:
        InvalidSetting: an argument or a setting can't be used, or the application has mailtrack already.
        StorageError: the storage can't be opened.
    """

    def __init__(
        self,
        app: Flask | None = None,
        tracker: Tracker | None = None,
        url_prefix: str = "/track",
        authorize: Callable[[WSGIEnvironment], bool | str] | None = None,
    ) -> None:
        check_authorize(authorize)
        self._app = app
        self._tracker = tracker
        self._prefix = _check_prefix(url_prefix)
        self._authorize = authorize
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Mount mailtrack in an application, as an application factory does with the extensions of its module.

        Raises:
            InvalidSetting: a setting can't be used, or the application has mailtrack already.
            StorageError: the storage can't be opened.
        """
        if _NAME in app.extensions:
            raise InvalidSetting("app", "has mailtrack already")
        tracker = _make_tracker(app) if self._tracker is None else self._tracker
        options: dict[str, Any] = dict(app.config.get("MAILTRACK_OPTIONS") or {})
        if self._authorize is not None:
            options["authorize"] = _in_request(app, self._authorize)
        elif not any(options.get(name) for name in ("api_keys", "authorize", "stored_keys")):
            _logger.warning("All pages of mailtrack are public. Give `authorize`, or keys in MAILTRACK_OPTIONS.")
        mailtrack = create_app(tracker, **options)
        app.extensions[_NAME] = tracker
        app.jinja_env.globals["mailtrack_pixel"] = pixel_global(tracker)
        app.add_url_rule(f"{self._prefix}/", endpoint=_NAME, build_only=True)
        outer: Any = app.wsgi_app if isinstance(app.wsgi_app, ProxyFix) else None
        if outer is None:
            app.wsgi_app = _Mounted(app.wsgi_app, self._prefix, mailtrack, tracker)  # type: ignore[method-assign]
        else:
            outer.app = _Mounted(outer.app, self._prefix, mailtrack, tracker)

    @property
    def tracker(self) -> Tracker:
        """The tracker of Flask's current application, or outside of its contexts of the one that this was made with.

        Raises:
            RuntimeError: there is neither, or the application has no mailtrack.
        """
        app = current_app if has_app_context() else self._app
        tracker: Tracker | None = self._tracker if app is None else app.extensions.get(_NAME)
        if tracker is None:
            raise RuntimeError("There is no application with mailtrack here: push its context, or call init_app.")
        return tracker


def _check_prefix(url_prefix: object) -> str:
    if not isinstance(url_prefix, str) or not url_prefix.startswith("/") or not url_prefix.strip("/"):
        raise InvalidSetting("url_prefix", "must be a path such as /track")
    return url_prefix.rstrip("/")


def _make_tracker(app: Flask) -> Tracker:
    url = app.config.get("MAILTRACK_DATABASE")
    if not url:
        raise InvalidSetting("MAILTRACK_DATABASE", "must be in the config of the application, or give a tracker")
    storage = open_storage(url, read_url=app.config.get("MAILTRACK_READ_URL"))
    try:
        spool = make_spool(storage, url, app.config.get("MAILTRACK_SPOOL"))
        return Tracker(storage, base_url=app.config.get("MAILTRACK_BASE_URL"), spool=spool)
    except BaseException:
        storage.close()
        raise


def _in_request(app: Flask, authorize: Authorize) -> Authorize:
    """Return a function that asks another one in a request of the application, as its views are called."""

    def ask(environ: WSGIEnvironment) -> bool | str:
        context = app.request_context(environ[_REQUEST])
        try:
            context.push()  # not by `with`, which leaves it where the session can't be opened
            answer = app.preprocess_request()
            return authorize(environ) if answer is None else app.make_response(answer).location or False
        finally:
            context.pop()

    return ask


class _Mounted:
    """Flask's WSGI application with mailtrack in it."""

    def __init__(self, flask: WSGIApplication, prefix: str, mailtrack: WSGIApplication, tracker: Tracker) -> None:
        self._flask = flask
        self._prefix = prefix.encode().decode("latin-1")  # as WSGI has paths
        self._mailtrack = mailtrack
        self._mount = Mount(tracker.urls, is_route)
        self._lifespan = Lifespan(tracker)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        below = self._below(environ)
        if below is None:
            return self._flask(environ, start_response)
        self._lifespan.start()
        return self._mailtrack(below, start_response)

    def _below(self, environ: WSGIEnvironment) -> WSGIEnvironment | None:
        """Return the environment of a request as mailtrack gets it, `None` if it is not for mailtrack."""
        path = environ.get("PATH_INFO", "")
        if not f"{path}/".startswith(f"{self._prefix}/"):
            return None
        mount = environ.get("SCRIPT_NAME", "") + self._prefix
        below = {**environ, "SCRIPT_NAME": mount, "PATH_INFO": path[len(self._prefix) :] or "/", _REQUEST: environ}
        return below if is_own_path(self._mount.settle(below)["PATH_INFO"]) else None
