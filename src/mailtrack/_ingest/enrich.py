"""`Enricher`: turns hits into opens, with verdict, client and signals."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from mailtrack._delays import clock_start
from mailtrack._forking import ForkSafeLock
from mailtrack._model import BURST_SIGNALS, NO_LANGUAGE, Client, Hit, Judgement, Open, Recipient, Target, Verdict
from mailtrack.verdicts import Judge, RecentHits, name_client
from mailtrack.verdicts._companies import is_company
from mailtrack.verdicts._judge import NO_RULE

_USUAL = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UNUSUAL = ""  # needs every way to find a client's name
_MAX_RETRIES = 50_000  # some 15 MiB; far more than are retried at once
_MAX_LATE = 10_000  # some 10 MiB

LateHit: TypeAlias = tuple[Hit, tuple[str, ...]]
"""A hit that turned out to be in a burst after it was given to `enrich`, and all its signals."""

Judged: TypeAlias = dict[tuple[str, tuple[str, ...], tuple[str, ...], bool], tuple[Verdict, Client, bool]]
"""Verdicts, clients and weights of the hits of one call, by all that they depend on: few hits differ in it."""


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
        self._in_flight: set[str] = set()  # ids of opens that are about to be stored
        self._late: OrderedDict[str, LateHit] = OrderedDict()  # by the hit's id

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
        is_company("example.com")

    def enrich(self, hits: Sequence[Hit], targets: Iterable[Target | None]) -> list[Open]:
        """Return the opens of hits. Hits without a target are left out.

        A hit whose open was given to `expect_retry` gets the same signals again, unless 50,000 others came after it.
        """
        found = [(hit, target) for hit, target in zip(hits, targets, strict=True) if target is not None]
        judged: Judged = {}
        opens = [self._open(hit, target, hit.signals, judged) for hit, target in found]
        companies = [self._company(one, target) for one, (_, target) in zip(opens, found, strict=True)]
        signals = self._signals([hit for hit, _ in found], [one.verdict for one in opens], companies)
        return [
            one if shown is hit.signals else self._open(hit, target, shown, judged)
            for one, shown, (hit, target) in zip(opens, signals, found, strict=True)
        ]

    def expect_retry(self, opens: Iterable[Open]) -> None:
        """Remember the signals of opens that could not be stored, whose hits will be given again."""
        with self._lock:
            for one in opens:
                self._in_flight.discard(one.id)
                self._retries[one.id] = one.signals
            while len(self._retries) > _MAX_RETRIES:
                self._retries.popitem(last=False)

    def settle(self, opens: Iterable[Open]) -> list[LateHit]:
        """Note that opens are stored, and return the late hits that are stored, each once."""
        with self._lock:
            self._in_flight.difference_update(one.id for one in opens)
            ready = [one for one in self._late if one not in self._in_flight and one not in self._retries]
            return [self._late.pop(one) for one in ready]

    def keep_late(self, late: Iterable[LateHit]) -> None:
        """Return these late hits again at the next `settle`."""
        with self._lock:
            self._add_late(late)

    def judge_late(self, late: LateHit, target: Target) -> Judgement:
        """Judge a stored open again, given its hit with all signals."""
        hit, signals = late
        made = self._open(hit, target, signals, {})
        return Judgement(
            open_id=made.id,
            verdict=made.verdict,
            client=made.client,
            counted=made.counted,
            added_signals=tuple(signal for signal in made.signals if signal in BURST_SIGNALS),
            networks=made.networks,
            age=made.age,
        )

    def rejudge(self, stored: Open, recipient: Recipient | None) -> Judgement:
        """Judge a stored open by the rules, networks and sent time of now.

        Without its address, the networks that it was found in before count; without its recipient, its former age.
        """
        networks = stored.networks if stored.ip is None else self._judge.find_networks(stored.ip)
        age = stored.age
        if recipient is not None:
            age = _age(stored.opened_at, recipient.created_at, recipient.sent_at)
        verdict = self._judge.judge(stored.user_agent, signals=stored.signals, age=age, networks=networks)
        return Judgement(
            open_id=stored.id,
            verdict=verdict,
            client=name_client(stored.user_agent, verdict),
            counted=self._judge.counts(verdict),
            networks=networks,
            age=age,
        )

    def explain(self, verdict: Verdict) -> str:
        """Return a sentence that explains a verdict, or the code of its rule if the judge does not have that rule."""
        if not verdict.reasons:
            return "Nothing has judged it."
        if verdict.reasons[0] == NO_RULE:
            return "Nothing is known that speaks for or against a person."
        return self._judge.table.text(verdict.reasons[0]) or verdict.reasons[0]

    def _company(self, one: Open, target: Target) -> str | None:
        """Return the domain of the company that may be scanned: of hits that a person would rarely cause."""
        if target.domain is None or not (NO_LANGUAGE in one.signals or self._judge.is_early(one.age)):
            return None
        return target.domain if is_company(target.domain) else None

    def _signals(
        self, hits: Sequence[Hit], verdicts: Sequence[Verdict], companies: Sequence[str | None]
    ) -> list[tuple[str, ...]]:
        """Return the signals of hits, given their verdicts without those of recent hits, and their companies."""
        with self._lock:
            known = {hit.id: self._retries.pop(hit.id) for hit in hits if hit.id in self._retries}
            # By their ids: a hit that is given twice is no repeat of itself.
            new = {hit.id: place for place, hit in enumerate(hits) if hit.id not in known}
            shown = self._recent_hits.signals(
                [hits[place] for place in new.values()],
                verdicts=[verdicts[place] for place in new.values()],
                companies=[companies[place] for place in new.values()],
            )
            self._add_late((hit, hit.signals + more) for hit, more in self._recent_hits.late)
            self._in_flight.update(hit.id for hit in hits)
        for (hit_id, place), more in zip(new.items(), shown, strict=True):
            known[hit_id] = hits[place].signals + more if more else hits[place].signals
        return [known[hit.id] for hit in hits]

    def _add_late(self, late: Iterable[LateHit]) -> None:
        for hit, signals in late:
            self._late[hit.id] = (hit, signals)
        while len(self._late) > _MAX_LATE:
            self._late.popitem(last=False)

    def _open(self, hit: Hit, target: Target, signals: tuple[str, ...], judged: Judged) -> Open:
        made_at = target.token_made_at
        age = None if made_at is None else _age(hit.at, made_at, target.sent_at)
        networks = self._judge.find_networks(hit.ip)
        key = (hit.user_agent, signals, networks, self._judge.is_early(age))
        found = judged.get(key)
        if found is None:
            verdict = self._judge.judge(hit.user_agent, signals=signals, age=age, networks=networks)
            found = judged[key] = (verdict, name_client(hit.user_agent, verdict), self._judge.counts(verdict))
        verdict, client, counted = found
        made = Open(
            id=hit.id,
            pixel_id=target.pixel_id,
            recipient_id=target.recipient_id,
            opened_at=hit.at,
            ip=hit.ip,
            user_agent=hit.user_agent,
            referer=hit.referer,
            signals=signals,
            networks=networks,
            age=age,
            verdict=verdict,
            client=client,
            counted=counted,
        )
        return made.as_erased() if target.erased else made


def _age(opened_at: datetime, made_at: datetime, sent_at: datetime | None) -> float:
    return (opened_at - clock_start(made_at, sent_at, opened_at)).total_seconds()
