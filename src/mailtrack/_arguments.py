"""Convert the arguments of public methods, or raise `InvalidArgument` with their name."""

import operator
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from mailtrack._errors import InvalidArgument
from mailtrack._model import ApiKey, Pixel, Recipient
from mailtrack._webhook import Webhook

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def to_id(value: Any, kind: type[Pixel | Recipient | ApiKey | Webhook], name: str) -> str:
    """Return the id of a value. A text is taken for an id and returned as it is."""
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
    """Raise `InvalidArgument` if a value, such as the text "false", is not `True`, `False` or `None`."""
    if value not in (None, True, False):
        raise InvalidArgument(name, "must be True, False or None")


def to_choice(value: Any, choices: type[E], name: str) -> E:
    """Return the member of an enumeration that equals a value or has it as text."""
    try:
        return choices(value)
    except ValueError:
        raise InvalidArgument(name, f"must be one of {', '.join(choices)}") from None


def to_whole(value: Any, low: int, high: int) -> int | None:
    """Return a whole number from `low` to `high`, or `None` if the value is not one."""
    try:
        number = operator.index(value)
    except TypeError:
        return None
    return number if low <= number <= high else None


def is_within(value: Any, low: float, high: float) -> bool:
    """Return whether a value is a number from `low` to `high`."""
    try:
        return bool(low <= value <= high)
    except TypeError:
        return False


def to_items(values: Iterable[T], name: str) -> Iterable[T]:
    """Return an iterable as it is. A text is refused, although it is an iterable of characters."""
    if isinstance(values, str | bytes | bytearray | memoryview) or not isinstance(values, Iterable):
        raise InvalidArgument(name, f"must be a list or another iterable, not {_type_of(values)}")
    return values


def read_bytes(value: Any, name: str, *, most: int) -> bytes:
    """Return the bytes given, or at most the first `most` bytes of the file at a path.

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
    """Return the path of a file to create."""
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value):
        raise InvalidArgument(name, "must be the path of a file")
    return Path(value)


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _type_of(value: object) -> str:
    return "None" if value is None else type(value).__name__
