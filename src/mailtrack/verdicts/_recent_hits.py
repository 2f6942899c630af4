"""`RecentHits`: detects bursts and repeats by comparing hits with those of the last seconds."""

import math
import socket
from collections.abc import Sequence
from itertools import repeat

from mailtrack._arguments import is_within
from mailtrack._columns import Hits
from mailtrack._errors import InvalidSetting
from mailtrack._model import (
    BURST,
    COMPANY_BURST,
    NO_LANGUAGE,
    REPEAT,
    SLOW_BURST,
    Certainty,
    Hit,
    Verdict,
    VerdictKind,
)
from mailtrack.verdicts._bursts import BIT_OF, SIGNALS_OF, Bursts, Fetch
from mailtrack.verdicts._latest import Latest

_SLOW_RECIPIENTS = 6
_SLOW_SECONDS = 180.0

_MAX_FETCHES = 50_000  # some 10 MiB
_LONGEST = 3600.0  # seconds; the memory is meant for the last moments

_MACHINES = (VerdictKind.SCANNER, VerdictKind.BOT)
_SITE_BYTES = 8  # of an IPv6 address: a /64 is one network


class RecentHits:
    """Remembers the hits of the last seconds and marks bursts and repeats.

    A burst marks all its hits. Those of earlier calls are in `late`, so that the signals do not depend on how hits are
    divided into calls. There are three kinds:

    - `burst`: many recipients' images are requested by one address (of IPv6, one /64) within seconds.
    - `slow-burst`: six recipients' images within three minutes, by one address and user agent, without a language.
    - `company-burst`: as many recipients of one company as of a burst, by one user agent, from any addresses.

    Hits with a certain verdict that they are no machine's are in none: many people share a mail provider's proxy.

    Its memory is bounded: for each kind it covers the last 5,000 to 10,000 addresses or companies and 10,000 hits that
    may yet be in a burst, and 25,000 to 50,000 fetches. Not thread-safe.

    Args:
        burst_recipients: number of recipients whose images must be requested for a burst, at least 2.
        burst_seconds: within how many seconds they must be, 0 to 3600.
        repeat_seconds: within how many seconds the same fetch is a repeat, 0 to 3600.

    Attributes:
        late: hits of earlier calls of `signals` that the last call found to be in a burst, with all their signals of
            this class.

    Raises:
        InvalidSetting: a threshold is out of range.
    """

    late: list[tuple[Hit, tuple[str, ...]]]

    def __init__(self, *, burst_recipients: int = 5, burst_seconds: float = 10.0, repeat_seconds: float = 5.0) -> None:
        if not is_within(burst_recipients, 2, math.inf):
            raise InvalidSetting("burst_recipients", "must be 2 or more")
        _check("burst_seconds", burst_seconds)
        _check("repeat_seconds", repeat_seconds)
        self._thresholds = (burst_recipients, burst_seconds, repeat_seconds)
        self._bursts: Bursts[str | bytes] = Bursts(BURST, burst_recipients, burst_seconds)
        self._slow_bursts: Bursts[tuple[str | bytes, str]] = Bursts(SLOW_BURST, _SLOW_RECIPIENTS, _SLOW_SECONDS)
        self._company_bursts: Bursts[tuple[str, str]] = Bursts(COMPANY_BURST, burst_recipients, burst_seconds)
        self._repeats = _Repeats(repeat_seconds)
        self._seconds = max(burst_seconds, repeat_seconds)
        self.late = []
        self._calls = 0
        self._now = float("-inf")  # decreases only if the clock is set back

    def __repr__(self) -> str:
        return "<RecentHits>"

    def signals(
        self,
        hits: Sequence[Hit],
        *,
        verdicts: Sequence[Verdict] | None = None,
        companies: Sequence[str | None] | None = None,
    ) -> list[tuple[str, ...]]:
        """Return the signals of each hit: those of `RECENT_SIGNALS` that it has, in this order.

        A time that jumps back clears the memory.

        Args:
            hits: hits in their order of arrival, after those of the last call.
            verdicts: the verdict of each without these signals; by default none is certain.
            companies: the domain of the company that each hit's recipient belongs to, if the hit may be in a
                `company-burst`; by default none may.

        Returns:
            The signals of each hit, in the same order.
        """
        self._calls += 1
        found: list[tuple[str, ...] | Fetch] = []
        late: dict[Fetch, None] = {}  # each once, in order
        for row, verdict, company in zip(
            Hits.of(hits).rows(), verdicts or repeat(None), companies or repeat(None), strict=False
        ):
            _, pixel, token, at, ip, user_agent, _, signals = row
            now = self._advance(at / 1000)
            bits = BIT_OF[REPEAT] if self._repeats.add(token, pixel, ip, user_agent, now) else 0
            if ip is None or token is None or (verdict is not None and _is_exempt(verdict)):
                found.append(SIGNALS_OF[bits])
                continue
            fetch = Fetch(row, now, bits, self._calls)
            found.append(fetch)
            for one in self._find_bursts(_site(ip), user_agent, signals, company, fetch):
                if one.call != self._calls:
                    late[one] = None
        self.late = [(fetch.hit, SIGNALS_OF[fetch.bits]) for fetch in late]
        return [one if isinstance(one, tuple) else SIGNALS_OF[one.bits] for one in found]

    def _advance(self, at: float) -> float:
        """Return the present time, given that of a hit."""
        if at > self._now:  # hits of several processes may be slightly out of order
            self._now = at
        elif at < self._now - self._seconds:  # the clock was set back
            self._now = at
            for memory in (self._bursts, self._slow_bursts, self._company_bursts, self._repeats):
                memory.forget()
        return self._now

    def _find_bursts(
        self, site: str | bytes, user_agent: str, signals: tuple[str, ...], company: str | None, fetch: Fetch
    ) -> Sequence[Fetch]:
        """Mark the fetches that turn out to be in a burst with this one, and return them."""
        found = self._bursts.add(site, fetch)
        if NO_LANGUAGE in signals:
            found = (*found, *self._slow_bursts.add((site, user_agent), fetch))
        if company is not None:
            found = (*found, *self._company_bursts.add((company, user_agent), fetch))
        return found


def _is_exempt(verdict: Verdict) -> bool:
    return verdict.certainty is Certainty.CERTAIN and verdict.kind not in _MACHINES


def _site(ip: str) -> str | bytes:
    """Return what an address has in common with those of the same computer, or of the network that it is in."""
    if ":" not in ip:
        return ip
    try:
        return socket.inet_pton(socket.AF_INET6, ip)[:_SITE_BYTES]
    except OSError:
        return ip


class _Repeats:
    """The time of each recent fetch."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: Latest[int, float] = Latest(_MAX_FETCHES)

    def add(self, token: str | None, pixel: str, ip: str | None, user_agent: str, now: float) -> bool:
        """Remember a fetch, and return whether the same came shortly before."""
        if token is None and ip is None:
            return False  # it may be another person
        key = hash((token, pixel, ip, user_agent))  # of 64 bits, secret in each process
        before = self._seen.replace(key, now)
        return before is not None and now - before <= self._seconds

    def forget(self) -> None:
        """Clear the memory."""
        self._seen.forget()


def _check(name: str, seconds: float) -> None:
    if not is_within(seconds, 0, _LONGEST):
        raise InvalidSetting(name, f"must be from 0 to {_LONGEST:.0f} seconds")


def renew(recent_hits: RecentHits) -> RecentHits:
    """Return one with the same thresholds and an empty memory."""
    recipients, burst, repeat = recent_hits._thresholds
    return RecentHits(burst_recipients=recipients, burst_seconds=burst, repeat_seconds=repeat)
