"""Logs on standard error: without the passwords of URLs, whichever library wrote the message."""

import logging

from mailtrack._redacting import redact


class _Formatter(logging.Formatter):
    """Formats a record as Python does by default, with its traceback, and then hides passwords."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def hide_passwords() -> None:
    """Hide the passwords of URLs in what Python logs where a program has set up no logging, as here."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())
