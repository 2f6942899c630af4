"""Who may see the pages and use the API: by default, staff."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REQUEST = "mailtrack.django_request"
"""Entry of the WSGI environment that holds Django's request."""


def make_authorize(decide: Callable[..., object] | None) -> "Callable[[WSGIEnvironment], bool | str]":
    """Return the `authorize` of `create_app`.

    Args:
        decide: takes Django's request and decides as `authorize` does; `None` lets in staff.
    """

    def authorize(environ: "WSGIEnvironment") -> bool | str:
        return cast("bool | str", (decide or _is_staff)(environ[REQUEST]))  # what is neither is refused

    return authorize


def _is_staff(request: HttpRequest) -> bool | str:
    user = request.user  # without `AuthenticationMiddleware` this fails, and nothing is let in
    if user.is_authenticated and user.is_active:
        return bool(getattr(user, "is_staff", False))  # models of a project may have none
    return _login(request)


def _login(request: HttpRequest) -> str:
    """Return the URL of the page for a login, of the admin if there is one, which leads back to the request's page."""
    from django.contrib.auth.views import redirect_to_login  # it loads models, which settings must not wait for

    try:
        page = reverse("admin:login")
    except NoReverseMatch:
        page = resolve_url(settings.LOGIN_URL)
    back = request.get_full_path() if request.method == "GET" else reverse("mailtrack:index")
    return redirect_to_login(back, page).url
