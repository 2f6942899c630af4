"""API keys: made unguessable, kept as hashes, compared in constant time."""

import os
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from mailtrack.model import ApiKey

PREFIX = "mtk_"
"""What every key that mailtrack makes begins with, so that one which leaked is recognised."""

SECONDS = 1.0
"""How long keys are remembered before they are read again: a revoked one stops working within two seconds."""

_KEY_BYTES = 20  # 160 bits
_ID_BYTES = 6  # there are few keys, and an id that is taken is refused
_ID = re.compile(r"[0-9a-f]{12}", re.ASCII)


def new_key() -> str:
    """Return a key of 160 random bits: `mtk_` and 40 hex digits."""
    return PREFIX + os.urandom(_KEY_BYTES).hex()


def new_key_id() -> str:
    """Return a random id for a key: 12 hex digits."""
    return os.urandom(_ID_BYTES).hex()


def is_key_id(text: str) -> bool:
    """Tell whether a text has the form of a key's id."""
    return _ID.fullmatch(text) is not None


def to_digest(key: str) -> str:
    """Return the SHA-256 of a key in ASCII, in hex."""
    from hashlib import sha256  # only here: it is slow to load

    return sha256(key.encode("ascii")).hexdigest()


def from_text(key: str, *, at: datetime) -> ApiKey:
    """Return what is kept of a key that was made elsewhere; its id is the same in every process."""
    digest = to_digest(key)
    return ApiKey(id=digest[: 2 * _ID_BYTES], digest=digest, created_at=at)


def find_key(text: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """Return the one of some keys that a text is, `None` where it is none. All are compared, each in constant time."""
    from hmac import compare_digest  # only here: it is slow to load

    if not text.isascii():
        return None
    digest = to_digest(text)
    found = None
    for key in keys:
        if compare_digest(key.digest, digest):
            found = key
    return found


class Keyring:
    """Knows the stored keys, and reads them about once a second. Thread-safe.

    Args:
        load: returns all keys.
        monotonic: tells the time in seconds.
    """

    def __init__(self, load: Callable[[], list[ApiKey]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._monotonic = monotonic
        self._kept: tuple[float, list[ApiKey]] = (0.0, [])  # until when, and what; replaced as one

    def find(self, text: str) -> ApiKey | None:
        """Return the stored key that a text is, `None` where it is none.

        Raises:
            StorageError: the keys can't be read, and were not read within the last second.
        """
        now = self._monotonic()
        until, keys = self._kept
        if now >= until:
            keys = self._load()
            self._kept = (now + SECONDS, keys)
        return find_key(text, keys)

    def forget(self) -> None:
        """Read the keys again when one is asked for next."""
        self._kept = (0.0, [])
