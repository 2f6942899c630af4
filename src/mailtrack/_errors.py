"""The errors that mailtrack raises on purpose.

All derive from `MailtrackError`, and where one fits from the builtin that people already catch (`ValueError`,
`LookupError`). They carry their data as attributes, and `str()` says what is wrong. Messages do not repeat the input,
which may be hostile or personal. Only an error about many addresses quotes the first few, as `shown` writes them;
answers over HTTP quote none.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import attrs

_PROBLEMS_SHOWN = 10  # in a message; a file may have a hundred thousand bad lines
_SHOWN_CHARACTERS = 80  # of a bad value, in a message

_P = TypeVar("_P")


def shown(value: object) -> str:
    """Return a bad value for a message: text quoted, escaped and cut to 80 characters; of other values the type."""
    if not isinstance(value, str):
        return f"of type {type(value).__name__}"
    return repr(value[:_SHOWN_CHARACTERS]) + ("..." if len(value) > _SHOWN_CHARACTERS else "")


def _list_first(problems: Sequence[_P], describe: Callable[[_P], str]) -> str:
    """Return a description of the first ten problems, and the number of the others."""
    listed = [describe(problem) for problem in problems[:_PROBLEMS_SHOWN]]
    if len(problems) > len(listed):
        listed.append(f"and {len(problems) - len(listed):,} more")
    return "; ".join(listed)


class MailtrackError(Exception):
    """Base of the errors that mailtrack raises on purpose. They can be pickled, as process pools do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), self.__dict__  # most constructors do not take the message


def _rebuild(kind: type[MailtrackError], args: tuple[Any, ...]) -> MailtrackError:
    return kind.__new__(kind, *args)


class NotFound(MailtrackError, LookupError):
    """A pixel, recipient, image, key or webhook does not exist (any more)."""


class PixelNotFound(NotFound):
    """No pixel has this id or short id."""

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


class WebhookNotFound(NotFound):
    """No webhook has this id."""

    def __init__(self) -> None:
        super().__init__("Webhook not found")


class InvalidInput(MailtrackError, ValueError):
    """The input is not valid. Nothing was changed."""


class InvalidArgument(InvalidInput):
    """An argument of a call is of a wrong type, out of range, or not one of the possible values.

    Attributes:
        name: the name of the argument.
        reason: what it must be.
    """

    name: str
    reason: str

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


class InvalidName(InvalidInput):
    """The name of a pixel or a key is blank, too long, or has control characters."""


class InvalidNote(InvalidInput):
    """The note of a pixel is too long, or has control characters other than line breaks and tabs."""


class InvalidEmail(InvalidInput):
    """An e-mail address is not valid.

    Attributes:
        reason: what is wrong with it. It does not quote the address.
    """

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@attrs.frozen
class EmailProblem:
    """An invalid address among several.

    Attributes:
        index: its place among those given, counted from 0.
        reason: what is wrong with it. It does not quote the address.
        value: the input in that place.
    """

    index: int
    reason: str
    value: object = attrs.field(default="", repr=False, eq=False)


class InvalidEmails(InvalidInput):
    """Some of several e-mail addresses are not valid.

    Attributes:
        problems: one for each invalid address, in the order given.
        total: the number of addresses given, `None` if unknown.
        by_line: whether the message counts them as lines or rows, from 1.
        summary: the message without any input.

    `str()` quotes the first ten invalid addresses with the reasons; `repr()` and `summary` quote none.
    """

    problems: tuple[EmailProblem, ...]
    total: int | None
    by_line: bool
    summary: ClassVar[str] = "Invalid email format"

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


@attrs.frozen
class RecipientProblem:
    """An invalid reference, or invalid data, among several.

    Attributes:
        index: the place of its recipient among those given, counted from 0.
        reason: what is wrong with it. It does not quote the input.
    """

    index: int
    reason: str


class InvalidRecipients(InvalidInput):
    """References or data of some recipients are not valid. Their addresses are.

    Attributes:
        problems: all of them, in the order given.
        total: the number of recipients given.
        summary: the message without places and reasons.
    """

    problems: tuple[RecipientProblem, ...]
    total: int
    summary: ClassVar[str] = "Invalid recipient"

    def __init__(self, problems: Sequence[RecipientProblem], total: int) -> None:
        first = _list_first(problems, lambda one: f"index {one.index}: {one.reason}")
        super().__init__(f"{self.summary}: {len(problems):,} of {total:,}: {first}")
        self.problems = tuple(problems)
        self.total = total


class InvalidImage(InvalidInput):
    """An image is empty, damaged, or too large to decode."""


class UnsupportedImage(InvalidImage):
    """An image is not a JPG, PNG, GIF or WebP file."""

    def __init__(self) -> None:
        super().__init__("The image must be a JPG, PNG, GIF or WebP file.")


class ImageTooLarge(InvalidImage):
    """An image has more bytes than allowed.

    Attributes:
        limit: the most bytes.
    """

    limit: int

    def __init__(self, limit: int) -> None:
        super().__init__(f"The image must be at most {limit:,} bytes.")
        self.limit = limit


class InvalidImport(InvalidInput):
    """A list or table of recipients is not text, or does not have the column of the addresses."""


class InvalidSentTime(InvalidInput):
    """A mail can't have been sent before the token in it was made.

    Attributes:
        earliest: the first time that is possible for all recipients concerned, as far as known.
    """

    earliest: datetime

    def __init__(self, earliest: datetime) -> None:
        super().__init__("The sent time is before the token of a recipient was made.")
        self.earliest = earliest


class MessageNotTrackable(InvalidInput):
    """A message can't get a pixel, as it has no HTML part, not one address, or a signature. It is as it was.

    Attributes:
        reason: why, such as "it has no HTML part".
    """

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(f"The message can't be tracked: {reason}.")
        self.reason = reason


class InvalidPaging(InvalidInput):
    """The `limit`, `cursor` or `skip` of a list is not valid."""


class InvalidTimeZone(InvalidInput):
    """No time zone has this name."""

    def __init__(self) -> None:
        super().__init__("The time zone is not known; give one such as UTC or Europe/Berlin.")


class InvalidWebhook(InvalidInput):
    """The URL of a webhook is not valid, or leads to an address that is not public."""


class InvalidSetting(InvalidInput):
    """The value of a setting is not valid.

    Attributes:
        name: the name of the setting.
        reason: what is wrong with the value, or what it must be.
    """

    name: str
    reason: str

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@attrs.frozen
class RuleProblem:
    """A part of the judge's rules or networks that can't be used.

    Attributes:
        place: the part: the code of a rule, the number of a line.
        reason: what is wrong with it.
    """

    place: str
    reason: str


class InvalidRules(InvalidInput):
    """Rules or networks for the judge can't be used.

    Attributes:
        problems: all problems, in the order found.
    """

    problems: tuple[RuleProblem, ...]

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        super().__init__(_list_first(problems, lambda one: f"{one.place}: {one.reason}"))
        self.problems = tuple(problems)


class StorageError(MailtrackError):
    """The storage can't do it, and trying again will not help."""


class DatabaseNotFound(StorageError, LookupError):
    """The database does not exist.

    Attributes:
        place: where it should be; the absolute path of a file.
    """

    place: str

    def __init__(self, place: str) -> None:
        super().__init__(f"No database at {place}.")
        self.place = place


class StorageUnavailable(StorageError):
    """The storage can't be reached or written for now. Nothing was changed.

    Attributes:
        retry_after: when to try again, in seconds.
    """

    retry_after: int

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ShortIdTaken(StorageError):
    """Another pixel already has this short id."""

    def __init__(self) -> None:
        super().__init__("Another pixel has this short id.")
