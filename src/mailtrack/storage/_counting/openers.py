"""Openers: the changes of a pixel's counts of recipients, as they open."""

from mailtrack._counts import Count
from mailtrack.storage._counting.delays import Delays
from mailtrack.storage._counting.spans import Spans


class Openers:
    """Changes of a pixel's counts of recipients.

    Attributes:
        delays: the changes by the delay of the first open.
        prefetched: the change of the number of recipients in the state `prefetched`.
    """

    def __init__(self) -> None:
        self.delays = Delays()
        self.prefetched = 0
        self._counted = self._raw = 0

    def change(self, made_at: int, sent_at: int | None, before: Spans, after: Spans) -> None:
        """Count a recipient by its present spans; the arguments are those of `Delays.change`."""
        self._counted += (after.counted > 0) - (before.counted > 0)
        self._raw += (after.raw > 0) - (before.raw > 0)
        if after.prefetches or before.prefetches:
            self.prefetched += after.prefetched - before.prefetched
        self.delays.change(made_at, sent_at, before, after)

    @property
    def opened(self) -> Count:
        """The change of the number of recipients that have opened."""
        return Count(self._counted, self._raw)
