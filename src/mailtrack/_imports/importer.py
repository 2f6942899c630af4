"""Store imported recipients: all or nothing, or the valid ones in batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

import attrs

from mailtrack._addresses import comparable
from mailtrack._errors import EmailProblem, InvalidEmails, InvalidRecipients, RecipientProblem
from mailtrack._imports.parsing import Entry, Source
from mailtrack._imports.result import ImportResult, RejectedRow
from mailtrack._model import NewRecipient, Recipient


class OnInvalid(StrEnum):
    """How an import handles invalid rows."""

    RAISE = "raise"
    SKIP = "skip"


BATCH_SIZE = 10_000
"""Rows per batch when invalid rows are skipped."""

Add = Callable[[Sequence[NewRecipient]], tuple[list[Recipient], int]]
"""Adds distinct recipients; returns one for each, and the number of new ones."""

_Key = tuple[str, str | None]  # comparable address, and reference

ImportProgress = Callable[[int, int, int], object]
"""Called after each batch with the numbers added, present and rejected so far."""


def import_all(source: Source, add: Add, progress: ImportProgress) -> ImportResult:
    """Store all recipients at once, or none.

    Raises:
        InvalidEmails: an address is invalid; `problems` lists all invalid rows by row or line, counted from 0.
        InvalidRecipients: only references or data are invalid, likewise.
    """
    entries = list(source.entries)
    bad = [entry for entry in entries if entry.new is None]
    if bad and all(entry.has_address for entry in bad):
        raise InvalidRecipients([RecipientProblem(entry.line - 1, entry.reason) for entry in bad], len(entries))
    if bad:
        problems = [EmailProblem(entry.line - 1, entry.reason, entry.value) for entry in bad]
        raise InvalidEmails(problems, len(entries), by_line=True)
    return _store(source, [entries], add, progress)


def import_valid(source: Source, add: Add, progress: ImportProgress) -> ImportResult:
    """Store the valid rows in batches, each all or nothing, and report the others."""
    return _store(source, _batches(source.entries), add, progress)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH_SIZE)):
        yield batch


def _store(source: Source, batches: Iterable[list[Entry]], add: Add, progress: ImportProgress) -> ImportResult:
    known: dict[_Key, Recipient] = {}
    added = 0
    recipients: list[Recipient | None] = []
    rejected: list[RejectedRow] = []
    for batch in batches:
        keys = [None if entry.new is None else _key(entry.new) for entry in batch]
        new: dict[_Key, NewRecipient] = {}
        for key, entry in zip(keys, batch, strict=True):
            if key is not None and entry.new is not None and (entry.new.data is not None or key not in known):
                first = new.get(key)
                if first is None or entry.new.data is not None:  # of data given several times, the last counts
                    new[key] = entry.new if first is None else attrs.evolve(first, data=entry.new.data)
        stored, number = add(list(new.values())) if new else ([], 0)
        known.update(zip(new, stored, strict=True))
        added += number
        recipients += [
            None if key is None else known[key] for key, entry in zip(keys, batch, strict=True) if entry.leads
        ]
        rejected += [
            RejectedRow(entry.line, entry.value, entry.reason, entry.raw) for entry in batch if entry.new is None
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


def _key(new: NewRecipient) -> _Key:
    return comparable(new.email), new.ref
