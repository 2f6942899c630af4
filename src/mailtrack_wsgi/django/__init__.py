"""mailtrack in a Django project: the pages and images, an e-mail backend, a template tag, a signal and a command.

Add `mailtrack_wsgi.django` to `INSTALLED_APPS`, and `path("track/", include("mailtrack_wsgi.django.urls"))` to the
project's URLs. See docs/django.md.
"""

from mailtrack_wsgi.django._backend import EmailBackend
from mailtrack_wsgi.django._signals import opened
from mailtrack_wsgi.django._site import get_tracker

__all__ = ["EmailBackend", "get_tracker", "opened"]
