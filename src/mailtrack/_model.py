"""The nouns of the domain as frozen values: pixel, recipient, hit, open, verdict, client, key.

All times are aware, in UTC, in whole milliseconds. No value knows how it is stored or sent.
"""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import attrs

from mailtrack._counts import NO_OPENS, Count, OpenSpans
from mailtrack._json_data import to_data
from mailtrack._times import to_utc

MAX_NAME_LENGTH = 256
"""Characters in the name of a pixel or a key."""

MAX_NOTE_LENGTH = 2000
"""Characters in the note of a pixel."""

NO_LANGUAGE = "no-language"
"""The signal of a request without `Accept-Language`, which browsers send."""

HEADER_SIGNALS = (
    *("forged-hint", "headless-hint", "navigation", "no-client-hints", "no-fetch-metadata", NO_LANGUAGE),
    *("prefetch", "preview", "range"),
)
"""The signals that a request's headers show, in the order in which a hit has them."""

BURST = "burst"
"""The signal of a hit whose address requested the images of many recipients within seconds."""

SLOW_BURST = "slow-burst"
"""The signal of a hit without a language whose address and user agent requested those of many within minutes."""

COMPANY_BURST = "company-burst"
"""The signal of a hit whose user agent requested the images of many recipients of one company within seconds."""

REPEAT = "repeat"
"""The signal of a hit that is one view with the one before it."""

BURST_SIGNALS = (BURST, SLOW_BURST, COMPANY_BURST)
"""The signals that a hit may get after it is stored, when the burst shows that it belongs to."""

RECENT_SIGNALS = (*BURST_SIGNALS, REPEAT)
"""The signals that recent hits show, in the order in which a hit has them, after those of its headers."""

PixelOrder = Literal["newest", "name", "opens", "rate"]
"""The orders of lists of pixels."""

T = TypeVar("T")


class VerdictKind(enum.StrEnum):
    """The kinds of fetches that an open can be."""

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
    return tuple(value)  # mypy can't infer the type that the bare class takes as a converter


class RecipientState(enum.StrEnum):
    """The states that a recipient can be in.

    Attributes:
        OPENED: it has an open that counts.
        PREFETCHED: none of its opens counts, and at least one is a prefetch, so whether a person saw the mail can't be
            known.
        SCANNED: none of its opens counts, and none is a prefetch.
        NONE: it has no opens.
    """

    OPENED = "opened"
    PREFETCHED = "prefetched"
    SCANNED = "scanned"
    NONE = "none"


@attrs.frozen(kw_only=True, cache_hash=True)
class Verdict:
    """The kind of fetch that an open was, by whom, and why.

    Attributes:
        kind: the kind of fetch.
        vendor: the maker of the program that fetched, where known.
        reasons: codes of the rules that decided, the decisive one first.
        certainty: how sure the verdict is, `None` where no rule decided.
        rules_version: the version of the rule table that judged; 0 where none did.
    """

    kind: VerdictKind = attrs.field(default=VerdictKind.UNKNOWN, converter=VerdictKind)
    vendor: str | None = None
    reasons: tuple[str, ...] = attrs.field(default=(), converter=_to_reasons)
    certainty: Certainty | None = attrs.field(default=None, converter=attrs.converters.optional(Certainty))
    rules_version: int = 0


UNJUDGED = Verdict()
"""The verdict of an open that was never judged."""

UNKNOWN = "unknown"
"""The value of a client's property that can't be known."""


@attrs.frozen(kw_only=True, cache_hash=True)
class Client:
    """The program that fetched an image, as far as its user agent shows.

    Attributes:
        name: its family, such as `Thunderbird`; behind a proxy the mail service, such as `Gmail`.
        version: the first number of its version, "" where it shows none.
        os: the family of its operating system.
        device: `desktop`, `mobile`, `tablet` or `other`.
    """

    name: str = UNKNOWN
    version: str = ""
    os: str = UNKNOWN
    device: str = UNKNOWN


UNKNOWN_CLIENT = Client()
"""The client of an open that was never judged, or behind a proxy without a name."""


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
    """A tracked mailing. Its numbers are as of the moment when it was read.

    Attributes:
        id: its UUID, 36 characters, lower case.
        name: its name, 1 to 256 characters.
        created_at: the time of its creation.
        image: the file name of its own image below `/uploads/`, or `None` for the transparent pixel.
        recipients: the number of its recipients.
        opens: its opens, with the times of the first and the last.
        views: the number of its opens without repeats within seconds.
        opened: the number of its recipients that have an open.
        prefetched: the number of its recipients in the state `prefetched`.
        purged: the number of its opens that were purged. All numbers above include them; the log does not.
        purged_before: the time before which its opens were purged, `None` where none was. Older ones that arrived
            later stay in the log until the next purge.
        archived: whether lists leave it out. It goes on tracking.
        note: a text of its owner's, up to 2,000 characters, "" without one.
    """

    id: str
    name: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)
    image: str | None = None
    recipients: int = 0
    opens: OpenSpans = NO_OPENS
    views: Count = Count()  # noqa: RUF009  # frozen
    opened: Count = Count()  # noqa: RUF009  # frozen
    prefetched: int = 0
    purged: int = 0
    purged_before: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))
    archived: bool = False
    note: str = attrs.field(default="", repr=False)

    @property
    def kept(self) -> int:
        """The number of its opens that are still in the log."""
        return self.opens.raw.number - self.purged

    @property
    def short_id(self) -> str:
        """The first eight hex digits of the id, unique as well."""
        return self.id[:8]


@attrs.frozen
class NewRecipient:
    """An address to make a token for. It is checked when the token is made, see `Tracker.generate_tokens`.

    Attributes:
        email: the address.
        ref: a reference of the sender's own, such as the number of an invoice: 1 to 128 characters without control
            characters, compared as written. One address with two references is two recipients. `None` is none.
        data: a JSON object of at most 2,048 bytes (compact, UTF-8), to be kept with the recipient. `None` leaves the
            data that it has.
    """

    email: str = attrs.field(repr=False)
    ref: str | None = attrs.field(default=None, repr=False)
    data: Mapping[str, object] | None = attrs.field(default=None, repr=False, hash=False)


@attrs.frozen(kw_only=True)
class Recipient:
    """One address with one reference in one pixel, with its token. Its opens are as of the moment when it was read.

    Attributes:
        id: 24 hex digits, of which the first eight are its pixel's short id.
        pixel_id: the UUID of its pixel.
        email: the address in canonical form.
        ref: the reference that it was made with, `None` without one.
        data: the JSON object that was given with it, read-only, `None` without one.
        token: the secret that stands for it in tracking URLs.
        created_at: the time when its token was made.
        sent_at: the time when its mail was sent, `None` where `Tracker.mark_sent` did not say it.
        opens: its opens, with the times of the first and the last.
        prefetches: the number of its opens that are prefetches, purged ones included.
    """

    id: str
    pixel_id: str
    email: str = attrs.field(repr=False)
    ref: str | None = attrs.field(default=None, repr=False)
    data: Mapping[str, object] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_data), repr=False, hash=False
    )
    token: str = attrs.field(repr=False)
    created_at: datetime = attrs.field(converter=to_utc)
    sent_at: datetime | None = attrs.field(default=None, converter=attrs.converters.optional(to_utc))
    opens: OpenSpans = NO_OPENS
    prefetches: int = 0

    @property
    def opened(self) -> bool:
        """Whether the recipient has an open that counts, whatever machines fetched."""
        return self.opens.counted.number > 0

    @property
    def state(self) -> RecipientState:
        """What its opens show of the recipient."""
        if self.opened:
            return RecipientState.OPENED
        if self.prefetches:
            return RecipientState.PREFETCHED
        return RecipientState.SCANNED if self.opens.raw.number else RecipientState.NONE


@attrs.frozen(kw_only=True)
class ApiKey:
    """The stored part of an API key. The key itself is stored nowhere.

    Attributes:
        id: 12 hex digits, no secret.
        name: its name, at most 256 characters, "" where it has none.
        digest: the SHA-256 of the key, 64 hex digits.
        created_at: the time of its creation.
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
        pixel: the id or short id in the URL. Whether such a pixel exists is looked up when the hit is stored.
        token: the token in the URL, where it has the form of one.
        at: the time of arrival.
        ip: the address of the client as `parse_ip` returns it, or `None` where unknown.
        user_agent: the client's user agent as `clean_text` returns it, "" without one.
        referer: the client's referer, likewise.
        signals: other properties of the request that speak for or against a person, in order; see
            `mailtrack.verdicts`.
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
    """The pixel and the recipient that a hit belongs to.

    Attributes:
        pixel_id: the UUID of the pixel.
        recipient_id: the recipient with the hit's token, if any.
        token_made_at: the time when that token was made.
        sent_at: the time when its mail was sent, where known.
        domain: the domain of the recipient's address, in lower case.
        erased: whether the hit's token was one of a person who was erased. Its open is to be stored without the person,
            see `Open.as_erased`.
    """

    pixel_id: str
    recipient_id: str | None = None
    token_made_at: datetime | None = None
    sent_at: datetime | None = None
    domain: str | None = None
    erased: bool = False


@attrs.frozen(kw_only=True)
class Open:
    """A stored hit with its verdict.

    Attributes:
        id: the id of the hit.
        pixel_id: the UUID of the pixel.
        recipient_id: the recipient, where the URL had a token of this pixel. It stays when the recipient is deleted.
        token: the recipient's token, `None` once the recipient is deleted.
        opened_at: the time when the hit arrived.
        ip: the address of the client, where known.
        user_agent: the client's user agent.
        referer: the client's referer.
        signals: other properties of the request that speak for or against a person, in order; `repeat` marks an open
            that is no new view.
        networks: the names of the judge's networks that contained the address when the open was judged, sorted.
        age: the seconds since the recipient's mail was sent, where that is known and was not after the open; else since
            the recipient's token was made. `None` without a recipient.
        verdict: the kind of fetch.
        client: the program that fetched.
        counted: whether the open counts as a person's.
        erased: whether it is one of a person who was erased. Then it has neither recipient, token, address and age, nor
            user agent and referer.
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
    networks: tuple[str, ...] = ()
    age: float | None = None
    verdict: Verdict = UNJUDGED
    client: Client = UNKNOWN_CLIENT
    counted: bool = True
    erased: bool = False

    def as_erased(self) -> "Open":
        """Return it without all that could lead to a person. Verdict, client, signals and networks stay."""
        return attrs.evolve(
            self, recipient_id=None, token=None, ip=None, user_agent="", referer="", age=None, erased=True
        )


@attrs.frozen(kw_only=True)
class Erased:
    """The result of `Tracker.erase`.

    Attributes:
        recipients: the number of recipients that were deleted, over all pixels.
        opens: the number of their stored opens, which stay without the person.
    """

    recipients: int
    opens: int


def make(kind: type[T], fields: dict[str, Any]) -> T:
    """Return a `Hit` or `Target` with all its fields, unchecked, in half the time of `kind(...)`."""
    made = object.__new__(kind)
    object.__setattr__(made, "__dict__", fields)
    return made


@attrs.frozen(kw_only=True)
class Judgement:
    """A new verdict for a stored open.

    Attributes:
        open_id: the open.
        verdict: the kind of fetch.
        client: the program that fetched.
        counted: whether the open counts as a person's.
        added_signals: signals that the open gets in addition to those that it has, of `RECENT_SIGNALS`.
        networks: the names to store in `Open.networks`; `None` leaves those that it has.
        age: the seconds to store in `Open.age`; `None` leaves those that it has.
    """

    open_id: str
    verdict: Verdict
    client: Client
    counted: bool
    added_signals: tuple[str, ...] = ()
    networks: tuple[str, ...] | None = None
    age: float | None = None

    def apply(self, stored: Open) -> Open:
        """Return a stored open with this judgement."""
        own = [signal for signal in stored.signals if signal not in RECENT_SIGNALS]
        recent = [signal for signal in RECENT_SIGNALS if signal in stored.signals or signal in self.added_signals]
        return attrs.evolve(
            stored,
            verdict=self.verdict,
            client=self.client,
            counted=self.counted,
            signals=(*own, *recent),
            networks=stored.networks if self.networks is None else self.networks,
            age=stored.age if self.age is None else self.age,
        )


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: its items, in the list's order.
        next: the cursor of the next page, `None` at the end.
    """

    items: tuple[T, ...]
    next: str | None = None
