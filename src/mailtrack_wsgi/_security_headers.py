"""The headers that make browsers careful: what an answer does not say itself, it gets from here.

The tracker's answers are not among them, theirs are fixed. `Strict-Transport-Security` is left to whoever ends TLS: it
speaks for a whole host and for months, while mailtrack may be one path of it.
"""

from werkzeug.wrappers import Response

_EVERYWHERE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with no-referrer, the Origin of our own forms would be null
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

# Nothing but our own style sheet and script; the icon is written into the page.
PAGE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}

# Mails show it, wherever they are read.
UPLOAD = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-cache",
}


def harden(response: Response) -> None:
    """Give an answer the headers that it does not have."""
    for name, value in _EVERYWHERE.items():
        response.headers.setdefault(name, value)
