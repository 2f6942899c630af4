"""`Enricher`: turns hits into opens, with verdict, client and signals."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TypeAlias

from mailtrack._columns import Finding, Hits, Opens
from mailtrack._delays import clock_start
from mailtrack._forking import ForkSafeLock
from mailtrack._model import BURST_SIGNALS, NO_LANGUAGE, Hit, Judgement, Open, Recipient, Target, Verdict
from mailtrack._times import to_milliseconds
from mailtrack.verdicts import Judge, RecentHits, RuleTable, name_client
from mailtrack.verdicts._companies import is_company
from mailtrack.verdicts._judge import NO_RULE

_USUAL = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UNUSUAL = ""  # needs every way to find a client's name
_MAX_RETRIES = 50_000  # some 15 MiB; far more than are retried at once
_MAX_LATE = 10_000  # some 10 MiB
_MAX_FINDINGS = 10_000  # some 10 MiB, with user agents of usual length

LateHit: TypeAlias = tuple[Hit, tuple[str, ...]]
"""A hit that turned out to be in a burst after it was given to `enrich`, and all its signals."""


Findings: TypeAlias = dict[tuple[str, tuple[str, ...], tuple[str, ...], bool], Finding]
"""Findings by all that they depend on: user agent, signals, networks, and whether the hit is early."""


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
        self._findings: tuple[RuleTable | None, Findings] = (None, {})  # those by the rules of a table

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

    def enrich(self, hits: Sequence[Hit], targets: Sequence[Target | None]) -> Opens:
        """Return the opens of hits. Hits without a target are left out.

        A hit whose open was given to `expect_retry` gets the same signals again, unless 50,000 others came after it.
        """
        columns = Hits.of(hits)
        if None in targets:
            columns = columns.take([place for place, target in enumerate(targets) if target is not None])
        found = [target for target in targets if target is not None]
        ages = [_age(at, target) for at, target in zip(columns.times, found, strict=True)]
        early = [self._judge.is_early(None if age is None else age / 1000) for age in ages]
        networks = [self._judge.find_networks(ip) for ip in columns.ips]
        findings = self._find_all(columns, columns.signals, networks, early)
        may_be_scans = [soon or NO_LANGUAGE in own for soon, own in zip(early, columns.signals, strict=True)]
        signals = self._signals(
            columns,
            [one.verdict for one in findings],
            [target.domain if may_be else None for may_be, target in zip(may_be_scans, found, strict=True)],
        )
        opens = Opens(
            columns.ids,
            [target.pixel_id for target in found],
            [target.recipient_id for target in found],
            columns.times,
            columns.ips,
            columns.referers,
            ages,
            self._find_all(columns, signals, networks, early),
        )
        erased = {place for place, target in enumerate(found) if target.erased}
        return opens.as_erased(erased) if erased else opens

    def expect_retry(self, opens: Sequence[Open]) -> None:
        """Remember the signals of opens that could not be stored, whose hits will be given again."""
        columns = Opens.of(opens)
        with self._lock:
            self._in_flight.difference_update(columns.ids)
            for open_id, finding in zip(columns.ids, columns.findings, strict=True):
                self._retries[open_id] = finding.signals
            while len(self._retries) > _MAX_RETRIES:
                self._retries.popitem(last=False)

    def settle(self, opens: Sequence[Open]) -> list[LateHit]:
        """Note that opens are stored, and return the late hits that are stored, each once."""
        with self._lock:
            self._in_flight.difference_update(Opens.of(opens).ids)
            ready = [one for one in self._late if one not in self._in_flight and one not in self._retries]
            return [self._late.pop(one) for one in ready]

    def keep_late(self, late: Iterable[LateHit]) -> None:
        """Return these late hits again at the next `settle`."""
        with self._lock:
            self._add_late(late)

    def judge_late(self, late: LateHit, target: Target) -> Judgement:
        """Judge a stored open again, given its hit with all signals."""
        hit, signals = late
        columns = Hits.of([hit])
        age = _age(columns.times[0], target)
        seconds = None if age is None else age / 1000
        networks = self._judge.find_networks(hit.ip)
        (found,) = self._find_all(columns, [signals], [networks], [self._judge.is_early(seconds)])
        return Judgement(
            open_id=hit.id,
            verdict=found.verdict,
            client=found.client,
            counted=found.counted,
            added_signals=tuple(signal for signal in signals if signal in BURST_SIGNALS),
            networks=networks,
            age=seconds,
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
        self, hits: Hits, verdicts: Sequence[Verdict], domains: Sequence[str | None]
    ) -> Sequence[tuple[str, ...]]:
        """Return the signals of hits.

        Args:
            hits: the hits.
            verdicts: their verdicts without the signals of recent hits.
            domains: the domains of recipients whose company may scan them.
        """
        companies = [domain if domain is not None and is_company(domain) else None for domain in domains]
        with self._lock:
            known = {one: self._retries.pop(one) for one in self._retries.keys() & hits.ids}
            # By their ids: a hit that is given twice is no repeat of itself.
            new = {hit_id: place for place, hit_id in enumerate(hits.ids) if hit_id not in known}
            places = list(new.values())
            shown = self._recent_hits.signals(
                hits if len(places) == len(hits) else hits.take(places),
                verdicts=[verdicts[place] for place in places],
                companies=[companies[place] for place in places],
            )
            self._add_late((hit, hit.signals + more) for hit, more in self._recent_hits.late)
            self._in_flight.update(hits.ids)
        for (hit_id, place), more in zip(new.items(), shown, strict=True):
            known[hit_id] = hits.signals[place] + more if more else hits.signals[place]
        return [known[hit_id] for hit_id in hits.ids]

    def _add_late(self, late: Iterable[LateHit]) -> None:
        for hit, signals in late:
            self._late[hit.id] = (hit, signals)
        while len(self._late) > _MAX_LATE:
            self._late.popitem(last=False)

    def _find_all(
        self,
        hits: Hits,
        signals: Sequence[tuple[str, ...]],
        networks: Sequence[tuple[str, ...]],
        early: Sequence[bool],
    ) -> list[Finding]:
        """Return the finding of each hit. Few differ in what these depend on, so most are known from earlier hits."""
        known = self._known()
        keys = list(zip(hits.user_agents, signals, networks, early, strict=True))
        for key in set(keys).difference(known):
            known[key] = self._find(*key)
        return [known[key] for key in keys]

    def _known(self) -> Findings:
        """Return the findings that are known by the judge's present rules, for one call to look up and add to."""
        of, known = self._findings
        if of is not self._judge.table or len(known) > _MAX_FINDINGS:
            of, known = self._findings = (self._judge.table, {})
        return known

    def _find(self, user_agent: str, signals: tuple[str, ...], networks: tuple[str, ...], early: bool) -> Finding:
        age = 0.0 if early else None
        verdict = self._judge.judge(user_agent, signals=signals, age=age, networks=networks)
        client = name_client(user_agent, verdict)
        return Finding(user_agent, signals, networks, verdict, client, self._judge.counts(verdict))


def _age(at: int, target: Target) -> int | None:
    """Return the age of an open at a time, both in milliseconds."""
    if target.token_made_at is None:
        return None
    sent_at = None if target.sent_at is None else _to_milliseconds(target.sent_at)
    return at - clock_start(_to_milliseconds(target.token_made_at), sent_at, at)


_to_milliseconds = lru_cache(maxsize=1024)(to_milliseconds)  # many recipients share their times


def _seconds(opened_at: datetime, made_at: datetime, sent_at: datetime | None) -> float:
    return (opened_at - clock_start(made_at, sent_at, opened_at)).total_seconds()
