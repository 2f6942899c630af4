"""`RecentHits`: detects bursts and repeats by comparing hits with those of the last seconds."""

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from mailtrack._arguments import is_within
from mailtrack._errors import InvalidSetting
from mailtrack._model import BURST, RECENT_SIGNALS, REPEAT, SLOW_BURST, Hit

_NO_LANGUAGE = "no-language"
_SLOW_RECIPIENTS = 6
_SLOW_SECONDS = 180.0

_MAX_ADDRESSES = 10_000  # with the last recipients of each, some 10 MiB
_MAX_FETCHES = 50_000  # some 10 MiB
_MAX_WAITING = 10_000  # hits that may yet be in a burst; some 10 MiB
_LONGEST = 3600.0  # seconds; the memory is meant for the last moments

K = TypeVar("K")
V = TypeVar("V")


class RecentHits:
    """Remembers the hits of the last seconds and marks bursts and repeats.

    A burst marks all its hits. Those of earlier calls are in `late`, so that the signals do not depend on how hits are
    divided into calls. A slow burst is one of six recipients within three minutes, by hits without a language that have
    the same address and user agent.

    Its memory is bounded: it covers the last 5,000 to 10,000 addresses, 25,000 to 50,000 fetches, and 10,000 hits that
    may yet be in a burst. Not thread-safe.

    Args:
        burst_recipients: number of recipients whose images one address must request for a burst, at least 2.
        burst_seconds: within how many seconds it must do so, 0 to 3600.
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
        self._thresholds = (burst_recipients, burst_seconds, repeat_seconds)
        self._bursts: _Bursts[str] = _Bursts(burst_recipients, _checked("burst_seconds", burst_seconds))
        self._slow_bursts: _Bursts[tuple[str, str]] = _Bursts(_SLOW_RECIPIENTS, _SLOW_SECONDS)
        self._repeats = _Repeats(_checked("repeat_seconds", repeat_seconds))
        self._seconds = max(burst_seconds, repeat_seconds)
        self.late = []
        self._now = float("-inf")  # decreases only if the clock is set back

    def __repr__(self) -> str:
        return "<RecentHits>"

    def fresh(self) -> "RecentHits":
        """Return one with the same thresholds and an empty memory."""
        recipients, burst, repeat = self._thresholds
        return RecentHits(burst_recipients=recipients, burst_seconds=burst, repeat_seconds=repeat)

    def signals(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        """Return the signals of each hit: `burst`, `slow-burst`, `repeat`, in this order, or none.

        A time that jumps back clears the memory.

        Args:
            hits: hits in their order of arrival, after those of the last call.

        Returns:
            The signals of each hit, in the same order.
        """
        fetches = []
        late: dict[_Fetch, None] = {}  # each once, in order
        for hit in hits:
            fetch = _Fetch(hit, self._advance(hit.at.timestamp()))
            if self._repeats.add(hit, fetch.at):
                fetch.signals.add(REPEAT)
            fetches.append(fetch)
            if hit.ip is not None and hit.token is not None:
                for one in self._find_bursts(hit.ip, fetch):
                    if one.is_past:
                        late[one] = None
        for fetch in fetches:
            fetch.is_past = True
        self.late = [(fetch.hit, fetch.in_order()) for fetch in late]
        return [fetch.in_order() for fetch in fetches]

    def _advance(self, at: float) -> float:
        """Return the present time, given that of a hit."""
        if at > self._now:  # hits of several processes may be slightly out of order
            self._now = at
        elif at < self._now - self._seconds:  # the clock was set back
            self._now = at
            for memory in (self._bursts, self._slow_bursts, self._repeats):
                memory.forget()
        return self._now

    def _find_bursts(self, ip: str, fetch: "_Fetch") -> Sequence["_Fetch"]:
        """Mark the fetches that turn out to be in a burst with this one, and return them."""
        found = self._bursts.add(ip, fetch)
        for one in found:
            one.signals.add(BURST)
        if _NO_LANGUAGE not in fetch.hit.signals:
            return found
        slow = self._slow_bursts.add((ip, fetch.hit.user_agent), fetch)
        for one in slow:
            one.signals.add(SLOW_BURST)
        return (*found, *slow)


class _Fetch:
    """A hit with the signals that are known so far."""

    __slots__ = ("at", "hit", "is_past", "signals")

    def __init__(self, hit: Hit, at: float) -> None:
        self.hit = hit
        self.at = at
        self.signals: set[str] = set()
        self.is_past = False  # whether the call that it was given in has returned

    def in_order(self) -> tuple[str, ...]:
        """Return its signals in their order."""
        return tuple(name for name in RECENT_SIGNALS if name in self.signals) if self.signals else ()


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


class _Bursts(Generic[K]):
    """The last recipients whose images each key (an address, say) requested, as many as make a burst."""

    def __init__(self, recipients: int, seconds: float) -> None:
        self._recipients = recipients
        self._seconds = seconds
        self._asked: _Recent[K, dict[str, float]] = _Recent(_MAX_ADDRESSES)  # time by token, the oldest first
        self._waiting: defaultdict[K, deque[_Fetch]] = defaultdict(deque)  # fetches that are in no burst yet
        self._order: deque[tuple[K, _Fetch]] = deque()  # the same, and some that are in one, the oldest first

    def forget(self) -> None:
        """Clear the memory."""
        self._asked.forget()
        self._waiting.clear()
        self._order.clear()

    def add(self, key: K, fetch: _Fetch) -> Sequence[_Fetch]:
        """Remember a fetch, and return those that turn out to be in a burst."""
        self._drop_old(fetch.at)
        asked = self._asked.get(key)
        if asked is None:
            asked = {}
            self._asked.put(key, asked)
        token = fetch.hit.token or ""
        asked.pop(token, None)
        asked[token] = fetch.at
        if len(asked) > self._recipients:
            del asked[next(iter(asked))]
        if len(asked) < self._recipients or fetch.at - next(iter(asked.values())) > self._seconds:
            self._waiting[key].append(fetch)
            self._order.append((key, fetch))
            return ()
        return (*self._waiting.pop(key, ()), fetch)

    def _drop_old(self, now: float) -> None:
        """Drop fetches that are too old for a burst, or too many."""
        order = self._order
        while order and (now - order[0][1].at > self._seconds or len(order) >= _MAX_WAITING):
            key, fetch = order.popleft()
            waiting = self._waiting.get(key)
            if waiting and waiting[0] is fetch:
                waiting.popleft()
                if not waiting:
                    del self._waiting[key]


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


def _checked(name: str, seconds: float) -> float:
    if not is_within(seconds, 0, _LONGEST):
        raise InvalidSetting(name, f"must be from 0 to {_LONGEST:.0f} seconds")
    return seconds
