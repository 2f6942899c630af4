"""`store_hits` and `keep_hits`: the last part of the way of an open, from hits to the storage."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from mailtrack._errors import StorageUnavailable
from mailtrack._ingest.enrich import Enricher, LateHit
from mailtrack._model import Hit, Judgement, Open
from mailtrack.storage._protocol import Storage

_logger = logging.getLogger(__name__)


Report = Callable[[Sequence[Open]], None]
"""Called with opens that are new, once they are stored. If it raises, that is logged."""


def store_hits(
    storage: Storage, enricher: Enricher, hits: Sequence[Hit], reports: Sequence[Report] = ()
) -> Sequence[Open]:
    """Store hits as opens, all or none, and return the new ones. Storing a hit again changes nothing.

    If the hits show that earlier ones were in a burst, the stored opens of those are judged again. Should that fail,
    the hits are stored nevertheless, and the next call tries again if the storage was unavailable.

    Raises:
        StorageError: they can't be stored.
    """
    return _store(storage, enricher, hits, reports)[1]


def keep_hits(storage: Storage, enricher: Enricher, hits: Sequence[Hit], reports: Sequence[Report] = ()) -> int:
    """Do what `store_hits` does, and return how many hits have an open now: those with a pixel, new or not.

    Raises:
        StorageError: they can't be stored.
    """
    return len(_store(storage, enricher, hits, reports)[0])


def _store(
    storage: Storage, enricher: Enricher, hits: Sequence[Hit], reports: Sequence[Report]
) -> tuple[Sequence[Open], Sequence[Open]]:
    """Store hits, and return all of their opens, and those that are new."""
    opens = enricher.enrich(hits, storage.resolve(hits))
    try:
        new = storage.add_opens(opens) if opens else []
    except Exception:
        enricher.expect_retry(opens)
        raise
    if late := enricher.settle(opens):
        try:
            _judge_late(storage, enricher, late)
        except StorageUnavailable:
            enricher.keep_late(late)
        except Exception:
            _logger.exception("The first opens of a burst can't be judged again")
    for report in reports if new else ():
        try:
            report(new)
        except Exception:
            _logger.exception("New opens can't be reported")
    return opens, new


def _judge_late(storage: Storage, enricher: Enricher, late: Sequence[LateHit]) -> None:
    judgements: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one, target in zip(late, storage.resolve([hit for hit, _ in late]), strict=True):
        if target is not None:  # its pixel was not deleted meanwhile
            judgements[target.pixel_id].append(enricher.judge_late(one, target))
    for pixel_id, of_pixel in judgements.items():
        storage.rejudge(pixel_id, of_pixel)
