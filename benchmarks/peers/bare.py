"""The reference server with a bare function as its application, which returns the same response and does nothing."""

from unittest.mock import patch

from mailtrack import Tracker, open_storage
from mailtrack.cli._server import server
from mailtrack.cli._settings import Settings
from mailtrack_wsgi import create_app

REQUEST = {"REQUEST_METHOD": "GET", "PATH_INFO": "/tracker/0a1b2c3d.png"}


def load(_settings, _keys, _parent):
    answer = []
    body = create_app(Tracker(open_storage("memory://")))(REQUEST, lambda *start: answer.extend(start))
    status, headers = answer

    def application(_environ, start_response):
        start_response(status, headers)
        return body

    return application


if __name__ == "__main__":
    with patch.object(server, "_load", load):
        server.serve(Settings.resolve({}))
