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

from mailtrack._times import to_utc

MAX_NAME_LENGTH = 256
"""Characters in the name of a pixel or a key."""

MAX_TEXT_LENGTH = 512
"""Characters kept of a user agent or a referer."""

HEADER_SIGNALS = ("no-language", "prefetch", "preview", "range")
"""The signals that a request's headers show, in the order in which a hit has them."""

REPEAT = "repeat"
"""The signal of a hit that is one view with the one before it."""

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
    """How sure a verdict is: `certain` rules decide alone, `probable` ones need a second signal."""

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

UNKNOWN = "unknown"
"""What a part of a client is called that can't be known."""


@attrs.frozen(kw_only=True, cache_hash=True)
class Client:
    """The program that fetched an image, as far as its user agent tells.

    Attributes:
        name: its family, such as `Thunderbird`; behind a proxy the mail service, such as `Gmail`.
        version: the first number of its version, "" where it tells none.
        os: the family of its operating system.
        device: `desktop`, `mobile`, `tablet` or `other`.
    """

    name: str = UNKNOWN
    version: str = ""
    os: str = UNKNOWN
    device: str = UNKNOWN


UNKNOWN_CLIENT = Client()
"""The client of an open that nothing has looked at, or behind a proxy without a name."""


@attrs.frozen(kw_only=True)
class Image:
    """An image as it is served.

    Attributes:
        media_type: its media type, such as `image/png`.
        data: the bytes of the file.
    """

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
        counted: those of them that count.
        views: how many opens were no repeats of one a few seconds before.
        counted_views: those of them that count.
        opened: how many of its recipients have an open that counts.
        opened_raw: how many of them have any open.
        purged: how many of its opens were purged. They are counted in all of the above, and listed no more.
        purged_before: up to when its opens were purged, `None` where none was. Older ones that arrived later are
            listed until they are purged as well.
    """

    id: str
    name: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)
    image: str | None = None
    recipients: int = 0
    opens: OpenSpan = NEVER_OPENED
    counted: OpenSpan = NEVER_OPENED
    views: int = 0
    counted_views: int = 0
    opened: int = 0
    opened_raw: int = 0
    purged: int = 0
    purged_before: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))

    @property
    def kept(self) -> int:
        """How many of its opens are still listed."""
        return self.opens.number - self.purged

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
        counted: those of them that count. While there is none, the recipient has not opened, whatever machines did.
    """

    id: str
    pixel_id: str
    email: str = attrs.field(repr=False)
    token: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)
    opens: OpenSpan = NEVER_OPENED
    counted: OpenSpan = NEVER_OPENED


@attrs.frozen(kw_only=True)
class ApiKey:
    """What is kept of a key that opens all but the tracker. The key itself is with whoever uses it, and nowhere else.

    Attributes:
        id: 12 hex digits, no secret.
        name: what its owner calls it, at most 256 characters, "" where it has none.
        digest: the SHA-256 of the key, 64 hex digits.
        created_at: when it was made.
    """

    id: str
    name: str = attrs.field(default="", repr=False)
    digest: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)


@attrs.frozen(kw_only=True, slots=False)  # made for each open, in half the time that one with slots takes
class Hit:
    """A request for a pixel's image as it arrived, not judged yet.

    Attributes:
        id: unique; a hit that is stored twice is one open.
        pixel: the id or short id that the URL named. Whether it exists is found out when the hit is stored.
        token: what the URL gave as token, where it has the form of one.
        at: when it arrived.
        ip: the address it came from as `parse_ip` returns it, or `None` where unknown.
        user_agent: what the client calls itself as `clean_text` returns it, "" where it says nothing.
        referer: where the client says it comes from, likewise.
        signals: what else about the request speaks for or against a person, in order; see `mailtrack.verdicts`.
    """

    id: str
    pixel: str
    token: str | None = attrs.field(default=None, repr=False)
    at: datetime
    ip: str | None = attrs.field(default=None, repr=False)
    user_agent: str = ""
    referer: str = ""
    signals: tuple[str, ...] = ()


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
        signals: what else spoke for or against a person, in order; `repeat` among them for one that is no new view.
        age: how old the recipient's token was, in seconds, `None` without one.
        verdict: what kind of fetch it was.
        client: the program that fetched it.
        counted: whether it counts as a person's.
    """

    id: str
    pixel_id: str
    recipient_id: str | None = None
    token: str | None = attrs.field(default=None, repr=False)
    opened_at: datetime = attrs.field(converter=to_utc)
    ip: str | None = attrs.field(default=None, repr=False)
    user_agent: str = ""
    referer: str = ""
    signals: tuple[str, ...] = ()
    age: float | None = None
    verdict: Verdict = UNJUDGED
    client: Client = UNKNOWN_CLIENT
    counted: bool = True

    @property
    def is_view(self) -> bool:
        """Whether it is no repeat of one a few seconds before."""
        return REPEAT not in self.signals


@attrs.frozen(kw_only=True)
class Judgement:
    """What is found out about a stored open when it is judged again.

    Attributes:
        open_id: the open.
        verdict: what kind of fetch it was.
        client: the program that fetched it.
        counted: whether it counts as a person's.
    """

    open_id: str
    verdict: Verdict
    client: Client
    counted: bool


@attrs.frozen(kw_only=True, slots=False)  # there are thousands, made in half the time that ones with slots take
class HourCount:
    """How many opens of one kind a pixel had in one hour.

    Attributes:
        hour: the start of the hour, UTC.
        kind: the kind of verdict that the opens have.
        opens: how many there were.
        counted: how many of them count.
    """

    hour: datetime
    kind: VerdictKind
    opens: int
    counted: int


@attrs.frozen(kw_only=True)
class DayCount:
    """How many opens a pixel had in one day.

    Attributes:
        day: the start of the day, UTC.
        opens: how many there were.
        counted: how many of them count.
    """

    day: datetime
    opens: int
    counted: int


class Facet(enum.StrEnum):
    """By what a pixel's opens are told apart."""

    VENDOR = "vendor"
    CLIENT = "client"
    OS = "os"
    DEVICE = "device"


@attrs.frozen(kw_only=True)
class FacetCount:
    """How many opens of a pixel are alike in one respect.

    Attributes:
        facet: in which.
        name: what they have in common.
        opens: how many there are.
        counted: how many of them count.
    """

    facet: Facet
    name: str
    opens: int
    counted: int


@attrs.frozen(kw_only=True)
class DelayCount:
    """How many recipients of a pixel took about as long to open it first.

    Attributes:
        bucket: how long, as `mailtrack.storage.to_bucket` returns it.
        recipients: for how many that is the delay of their first open.
        counted: for how many that is the delay of their first open that counts.
    """

    bucket: int
    recipients: int
    counted: int


@attrs.frozen(kw_only=True)
class Figures:
    """What a storage has counted for a pixel, at one moment.

    Attributes:
        pixel: the pixel.
        hours: its opens by hour and kind, in that order.
        facets: its opens by facet, the most frequent first, then by name.
        delays: its recipients by the delay of their first open, in order; one whose first open was before the token
            was made counts as no delay.
        top: the recipients with the most opens that count, at least two, the most first, then in order of creation.
    """

    pixel: Pixel
    hours: tuple[HourCount, ...]
    facets: tuple[FacetCount, ...]
    delays: tuple[DelayCount, ...]
    top: tuple[Recipient, ...]


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: what is on it, in the list's order.
        next: the cursor for the part that follows, `None` at the end.
    """

    items: tuple[T, ...]
    next: str | None = None
