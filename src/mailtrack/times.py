"""Points in time: aware, UTC, whole milliseconds, everywhere."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from time import time_ns

from mailtrack.errors import InvalidTimeZone

Clock = Callable[[], datetime]
"""Tells the time now, as an aware `datetime`. Passed in, so that tests can set it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    """Return the time now."""
    return datetime.fromtimestamp(now_in_milliseconds() / 1000, UTC)


def now_in_milliseconds() -> int:
    """Return the time now in milliseconds since 1970-01-01T00:00Z."""
    return time_ns() // 1_000_000


def find_zone(name: str) -> tzinfo:
    """Return a time zone by its name, such as `Europe/Berlin`.

    Raises:
        InvalidTimeZone: no such zone is known.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only here: most programs do without

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # the name may be a path, or a folder
        raise InvalidTimeZone from error


def to_utc(value: datetime) -> datetime:
    """Convert an aware time to UTC and cut it to whole milliseconds, which all storages keep exactly.

    Raises:
        ValueError: for a naive time.
    """
    if value.tzinfo is None:
        raise ValueError("a time needs a time zone")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    excess = value.microsecond % 1000
    return value.replace(microsecond=value.microsecond - excess) if excess else value


def to_milliseconds(value: datetime) -> int:
    """Return the milliseconds since 1970-01-01T00:00Z."""
    return (value - _EPOCH) // _MILLISECOND


def from_milliseconds(value: int) -> datetime:
    """Return the time that is `value` milliseconds after 1970-01-01T00:00Z."""
    return _EPOCH + value * _MILLISECOND


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


def start_of_hour(value: datetime) -> datetime:
    """Return the start of the hour in which a time lies."""
    return value.replace(minute=0, second=0, microsecond=0)


def start_of_day(value: datetime) -> datetime:
    """Return the start of the day in which a time lies."""
    return value.replace(hour=0, minute=0, second=0, microsecond=0)
