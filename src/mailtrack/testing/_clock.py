"""A clock that stands still until it is set or advanced."""

from datetime import UTC, datetime, timedelta

from mailtrack._times import to_utc

_NOON = datetime(2025, 11, 6, 12, tzinfo=UTC)


class FakeClock:
    """A `Clock` that returns the time it was set to.

    Args:
        now: the aware time to begin with; by default 2025-11-06 12:00 UTC.
    """

    def __init__(self, now: datetime = _NOON) -> None:
        self._now = to_utc(now)

    def __repr__(self) -> str:
        return f"<FakeClock {self._now.isoformat()}>"

    def __call__(self) -> datetime:
        """Return its time."""
        return self._now

    def set(self, now: datetime) -> None:
        """Set it to another time, earlier or later.

        Raises:
            ValueError: for a naive time.
        """
        self._now = to_utc(now)

    def advance(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> datetime:
        """Advance it, or set it back where negative, and return its new time."""
        self.set(self._now + timedelta(seconds=seconds, hours=hours, days=days))
        return self._now
