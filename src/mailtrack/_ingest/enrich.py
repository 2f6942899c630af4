"""`Enricher`: turns hits into opens, with verdict, client and signals."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from mailtrack._delays import clock_start
from mailtrack._forking import ForkSafeLock
from mailtrack._model import BURST_SIGNALS, NO_LANGUAGE, Hit, Judgement, Open, Recipient, Target, Verdict, make
from mailtrack._times import to_utc
from mailtrack.verdicts import Judge, RecentHits, name_client
from mailtrack.verdicts._companies import is_company
from mailtrack.verdicts._judge import NO_RULE

_USUAL = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UNUSUAL = ""  # needs every way to find a client's name
_MAX_RETRIES = 50_000  # some 15 MiB; far more than are retried at once
_MAX_LATE = 10_000  # some 10 MiB

LateHit: TypeAlias = tuple[Hit, tuple[str, ...]]
"""A hit that turned out to be in a burst after it was given to `enrich`, and all its signals."""


class Finding(NamedTuple):
    """What many hits of one call have in common, once judged.

    Attributes:
        shared: the fields of `Open` that their opens share.
        verdict: the verdict.
        may_be_scan: whether a company's scanner may have caused them: a person rarely would.
    """

    shared: dict[str, Any]
    verdict: Verdict
    may_be_scan: bool


Findings: TypeAlias = dict[tuple[str, tuple[str, ...], tuple[str, ...], bool], Finding]
"""The findings of one call, by all that they depend on: few hits differ in it."""


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
        given = list(targets)
        hits = [hit for hit, target in zip(hits, given, strict=True) if target is not None]
        found = [target for target in given if target is not None]
        known: Findings = {}
        ages = [_age(hit.at, target) for hit, target in zip(hits, found, strict=True)]
        findings = [self._find(hit, hit.signals, age, known) for hit, age in zip(hits, ages, strict=True)]
        signals = self._signals(
            hits,
            [one.verdict for one in findings],
            [target.domain if one.may_be_scan else None for one, target in zip(findings, found, strict=True)],
        )
        return [
            _make_open(hit, target, age, one if shown is hit.signals else self._find(hit, shown, age, known))
            for one, shown, age, hit, target in zip(findings, signals, ages, hits, found, strict=True)
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
        age = _age(hit.at, target)
        made = _make_open(hit, target, age, self._find(hit, signals, age, {}))
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
            age = _seconds(stored.opened_at, recipient.created_at, recipient.sent_at)
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

    def _signals(
        self, hits: Sequence[Hit], verdicts: Sequence[Verdict], domains: Sequence[str | None]
    ) -> list[tuple[str, ...]]:
        """Return the signals of hits.

        Args:
            hits: the hits.
            verdicts: their verdicts without the signals of recent hits.
            domains: the domains of recipients whose company may scan them.
        """
        companies = [domain if domain is not None and is_company(domain) else None for domain in domains]
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

    def _find(self, hit: Hit, signals: tuple[str, ...], age: float | None, known: Findings) -> Finding:
        networks = self._judge.find_networks(hit.ip)
        early = self._judge.is_early(age)
        key = (hit.user_agent, signals, networks, early)
        found = known.get(key)
        if found is None:
            verdict = self._judge.judge(hit.user_agent, signals=signals, age=age, networks=networks)
            shared = {
                "token": None,
                "user_agent": hit.user_agent,
                "signals": signals,
                "networks": networks,
                "verdict": verdict,
                "client": name_client(hit.user_agent, verdict),
                "counted": self._judge.counts(verdict),
            }
            found = known[key] = Finding(shared, verdict, early or NO_LANGUAGE in signals)
        return found


def _make_open(hit: Hit, target: Target, age: float | None, finding: Finding) -> Open:
    made = make(
        Open,
        {
            **finding.shared,
            "id": hit.id,
            "pixel_id": target.pixel_id,
            "recipient_id": target.recipient_id,
            "opened_at": to_utc(hit.at),
            "ip": hit.ip,
            "referer": hit.referer,
            "age": age,
            "erased": False,
        },
    )
    return made.as_erased() if target.erased else made


def _age(at: datetime, target: Target) -> float | None:
    return None if target.token_made_at is None else _seconds(at, target.token_made_at, target.sent_at)


def _seconds(opened_at: datetime, made_at: datetime, sent_at: datetime | None) -> float:
    return (opened_at - clock_start(made_at, sent_at, opened_at)).total_seconds()
