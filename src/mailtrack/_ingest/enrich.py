"""`Enricher`: turns hits into opens, with verdict, client and signals."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from mailtrack._addresses import domain_of
from mailtrack._columns import Finding, Hits, Opens, Targets
from mailtrack._delays import clock_start
from mailtrack._forking import ForkSafeLock
from mailtrack._model import BURST_SIGNALS, NO_LANGUAGE, Hit, Judgement, Open, Target, Verdict
from mailtrack._times import to_utc
from mailtrack.verdicts import Judge, RecentHits, RuleTable, name_client
from mailtrack.verdicts._companies import is_company
from mailtrack.verdicts._judge import NO_RULE, is_early
from mailtrack.verdicts._recent_hits import renew

_USUAL = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_UNUSUAL = ""  # needs every way to find a client's name
_MAX_RETRIES = 50_000  # some 15 MiB; far more than are retried at once
_MAX_LATE = 10_000  # some 10 MiB
_MAX_FINDINGS = 10_000  # some 10 MiB, with user agents of usual length

LateHit: TypeAlias = tuple[Hit, tuple[str, ...]]
"""A hit that turned out to be in a burst after it was given to `enrich`, and all its signals."""


Key: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...], bool]
"""All that a finding depends on: user agent, signals, networks, and whether the hit is early."""

Findings: TypeAlias = dict[Key, Finding]


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
        return Enricher(self._judge, renew(self._recent_hits))

    def prepare(self) -> None:
        """Load the rules and modules that judging needs, so that the first hit does not wait for them."""
        for user_agent in (_USUAL, _UNUSUAL):
            name_client(user_agent, self._judge.judge(user_agent))
        is_company("example.com")

    def enrich(self, hits: Sequence[Hit], targets: Sequence[Target | None]) -> Opens:
        """Return the opens of hits. Hits without a target are left out.

        A hit whose open was given to `expect_retry` gets the same signals again, unless 50,000 others came after it.
        """
        given, found = Hits.of(hits), Targets.of(targets)
        if not all(found.pixels):
            places = [place for place, pixel_id in enumerate(found.pixels) if pixel_id]
            given, found = given.take(places), found.take(places)
        ages = [
            None if made is None else at - clock_start(made, sent, at)
            for at, made, sent in zip(given.times, found.made, found.sent, strict=True)
        ]
        early = [age is not None and is_early(age / 1000, self._judge.window) for age in ages]
        networks = [self._judge.find_networks(ip) for ip in given.ips]
        keys = list(zip(given.user_agents, given.signals, networks, early, strict=True))
        findings = self._find_all(keys)
        signals = self._signals(
            given,
            [one.verdict for one in findings],
            [
                _to_company(address) if address is not None and (soon or NO_LANGUAGE in own) else None
                for address, soon, own in zip(found.addresses, early, given.signals, strict=True)
            ],
        )
        if changed := [place for place, shown in enumerate(signals) if shown is not given.signals[place]]:
            with_all = [(keys[place][0], signals[place], *keys[place][2:]) for place in changed]
            for place, finding in zip(changed, self._find_all(with_all), strict=True):
                findings[place] = finding
        opens = Opens(given.ids, found.pixels, found.recipients, given.times, given.ips, given.referers, ages, findings)
        erased = {place for place, is_erased in enumerate(found.erased) if is_erased}
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
        made_at = target.token_made_at
        age = None if made_at is None else _seconds(to_utc(hit.at), made_at, target.sent_at)
        networks = self._judge.find_networks(hit.ip)
        (found,) = self._find_all([(hit.user_agent, signals, networks, is_early(age, self._judge.window))])
        return Judgement(
            open_id=hit.id,
            verdict=found.verdict,
            client=found.client,
            counted=found.counted,
            added_signals=tuple(signal for signal in signals if signal in BURST_SIGNALS),
            networks=networks,
            age=age,
        )

    def rejudge(self, opens: Sequence[Open], targets: Sequence[Target | None]) -> list[Judgement | None]:
        """Judge stored opens by the rules, networks and sent times of now; return a judgement of each that changes.

        Without its address, the networks that it was found in before count; without its recipient, its former age.
        Those of erased people stay as they are: what they were judged by is gone.
        """
        stored, found = Opens.of(opens), Targets.of(targets)
        ages = [
            own if made is None else at - clock_start(made, sent, at)
            for own, at, made, sent in zip(stored.ages, stored.times, found.made, found.sent, strict=True)
        ]
        keys = [
            (
                former.user_agent,
                former.signals,
                former.networks if ip is None else self._judge.find_networks(ip),
                age is not None and is_early(age / 1000, self._judge.window),
            )
            for former, ip, age in zip(stored.findings, stored.ips, ages, strict=True)
        ]
        present = self._find_all(keys)
        # Most opens share both findings, so these are compared once.
        same = {
            (former, finding): former.erased or _to_judged(former) == _to_judged(finding)
            for former, finding in set(zip(stored.findings, present, strict=True))
        }
        return [
            None
            if same[former, finding] and (age == own or former.erased)
            else Judgement(
                open_id=open_id,
                verdict=finding.verdict,
                client=finding.client,
                counted=finding.counted,
                networks=finding.networks,
                age=None if age is None else age / 1000,
            )
            for open_id, former, finding, own, age in zip(
                stored.ids, stored.findings, present, stored.ages, ages, strict=True
            )
        ]

    def explain(self, verdict: Verdict) -> str:
        """Return a sentence that explains a verdict, or the code of its rule if the judge does not have that rule."""
        if not verdict.reasons:
            return "Nothing has judged it."
        if verdict.reasons[0] == NO_RULE:
            return "Nothing is known that speaks for or against a person."
        return self._judge.table.text(verdict.reasons[0]) or verdict.reasons[0]

    def _signals(
        self, hits: Hits, verdicts: Sequence[Verdict], companies: Sequence[str | None]
    ) -> list[tuple[str, ...]]:
        """Return the signals of hits.

        Args:
            hits: the hits.
            verdicts: their verdicts without the signals of recent hits.
            companies: the domains of companies that may scan them.
        """
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

    def _find_all(self, keys: Sequence[Key]) -> list[Finding]:
        """Return the finding for each key, which most often is known from earlier hits."""
        known = self._known()
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


def _to_company(address: str) -> str | None:
    """Return the domain of an address if its recipients belong together."""
    domain = domain_of(address)
    return domain if is_company(domain) else None


def _to_judged(finding: Finding) -> tuple[object, ...]:
    """Return what the judge has found."""
    return (finding.verdict, finding.client, finding.counted, finding.networks)


def _seconds(opened_at: datetime, made_at: datetime, sent_at: datetime | None) -> float:
    return (opened_at - clock_start(made_at, sent_at, opened_at)).total_seconds()
