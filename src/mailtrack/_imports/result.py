"""What became of an import."""

import attrs

from mailtrack._model import Recipient


@attrs.frozen
class RejectedRow:
    """A row, or an address of a list, that was not taken.

    Attributes:
        line: the number of its line, or of its row where rows were given, from 1; a heading counts.
        value: what should be an address, or the row where nothing in it is; shown in messages, at most 200 characters.
        reason: what is wrong with it.
        raw: the row as it was given.
    """

    line: int
    value: str
    reason: str
    raw: str = attrs.field(repr=False)


@attrs.frozen
class ImportResult:
    """What became of an import.

    Attributes:
        added: how many recipients are new.
        present: how many were there already.
        recipients: one for each row, in order, `None` where it was rejected. The rows of a list are its addresses;
            those of a table its lines, where a line with several addresses counts as its first.
        rejected: what was not taken, in order.
        heading: the heading of a table as it was given, "" where there was none.
        column: the heading of the column that the addresses were taken from, "" where there was none.
    """

    added: int
    present: int
    recipients: tuple[Recipient | None, ...] = attrs.field(repr=False)
    rejected: tuple[RejectedRow, ...] = ()
    heading: str = attrs.field(default="", repr=False)
    column: str = ""

    def rejects(self) -> str:
        """Return the rejected rows as a text in the form of the input, heading included, to be mended and imported."""
        heading = [self.heading] if self.heading else []
        rows = dict.fromkeys((row.line, row.raw) for row in self.rejected)  # a row may have several bad addresses
        return "".join(f"{line}\n" for line in (*heading, *(raw for _, raw in rows)))
