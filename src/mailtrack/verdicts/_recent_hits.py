"""`Patterns`: what shows only when hits are seen beside those just before them: bursts and repeats."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Generic, TypeVar

from mailtrack._arguments import is_within
from mailtrack._errors import InvalidSetting
from mailtrack._model import REPEAT, Hit

BURST = "burst"
"""One address asked for the pictures of many recipients within seconds."""

_MAX_ADDRESSES = 10_000  # with the last recipients of each, some 10 MiB
_MAX_FETCHES = 50_000  # some 10 MiB
_LONGEST = 3600.0  # seconds; what is remembered is meant to be the last moments

K = TypeVar("K")
V = TypeVar("V")


class Patterns:
    """Remembers the last seconds of hits, and tells which of the following belong together with them.

    It keeps what it needs of the last 5,000 to 10,000 addresses and 25,000 to 50,000 fetches, however many come. It is
    for one thread at a time.

    Args:
        burst_recipients: for how many recipients one address must ask, at least 2.
        burst_seconds: within how many seconds, 0 to 3600.
        repeat_seconds: within how many seconds the same fetch is a repeat, 0 to 3600.

    Raises:
        InvalidSetting: one of them can't be used.
    """

    def __init__(self, *, burst_recipients: int = 5, burst_seconds: float = 10.0, repeat_seconds: float = 5.0) -> None:
        if not is_within(burst_recipients, 2, math.inf):
            raise InvalidSetting("burst_recipients", "must be 2 or more")
        self._measures = (burst_recipients, burst_seconds, repeat_seconds)
        self._bursts = _Bursts(burst_recipients, _checked("burst_seconds", burst_seconds))
        self._repeats = _Repeats(_checked("repeat_seconds", repeat_seconds))
        self._seconds = max(burst_seconds, repeat_seconds)
        self._now = float("-inf")  # a time that goes back only when the clock is set back

    def __repr__(self) -> str:
        return "<Patterns>"

    def fresh(self) -> "Patterns":
        """Return one with the same measures that remembers nothing."""
        recipients, burst, repeat = self._measures
        return Patterns(burst_recipients=recipients, burst_seconds=burst, repeat_seconds=repeat)

    def signals(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        """Tell what each hit shows: `burst`, `repeat`, both, or nothing.

        A burst marks all its hits that are among these, the first ones too. Where the time jumps back, what was before
        is forgotten.

        Args:
            hits: in the order of their arrival; those of the last call came before.

        Returns:
            The signals of each hit, in the same order.
        """
        self._bursts.begin()
        in_burst: set[int] = set()
        repeated = []
        now = self._now
        for index, hit in enumerate(hits):
            at = hit.at.timestamp()
            if at > now:  # else hits of several processes are a little out of order
                now = at
            elif at < now - self._seconds:  # or the clock was set back
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
    """The values of the latest keys, at least half as many as the most that it keeps.

    There are two generations: when the new one is full it becomes the old one, and what was old is forgotten. That
    costs less for each key than to keep their order.
    """

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._old: dict[K, V] = {}
        self._new: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value of a key, which is one of the latest from now on."""
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
    """The last recipients that each address asked for, no more of them than make a burst."""

    def __init__(self, recipients: int, seconds: float) -> None:
        self._recipients = recipients
        self._seconds = seconds
        self._asked: _Recent[str, dict[str, float]] = _Recent(_MAX_ADDRESSES)  # when, by the tokens, the oldest first
        self._waiting: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)  # hits in no burst so far

    def begin(self) -> None:
        """Begin a batch: hits of the last one can't be marked any more."""
        self._waiting.clear()

    def forget(self) -> None:
        """Forget all that came before."""
        self._asked.forget()
        self._waiting.clear()

    def add(self, ip: str, token: str, now: float, index: int) -> Sequence[int]:
        """Remember a hit, and return the places in this batch of those that are now seen to be in a burst."""
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
    """When each fetch was last seen."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: _Recent[int, float] = _Recent(_MAX_FETCHES)

    def add(self, hit: Hit, now: float) -> bool:
        """Remember a hit, and tell whether the same came shortly before."""
        if hit.token is None and hit.ip is None:
            return False  # nothing tells that it is the same person
        key = hash((hit.token, hit.pixel, hit.ip, hit.user_agent))  # of 64 bits, secret in each process
        before = self._seen.get(key)
        self._seen.put(key, now)
        return before is not None and now - before <= self._seconds

    def forget(self) -> None:
        """Forget all that came before."""
        self._seen.forget()


def _checked(name: str, seconds: float) -> float:
    if not is_within(seconds, 0, _LONGEST):
        raise InvalidSetting(name, f"must be from 0 to {_LONGEST:.0f} seconds")
    return seconds
