"""Openers: the changes of a pixel's counts of recipients, as they open."""

from mailtrack._counts import Count
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.spans import Spans


class Openers:
    """Changes of a pixel's counts of recipients.

    Attributes:
        delays: the changes by the delay of the first open.
    """

    def __init__(self) -> None:
        self.delays = Delays()
        self._counted = self._raw = 0

    def change(self, made_at: int, before: Spans, after: Spans) -> None:
        """Count a recipient, whose token was made at a time in milliseconds, by its present spans."""
        self._counted += (after.counted > 0) - (before.counted > 0)
        self._raw += (after.raw > 0) - (before.raw > 0)
        self.delays.change(made_at, before, after)

    @property
    def opened(self) -> Count:
        """The change of the number of recipients that have opened."""
        return Count(self._counted, self._raw)
