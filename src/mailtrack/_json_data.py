"""`JsonData`: a small JSON object that can't be changed, such as the data of a recipient."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

MAX_DATA_BYTES = 2048
"""Bytes of a recipient's data, as compact JSON in UTF-8."""

MAX_DATA_DEPTH = 16
"""Levels of objects and arrays in a recipient's data; the object itself is the first."""

_TOO_LARGE = f"The data is larger than {MAX_DATA_BYTES:,} bytes of JSON."


class InvalidValue(ValueError):
    """A value can't be the reference or the data of a recipient; the message is the reason."""


class JsonData(Mapping[str, object]):
    """A JSON object as a read-only mapping. `dict(data)` is a copy that may be changed.

    Nested values are new with each access, so that nothing can be changed through them.

    Args:
        text: the object as JSON.

    Attributes:
        text: the same.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def _load(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded

    def __getitem__(self, key: str) -> object:
        return self._load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def __repr__(self) -> str:
        return f"<JsonData of {len(self.text):,} characters>"


def to_data(value: Mapping[str, object]) -> JsonData:
    """Return a mapping of JSON values as data, without any check."""
    if isinstance(value, JsonData):
        return value
    return JsonData(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_to_builtin))


def _to_builtin(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def check_data(value: object) -> JsonData:
    """Return a value as data.

    Raises:
        InvalidValue: it is no JSON object, is too large or too deep, or holds something that JSON or a storage can't.
    """
    if not isinstance(value, Mapping):
        raise InvalidValue("The data is not an object.")
    _check_values(value)
    try:
        data = to_data(value)
        size = len(data.text.encode())
    except (TypeError, ValueError):  # such as a date, NaN, an endless number, a lone surrogate
        raise InvalidValue("The data has a value that JSON can't represent.") from None
    if size > MAX_DATA_BYTES:
        raise InvalidValue(_TOO_LARGE)
    return data


def _check_values(value: Mapping[Any, object]) -> None:
    """Check keys, texts and depth level by level. A structure that contains itself has too many levels or values."""
    seen = 0
    level: list[object] = [value]
    for depth in range(MAX_DATA_DEPTH + 1):
        below: list[object] = []
        for one in level:
            if isinstance(one, str):
                if "\0" in one:
                    raise InvalidValue("The data has a NUL character.")
            elif isinstance(one, Mapping):
                if not all(isinstance(key, str) for key in one):
                    raise InvalidValue("The data has a key that is not text.")
                below += [*one, *one.values()]
            elif isinstance(one, list | tuple):
                below += one
            seen += 1
            if seen + len(below) > MAX_DATA_BYTES:  # each takes a byte at least
                raise InvalidValue(_TOO_LARGE)
        if depth == MAX_DATA_DEPTH and any(isinstance(one, Mapping | list | tuple) for one in level):
            raise InvalidValue(f"The data is nested deeper than {MAX_DATA_DEPTH} levels.")
        if not below:
            return
        level = below
