"""The URLs to include in a project: all of mailtrack below one path."""

from django.db import connections, transaction
from django.urls import URLPattern, path, re_path

from mailtrack_wsgi.django._view import pages

_view = pages
for _alias in connections:  # an image must not wait for the project's databases
    _view = transaction.non_atomic_requests(_alias)(_view)

app_name = "mailtrack"

urlpatterns: list[URLPattern] = [
    path("", _view, name="index"),
    re_path(r"^(?P<path>[\s\S]+)\Z", _view, name="page"),  # with line breaks, which mail programs may put in
]
