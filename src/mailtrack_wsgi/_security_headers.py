"""Security headers: the defaults for headers that an answer does not set itself.

The tracker's answers have fixed headers instead. `Strict-Transport-Security` is left to the server that terminates TLS:
it applies to a whole host for months, while mailtrack may be one path of it.
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

NO_STORE = {"Cache-Control": "no-store"}
"""For answers that hold personal data, or change from one request to the next."""

# Only our own style sheet and scripts, which load only from us; the icon is part of the page.
PAGE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:;"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    **NO_STORE,
}

# Mails show it, on any site that they are read on.
UPLOAD = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-cache",
}


def harden(response: Response) -> None:
    """Add the security headers that an answer does not set itself."""
    for name, value in _EVERYWHERE.items():
        response.headers.setdefault(name, value)
