"""Mount mailtrack under /track of a plain WSGI application.

Usage: python mounted.py, then open http://127.0.0.1:8080/
Any WSGI server takes `application` as well: gunicorn mounted:application
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import make_server

from mailtrack import Tracker, open_storage
from mailtrack_wsgi import create_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFIX = "/track"

storage = open_storage(os.environ.get("MAILTRACK_DATABASE", "sqlite:///mailtrack.db"))
mailtrack = create_app(Tracker(storage))


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Pass requests below the prefix to mailtrack, and answer all others."""
    path = environ.get("PATH_INFO", "")
    if path == PREFIX or path.startswith(PREFIX + "/"):
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + PREFIX
        environ["PATH_INFO"] = path[len(PREFIX) :]
        return mailtrack(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [b'<!doctype html><title>Our site</title><p>The <a href="/track/">tracker</a> lives here.']


if __name__ == "__main__":
    with storage, make_server("127.0.0.1", 8080, application) as server:
        server.serve_forever()
