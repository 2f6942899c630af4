"""The application in a Flask or Django project, on its own, and in middleware."""

from collections.abc import Iterable
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mailtrack import Tracker, open_storage
from mailtrack_wsgi import Application, asgi, create_app
from mailtrack_wsgi.asgi import AsgiApplication
from mailtrack_wsgi.flask import Mailtrack

tracker = Tracker(open_storage("memory://"), base_url="https://example.com/track")
mailtrack_app = create_app(tracker, api_keys=["mtk_0"], hosts={"example.com"}, trusted_proxies=1, max_slow=2)
create_app(tracker, ["mtk_0"])  # type: ignore[call-arg]
create_app("sqlite:///campaigns.db")  # type: ignore[arg-type]


def authorize(environ: WSGIEnvironment) -> bool | str:
    return "REMOTE_USER" in environ or "/login"


create_app(tracker, authorize=authorize)
create_app(tracker, authorize=lambda environ: None)  # type: ignore[arg-type, return-value]

flask_app = Flask(__name__)
mounted = Mailtrack(flask_app, tracker, url_prefix="/track", authorize=lambda environ: "REMOTE_USER" in environ)
mounted.tracker.create_pixel("Spring launch")
Mailtrack(tracker=tracker).init_app(flask_app)
Mailtrack("shop")  # type: ignore[arg-type]
application: WSGIApplication = DispatcherMiddleware(flask_app.wsgi_app, {"/track": mailtrack_app})

asgi_app: AsgiApplication = asgi.create_app(tracker, api_keys=["mtk_0"], authorize=authorize)
asgi.create_app(tracker, ["mtk_0"])  # type: ignore[call-arg]
asgi.create_app(tracker, api_key="mtk_0")  # type: ignore[call-arg]


def get_wsgi_application() -> WSGIApplication:
    """Stands for Django's function of this name, whose package has no types."""
    raise NotImplementedError


application = DispatcherMiddleware(get_wsgi_application(), {"/track": mailtrack_app})


def serve(app: Application) -> None:
    with make_server("127.0.0.1", 8000, app) as server:
        server.serve_forever()


class Timed:
    """Middleware as projects write it."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


mailtrack_app.wsgi_app = Timed(mailtrack_app.wsgi_app)
mailtrack_app.wsgi_app = "not an application"  # type: ignore[assignment]
