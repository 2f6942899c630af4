"""`RecentHits`: detects bursts and repeats by comparing hits with those of the last seconds."""

import math
import socket
from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import Generic, TypeVar

from mailtrack._arguments import is_within
from mailtrack._errors import InvalidSetting
from mailtrack._model import (
    BURST,
    COMPANY_BURST,
    RECENT_SIGNALS,
    REPEAT,
    SLOW_BURST,
    Certainty,
    Hit,
    Verdict,
    VerdictKind,
)

_NO_LANGUAGE = "no-language"
_SLOW_RECIPIENTS = 6
_SLOW_SECONDS = 180.0

_MAX_KEYS = 10_000  # of each kind of burst; with the last recipients of each, some 10 MiB
_MAX_FETCHES = 50_000  # some 10 MiB
_MAX_WAITING = 10_000  # hits that may yet be in a burst; some 10 MiB
_LONGEST = 3600.0  # seconds; the memory is meant for the last moments

_MACHINES = (VerdictKind.SCANNER, VerdictKind.BOT)
_SITE_BYTES = 8  # of an IPv6 address: a /64 is one network

# The signals of each combination of bits, bit 0 for the first of `RECENT_SIGNALS`.
_SIGNALS = [
    tuple(name for bit, name in enumerate(RECENT_SIGNALS) if bits >> bit & 1)
    for bits in range(1 << len(RECENT_SIGNALS))
]
_BITS = {name: 1 << bit for bit, name in enumerate(RECENT_SIGNALS)}

K = TypeVar("K")
V = TypeVar("V")


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
        self._bursts: _Bursts[str | bytes] = _Bursts(BURST, burst_recipients, burst_seconds)
        self._slow_bursts: _Bursts[tuple[str | bytes, str]] = _Bursts(SLOW_BURST, _SLOW_RECIPIENTS, _SLOW_SECONDS)
        self._company_bursts: _Bursts[tuple[str, str]] = _Bursts(COMPANY_BURST, burst_recipients, burst_seconds)
        self._repeats = _Repeats(repeat_seconds)
        self._seconds = max(burst_seconds, repeat_seconds)
        self.late = []
        self._calls = 0
        self._now = float("-inf")  # decreases only if the clock is set back

    def __repr__(self) -> str:
        return "<RecentHits>"

    def fresh(self) -> "RecentHits":
        """Return one with the same thresholds and an empty memory."""
        recipients, burst, repeat = self._thresholds
        return RecentHits(burst_recipients=recipients, burst_seconds=burst, repeat_seconds=repeat)

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
        found: list[tuple[str, ...] | _Fetch] = []
        late: dict[_Fetch, None] = {}  # each once, in order
        for hit, verdict, company in zip(hits, verdicts or repeat(None), companies or repeat(None), strict=False):
            now = self._advance(hit.at.timestamp())
            bits = _BITS[REPEAT] if self._repeats.add(hit, now) else 0
            if hit.ip is None or hit.token is None or (verdict is not None and _is_exempt(verdict)):
                found.append(_SIGNALS[bits])
                continue
            fetch = _Fetch(hit, now, bits, self._calls)
            found.append(fetch)
            for one in self._find_bursts(_site(hit.ip), company, fetch):
                if one.call != self._calls:
                    late[one] = None
        self.late = [(fetch.hit, _SIGNALS[fetch.bits]) for fetch in late]
        return [one if isinstance(one, tuple) else _SIGNALS[one.bits] for one in found]

    def _advance(self, at: float) -> float:
        """Return the present time, given that of a hit."""
        if at > self._now:  # hits of several processes may be slightly out of order
            self._now = at
        elif at < self._now - self._seconds:  # the clock was set back
            self._now = at
            for memory in (self._bursts, self._slow_bursts, self._company_bursts, self._repeats):
                memory.forget()
        return self._now

    def _find_bursts(self, site: str | bytes, company: str | None, fetch: "_Fetch") -> "Sequence[_Fetch]":
        """Mark the fetches that turn out to be in a burst with this one, and return them."""
        found = self._bursts.add(site, fetch)
        if _NO_LANGUAGE in fetch.hit.signals:
            found = (*found, *self._slow_bursts.add((site, fetch.hit.user_agent), fetch))
        if company is not None:
            found = (*found, *self._company_bursts.add((company, fetch.hit.user_agent), fetch))
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


class _Fetch:
    """A hit with the signals that are known so far.

    Attributes:
        hit: the hit.
        at: the time when it counts as arrived.
        bits: its signals.
        call: the number of the call that it was given in.
    """

    __slots__ = ("at", "bits", "call", "hit")

    def __init__(self, hit: Hit, at: float, bits: int, call: int) -> None:
        self.hit = hit
        self.at = at
        self.bits = bits
        self.call = call


class _Recent(Generic[K, V]):
    """A mapping that keeps the latest `most / 2` to `most` keys.

    It has two generations: a full new one replaces the old one. That is cheaper than keeping the order of the keys.
    """

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._old: dict[K, V] = {}
        self._new: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value of a key, and make the key one of the latest."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Set the value of a key."""
        self._new[key] = value
        if len(self._new) >= self._half:
            self._old, self._new = self._new, {}

    def forget(self) -> None:
        """Forget all keys."""
        self._old, self._new = {}, {}


class _Group:
    """The fetches of one key, once there are two.

    Attributes:
        at: the time of the last one.
        asked: the time of each recipient's last fetch, the oldest first, for as many recipients as make a burst.
        waiting: fetches that are in no burst yet.
    """

    __slots__ = ("asked", "at", "waiting")

    def __init__(self, first: _Fetch) -> None:
        self.at = first.at
        self.asked: dict[str | None, float] = {first.hit.token: first.at}
        self.waiting = deque([first])

    def add(self, fetch: _Fetch, recipients: int, seconds: float) -> Sequence[_Fetch]:
        """Add a fetch, and return those that turn out to be in a burst."""
        self.at = fetch.at
        asked = self.asked
        asked.pop(fetch.hit.token, None)
        asked[fetch.hit.token] = fetch.at
        if len(asked) > recipients:
            del asked[next(iter(asked))]
        if len(asked) < recipients or fetch.at - next(iter(asked.values())) > seconds:
            self.waiting.append(fetch)
            return ()
        found = [one for one in self.waiting if fetch.at - one.at <= seconds]
        self.waiting.clear()
        return (*found, fetch)


class _Bursts(Generic[K]):
    """Finds fetches of many recipients' images that have a key (an address, say) in common.

    Most keys have a single fetch. Only when a second one comes within the time is there more to remember.
    """

    def __init__(self, signal: str, recipients: int, seconds: float) -> None:
        self._bit = _BITS[signal]
        self._recipients = recipients
        self._seconds = seconds
        self._groups: _Recent[K, _Fetch | _Group] = _Recent(_MAX_KEYS)
        self._waiting: deque[tuple[_Group, _Fetch]] = deque()  # those of all groups, and some that are in a burst

    def forget(self) -> None:
        """Clear the memory."""
        self._groups.forget()
        self._waiting.clear()

    def add(self, key: K, fetch: _Fetch) -> Sequence[_Fetch]:
        """Remember a fetch, and return those that turn out to be in a burst, marked."""
        group = self._groups.get(key)
        if group is None or fetch.at - group.at > self._seconds:
            self._groups.put(key, fetch)
            return ()
        if isinstance(group, _Fetch):
            first, group = group, _Group(group)
            self._groups.put(key, group)
            self._wait(group, first)
        found = group.add(fetch, self._recipients, self._seconds)
        if not found:
            self._wait(group, fetch)
        for one in found:
            one.bits |= self._bit
        return found

    def _wait(self, group: _Group, fetch: _Fetch) -> None:
        """Note that a fetch waits, and drop those that are too old for a burst, or too many."""
        waiting = self._waiting
        waiting.append((group, fetch))
        while fetch.at - waiting[0][1].at > self._seconds or len(waiting) > _MAX_WAITING:
            group, old = waiting.popleft()
            if group.waiting and group.waiting[0] is old:
                group.waiting.popleft()


class _Repeats:
    """The time of each recent fetch."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: _Recent[int, float] = _Recent(_MAX_FETCHES)

    def add(self, hit: Hit, now: float) -> bool:
        """Remember a hit, and return whether the same fetch came shortly before."""
        if hit.token is None and hit.ip is None:
            return False  # it may be another person
        key = hash((hit.token, hit.pixel, hit.ip, hit.user_agent))  # of 64 bits, secret in each process
        before = self._seen.get(key)
        self._seen.put(key, now)
        return before is not None and now - before <= self._seconds

    def forget(self) -> None:
        """Clear the memory."""
        self._seen.forget()


def _check(name: str, seconds: float) -> None:
    if not is_within(seconds, 0, _LONGEST):
        raise InvalidSetting(name, f"must be from 0 to {_LONGEST:.0f} seconds")
