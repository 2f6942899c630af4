"""Convert times. Everywhere in mailtrack they are aware, in UTC, and in whole milliseconds."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from time import time_ns
from typing import Any

from mailtrack._errors import InvalidArgument, InvalidTimeZone

Clock = Callable[[], datetime]
"""Returns the current time as an aware `datetime`. Passed in, so that tests can set it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    """Return the current time."""
    return datetime.fromtimestamp(now_in_milliseconds() / 1000, UTC)


def now_in_milliseconds() -> int:
    """Return the current time in milliseconds since 1970-01-01T00:00Z."""
    return time_ns() // 1_000_000


def now_in_microseconds() -> int:
    """Return the current time in microseconds since 1970-01-01T00:00Z."""
    return time_ns() // 1000


def find_zone(zone: str | tzinfo) -> tzinfo:
    """Return the time zone with a name such as `Europe/Berlin`, or the zone itself.

    Raises:
        InvalidTimeZone: there is no such zone.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only here: most programs don't need it

    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, TypeError, ValueError, OSError) as error:  # the name may be a path or a folder
        raise InvalidTimeZone from error


def to_utc(value: datetime, name: str = "a time") -> datetime:
    """Convert an aware time to UTC, truncated to milliseconds, which all storages keep exactly.

    Args:
        value: the time.
        name: the name of the argument, for the message.

    Raises:
        InvalidArgument: the time is not a `datetime`, is naive, or is before year 1 or after year 9999 in UTC.
    """
    if not isinstance(value, datetime):
        raise InvalidArgument(name, f"must be a datetime, not {type(value).__name__}")
    if value.tzinfo is not UTC:
        if value.utcoffset() is None:
            raise InvalidArgument(name, "needs a time zone, as in datetime.now(UTC)")
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            raise InvalidArgument(name, "must be from year 1 to 9999 in UTC") from None
    excess = value.microsecond % 1000
    return value.replace(microsecond=value.microsecond - excess) if excess else value


def from_text(value: Any, name: str) -> datetime:
    """Return the UTC time that a text in ISO 8601 with an offset from UTC means.

    Args:
        value: the text.
        name: the name of the argument, for the message.

    Raises:
        InvalidArgument: it is not a text, not a time, has no offset, or is before year 1 or after year 9999 in UTC.
    """
    try:
        return to_utc(datetime.fromisoformat(value.upper()))
    except (AttributeError, ValueError):
        raise InvalidArgument(name, "must be a time with its offset from UTC, as in 2025-11-06T12:00:00.000Z") from None


def to_milliseconds(value: datetime) -> int:
    """Return the milliseconds since 1970-01-01T00:00Z."""
    since = value - _EPOCH
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000  # dividing takes twice as long


def from_milliseconds(value: int) -> datetime:
    """Return the time that is `value` milliseconds after 1970-01-01T00:00Z."""
    return _EPOCH + value * _MILLISECOND


def from_all_milliseconds(values: Iterable[int]) -> list[datetime]:
    """Return the times of many values, as `from_milliseconds` does, in half the time."""
    return list(map(_EPOCH.__add__, map(_MILLISECOND.__mul__, values)))


def to_text(value: datetime) -> str:
    """Return a UTC time as `2025-11-06T12:00:00.000Z`."""
    return milliseconds_to_text(to_milliseconds(value))


def milliseconds_to_text(value: int) -> str:
    """Return the time that is `value` milliseconds after 1970-01-01T00:00Z as `2025-11-06T12:00:00.000Z`."""
    second, millisecond = divmod(value, 1000)
    return f"{_second_to_text(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=256)
def _second_to_text(second: int) -> str:
    return from_milliseconds(second * 1000).replace(tzinfo=None).isoformat()


def start_of_day(value: datetime) -> datetime:
    """Return the start of a time's day in its time zone; the first of two midnights."""
    return value.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
