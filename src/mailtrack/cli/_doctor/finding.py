"""What a check comes to."""

import enum

import attrs


class Outcome(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen
class Finding:
    """What one check found, in plain words.

    Attributes:
        check: the name of the check.
        outcome: how it ended.
        found: one sentence that tells what there is.
        advice: one sentence that tells what to do, `None` where nothing is to be done.
    """

    check: str
    outcome: Outcome
    found: str
    advice: str | None = None


def ok(check: str, found: str) -> Finding:
    """Return that all is as it should be."""
    return Finding(check, Outcome.OK, found)


def warning(check: str, found: str, advice: str) -> Finding:
    """Return that something may do harm."""
    return Finding(check, Outcome.WARNING, found, advice)


def failed(check: str, found: str, advice: str) -> Finding:
    """Return that something does not work, or does harm."""
    return Finding(check, Outcome.FAILED, found, advice)


def skipped(check: str, found: str, advice: str | None = None) -> Finding:
    """Return that nothing was looked at, and why."""
    return Finding(check, Outcome.SKIPPED, found, advice)


def reason(error: Exception | str) -> str:
    """Return what an error says, in one line of at most 300 characters, to be the end of a sentence."""
    return " ".join(str(error).split())[:300].rstrip(".")
