"""`Patterns`: what shows only when hits are seen beside those just before them: bursts and repeats."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

from mailtrack.errors import InvalidSetting
from mailtrack.model import REPEAT, Hit

BURST = "burst"
"""One address asked for the pictures of many recipients within seconds."""

_MAX_ADDRESSES = 10_000  # with the last recipients of each, some 10 MiB
_MAX_FETCHES = 50_000  # some 10 MiB
_LONGEST = 3600.0  # seconds; what is remembered is meant to be the last moments

K = TypeVar("K")
V = TypeVar("V")


class Patterns:
    """Remembers the last seconds of hits, and tells which of the following belong together with them.

    It keeps what it needs of the last 10,000 addresses and 50,000 fetches, however many come. It is for one thread at
    a time.

    Args:
        burst_recipients: for how many recipients one address must ask, at least 2.
        burst_seconds: within how many seconds, 0 to 3600.
        repeat_seconds: within how many seconds the same fetch is a repeat, 0 to 3600.

    Raises:
        InvalidSetting: one of them can't be used.
    """

    def __init__(self, *, burst_recipients: int = 5, burst_seconds: float = 10.0, repeat_seconds: float = 5.0) -> None:
        if burst_recipients < 2:
            raise InvalidSetting("burst_recipients", "must be 2 or more")
        self._bursts = _Bursts(burst_recipients, _checked("burst_seconds", burst_seconds))
        self._repeats = _Repeats(_checked("repeat_seconds", repeat_seconds))
        self._clock = _Clock(max(burst_seconds, repeat_seconds))

    def __repr__(self) -> str:
        return "<Patterns>"

    def signs(self, hits: Sequence[Hit]) -> list[tuple[str, ...]]:
        """Tell what each hit shows: `burst`, `repeat`, both, or nothing.

        A burst marks all its hits that are among these, the first ones too. Where the time jumps back, what was before
        is forgotten.

        Args:
            hits: in the order of their arrival; those of the last call came before.

        Returns:
            The signs of each hit, in the same order.
        """
        self._bursts.begin()
        in_burst: set[int] = set()
        repeated = []
        for index, hit in enumerate(hits):
            now = self._read_clock(hit)
            repeated.append(self._repeats.add(hit, now))
            in_burst.update(self._bursts.add(hit, now, index))
        return [_SIGNS[index in in_burst, again] for index, again in enumerate(repeated)]

    def _read_clock(self, hit: Hit) -> float:
        now = self._clock.read(hit.at.timestamp())
        if self._clock.jumped:
            self._bursts.forget()
            self._repeats.forget()
        return now


_SIGNS = {(False, False): (), (True, False): (BURST,), (False, True): (REPEAT,), (True, True): (BURST, REPEAT)}


class _Clock:
    """Times that never go back. A step back by more than the given seconds is a jump, from which it begins anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._now = float("-inf")
        self.jumped = False

    def read(self, at: float) -> float:
        self.jumped = at < self._now - self._seconds
        self._now = at if self.jumped else max(at, self._now)  # hits of several processes are a little out of order
        return self._now


class _Bursts:
    """The last recipients that each address asked for, no more of them than make a burst."""

    def __init__(self, recipients: int, seconds: float) -> None:
        self._recipients = recipients
        self._seconds = seconds
        self._asked: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._waiting: dict[str, list[tuple[float, int]]] = {}  # hits of this batch that are in no burst so far

    def begin(self) -> None:
        """Begin a batch: hits of the last one can't be marked any more."""
        self._waiting.clear()

    def forget(self) -> None:
        self._asked.clear()
        self._waiting.clear()

    def add(self, hit: Hit, now: float, index: int) -> list[int]:
        """Remember a hit, and return the places in this batch of those that are now seen to be in a burst."""
        if hit.ip is None or hit.token is None:
            return []
        asked = self._asked.get(hit.ip) or OrderedDict()
        _put(self._asked, hit.ip, asked, _MAX_ADDRESSES)
        _put(asked, hit.token, now, self._recipients)
        waiting = self._waiting.setdefault(hit.ip, [])
        waiting.append((now, index))
        if len(asked) < self._recipients or now - next(iter(asked.values())) > self._seconds:
            return []
        found = [place for at, place in waiting if now - at <= self._seconds]
        waiting.clear()
        return found


class _Repeats:
    """When each fetch was last seen."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: OrderedDict[int, float] = OrderedDict()

    def add(self, hit: Hit, now: float) -> bool:
        """Remember a hit, and tell whether the same came shortly before."""
        if hit.token is None and hit.ip is None:
            return False  # nothing tells that it is the same person
        key = hash((hit.token, hit.pixel, hit.ip, hit.user_agent))  # of 64 bits, secret in each process
        before = self._seen.get(key)
        _put(self._seen, key, now, _MAX_FETCHES)
        return before is not None and now - before <= self._seconds

    def forget(self) -> None:
        self._seen.clear()


def _put(into: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Put in as the latest, and drop the oldest where there would be too many."""
    into[key] = value
    into.move_to_end(key)
    if len(into) > most:
        into.popitem(last=False)


def _checked(name: str, seconds: float) -> float:
    if not 0 <= seconds <= _LONGEST:
        raise InvalidSetting(name, f"must be from 0 to {_LONGEST:.0f} seconds")
    return seconds
