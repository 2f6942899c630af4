"""`Carries`: what a copy needs of a storage and `Storage` does not have: what is kept of the erased, and who reads."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable


@runtime_checkable
class Carries(Protocol):
    """A storage from which, and into which, more can be copied."""

    def list_erased(self, pixel_id: str) -> list[int]:
        """Return the digests of the tokens and ids of a pixel's erased recipients, in ascending order."""
        ...

    def add_erased(self, pixel_id: str, digests: Collection[int]) -> None:
        """Add such digests, as `Storage.erase` does, to a pixel that exists. Those that are there stay."""
        ...

    def list_readers(self) -> list[str]:
        """Return the names of the readers of the feed, sorted."""
        ...
