"""API keys: random, stored as hashes, compared in constant time."""

import os
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from mailtrack._arguments import check_type, to_id
from mailtrack._errors import KeyNotFound
from mailtrack._model import ApiKey
from mailtrack._names import clean_name
from mailtrack._times import Clock, now
from mailtrack.storage._protocol import Storage

PREFIX = "mtk_"
"""Prefix of all keys that mailtrack makes, so that secret scanners recognise a leaked one."""

CACHE_SECONDS = 1.0
"""How long keys are cached, in seconds: a revoked one stops working within two."""

_KEY_BYTES = 20  # 160 bits
_ID_BYTES = 6  # there are few keys, and a storage refuses an id that is taken
_ID = re.compile(r"[0-9a-f]{12}", re.ASCII)


def new_key() -> str:
    """Return a key of 160 random bits: `mtk_` and 40 hex digits."""
    return PREFIX + os.urandom(_KEY_BYTES).hex()


def new_key_id() -> str:
    """Return a random id for a key: 12 hex digits."""
    return os.urandom(_ID_BYTES).hex()


def is_key_id(text: str) -> bool:
    """Return whether a text has the form of a key's id."""
    return _ID.fullmatch(text) is not None


def to_digest(key: str) -> str:
    """Return the SHA-256 of a key in ASCII, in hex."""
    from hashlib import sha256  # only here: it is slow to load

    return sha256(key.encode("ascii")).hexdigest()


def from_text(key: str, *, at: datetime) -> ApiKey:
    """Return the stored form of a key that was made elsewhere. Its id is the same in every process."""
    digest = to_digest(key)
    return ApiKey(id=digest[: 2 * _ID_BYTES], digest=digest, created_at=at)


def find_key(text: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """Return the key with this text, or `None`. All keys are compared, each in constant time."""
    check_type(text, str, "text")
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
    """The API keys in a storage. Thread-safe as far as the storage is.

    Keys are cached for a second, so that not every request reads them.

    Args:
        storage: an open storage.
        clock: returns the time at which a key is created.
        monotonic: returns the time in seconds by which keys are cached.
    """

    def __init__(self, storage: Storage, clock: Clock = now, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._clock = clock
        self._monotonic = monotonic
        self._kept: tuple[float, list[ApiKey]] = (0.0, [])  # until when, and the keys; replaced as one

    def create(self, name: str = "") -> tuple[ApiKey, str]:
        """Create an API key, and return it with its text. The text is not stored: only its hash is.

        Args:
            name: at most 256 characters; blanks around it are cut off.

        Raises:
            InvalidName: the name is too long, or has control characters.
        """
        text = new_key()
        key = ApiKey(
            id=new_key_id(), name=clean_name(name, "Key name"), digest=to_digest(text), created_at=self._clock()
        )
        self._storage.add_key(key)
        self._forget()
        return key, text

    def all(self) -> list[ApiKey]:
        """Return the keys, in the order of their creation."""
        return self._storage.list_keys()

    def revoke(self, key_id: ApiKey | str) -> ApiKey:
        """Revoke a key and return it. Every process stops accepting it within two seconds.

        Raises:
            KeyNotFound: no key has this id.
        """
        wanted = to_id(key_id, ApiKey, "key_id")
        if not is_key_id(wanted):
            raise KeyNotFound
        key = self._storage.delete_key(wanted)
        self._forget()
        return key

    def find(self, text: str) -> ApiKey | None:
        """Return the key with this text, or `None`. The time it takes does not depend on the text.

        Raises:
            StorageError: the keys are not cached, and can't be read.
        """
        time_now = self._monotonic()
        until, keys = self._kept
        if time_now >= until:
            keys = self._storage.list_keys()
            self._kept = (time_now + CACHE_SECONDS, keys)
        return find_key(text, keys)

    def _find_kept(self, text: str) -> ApiKey | None:
        """Return the key with this text, as of the last time that the keys were read, however long ago that is."""
        return find_key(text, self._kept[1])

    def _forget(self) -> None:
        """Have the next `find` read the keys again."""
        self._kept = (0.0, [])
