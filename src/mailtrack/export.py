"""Recipients as CSV, streamed in bounded memory."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice

from mailtrack.model import Pixel, Recipient
from mailtrack.times import to_text
from mailtrack.urls import Urls

RECIPIENT_COLUMNS = ("Email", "Token", "Tracking URL", "Created At")

_ROWS_IN_PIECE = 1000

# What spreadsheets take for the start of a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def recipients_csv(pixel: Pixel, recipients: Iterable[Recipient], *, urls: Urls, raw: bool = False) -> Iterator[bytes]:
    """Return a CSV file of a pixel's recipients in pieces: RFC 4180, CRLF, UTF-8, a header row first.

    Args:
        pixel: the pixel.
        recipients: its recipients, for one row each.
        urls: makes the tracking URLs.
        raw: leave cells as they are; without it, one that a spreadsheet would take for a formula begins with `'`.
    """
    prefix = urls.tracking(pixel) + "?token="
    rows = (
        (
            recipient.email if raw else guard(recipient.email),
            recipient.token,
            prefix + recipient.token,
            to_text(recipient.created_at),
        )
        for recipient in recipients
    )
    return _pieces(RECIPIENT_COLUMNS, rows)


def guard(cell: str) -> str:
    """Return a cell with `'` before it where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _pieces(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[bytes]:
    piece = [header]
    while piece:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\r\n").writerows(piece)
        yield buffer.getvalue().encode()
        piece = list(islice(rows, _ROWS_IN_PIECE))
