"""Export recipients and opens as CSV, streamed in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

from mailtrack._model import Open, Pixel, Recipient
from mailtrack._times import to_text
from mailtrack._urls import RECIPIENT_QUERY, Urls

RECIPIENT_COLUMNS = ("Email", "Token", "Tracking URL", "Created At")
MORE_RECIPIENT_COLUMNS = ("Reference", "Recipient ID", "State")

OPEN_COLUMNS = (
    "Time",
    "Email",
    "Recipient",
    "Verdict",
    "Vendor",
    "Reasons",
    "Certainty",
    "Counted",
    "Client",
    "Version",
    "System",
    "Device",
    "Address",
    "User Agent",
    "Referer",
)

GetRecipients = Callable[[Iterable[str | None]], Mapping[str, Recipient]]
"""Returns recipients by id; unknown ids are left out."""

_ROWS_IN_PIECE = 1000

_shared_time = lru_cache(maxsize=64)(to_text)  # all recipients of a request share one time

# Characters that start a formula in a spreadsheet (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def recipients_csv(
    pixel: Pixel, recipients: Iterable[Recipient], *, urls: Urls, raw: bool = False, all_columns: bool = False
) -> Iterator[bytes]:
    """Return a CSV file of a pixel's recipients in pieces: RFC 4180, CRLF, UTF-8, with a header row.

    Args:
        pixel: the pixel.
        recipients: its recipients, one per row.
        urls: builds the tracking URLs.
        raw: whether to leave cells unchanged; otherwise a cell that a spreadsheet would interpret as a formula gets a
            leading `'`.
        all_columns: whether the documented four columns are followed by `MORE_RECIPIENT_COLUMNS`.
    """
    prefix = urls.tracking(pixel) + RECIPIENT_QUERY

    def cell(text: str) -> str:
        return quote(text if raw else guard(text))

    def line(recipient: Recipient) -> str:
        email = cell(recipient.email)
        token = recipient.token
        more = f",{cell(recipient.ref or '')},{recipient.id},{recipient.state.value}" if all_columns else ""
        return f"{email},{token},{quote(prefix + token)},{_shared_time(recipient.created_at)}{more}\r\n"

    columns = RECIPIENT_COLUMNS + MORE_RECIPIENT_COLUMNS if all_columns else RECIPIENT_COLUMNS
    return _pieces(",".join(columns) + "\r\n", map(line, recipients))


def opens_csv(opens: Iterable[Open], *, get_recipients: GetRecipients, raw: bool = False) -> Iterator[bytes]:
    """Return a CSV file of opens in pieces, as `recipients_csv` does.

    Args:
        opens: the opens, for one row each.
        get_recipients: returns the recipients of a thousand opens by id, as `Tracker.get_recipients` does.
        raw: as for `recipients_csv`.
    """

    def line(one: Open, recipients: Mapping[str, Recipient]) -> str:
        recipient = recipients.get(one.recipient_id or "")
        cells = (
            to_text(one.opened_at),
            recipient.email if recipient else "",
            one.recipient_id or "",
            one.verdict.kind.value,
            one.verdict.vendor or "",
            " ".join(one.verdict.reasons),
            one.verdict.certainty.value if one.verdict.certainty else "",
            "yes" if one.counted else "no",
            one.client.name,
            one.client.version,
            one.client.os,
            one.client.device,
            one.ip or "",
            one.user_agent,
            one.referer,
        )
        return ",".join(quote(cell if raw else guard(cell)) for cell in cells) + "\r\n"

    def lines() -> Iterator[str]:
        rest = iter(opens)
        while step := list(islice(rest, _ROWS_IN_PIECE)):
            recipients = get_recipients(one.recipient_id for one in step)
            yield from (line(one, recipients) for one in step)

    return _pieces(",".join(OPEN_COLUMNS) + "\r\n", lines())


def guard(cell: str) -> str:
    """Return a cell, with a leading `'` if a spreadsheet would interpret it as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def quote(cell: str) -> str:
    """Return a cell, quoted if necessary, also for programs that separate cells by `;` or tabs.

    The module `csv` examines every character in turn, which takes longer than all other work for a row.
    """
    if '"' in cell or "," in cell or ";" in cell or "\n" in cell or "\r" in cell or "\t" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _pieces(header: str, lines: Iterator[str]) -> Iterator[bytes]:
    piece = header
    while piece:
        yield piece.encode()
        piece = "".join(islice(lines, _ROWS_IN_PIECE))
