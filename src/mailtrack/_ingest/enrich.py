"""`Examiner`: makes opens of hits, with all that is found out about them, and looks at stored ones again."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import attrs

from mailtrack._forking import ForkSafeLock
from mailtrack._model import Hit, Judgement, Open, Target, Verdict
from mailtrack.storage._protocol import Storage
from mailtrack.verdicts import Judge, Patterns, name_client
from mailtrack.verdicts._judge import NO_RULE

_READ_AT_ONCE = 1000
_USUAL = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UNUSUAL = ""  # whose program is looked for in all ways that there are
_MAX_SEEN = 50_000  # some 15 MiB; far more than come again at once
_CHANGED_AT_ONCE = 10_000  # in a second or two, for which other writers wait


@attrs.frozen(kw_only=True)
class Rejudged:
    """How far judging again has come.

    Attributes:
        opens: how many were looked at.
        changed: how many of them have another verdict, client or weight now. That other rules came to the same is
            kept, but is no change.
    """

    opens: int
    changed: int


class Examiner:
    """Judges hits, and names their clients. Thread-safe.

    Args:
        judge: by which rules; by those that come with mailtrack, if not given.
        patterns: what tells bursts and repeats; it must be this examiner's alone.
    """

    def __init__(self, judge: Judge | None = None, patterns: Patterns | None = None) -> None:
        self._given = judge
        self._patterns = patterns or Patterns()
        self._lock = ForkSafeLock()
        # What hits show that could not be stored, by their ids. Some may never be: nobody has kept them.
        self._seen: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    @cached_property
    def _judge(self) -> Judge:
        return self._given or Judge()  # made when first needed: many programs only make tokens

    def fresh(self) -> "Examiner":
        """Return one with the same judge that has seen nothing."""
        return Examiner(self._judge, self._patterns.fresh())

    def prepare(self) -> None:
        """Load what judging needs, so that the first hit does not wait for it."""
        for user_agent in (_USUAL, _UNUSUAL):
            name_client(user_agent, self._judge.judge(user_agent))

    def examine(self, hits: Sequence[Hit], targets: Iterable[Target | None]) -> list[Open]:
        """Return the opens that hits are; those without a target are none.

        A hit may be given again where its open was told to `expect_again`: it gets what it got before, unless 50,000
        others came meanwhile.
        """
        return [
            self._open(hit, target, signals)
            for hit, target, signals in zip(hits, targets, self._signals(hits), strict=True)
            if target is not None
        ]

    def expect_again(self, opens: Iterable[Open]) -> None:
        """Remember what opens show whose hits come again, because they could not be stored."""
        with self._lock:
            for one in opens:
                self._seen[one.id] = one.signals
            while len(self._seen) > _MAX_SEEN:
                self._seen.popitem(last=False)

    def examine_again(self, stored: Open) -> Judgement:
        """Judge a stored open as if it came now."""
        verdict = self._judge.judge(stored.user_agent, ip=stored.ip, signals=stored.signals, age=stored.age)
        return Judgement(
            open_id=stored.id,
            verdict=verdict,
            client=name_client(stored.user_agent, verdict),
            counted=self._judge.counts(verdict),
        )

    def explain(self, verdict: Verdict) -> str:
        """Tell in a sentence why a verdict is what it is; the code of the rule where the judge does not have it."""
        if not verdict.reasons:
            return "Nothing has judged it."
        if verdict.reasons[0] == NO_RULE:
            return "Nothing is known that speaks for or against a person."
        return self._judge.table.text(verdict.reasons[0]) or verdict.reasons[0]

    def _signals(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        with self._lock:
            known = {hit.id: self._seen.pop(hit.id) for hit in hits if hit.id in self._seen}
            # By their ids: one that is given twice is no repeat of itself.
            new = {hit.id: hit for hit in hits if hit.id not in known}
            shown = self._patterns.signals(list(new.values()))
        known.update((hit.id, hit.signals + more) for hit, more in zip(new.values(), shown, strict=True))
        return [known[hit.id] for hit in hits]

    def _open(self, hit: Hit, target: Target, signals: tuple[str, ...]) -> Open:
        made_at = target.token_made_at
        age = None if made_at is None else (hit.at - made_at).total_seconds()
        verdict = self._judge.judge(hit.user_agent, ip=hit.ip, signals=signals, age=age)
        return Open(
            id=hit.id,
            pixel_id=target.pixel_id,
            recipient_id=target.recipient_id,
            opened_at=hit.at,
            ip=hit.ip,
            user_agent=hit.user_agent,
            referer=hit.referer,
            signals=signals,
            age=age,
            verdict=verdict,
            client=name_client(hit.user_agent, verdict),
            counted=self._judge.counts(verdict),
        )


def rejudge(storage: Storage, examiner: Examiner, pixel_id: str) -> Iterator[Rejudged]:
    """Judge all opens of a pixel again, and correct the counts; tell after each thousand how far it has come."""
    changes: list[Judgement] = []
    done = changed = 0
    cursor: str | None = None
    while True:
        page = storage.list_opens(pixel_id, limit=_READ_AT_ONCE, cursor=cursor)
        for one in page.items:
            judgement = examiner.examine_again(one)
            if (judgement.verdict, judgement.client, judgement.counted) != (one.verdict, one.client, one.counted):
                changes.append(judgement)
                changed += not _is_same(judgement, one)
        cursor = page.next
        if changes and (cursor is None or len(changes) >= _CHANGED_AT_ONCE):
            storage.rejudge(pixel_id, changes)
            changes.clear()
        done += len(page.items)
        yield Rejudged(opens=done, changed=changed)
        if cursor is None:
            return


def _is_same(judgement: Judgement, stored: Open) -> bool:
    """Tell whether a judgement says what was known before, be it by other rules."""
    before = attrs.evolve(stored.verdict, rules_version=judgement.verdict.rules_version)
    return (judgement.verdict, judgement.client, judgement.counted) == (before, stored.client, stored.counted)
