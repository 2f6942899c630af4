"""The result of a check."""

import enum

import attrs

from mailtrack._redacting import redact


class Outcome(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen
class Finding:
    """The result of one check, in plain words.

    Attributes:
        check: the name of the check.
        outcome: how it ended.
        found: the state that the check saw, in one sentence.
        advice: the remedy, in one sentence; `None` if none is needed.
    """

    check: str
    outcome: Outcome
    found: str
    advice: str | None = None


def ok(check: str, found: str) -> Finding:
    """Return the finding of a check that passed."""
    return Finding(check, Outcome.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Return the finding that something may do harm."""
    return Finding(check, Outcome.WARNING, found, advice)


def failed(check: str, found: str, advice: str) -> Finding:
    """Return the finding that something does not work, or does harm."""
    return Finding(check, Outcome.FAILED, found, advice)


def skipped(check: str, found: str, advice: str | None = None) -> Finding:
    """Return the finding of a check that was not made, with its reason."""
    return Finding(check, Outcome.SKIPPED, found, advice)


def reason(error: Exception | str) -> str:
    """Return the message of an error as the end of a sentence: one line of at most 300 characters, no password."""
    return " ".join(redact(str(error)).split())[:300].rstrip(".")
