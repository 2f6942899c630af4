"""`Latest`: a mapping of bounded size that keeps the latest keys."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Latest(Generic[K, V]):
    """A mapping that keeps the latest `most / 2` to `most` keys.

    It has two generations: a full new one replaces the old one. That is cheaper than keeping the order of the keys.
    """

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._old: dict[K, V] = {}
        self._new: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value of a key, and make the key one of the latest."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Set the value of a key."""
        self._new[key] = value
        if len(self._new) >= self._half:
            self._old, self._new = self._new, {}

    def replace(self, key: K, value: V) -> V | None:
        """Set the value of a key, and return the one before."""
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
        self.put(key, value)
        return found

    def forget(self) -> None:
        """Forget all keys."""
        self._old, self._new = {}, {}
