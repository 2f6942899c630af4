"""`store_hits`: the last part of the way of an open, from hits to the storage."""

from collections.abc import Sequence

from mailtrack._ingest.enrich import Enricher
from mailtrack._model import Hit, Open
from mailtrack.storage._protocol import Storage


def store_hits(storage: Storage, enricher: Enricher, hits: Sequence[Hit]) -> list[Open]:
    """Store hits as opens, all or none, and return the new ones. Storing a hit again changes nothing.

    Raises:
        StorageError: they can't be stored.
    """
    opens = enricher.enrich(hits, storage.resolve(hits))
    try:
        return storage.add_opens(opens) if opens else []
    except Exception:
        enricher.expect_retry(opens)
        raise
