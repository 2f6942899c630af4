"""`Count` and `OpenSpans`: numbers in pairs, `counted` for opens taken for a person's and `raw` for all."""

from datetime import datetime

import attrs


@attrs.frozen(slots=False)  # there are thousands in a report, made in half the time that ones with slots take
class Count:
    """A number of opens or recipients.

    Attributes:
        counted: the number of those taken for people's.
        raw: the number of all, machines' included.
    """

    counted: int = 0
    raw: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.counted + other.counted, self.raw + other.raw)

    def __sub__(self, other: "Count") -> "Count":
        return Count(self.counted - other.counted, self.raw - other.raw)


@attrs.frozen(kw_only=True)
class OpenSpan:
    """A number of opens, with the times of the first and the last.

    Attributes:
        number: the number of opens.
        first: the time of the earliest open, `None` without any.
        last: the time of the latest open, `None` without any.
    """

    number: int = 0
    first: datetime | None = None
    last: datetime | None = None


NEVER_OPENED = OpenSpan()


@attrs.frozen(kw_only=True)
class OpenSpans:
    """The opens of a pixel or a recipient.

    Attributes:
        counted: the opens taken for people's.
        raw: all opens, machines' included.
    """

    counted: OpenSpan = NEVER_OPENED
    raw: OpenSpan = NEVER_OPENED


NO_OPENS = OpenSpans()
"""The opens of a pixel or a recipient that has none."""
