"""`Hits`, `Targets`, `Opens`, `Hours`: many of each in columns: a list for each property, not an object for each one.

On their way to the storage, or into a report, no code looks at a single one, and an object for each took a third of the
work, and half of that of a report. They are sequences like any others: to go through one is to get objects, which are
made then. Code that reads columns takes any sequence and begins with `of`, which returns columns as they are.
"""

from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Self, TypeAlias, TypeVar, overload

import attrs

from mailtrack._addresses import domain_of
from mailtrack._counts import Count
from mailtrack._figures import HourCount
from mailtrack._model import Client, Hit, Open, Target, Verdict, VerdictKind, make
from mailtrack._times import from_milliseconds, to_milliseconds, to_utc

T = TypeVar("T")


class _Columns(Sequence[T]):
    """A sequence in columns. Every attribute is one; that of the values is `None` until they were given as such."""

    pixels: list[str]
    values: list[T] | None

    def __len__(self) -> int:
        return len(self.pixels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> T | Self:
        if isinstance(place, slice):
            return self.take(range(len(self))[place])
        return self._make(place) if self.values is None else self.values[place]

    def take(self, places: Sequence[int]) -> Self:
        """Return those at some places, in that order."""
        columns = attrs.astuple(self, recurse=False)  # type: ignore[arg-type]  # both kinds are attrs classes
        return type(self)(*(column and [column[place] for place in places] for column in columns))

    def _make(self, place: int) -> T:
        raise NotImplementedError


HitRow: TypeAlias = tuple[str, str, str | None, int, str | None, str, str, tuple[str, ...]]
"""A row of `Hits`: what each column has at one place."""


@attrs.frozen(eq=False)
class Hits(_Columns[Hit]):
    """Hits in columns: those of `Hit`, each for all; times in milliseconds since 1970."""

    ids: list[str]
    pixels: list[str]
    tokens: list[str | None]
    times: list[int]
    ips: list[str | None]
    user_agents: list[str]
    referers: list[str]
    signals: list[tuple[str, ...]]
    values: list[Hit] | None = None

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> "Hits":
        """Return hits in columns."""
        if isinstance(hits, Hits):
            return hits
        return cls(
            [hit.id for hit in hits],
            [hit.pixel for hit in hits],
            [hit.token for hit in hits],
            [to_milliseconds(to_utc(hit.at)) for hit in hits],
            [hit.ip for hit in hits],
            [hit.user_agent for hit in hits],
            [hit.referer for hit in hits],
            [hit.signals for hit in hits],
            list(hits),
        )

    @classmethod
    def of_rows(cls, rows: Sequence[HitRow]) -> "Hits":
        """Return the hits of rows."""
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls.of([])

    def rows(self) -> Iterator[HitRow]:
        """Iterate over the rows."""
        return zip(
            self.ids,
            self.pixels,
            self.tokens,
            self.times,
            self.ips,
            self.user_agents,
            self.referers,
            self.signals,
            strict=True,
        )

    def _make(self, place: int) -> Hit:
        return make(
            Hit,
            {
                "id": self.ids[place],
                "pixel": self.pixels[place],
                "token": self.tokens[place],
                "at": from_milliseconds(self.times[place]),
                "ip": self.ips[place],
                "user_agent": self.user_agents[place],
                "referer": self.referers[place],
                "signals": self.signals[place],
            },
        )


@attrs.frozen(eq=False)
class Targets(_Columns[Target | None]):
    """Targets of hits, in columns: those of `Target`, each for all; times in milliseconds since 1970.

    Attributes:
        pixels: the ids of the pixels, "" where there is none.
        recipients: the ids of the recipients.
        made: when their tokens were made.
        sent: when their mails were sent.
        addresses: their addresses, or only the domains of these: few are looked at, with `domain_of`.
        erased: whether they are erased.
    """

    pixels: list[str]
    recipients: list[str | None]
    made: list[int | None]
    sent: list[int | None]
    addresses: list[str | None]
    erased: list[bool]
    values: list[Target | None] | None = None

    @classmethod
    def of(cls, targets: Sequence[Target | None]) -> "Targets":
        """Return targets in columns."""
        if isinstance(targets, Targets):
            return targets
        found = [target or _NOWHERE for target in targets]
        return cls(
            [target.pixel_id for target in found],
            [target.recipient_id for target in found],
            [_to_milliseconds(target.token_made_at) for target in found],
            [_to_milliseconds(target.sent_at) for target in found],
            [target.domain for target in found],
            [target.erased for target in found],
            list(targets),
        )

    def _make(self, place: int) -> Target | None:
        made, sent, address = self.made[place], self.sent[place], self.addresses[place]
        if not self.pixels[place]:
            return None
        return Target(
            pixel_id=self.pixels[place],
            recipient_id=self.recipients[place],
            token_made_at=None if made is None else from_milliseconds(made),
            sent_at=None if sent is None else from_milliseconds(sent),
            domain=None if address is None else domain_of(address),
            erased=self.erased[place],
        )


_NOWHERE = Target(pixel_id="")


def _to_milliseconds(value: datetime | None) -> int | None:
    return None if value is None else to_milliseconds(value)


@attrs.frozen(eq=False)
class Finding:
    """What many opens have in common. Most of those that have it share one object, and it is compared as such.

    Attributes:
        user_agent: the same as that of `Open`, like all the others.
        signals: the signals.
        networks: the networks.
        verdict: the verdict.
        client: the client.
        counted: whether they count.
        erased: whether they are of erased people.
    """

    user_agent: str
    signals: tuple[str, ...]
    networks: tuple[str, ...]
    verdict: Verdict
    client: Client
    counted: bool
    erased: bool = False


@attrs.frozen(eq=False)
class Opens(_Columns[Open]):
    """Opens in columns. The attributes are those of `Open`, each for all; times and ages in milliseconds.

    Attributes:
        pixels: the ids of the pixels.
        recipients: the ids of the recipients.
        findings: all that is not in the other columns.
    """

    ids: list[str]
    pixels: list[str]
    recipients: list[str | None]
    times: list[int]
    ips: list[str | None]
    referers: list[str]
    ages: list[int | None]
    findings: list[Finding]
    values: list[Open] | None = None

    @classmethod
    def of(cls, opens: Sequence[Open]) -> "Opens":
        """Return opens in columns."""
        if isinstance(opens, Opens):
            return opens
        found: dict[object, Finding] = {}
        return cls(
            [one.id for one in opens],
            [one.pixel_id for one in opens],
            [one.recipient_id for one in opens],
            [to_milliseconds(one.opened_at) for one in opens],
            [one.ip for one in opens],
            [one.referer for one in opens],
            [None if one.age is None else round(one.age * 1000) for one in opens],
            [_find(one, found) for one in opens],
            list(opens),
        )

    @classmethod
    def join(cls, parts: Sequence["Opens"]) -> "Opens":
        """Return the opens of several, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(attrs.astuple(part, recurse=False) for part in parts), strict=True)
        joined: list[Any] = [None if None in some else list(chain.from_iterable(some)) for some in columns]
        return cls(*joined)

    def as_erased(self, places: Container[int]) -> "Opens":
        """Return the same opens, those at some places as `Open.as_erased` makes them."""
        return Opens.of([one.as_erased() if place in places else one for place, one in enumerate(self)])

    def _make(self, place: int) -> Open:
        finding, age = self.findings[place], self.ages[place]
        return Open(
            id=self.ids[place],
            pixel_id=self.pixels[place],
            recipient_id=self.recipients[place],
            token=None,
            opened_at=from_milliseconds(self.times[place]),
            ip=self.ips[place],
            user_agent=finding.user_agent,
            referer=self.referers[place],
            signals=finding.signals,
            networks=finding.networks,
            age=None if age is None else age / 1000,
            verdict=finding.verdict,
            client=finding.client,
            counted=finding.counted,
            erased=finding.erased,
        )


def _find(one: Open, found: dict[object, Finding]) -> Finding:
    """Return the finding of an open, one object for all that share it, and add a new one to those that were found."""
    # Verdicts and clients are few objects, and compared as such.
    key = (one.user_agent, one.signals, one.networks, id(one.verdict), id(one.client), one.counted, one.erased)
    finding = found.get(key)
    if finding is None:
        finding = found[key] = Finding(
            one.user_agent, one.signals, one.networks, one.verdict, one.client, one.counted, one.erased
        )
    return finding


_KINDS = {kind.value: kind for kind in VerdictKind}


@attrs.frozen(eq=False)
class Hours(_Columns[HourCount]):
    """Numbers of opens by hour and kind, in columns: those of `HourCount`, each for all.

    Attributes:
        starts: the starts of the hours, in milliseconds since 1970.
        kinds: the kinds of verdict.
        counted: the numbers of opens that count.
        raw: the numbers of all opens.
    """

    starts: list[int]
    kinds: list[VerdictKind]
    counted: list[int]
    raw: list[int]
    values: list[HourCount] | None = None

    @classmethod
    def of(cls, hours: Sequence[HourCount]) -> "Hours":
        """Return numbers of opens in columns."""
        if isinstance(hours, Hours):
            return hours
        return cls(
            [to_milliseconds(one.hour) for one in hours],
            [one.kind for one in hours],
            [one.opens.counted for one in hours],
            [one.opens.raw for one in hours],
            list(hours),
        )

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[int, str, int, int]]) -> "Hours":
        """Return numbers of opens, given the hour, the kind, how many opens count, and how many there are."""
        if not rows:
            return cls.of([])
        starts, kinds, counted, raw = zip(*rows, strict=True)
        return cls(list(starts), [_KINDS[kind] for kind in kinds], list(counted), list(raw))

    def __len__(self) -> int:
        return len(self.starts)

    def _make(self, place: int) -> HourCount:
        opens = Count(self.counted[place], self.raw[place])
        return HourCount(hour=from_milliseconds(self.starts[place]), kind=self.kinds[place], opens=opens)
