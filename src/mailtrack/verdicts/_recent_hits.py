"""`RecentHits`: detects bursts and repeats by comparing hits with those of the last seconds."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Generic, TypeVar

from mailtrack._arguments import is_within
from mailtrack._errors import InvalidSetting
from mailtrack._model import REPEAT, Hit

BURST = "burst"
"""The signal of a hit whose address requested the images of many recipients within seconds."""

_MAX_ADDRESSES = 10_000  # with the last recipients of each, some 10 MiB
_MAX_FETCHES = 50_000  # some 10 MiB
_LONGEST = 3600.0  # seconds; the memory is meant for the last moments

K = TypeVar("K")
V = TypeVar("V")


class RecentHits:
    """Remembers the hits of the last seconds and marks the following ones as bursts and repeats.

    Its memory is bounded: it covers the last 5,000 to 10,000 addresses and 25,000 to 50,000 fetches. Not thread-safe.

    Args:
        burst_recipients: number of recipients whose images one address must request for a burst, at least 2.
        burst_seconds: within how many seconds it must do so, 0 to 3600.
        repeat_seconds: within how many seconds the same fetch is a repeat, 0 to 3600.

    Raises:
        InvalidSetting: a threshold is out of range.
    """

    def __init__(self, *, burst_recipients: int = 5, burst_seconds: float = 10.0, repeat_seconds: float = 5.0) -> None:
        if not is_within(burst_recipients, 2, math.inf):
            raise InvalidSetting("burst_recipients", "must be 2 or more")
        self._thresholds = (burst_recipients, burst_seconds, repeat_seconds)
        self._bursts = _Bursts(burst_recipients, _checked("burst_seconds", burst_seconds))
        self._repeats = _Repeats(_checked("repeat_seconds", repeat_seconds))
        self._seconds = max(burst_seconds, repeat_seconds)
        self._now = float("-inf")  # decreases only if the clock is set back

    def __repr__(self) -> str:
        return "<RecentHits>"

    def fresh(self) -> "RecentHits":
        """Return one with the same thresholds and an empty memory."""
        recipients, burst, repeat = self._thresholds
        return RecentHits(burst_recipients=recipients, burst_seconds=burst, repeat_seconds=repeat)

    def signals(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        """Return the signals of each hit: `burst`, `repeat`, both or none.

        A burst marks all its hits in this call, including those before it was recognized. A time that jumps back
        clears the memory.

        Args:
            hits: hits in their order of arrival, after those of the last call.

        Returns:
            The signals of each hit, in the same order.
        """
        self._bursts.begin()
        in_burst: set[int] = set()
        repeated = []
        now = self._now
        for index, hit in enumerate(hits):
            at = hit.at.timestamp()
            if at > now:  # hits of several processes may be slightly out of order
                now = at
            elif at < now - self._seconds:  # the clock was set back
                now = at
                self._bursts.forget()
                self._repeats.forget()
            repeated.append(self._repeats.add(hit, now))
            if hit.ip is not None and hit.token is not None:
                in_burst.update(self._bursts.add(hit.ip, hit.token, now, index))
        self._now = now
        return [_SIGNALS[index in in_burst, again] for index, again in enumerate(repeated)]


_SIGNALS = {(False, False): (), (True, False): (BURST,), (False, True): (REPEAT,), (True, True): (BURST, REPEAT)}


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


class _Bursts:
    """The last recipients whose images each address requested, as many as make a burst."""

    def __init__(self, recipients: int, seconds: float) -> None:
        self._recipients = recipients
        self._seconds = seconds
        self._asked: _Recent[str, dict[str, float]] = _Recent(_MAX_ADDRESSES)  # time by token, the oldest first
        self._waiting: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)  # hits that are in no burst yet

    def begin(self) -> None:
        """Begin a new batch. Hits of the last one can't be marked any more."""
        self._waiting.clear()

    def forget(self) -> None:
        """Clear the memory."""
        self._asked.forget()
        self._waiting.clear()

    def add(self, ip: str, token: str, now: float, index: int) -> Sequence[int]:
        """Remember a hit, and return the indexes in this batch of hits that turn out to be in a burst."""
        asked = self._asked.get(ip)
        if asked is None:
            asked = {}
            self._asked.put(ip, asked)
        asked.pop(token, None)
        asked[token] = now
        if len(asked) > self._recipients:
            del asked[next(iter(asked))]
        waiting = self._waiting[ip]
        waiting.append((now, index))
        if len(asked) < self._recipients or now - next(iter(asked.values())) > self._seconds:
            return ()
        found = [place for at, place in waiting if now - at <= self._seconds]
        waiting.clear()
        return found


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
