"""Template filters: times, numbers and verdicts in words, and links that keep a selection."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from urllib.parse import urlencode

from markupsafe import Markup, escape

from mailtrack._counts import Count
from mailtrack._model import UNKNOWN, Client, Open, Recipient, RecipientState, VerdictKind
from mailtrack._rate_text import NOT_KNOWN
from mailtrack._text import plural
from mailtrack._webhook import DeliveryState, Webhook

KINDS = {
    VerdictKind.HUMAN: "Person",
    VerdictKind.PROXY: "Person (via proxy)",
    VerdictKind.PREFETCH: "Prefetched",
    VerdictKind.SCANNER: "Security scanner",
    VerdictKind.BOT: "Robot",
    VerdictKind.UNKNOWN: "Unknown",
}
"""Names of the kinds of verdicts."""

STATES = {
    RecipientState.OPENED: "Opened",
    RecipientState.PREFETCHED: "Not known",
    RecipientState.SCANNED: "Machines only",
    RecipientState.NONE: "Not opened",
}
"""Names of the states of recipients."""

DELIVERIES = {
    DeliveryState.PENDING: "Pending",
    DeliveryState.DELIVERED: "Delivered",
    DeliveryState.FAILED: "Failed",
}
"""Names of the states of deliveries."""

FIRSTS = {
    "firstCounted": "The first open that counts",
    "first": "The first open, also by a machine",
    "any": "Every open",
}
"""Names of the events of a recipient that a webhook can want."""

DAY = timedelta(days=1)

# Length at which lists cut a text, in bytes of HTML, so that no input from outside makes a page heavy. Real values fit;
# the CSV and the API have the whole text.
_ROOM, _ROOM_FOR_NAME = 100, 32

_SPANS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))


def kind_name(kind: str) -> str:
    """Return the name of a kind of verdict."""
    return KINDS[VerdictKind(kind)]


def verdict_name(one: Open) -> str:
    """Return the name of an open's verdict, with the name of its proxy if it is known."""
    name = one.client.name if one.client.name != UNKNOWN else one.verdict.vendor
    if one.verdict.kind is VerdictKind.PROXY and name:
        return f"Person (via {short_name(name)} proxy)"
    return KINDS[one.verdict.kind]


def machines(opens: Count) -> int:
    """Return how many of some opens are not counted: pages attribute them to machines."""
    return opens.raw - opens.counted


def relative_time(value: datetime, now: datetime) -> str:
    """Return a time relative to now, as `3 hours ago`."""
    seconds = (now - value).total_seconds()
    for unit, length in _SPANS:
        if seconds >= length:
            return f"{plural(int(seconds // length), unit)} ago"
    return "just now"


def time_until(value: datetime, now: datetime) -> str:
    """Return a time in the future relative to now, as `in 3 hours`."""
    seconds = (value - now).total_seconds()
    for unit, length in (*_SPANS, ("second", 1)):
        if seconds >= length:
            return f"in {plural(int(seconds // length), unit)}"
    return "now"


def exact_time(value: datetime) -> str:
    """Return a UTC time to the second, as `6 Nov 2025, 12:00:05 UTC`."""
    return f"{zoneless_time(value)} UTC"


def zoneless_time(value: datetime) -> str:
    """Return a UTC time to the second, as `6 Nov 2025, 12:00:05`, for pages that name the time zone themselves."""
    return f"{value:%-d %b %Y, %H:%M:%S}"


def duration(value: timedelta | None) -> str:
    """Return a duration in its largest unit, as `3 hours`; a dash for `None`."""
    if value is None:
        return "–"
    seconds = value.total_seconds()
    for unit, length in (*_SPANS[2:], ("second", 1)):
        if seconds >= length:
            return plural(round(seconds / length), unit)
    return "under a second"


def percentage(share: float | None) -> str:
    """Return a share as `34.3 %`; `not known` for `None`."""
    return NOT_KNOWN if share is None else f"{share * 100:.1f}\u00a0%"


def state_name(recipient: Recipient) -> str:
    """Return the name of a recipient's state."""
    return STATES[recipient.state]


def webhook_state(webhook: Webhook) -> str:
    """Return the name of the state of a webhook."""
    if not webhook.enabled:
        return "Disabled"
    return "Failing" if webhook.failing_since else "Active"


def webhook_name(webhook: Webhook) -> str:
    """Return the URL of a webhook without its query, which may hold a secret, and without `https://`."""
    return webhook.url.partition("?")[0].removeprefix("https://")


def plain_text(text: str) -> Markup:
    """Return a text as the content of an element. Quotes, of which code is full, stay as they are."""
    return Markup(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))  # noqa: S704  # escaped


def client_name(client: Client) -> str:
    """Return the name of a client, with its version and system as far as they are known."""
    name = f"{short_name(client.name)} {client.version}".strip() if client.name != UNKNOWN else ""
    return " · ".join(part for part in (name, short_name(client.os) if client.os != UNKNOWN else "") if part)


def excerpt(text: str, room: int = _ROOM) -> str:
    """Return a text, cut with an ellipsis if it takes more than `room` bytes of HTML."""
    if len(escape(text).encode()) <= room:
        return text
    sizes = accumulate(len(escape(char).encode()) for char in text)
    return text[: sum(size < room for size in sizes)] + "…"


def short_name(text: str) -> str:
    """Return a name, cut to the length for names in a list."""
    return excerpt(text, _ROOM_FOR_NAME)


def query(chosen: Mapping[str, object], **changes: object) -> str:
    """Return a link to the same page with changed arguments, without those that are `None` or empty."""
    arguments = {name: value for name, value in {**chosen, **changes}.items() if value not in (None, "")}
    return f"?{urlencode(arguments, safe=',')}"


def waiting_time(seconds: int) -> str:
    """Return a time to wait, as `5 seconds` or `12 minutes`."""
    return plural(seconds, "second") if seconds < 120 else plural(-(-seconds // 60), "minute")
