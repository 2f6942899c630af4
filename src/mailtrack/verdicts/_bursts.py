"""`Bursts`: finds fetches of many recipients' images that have something in common, within some time."""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from mailtrack._columns import HitRow, Hits
from mailtrack._model import RECENT_SIGNALS, Hit
from mailtrack.verdicts._latest import Latest

_MAX_KEYS = 10_000  # with the last recipients of each, some 10 MiB
_MAX_WAITING = 10_000  # fetches that may yet be in a burst; some 10 MiB

BIT_OF = {name: 1 << bit for bit, name in enumerate(RECENT_SIGNALS)}
"""The bit in `Fetch.bits` of each of `RECENT_SIGNALS`."""

SIGNALS_OF = [tuple(name for name, bit in BIT_OF.items() if bits & bit) for bits in range(1 << len(RECENT_SIGNALS))]
"""The signals that each value of `Fetch.bits` stands for."""

K = TypeVar("K")


class Fetch:
    """A hit with the signals that are known so far.

    Attributes:
        row: the hit, as a row of `Hits`: few are looked at.
        token: the token of its recipient.
        at: the time when it counts as arrived.
        bits: its signals.
        call: the number of the call that it was given in.
    """

    __slots__ = ("at", "bits", "call", "row", "token")

    def __init__(self, row: HitRow, at: float, bits: int, call: int) -> None:
        self.row = row
        self.token = row[2]
        self.at = at
        self.bits = bits
        self.call = call

    @property
    def hit(self) -> Hit:
        """The hit."""
        return Hits.of_rows([self.row])[0]


class _Group:
    """The fetches of one key, once there are two.

    Attributes:
        at: the time of the last one.
        asked: the time of each recipient's last fetch, the oldest first, for as many recipients as make a burst.
        waiting: fetches that are in no burst yet.
    """

    __slots__ = ("asked", "at", "waiting")

    def __init__(self, first: Fetch) -> None:
        self.at = first.at
        self.asked: dict[str | None, float] = {first.token: first.at}
        self.waiting = deque([first])

    def add(self, fetch: Fetch, recipients: int, seconds: float) -> Sequence[Fetch]:
        """Add a fetch, and return those that turn out to be in a burst."""
        self.at = fetch.at
        asked = self.asked
        asked.pop(fetch.token, None)
        asked[fetch.token] = fetch.at
        if len(asked) > recipients:
            del asked[next(iter(asked))]
        if len(asked) < recipients or fetch.at - next(iter(asked.values())) > seconds:
            self.waiting.append(fetch)
            return ()
        found = [one for one in self.waiting if fetch.at - one.at <= seconds]
        self.waiting.clear()
        return (*found, fetch)


class Bursts(Generic[K]):
    """Finds fetches of many recipients' images that have a key (an address, say) in common.

    Most keys have a single fetch. Only when a second one comes within the time is there more to remember.
    """

    def __init__(self, signal: str, recipients: int, seconds: float) -> None:
        self._bit = BIT_OF[signal]
        self._recipients = recipients
        self._seconds = seconds
        self._groups: Latest[K, Fetch | _Group] = Latest(_MAX_KEYS)
        self._waiting: deque[tuple[_Group, Fetch]] = deque()  # those of all groups, and some that are in a burst

    def forget(self) -> None:
        """Clear the memory."""
        self._groups.forget()
        self._waiting.clear()

    def add(self, key: K, fetch: Fetch) -> Sequence[Fetch]:
        """Remember a fetch, and return those that turn out to be in a burst, marked."""
        group = self._groups.get(key)
        if group is None or fetch.at - group.at > self._seconds:
            self._groups.put(key, fetch)
            return ()
        if isinstance(group, Fetch):
            first, group = group, _Group(group)
            self._groups.put(key, group)
            self._wait(group, first)
        found = group.add(fetch, self._recipients, self._seconds)
        if not found:
            self._wait(group, fetch)
        for one in found:
            one.bits |= self._bit
        return found

    def _wait(self, group: _Group, fetch: Fetch) -> None:
        """Note that a fetch waits, and drop those that are too old for a burst, or too many."""
        waiting = self._waiting
        waiting.append((group, fetch))
        while fetch.at - waiting[0][1].at > self._seconds or len(waiting) > _MAX_WAITING:
            group, old = waiting.popleft()
            if group.waiting and group.waiting[0] is old:
                group.waiting.popleft()
