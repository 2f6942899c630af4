"""What callers give to public methods, made what the library works with, or refused by name."""

import operator
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from mailtrack._errors import InvalidArgument
from mailtrack._model import ApiKey, Pixel, Recipient

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def to_id(value: Any, kind: type[Pixel] | type[Recipient] | type[ApiKey], name: str) -> str:
    """Return the id of a value of the model; a text is taken for an id, and returned as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, kind):
        return value.id
    raise InvalidArgument(name, f"must be {_a(kind)} or its id, not {_type_of(value)}")


def check_type(value: Any, kind: type, name: str, *, optional: bool = False) -> None:
    """Raise `InvalidArgument` if a value is not of a class, or `None` where it is optional."""
    if not isinstance(value, kind) and not (optional and value is None):
        raise InvalidArgument(name, f"must be {_a(kind)}, not {_type_of(value)}")


def check_flag(value: Any, name: str) -> None:
    """Refuse what is neither true nor false nor `None`, as the text "false" is."""
    if value not in (None, True, False):
        raise InvalidArgument(name, "must be True, False or None")


def to_choice(value: Any, choices: type[E], name: str) -> E:
    """Return a member of an enumeration, given as such or as its text."""
    try:
        return choices(value)
    except ValueError:
        raise InvalidArgument(name, f"must be one of {', '.join(choices)}") from None


def to_whole(value: Any, low: int, high: int) -> int | None:
    """Return a whole number within a range, `None` for anything else."""
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return number if low <= number <= high else None


def is_within(value: Any, low: float, high: float) -> bool:
    """Return whether a value is a number within a range."""
    try:
        return bool(low <= value <= high)
    except TypeError:
        return False


def to_items(values: Iterable[T], name: str) -> Iterable[T]:
    """Return several values as they are. A text does not count as several, though its characters are."""
    if isinstance(values, str | bytes | bytearray | memoryview) or not isinstance(values, Iterable):
        raise InvalidArgument(name, f"must be a list or another iterable, not {_type_of(values)}")
    return values


def read_bytes(value: Any, name: str, *, most: int) -> bytes:
    """Return bytes as they are, or no more than `most` of those in the file at a path.

    Raises:
        OSError: the file can't be read.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if not isinstance(value, str | os.PathLike):
        raise InvalidArgument(name, f"must be bytes or the path of a file, not {_type_of(value)}")
    with Path(value).open("rb") as file:
        return file.read(most)


def to_path(value: Any, name: str) -> Path:
    """Return the path of a file that is to be made."""
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value):
        raise InvalidArgument(name, "must be the path of a file")
    return Path(value)


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _type_of(value: object) -> str:
    return "None" if value is None else type(value).__name__
