"""Generate and parse ids and tokens.

Random bits come from `os.urandom`, like those of the module `secrets`, which is slow to load.
"""

import os
import re
import uuid
from collections.abc import Iterator
from functools import lru_cache
from itertools import count

SHORT_ID_LENGTH = 8
"""Hex digits in the short id of a pixel."""

_TOKEN_BYTES = 16  # 128 bits
_RECIPIENT_BYTES = 8  # after the short id of the pixel
_PROCESS_BYTES = 6  # in the ids of hits, with a time of 48 bits and a counter of 32

_SHORT_ID = r"[0-9a-f]{8}"
_PIXEL_KEY = re.compile(rf"{_SHORT_ID}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|{_SHORT_ID}", re.ASCII)
_RECIPIENT_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_TOKEN = re.compile(r"tok_[0-9a-f]{32}", re.ASCII)
_TOKEN_WITHIN = re.compile(rf"{_TOKEN.pattern}(?![0-9a-f])")


def new_pixel_id() -> str:
    """Return a random UUID (version 4) in the usual format."""
    return str(uuid.uuid4())


def new_recipient_ids(short_id: str, count: int) -> Iterator[str]:
    """Return `count` recipient ids: the pixel's short id, then 64 random bits, in hex."""
    return (short_id + random for random in _random_hex(_RECIPIENT_BYTES, count))


def new_tokens(count: int) -> Iterator[str]:
    """Return `count` tokens of 128 random bits: `tok_` and 32 hex digits."""
    return ("tok_" + random for random in _random_hex(_TOKEN_BYTES, count))


def new_open_id(at: int) -> str:
    """Return an id for a hit that arrived at a time, in milliseconds since 1970-01-01T00:00Z.

    In hex: the time in 48 bits, 48 random bits of this process, and a counter of 32 bits. Ids are unique, not secret,
    and sort roughly by time. No system call is made for which the thread would queue for the interpreter again, as for
    random bits. Servers written in C, such as uWSGI, fork without a word to Python.
    """
    if _pid != os.getpid():
        _begin_process()
    return f"{at:012x}{_process}{next(_count) & 0xFFFFFFFF:08x}"


def _begin_process() -> None:
    global _process, _pid  # new values for each process, including forked children
    _process = os.urandom(_PROCESS_BYTES).hex()
    _pid = os.getpid()  # last: then no other thread takes the parent's bits for its own


_process, _pid = "", 0
_count = count()


def parse_pixel_key(text: str) -> str | None:
    """Return a pixel's UUID or short id in lower case, or `None` if the text is neither."""
    return _parse_pixel_key(text) if len(text) in (8, 36) else None


@lru_cache(maxsize=1024)
def _parse_pixel_key(text: str) -> str | None:
    text = text.lower()
    return text if _PIXEL_KEY.fullmatch(text) else None


def is_recipient_id(text: str) -> bool:
    """Return whether a text has the format of a recipient's id."""
    return _RECIPIENT_ID.fullmatch(text) is not None


def parse_token(text: str | None) -> str | None:
    """Return the text if it has the format of a token, else `None`."""
    if text is None or len(text) != 36:
        return None
    return text if _TOKEN.fullmatch(text) else None


def find_token(text: str) -> str | None:
    """Return the first token within a text in lower case, or `None`."""
    found = _TOKEN_WITHIN.search(text)
    return found[0] if found else None


def _random_hex(size: int, count: int) -> Iterator[str]:
    digits = os.urandom(size * count).hex()
    width = size * 2
    return (digits[start : start + width] for start in range(0, len(digits), width))
