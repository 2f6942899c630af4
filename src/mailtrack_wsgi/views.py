"""What pages say: times, numbers and verdicts in words, and links that keep what was chosen."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from mailtrack.model import UNKNOWN, Client, Open, VerdictKind

KINDS = {
    VerdictKind.HUMAN: "Person",
    VerdictKind.PROXY: "Person, by a proxy",
    VerdictKind.PREFETCH: "Loaded ahead",
    VerdictKind.SCANNER: "Security check",
    VerdictKind.BOT: "Robot",
    VerdictKind.UNKNOWN: "Not known",
}
"""What the kinds of verdicts are called."""

DAY = timedelta(days=1)

_MOST_OF_USER_AGENT = 120  # characters shown; all of it is in the CSV and the API

_SPANS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))


def kind_name(kind: str) -> str:
    """Return what a kind of verdict is called."""
    return KINDS[VerdictKind(kind)]


def relative_time(value: datetime, now: datetime) -> str:
    """Return how long ago a time was, as `3 hours ago`."""
    seconds = (now - value).total_seconds()
    for unit, length in _SPANS:
        if seconds >= length:
            return f"{plural(int(seconds // length), unit)} ago"
    return "just now"


def exact_time(value: datetime) -> str:
    """Return a UTC time to the second, as `6 Nov 2025, 12:00:05 UTC`."""
    return f"{value:%-d %b %Y, %H:%M:%S} UTC"


def duration(value: timedelta | None) -> str:
    """Return how long something took, as `3 hours`; a dash for what never happened."""
    if value is None:
        return "–"
    seconds = value.total_seconds()
    for unit, length in (*_SPANS[2:], ("second", 1)):
        if seconds >= length:
            return plural(round(seconds / length), unit)
    return "no time"


def percentage(share: float | None) -> str:
    """Return a share as `34.3 %`; a dash where there is nothing to have a share in."""
    return "–" if share is None else f"{share * 100:.1f}\u00a0%"


def plural(number: int, noun: str) -> str:
    """Return a number of things, as `1,200 recipients`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def client_name(client: Client) -> str:
    """Return what a client is called, with its version and system as far as known."""
    name = f"{client.name} {client.version}".strip() if client.name != UNKNOWN else ""
    return " · ".join(part for part in (name, client.os if client.os != UNKNOWN else "") if part)


def user_agent(one: Open) -> str:
    """Return the beginning of what a client calls itself."""
    text = one.user_agent
    return text if len(text) <= _MOST_OF_USER_AGENT else text[: _MOST_OF_USER_AGENT - 1] + "…"


def query(chosen: Mapping[str, object], **changes: object) -> str:
    """Return a link to the same page with other arguments; those that are `None` or empty are left out."""
    arguments = {name: value for name, value in {**chosen, **changes}.items() if value not in (None, "")}
    return f"?{urlencode(arguments)}"


def waiting_time(seconds: int) -> str:
    """Return how long to wait, as `5 seconds` or `12 minutes`."""
    return plural(seconds, "second") if seconds < 120 else plural(-(-seconds // 60), "minute")
