"""Middleware is put around `Application.wsgi_app`, as around Flask's."""

import pytest

import mailtrack_wsgi
from mailtrack import Tracker
from mailtrack_wsgi import Application, create_app


class Stamp:
    """Middleware that notes each path and adds a header."""

    def __init__(self, app, paths, name="X-Stamp"):
        self._app, self._paths, self._name = app, paths, name

    def __call__(self, environ, start_response):
        self._paths.append(environ["PATH_INFO"])

        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, (self._name, "1")], exc_info)

        return self._app(environ, start)


@pytest.fixture
def wrapped(storage, make_client):
    """A client of a wrapped application, and the paths that the middleware saw."""
    app, paths = create_app(Tracker(storage)), []
    app.wsgi_app = Stamp(app.wsgi_app, paths)
    return type(make_client())(app), paths, app


def test_every_answer_goes_through_it(wrapped, pixel, opens):
    client, paths, _ = wrapped
    asked = [f"/tracker/{pixel.short_id}.png", "/api/v1/pixels", "/", "/nowhere"]
    answers = [client.get(path) for path in asked]
    assert [answer.status for answer in answers] == [200, 200, 200, 404]
    assert ([answer.headers["X-Stamp"] for answer in answers], paths) == (["1"] * 4, asked)
    assert len(opens()) == 1


def test_the_last_wrapped_is_the_outermost(wrapped):
    client, paths, app = wrapped
    outer = []
    app.wsgi_app = Stamp(app.wsgi_app, outer, "X-Outer")
    answer = client.get("/healthz")
    assert (answer.headers["X-Stamp"], answer.headers["X-Outer"], paths, outer) == (
        "1",
        "1",
        ["/healthz"],
        ["/healthz"],
    )


def test_what_create_app_makes_is_exported_and_stays_what_it_is(wrapped):
    assert isinstance(wrapped[2], Application)
    assert sorted(mailtrack_wsgi.__all__) == mailtrack_wsgi.__all__
