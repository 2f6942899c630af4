"""`Enricher`: turns hits into opens, with verdict, client and signals."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property

from mailtrack._forking import ForkSafeLock
from mailtrack._model import Hit, Judgement, Open, Target, Verdict
from mailtrack.verdicts import Judge, RecentHits, name_client
from mailtrack.verdicts._judge import NO_RULE

_USUAL = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UNUSUAL = ""  # needs every way to find a client's name
_MAX_RETRIES = 50_000  # some 15 MiB; far more than are retried at once


class Enricher:
    """Judges hits and names their clients. Thread-safe.

    Args:
        judge: the judge; by default one with the built-in rules.
        recent_hits: detects bursts and repeats. It must not be shared with another enricher.
    """

    def __init__(self, judge: Judge | None = None, recent_hits: RecentHits | None = None) -> None:
        self._given = judge
        self._recent_hits = recent_hits or RecentHits()
        self._lock = ForkSafeLock()
        # The signals of hits that could not be stored, by their ids. Those that are never retried drop out.
        self._retries: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    @cached_property
    def _judge(self) -> Judge:
        return self._given or Judge()  # made on first use: many programs only make tokens

    def fresh(self) -> "Enricher":
        """Return an enricher with the same judge and thresholds, and no memory of recent hits."""
        return Enricher(self._judge, self._recent_hits.fresh())

    def prepare(self) -> None:
        """Load the rules and modules that judging needs, so that the first hit does not wait for them."""
        for user_agent in (_USUAL, _UNUSUAL):
            name_client(user_agent, self._judge.judge(user_agent))

    def enrich(self, hits: Sequence[Hit], targets: Iterable[Target | None]) -> list[Open]:
        """Return the opens of hits. Hits without a target are left out.

        A hit whose open was given to `expect_retry` gets the same signals again, unless 50,000 others came after it.
        """
        return [
            self._open(hit, target, signals)
            for hit, target, signals in zip(hits, targets, self._signals(hits), strict=True)
            if target is not None
        ]

    def expect_retry(self, opens: Iterable[Open]) -> None:
        """Remember the signals of opens that could not be stored, whose hits will be given again."""
        with self._lock:
            for one in opens:
                self._retries[one.id] = one.signals
            while len(self._retries) > _MAX_RETRIES:
                self._retries.popitem(last=False)

    def rejudge(self, stored: Open) -> Judgement:
        """Judge a stored open by the rules of now."""
        verdict = self._judge.judge(stored.user_agent, ip=stored.ip, signals=stored.signals, age=stored.age)
        return Judgement(
            open_id=stored.id,
            verdict=verdict,
            client=name_client(stored.user_agent, verdict),
            counted=self._judge.counts(verdict),
        )

    def explain(self, verdict: Verdict) -> str:
        """Return a sentence that explains a verdict, or the code of its rule if the judge does not have that rule."""
        if not verdict.reasons:
            return "Nothing has judged it."
        if verdict.reasons[0] == NO_RULE:
            return "Nothing is known that speaks for or against a person."
        return self._judge.table.text(verdict.reasons[0]) or verdict.reasons[0]

    def _signals(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        with self._lock:
            known = {hit.id: self._retries.pop(hit.id) for hit in hits if hit.id in self._retries}
            # By their ids: a hit that is given twice is no repeat of itself.
            new = {hit.id: hit for hit in hits if hit.id not in known}
            shown = self._recent_hits.signals(list(new.values()))
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
