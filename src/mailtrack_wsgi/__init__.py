"""mailtrack as a WSGI application, mountable anywhere."""

from mailtrack_wsgi._app import Application, create_app

__all__ = ["Application", "create_app"]
