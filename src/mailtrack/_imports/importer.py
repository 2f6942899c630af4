"""Store imported addresses: all or nothing, or the valid ones in batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

from mailtrack._addresses import comparable
from mailtrack._errors import EmailProblem, InvalidEmails
from mailtrack._imports.parsing import Entry, Source
from mailtrack._imports.result import ImportResult, RejectedRow
from mailtrack._model import Recipient


class OnInvalid(StrEnum):
    """How an import handles invalid rows."""

    RAISE = "raise"
    SKIP = "skip"


BATCH_SIZE = 10_000
"""Rows per batch when invalid rows are skipped."""

Add = Callable[[Sequence[str]], tuple[list[Recipient], int]]
"""Adds recipients for distinct addresses; returns one for each, and the number of new ones."""

ImportProgress = Callable[[int, int, int], object]
"""Called after each batch with the numbers added, present and rejected so far."""


def import_all(source: Source, add: Add, progress: ImportProgress) -> ImportResult:
    """Store all addresses at once, or none.

    Raises:
        InvalidEmails: a row is invalid; `problems` lists all invalid ones by row or line, counted from 0.
    """
    entries = list(source.entries)
    problems = [EmailProblem(entry.line - 1, entry.reason, entry.value) for entry in entries if entry.address is None]
    if problems:
        raise InvalidEmails(problems, len(entries), by_line=True)
    return _store(source, [entries], add, progress)


def import_valid(source: Source, add: Add, progress: ImportProgress) -> ImportResult:
    """Store the valid rows in batches, each all or nothing, and report the others."""
    return _store(source, _batches(source.entries), add, progress)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH_SIZE)):
        yield batch


def _store(source: Source, batches: Iterable[list[Entry]], add: Add, progress: ImportProgress) -> ImportResult:
    known: dict[str, Recipient] = {}  # by comparable address
    added = 0
    recipients: list[Recipient | None] = []
    rejected: list[RejectedRow] = []
    for batch in batches:
        keys = [None if entry.address is None else comparable(entry.address) for entry in batch]
        new: dict[str, str] = {}
        for key, entry in zip(keys, batch, strict=True):
            if key is not None and entry.address is not None and key not in known:
                new.setdefault(key, entry.address)
        stored, number = add(list(new.values())) if new else ([], 0)
        known.update(zip(new, stored, strict=True))
        added += number
        recipients += [
            None if key is None else known[key] for key, entry in zip(keys, batch, strict=True) if entry.leads
        ]
        rejected += [
            RejectedRow(entry.line, entry.value, entry.reason, entry.raw) for entry in batch if entry.address is None
        ]
        progress(added, len(known) - added, len(rejected))
    return ImportResult(
        added=added,
        present=len(known) - added,
        recipients=tuple(recipients),
        rejected=tuple(rejected),
        heading=source.heading,
        column=source.column,
    )
