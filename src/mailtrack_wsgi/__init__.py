"""mailtrack as a WSGI application, mountable anywhere."""

from mailtrack_wsgi._app import create_app

__all__ = ["create_app"]
