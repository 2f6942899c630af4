"""Judge the stored opens of a pixel again, as after a change of the rules."""

from collections.abc import Iterator

import attrs

from mailtrack._ingest.enrich import Enricher
from mailtrack._model import Hit, Judgement, Open
from mailtrack.storage._protocol import Storage

_READ_AT_ONCE = 1000
_CHANGED_AT_ONCE = 500  # takes some 50 ms, in which other writers wait


@attrs.frozen(kw_only=True)
class RejudgeProgress:
    """The progress of `Tracker.rejudge`.

    Attributes:
        opens: opens that were judged again so far.
        changed: those of them with another verdict, client or weight than before. A new version of the rules, other
            networks or another age with the same result are stored, but are no change.
    """

    opens: int
    changed: int


def rejudge(storage: Storage, enricher: Enricher, pixel_id: str) -> Iterator[RejudgeProgress]:
    """Judge all opens of a pixel again and correct the counts; yield the progress after each thousand."""
    changes: list[Judgement] = []
    done = changed = 0
    cursor: str | None = None
    while True:
        page = storage.list_opens(pixel_id, limit=_READ_AT_ONCE, cursor=cursor)
        # Looked up as those of hits are, in a third of the time that the recipients themselves take.
        targets = storage.resolve(
            [Hit(id=one.id, pixel=pixel_id, token=one.token, at=one.opened_at) for one in page.items]
        )
        for one, judgement in zip(page.items, enricher.rejudge(page.items, targets), strict=True):
            if judgement is not None:
                changes.append(judgement)
                changed += not _is_same(judgement, one)
        cursor = page.next
        for start in range(0, len(changes), _CHANGED_AT_ONCE):
            storage.rejudge(pixel_id, changes[start : start + _CHANGED_AT_ONCE])
        changes.clear()
        done += len(page.items)
        yield RejudgeProgress(opens=done, changed=changed)
        if cursor is None:
            return


def _is_same(judgement: Judgement, stored: Open) -> bool:
    """Return whether a judgement equals the stored one, apart from the version of the rules."""
    before = attrs.evolve(stored.verdict, rules_version=judgement.verdict.rules_version)
    return (judgement.verdict, judgement.client, judgement.counted) == (before, stored.client, stored.counted)
