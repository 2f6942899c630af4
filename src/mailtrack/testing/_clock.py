"""A clock that stands still until it is told otherwise."""

from datetime import UTC, datetime, timedelta

from mailtrack._times import to_utc

_NOON = datetime(2025, 11, 6, 12, tzinfo=UTC)


class FakeClock:
    """Tells the time it was set to; give it where a `Clock` is asked for.

    Args:
        now: the aware time it shows at first, 2025-11-06 12:00 UTC where none is given.
    """

    def __init__(self, now: datetime = _NOON) -> None:
        self._now = to_utc(now)

    def __repr__(self) -> str:
        return f"<FakeClock {self._now.isoformat()}>"

    def __call__(self) -> datetime:
        """Return the time it shows."""
        return self._now

    def set(self, now: datetime) -> None:
        """Show another time, earlier or later.

        Raises:
            ValueError: for a naive time.
        """
        self._now = to_utc(now)

    def advance(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> datetime:
        """Go on (back, where negative), and return the time it shows then."""
        self.set(self._now + timedelta(seconds=seconds, hours=hours, days=days))
        return self._now
