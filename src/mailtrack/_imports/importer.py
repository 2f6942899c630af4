"""Storing what was read: all or nothing, or what is valid in steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

from mailtrack._addresses import comparable
from mailtrack._errors import EmailProblem, InvalidEmails
from mailtrack._imports.parsing import Entry, Source
from mailtrack._imports.result import ImportResult, RejectedRow
from mailtrack._model import Recipient


class OnInvalid(StrEnum):
    """What an import does where something can't be taken."""

    RAISE = "raise"
    SKIP = "skip"


STEP = 10_000
"""Addresses that are stored at once where rows are skipped."""

Add = Callable[[Sequence[str]], tuple[list[Recipient], int]]
"""Adds recipients for distinct addresses; returns one for each, and how many are new."""

ImportProgress = Callable[[int, int, int], object]
"""Called after each step with the numbers added, present and rejected so far."""


def import_all(source: Source, add: Add, progress: ImportProgress) -> ImportResult:
    """Store all addresses at once, or none.

    Raises:
        InvalidEmails: something can't be taken; `problems` has what, by its row or line, counted from 0.
    """
    entries = list(source.entries)
    problems = [EmailProblem(entry.line - 1, entry.reason, entry.value) for entry in entries if entry.address is None]
    if problems:
        raise InvalidEmails(problems, len(entries), by_line=True)
    return _store(source, [entries], add, progress)


def import_valid(source: Source, add: Add, progress: ImportProgress) -> ImportResult:
    """Store what is valid in steps, each of which is stored whole, and list the rest."""
    return _store(source, _steps(source.entries), add, progress)


def _steps(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while step := list(islice(entries, STEP)):
        yield step


def _store(source: Source, steps: Iterable[list[Entry]], add: Add, progress: ImportProgress) -> ImportResult:
    known: dict[str, Recipient] = {}  # by the form in which addresses are compared
    added = 0
    recipients: list[Recipient | None] = []
    rejected: list[RejectedRow] = []
    for step in steps:
        keys = [None if entry.address is None else comparable(entry.address) for entry in step]
        new: dict[str, str] = {}
        for key, entry in zip(keys, step, strict=True):
            if key is not None and entry.address is not None and key not in known:
                new.setdefault(key, entry.address)
        stored, number = add(list(new.values())) if new else ([], 0)
        known.update(zip(new, stored, strict=True))
        added += number
        recipients += [
            None if key is None else known[key] for key, entry in zip(keys, step, strict=True) if entry.leads
        ]
        rejected += [
            RejectedRow(entry.line, entry.value, entry.reason, entry.raw) for entry in step if entry.address is None
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
