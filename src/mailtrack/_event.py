"""`Event`: a stored open as other programs hear of it."""

from typing import Literal

import attrs

from mailtrack._model import Open, Pixel, Recipient

First = Literal["any", "first", "firstCounted"]
"""Which events are wanted: all; of each recipient the first; of each recipient the first that counts."""

FIRSTS: tuple[First, ...] = ("any", "first", "firstCounted")
"""All values of `First`."""


@attrs.frozen(kw_only=True)
class Event:
    """A stored open in the feed. Its parts are as of the moment when it was read.

    Attributes:
        cursor: its place in the feed. Given as `after`, it leads to the event behind.
        open: the open.
        pixel: its pixel.
        recipient: its recipient, `None` for an open without one, and where it is deleted or erased by now.
        first: whether the recipient had no open when this one was stored.
        first_counted: whether it counted when it was stored, and the recipient had no other open that did.
    """

    cursor: str
    open: Open
    pixel: Pixel
    recipient: Recipient | None
    first: bool
    first_counted: bool

    @property
    def id(self) -> str:
        """Its name for other programs, the same whenever and however it is read or sent."""
        return event_id(self.open.id)


def event_id(open_id: str) -> str:
    """Return the id of the event of an open."""
    return f"evt_{open_id}"
