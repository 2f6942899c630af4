"""Make values of classes with slots in less than half the time, where there are thousands to make."""

from collections.abc import Callable
from typing import Any

import attrs


def setters_of(kind: type[Any]) -> list[Callable[[Any, Any], None]]:
    """Return a function for each field of an attrs class with slots, in their order.

    It sets the field of an object that is being made with `object.__new__`, unchecked.
    """
    return [kind.__dict__[field.name].__set__ for field in attrs.fields(kind)]
