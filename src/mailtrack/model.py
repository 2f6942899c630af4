"""The words of the domain as frozen values.

All times are aware, in UTC, in whole milliseconds. No value knows how it is stored or sent.
"""

import enum
import ipaddress
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar

import attrs

from mailtrack.times import to_utc

MAX_NAME_LENGTH = 256
"""Characters in the name of a pixel."""

MAX_TEXT_LENGTH = 512
"""Characters kept of a user agent or a referer."""

_MAX_IP_LENGTH = 64  # longer ones are none, and must not fill the cache

T = TypeVar("T")


def clean_text(value: str) -> str:
    """Return text from a stranger, fit to be shown: at most 512 characters, control characters as U+FFFD."""
    if len(value) <= MAX_TEXT_LENGTH and value.isprintable():
        return value
    return "".join(char if char.isprintable() else "\ufffd" for char in value[:MAX_TEXT_LENGTH])


def parse_ip(value: str | None) -> str | None:
    """Return an IP address in its one canonical spelling, `None` for anything else.

    IPv4 in IPv6 (`::ffff:192.0.2.1`) becomes IPv4; a zone (`fe80::1%eth0`) is dropped.
    """
    if value is None or len(value) > _MAX_IP_LENGTH:
        return None
    return _parse_ip(value)


@lru_cache(maxsize=4096)
def _parse_ip(value: str) -> str | None:
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)


class VerdictKind(enum.StrEnum):
    """What kind of fetch an open was."""

    HUMAN = "human"
    PROXY = "proxy"
    PREFETCH = "prefetch"
    SCANNER = "scanner"
    BOT = "bot"
    UNKNOWN = "unknown"


class Certainty(enum.StrEnum):
    """How sure a verdict is: `certain` rules decide alone, `probable` ones need a second sign."""

    CERTAIN = "certain"
    PROBABLE = "probable"


def _to_reasons(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)  # mypy can't tell the type that the bare class takes as a converter


@attrs.frozen(kw_only=True, cache_hash=True)
class Verdict:
    """What kind of fetch an open was, by whom, and why.

    Attributes:
        kind: what it was.
        vendor: whose program fetched it, where known.
        reasons: codes of the rules that decided, the decisive one first.
        certainty: how sure it is, `None` where nothing was decided.
        rules_version: the version of the rule table that judged; 0 where none did.
    """

    kind: VerdictKind = attrs.field(default=VerdictKind.UNKNOWN, converter=VerdictKind)
    vendor: str | None = None
    reasons: tuple[str, ...] = attrs.field(default=(), converter=_to_reasons)
    certainty: Certainty | None = attrs.field(default=None, converter=attrs.converters.optional(Certainty))
    rules_version: int = 0


UNJUDGED = Verdict()
"""The verdict of an open that nothing has judged."""


@attrs.frozen(kw_only=True)
class OpenSpan:
    """How often, and from when to when, something was opened.

    Attributes:
        number: how many opens there were.
        first: the earliest one's time, `None` without any.
        last: the latest one's time, `None` without any.
    """

    number: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def with_open(self, at: datetime) -> "OpenSpan":
        """Return this span with one more open at that time."""
        return OpenSpan(
            number=self.number + 1,
            first=at if self.first is None else min(self.first, at),
            last=at if self.last is None else max(self.last, at),
        )


NEVER_OPENED = OpenSpan()


@attrs.frozen(kw_only=True)
class Image:
    """A picture that has been checked, as it will be served."""

    media_type: str
    data: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Pixel:
    """A tracked mailing.

    Attributes:
        id: its UUID, 36 characters, lower case.
        name: what its owner calls it, 1 to 256 characters.
        created_at: when it was made.
        image: the file name of its own image below `/uploads/`, or `None` for the transparent pixel.
        recipients: how many recipients it had when it was read.
        opens: its opens when it was read.
    """

    id: str
    name: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)
    image: str | None = None
    recipients: int = 0
    opens: OpenSpan = NEVER_OPENED

    @property
    def short_id(self) -> str:
        """The first eight hex digits of the id, unique as well."""
        return self.id[:8]


@attrs.frozen(kw_only=True)
class Recipient:
    """One address in one pixel, with its token.

    Attributes:
        id: 24 hex digits, of which the first eight are its pixel's short id.
        pixel_id: the UUID of its pixel.
        email: the address in canonical form.
        token: the secret that stands for it in tracking URLs.
        created_at: when its token was made.
        opens: its opens when it was read.
    """

    id: str
    pixel_id: str
    email: str = attrs.field(repr=False)
    token: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)
    opens: OpenSpan = NEVER_OPENED


@attrs.frozen(kw_only=True, slots=False)  # made for each open, in half the time that one with slots takes
class Hit:
    """A request for a pixel's image as it arrived, not judged yet. `Tracker.new_hit` makes one from anything.

    Attributes:
        id: unique; a hit that is stored twice is one open.
        pixel: the id or short id that the URL named. Whether it exists is found out when the hit is stored.
        token: what the URL gave as token, where it has the form of one.
        at: when it arrived.
        ip: the address it came from as `parse_ip` returns it, or `None` where unknown.
        user_agent: what the client calls itself as `clean_text` returns it, "" where it says nothing.
        referer: where the client says it comes from, likewise.
    """

    id: str
    pixel: str
    token: str | None = attrs.field(default=None, repr=False)
    at: datetime
    ip: str | None = attrs.field(default=None, repr=False)
    user_agent: str = ""
    referer: str = ""


@attrs.frozen(kw_only=True, slots=False)  # made for each open, in half the time that one with slots takes
class Target:
    """Whose open a hit would be.

    Attributes:
        pixel_id: the UUID of the pixel that it names.
        recipient_id: the recipient whose token it has, if any.
        token_made_at: when that token was made.
    """

    pixel_id: str
    recipient_id: str | None = None
    token_made_at: datetime | None = None


@attrs.frozen(kw_only=True, slots=False)  # made for each open, in half the time that one with slots takes
class Open:
    """A stored hit with its verdict.

    Attributes:
        id: the id of the hit.
        pixel_id: the UUID of the pixel.
        recipient_id: who it was sent to, where the URL had a token of this pixel. It outlives the recipient.
        token: the recipient's token, `None` once the recipient is deleted.
        opened_at: when the hit arrived.
        ip: the address it came from, where known.
        user_agent: what the client called itself.
        referer: where the client said it came from.
        verdict: what kind of fetch it was.
    """

    id: str
    pixel_id: str
    recipient_id: str | None = None
    token: str | None = attrs.field(default=None, repr=False)
    opened_at: datetime = attrs.field(converter=to_utc)
    ip: str | None = attrs.field(default=None, repr=False)
    user_agent: str = ""
    referer: str = ""
    verdict: Verdict = UNJUDGED


@attrs.frozen(kw_only=True)
class HourCount:
    """How many opens of one kind a pixel had in one hour.

    Attributes:
        hour: the start of the hour, UTC.
        kind: the kind of verdict that the opens have.
        opens: how many there were.
    """

    hour: datetime
    kind: VerdictKind
    opens: int


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: what is on it, in the list's order.
        next: the cursor for the part that follows, `None` at the end.
    """

    items: tuple[T, ...]
    next: str | None = None
