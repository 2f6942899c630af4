"""Every error that mailtrack raises on purpose.

All derive from `MailtrackError` and from the builtin that people already catch (`ValueError`, `LookupError`).
They carry their data as attributes. Where many things are wrong at once, the message names the first few; an address is
then shown as `shown` writes it. No other message repeats what was given, and answers over HTTP never do: it may be
hostile or personal.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

_PROBLEMS_TOLD = 10  # in a message; a file may have a hundred thousand bad lines
_SHOWN_CHARACTERS = 80  # of a bad value, in a message

_P = TypeVar("_P")


def shown(value: object) -> str:
    """Return a bad value as a message shows it: text quoted, escaped and cut at 80 characters, else the type."""
    if not isinstance(value, str):
        return f"of type {type(value).__name__}"
    return repr(value[:_SHOWN_CHARACTERS]) + ("..." if len(value) > _SHOWN_CHARACTERS else "")


def _list_first(problems: Sequence[_P], describe: Callable[[_P], str]) -> str:
    """Describe the first few problems, and say how many more there are."""
    listed = [describe(problem) for problem in problems[:_PROBLEMS_TOLD]]
    if len(problems) > len(listed):
        listed.append(f"and {len(problems) - len(listed):,} more")
    return "; ".join(listed)


class MailtrackError(Exception):
    """Base of every error that mailtrack raises on purpose. Errors can be pickled, as process pools do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), self.__dict__  # most are not made from their message


def _rebuild(kind: type[MailtrackError], args: tuple[Any, ...]) -> MailtrackError:
    return kind.__new__(kind, *args)


class NotFound(MailtrackError, LookupError):
    """What was asked for does not exist, or exists no more."""


class PixelNotFound(NotFound):
    """No pixel has this id."""

    def __init__(self) -> None:
        super().__init__("Pixel not found")


class RecipientNotFound(NotFound):
    """No recipient has this id."""

    def __init__(self) -> None:
        super().__init__("Recipient not found")


class ImageNotFound(NotFound):
    """No pixel has an image of this name."""

    def __init__(self) -> None:
        super().__init__("Image not found")


class KeyNotFound(NotFound):
    """No API key has this id."""

    def __init__(self) -> None:
        super().__init__("Key not found")


class InvalidInput(MailtrackError, ValueError):
    """Something given is not acceptable; nothing was changed."""


class InvalidArgument(InvalidInput):
    """A method was called with an argument that it can't use: of a wrong type, or none of the values to choose from.

    Attributes:
        name: the argument.
        reason: what it must be.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


class InvalidName(InvalidInput):
    """The name of a pixel or a key is missing, too long, or holds control characters."""


class InvalidEmail(InvalidInput):
    """One e-mail address is not valid.

    Attributes:
        reason: what is wrong with it, without repeating it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@attrs.frozen
class EmailProblem:
    """Which of several addresses is not valid, and why.

    Attributes:
        index: its place among those given, counted from 0.
        reason: what is wrong with it, without repeating it.
        value: what was given in that place.
    """

    index: int
    reason: str
    value: object = attrs.field(default="", repr=False, eq=False)


class InvalidEmails(InvalidInput):
    """Some of several e-mail addresses are not valid.

    Attributes:
        problems: one for each bad address, in the order given.
        total: how many addresses were given, `None` where that is not known.
        by_line: whether they stand in lines or rows that people count from 1.

    `str()` names the first ten with their values and reasons; `repr()` and `summary` repeat nothing that was given.
    """

    summary = "Invalid email format"

    def __init__(self, problems: Sequence[EmailProblem], total: int | None = None, *, by_line: bool = False) -> None:
        super().__init__(self.summary)
        self.problems = tuple(problems)
        self.total = total
        self.by_line = by_line

    def __str__(self) -> str:
        number = "" if self.total is None else f"{len(self.problems):,} of {self.total:,} addresses: "
        first = _list_first(self.problems, lambda one: f"{self._place(one)}: {shown(one.value)} ({one.reason})")
        return f"{self.summary}: {number}{first}"

    def _place(self, problem: EmailProblem) -> str:
        return f"line {problem.index + 1}" if self.by_line else f"index {problem.index}"


class InvalidImage(InvalidInput):
    """An image can't be taken: empty, damaged, or too large to decode."""


class UnsupportedImage(InvalidImage):
    """An upload is none of the image formats that are taken."""

    def __init__(self) -> None:
        super().__init__("The image must be a JPG, PNG, GIF or WebP file.")


class ImageTooLarge(InvalidImage):
    """An image has more bytes than allowed.

    Attributes:
        limit: the most that is taken, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"The image must be at most {limit:,} bytes.")
        self.limit = limit


class InvalidImport(InvalidInput):
    """A list or table of recipients can't be read at all: it is no text, or has no such column."""


class InvalidPaging(InvalidInput):
    """A `limit` or `cursor` of a list is not one that can be used."""


class InvalidTimeZone(InvalidInput):
    """No time zone of this name is known."""

    def __init__(self) -> None:
        super().__init__("The time zone is not known; give one such as UTC or Europe/Berlin.")


class InvalidSetting(InvalidInput):
    """A setting has a value that it can't have.

    Attributes:
        name: the setting, as in `Settings`.
        reason: what is wrong.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@attrs.frozen
class RuleProblem:
    """What in the rules of the judge can't be used (a rule's code, a line's number), and why."""

    place: str
    reason: str


class InvalidRules(InvalidInput):
    """Rules or networks for the judge can't be used.

    Attributes:
        problems: one for each thing that is wrong, in the order found.
    """

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        super().__init__(_list_first(problems, lambda one: f"{one.place}: {one.reason}"))
        self.problems = tuple(problems)


class StorageError(MailtrackError):
    """The storage can't do what was asked, and trying again will not help."""


class DatabaseNotFound(StorageError, LookupError):
    """A database that should exist does not.

    Attributes:
        place: where it was looked for; a file's absolute path.
    """

    def __init__(self, place: str) -> None:
        super().__init__(f"No database at {place}.")
        self.place = place


class StorageUnavailable(StorageError):
    """The storage can't be reached or written just now; nothing was changed.

    Attributes:
        retry_after: when it is worth trying again, in seconds.
    """

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ShortIdTaken(StorageError):
    """Another pixel already has this short id; make another id."""

    def __init__(self) -> None:
        super().__init__("Another pixel has this short id.")
