"""The page that reports an error."""

from http import HTTPStatus

from werkzeug.wrappers import Response

from mailtrack_wsgi._auth import NOT_ALLOWED
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.templating import page_response

_ERRORS = {
    302: ("Please log in", ""),
    400: ("That did not work", "Go back and check the form, or check the address of this page."),
    401: ("A key is needed", "When the browser asks, enter any user name, and the key as the password."),
    403: ("Refused", "Open the page here, and try again from there."),
    404: ("Not found", "Check the address of the page."),
    405: ("Method not allowed", "This page does not accept that kind of request."),
    411: ("Incomplete request", "Try another browser or program."),
    413: ("Too large", "Try a smaller file."),
    415: ("Not supported", "Try another file or program."),
    429: ("Too many requests", ""),
    500: ("Something went wrong", "The error is in the server's log."),
    503: ("Temporarily unavailable", "Nothing was lost: opens are still recorded."),
}
_NO_ACCESS = "Log in as another user, or ask for access."
_GONE = "It may have been deleted, or the address may be wrong."
_SAID_BY_TITLE = frozenset({401, 404, 405, 500, 503})  # a message would only repeat it


def error_page(root: str, status: int, message: str, *, retry_after: str | None = None) -> Response:
    """Return the page that reports an error.

    Args:
        root: the path at which the application is mounted.
        status: the HTTP status.
        message: the reason.
        retry_after: seconds to wait before trying again.
    """
    title, advice = _ERRORS.get(status, (HTTPStatus(status).phrase, ""))
    if status == HTTPStatus.NOT_FOUND and message.endswith(" not found"):  # a pixel, a recipient
        title, advice = message, _GONE
    if message == NOT_ALLOWED:
        advice = _NO_ACCESS
    if retry_after:
        advice = f"{advice} Try again in {filters.waiting_time(int(retry_after))}.".strip()
    message = "" if status in _SAID_BY_TITLE else message
    return page_response("error.html", status, root=root, code=status, title=title, message=message, advice=advice)
