"""Times as columns: milliseconds since 1970 (UTC), null where there is none."""

from datetime import datetime

from mailtrack._times import from_milliseconds, to_milliseconds


def to_stored(value: datetime | None) -> int | None:
    """Return a time in milliseconds."""
    return None if value is None else to_milliseconds(value)


def to_time(stored: int | None) -> datetime | None:
    """Return a time that is stored."""
    return None if stored is None else from_milliseconds(stored)
