"""The result of an import."""

import attrs

from mailtrack._model import Recipient


@attrs.frozen
class RejectedRow:
    """A rejected row, or a rejected address of a list.

    Attributes:
        line: the number of its line, or of its row in an iterable, from 1; a heading counts.
        value: the invalid address, or the row if it contains none; for messages, at most 200 characters.
        reason: the reason for the rejection.
        raw: the original row.
    """

    line: int
    value: str
    reason: str
    raw: str = attrs.field(repr=False)


@attrs.frozen
class ImportResult:
    """The result of an import.

    Attributes:
        added: the number of new recipients.
        present: the number of recipients that existed before.
        recipients: one for each row, in order, `None` if it was rejected. Each address of a list is a row; each line of
            a table is a row, represented by its first address.
        rejected: the rejected rows, in order.
        heading: the original heading of a table, `""` without one.
        column: the heading of the column of addresses, `""` without one.
    """

    added: int
    present: int
    recipients: tuple[Recipient | None, ...] = attrs.field(repr=False)
    rejected: tuple[RejectedRow, ...] = ()
    heading: str = attrs.field(default="", repr=False)
    column: str = ""

    def rejects(self) -> str:
        """Return the rejected rows in the format of the input, with its heading, to be corrected and imported."""
        heading = [self.heading] if self.heading else []
        rows = dict.fromkeys((row.line, row.raw) for row in self.rejected)  # a row may have several invalid addresses
        return "".join(f"{line}\n" for line in (*heading, *(raw for _, raw in rows)))
