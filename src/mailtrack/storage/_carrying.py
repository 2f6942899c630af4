"""What a copy needs of a storage and `Storage` does not have: what is kept of the erased, and who reads the feed."""

from collections.abc import Collection
from typing import Protocol, runtime_checkable


@runtime_checkable
class Carries(Protocol):
    """A storage from which, and into which, what is kept of erased people can be copied."""

    def list_erased(self, pixel_id: str) -> list[int]:
        """Return the digests of the tokens and ids of a pixel's erased recipients, in ascending order."""
        ...

    def add_erased(self, pixel_id: str, digests: Collection[int]) -> None:
        """Add such digests, as `Storage.erase` does, to a pixel that exists. Those that are there stay."""
        ...


@runtime_checkable
class CarriesPlaces(Protocol):
    """A storage from which, and into which, places in the feed can be copied."""

    def list_readers(self) -> dict[str, str]:
        """Return the cursors of the readers of the feed, by name, sorted."""
        ...

    def shows_all_events(self) -> bool:
        """Return whether the feed shows the events of all opens that are stored.

        In PostgreSQL an event is seen once all transactions have ended that began before its own.
        """
        ...
