"""`Figures`: everything a storage has counted for a pixel, and the parts of it."""

import enum
from collections.abc import Sequence
from datetime import datetime

import attrs

from mailtrack._counts import Count
from mailtrack._model import Pixel, Recipient, VerdictKind


@attrs.frozen(kw_only=True, slots=False)  # there are thousands, made in half the time that ones with slots take
class HourCount:
    """The opens of one kind that a pixel had in one hour.

    Attributes:
        hour: the start of the hour, UTC.
        kind: the kind of verdict that the opens have.
        opens: the number of opens.
    """

    hour: datetime
    kind: VerdictKind
    opens: Count


@attrs.frozen(kw_only=True)
class DayCount:
    """The opens that a pixel had in one day.

    Attributes:
        day: the start of the day, UTC.
        opens: the number of opens.
    """

    day: datetime
    opens: Count


class Facet(enum.StrEnum):
    """A property by which a pixel's opens are grouped."""

    VENDOR = "vendor"
    CLIENT = "client"
    OS = "os"
    DEVICE = "device"


@attrs.frozen(kw_only=True)
class FacetCount:
    """The opens of a pixel that share the value of a facet.

    Attributes:
        facet: the facet.
        name: the value that the opens share.
        opens: the number of opens.
    """

    facet: Facet
    name: str
    opens: Count


@attrs.frozen(kw_only=True)
class DelayCount:
    """The recipients of a pixel whose first open took about the same time.

    Attributes:
        bucket: the time from `Recipient.sent_at` to the first open, as `mailtrack.storage.to_bucket` returns it; from
            the making of the token where that is not known, or after this open.
        recipients: the number of recipients: counted by their first open that counts, raw by their first open of all.
    """

    bucket: int
    recipients: Count


@attrs.frozen(kw_only=True)
class Figures:
    """Everything a storage has counted for a pixel, at one moment.

    Attributes:
        pixel: the pixel.
        hours: its opens by hour and kind, in that order.
        facets: its opens by facet, the most frequent value first, then by name.
        delays: its recipients by the delay of their first open, in order. A first open from before the token was made
            has no delay: bucket 0.
        top: the recipients with the most opens that count, at least two, the most first, then in order of creation.
    """

    pixel: Pixel
    hours: Sequence[HourCount]
    facets: tuple[FacetCount, ...]
    delays: tuple[DelayCount, ...]
    top: tuple[Recipient, ...]
