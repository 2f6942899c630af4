"""`Sending`: the recipients that are to be marked as sent, step by step."""

from collections.abc import Sequence

import attrs


@attrs.define
class Sending:
    """The recipients whose mails were sent, found on a connection that sees one state.

    Attributes:
        pixel_id: their pixel.
        sent_at: when, in milliseconds.
        numbers: their numbers. Those that are deleted meanwhile are passed over.
        done: how many of these are marked.
    """

    pixel_id: str
    sent_at: int
    numbers: Sequence[int]
    done: int = 0

    @property
    def ended(self) -> bool:
        """Whether all are marked."""
        return self.done >= len(self.numbers)
