"""Make values of classes with slots in a quarter of the time, where there are thousands to make."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


def maker_of(kind: type[T]) -> Callable[[int, Sequence[Iterable[Any]]], list[T]]:
    """Return a function that makes many values of an attrs class with slots, unchecked, without a loop in Python.

    It takes their number, and a column for each field, in the order of the fields.
    """
    setters = [kind.__dict__[field.name].__set__ for field in attrs.fields(kind)]  # type: ignore[arg-type]

    def make(number: int, columns: Sequence[Iterable[Any]]) -> list[T]:
        made = list(map(object.__new__, repeat(kind, number)))
        for set_field, column in zip(setters, columns, strict=True):
            deque(map(set_field, made, column), maxlen=0)
        return made

    return make
