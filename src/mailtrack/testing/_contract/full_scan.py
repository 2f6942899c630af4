"""A full scan of a pixel's opens, to compare the figures with, and opens of all sorts to scan."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

from mailtrack._counts import Count, OpenSpan, OpenSpans
from mailtrack._figures import DelayCount, Facet, Figures, HourCount
from mailtrack._model import Certainty, Client, Open, Pixel, Recipient, RecipientState, Verdict, VerdictKind
from mailtrack.storage import Storage
from mailtrack.testing._contract.helpers import all_opens, all_recipients
from mailtrack.testing._expected import bucket as to_bucket
from mailtrack.testing._factories import NOON, make_open

VERDICT = Verdict(kind="proxy", vendor="Müller", reasons=("a-b", "c"), certainty=Certainty.CERTAIN, rules_version=7)
BOT = Verdict(kind="bot", vendor="Robots", reasons=("d",), certainty=Certainty.CERTAIN, rules_version=8)
CLIENT = Client(name="Thunderbird", version="128", os="Linux", device="desktop")


def facets(figures: Figures, facet: Facet) -> list[tuple[str, int, int]]:
    """Return the names of a facet, each with its number of opens, and of those that count."""
    return [(one.name, one.opens.raw, one.opens.counted) for one in figures.facets if one.facet is facet]


def delay_count(delay: timedelta, recipients: int, counted: int) -> DelayCount:
    """Return the count of a delay: of recipients by their first open, and by their first open that counts."""
    return DelayCount(bucket=to_bucket(delay), recipients=Count(counted, recipients))


def everything(storage: Storage, pixel: Pixel) -> tuple[Any, ...]:
    """Return everything a storage returns for a pixel."""
    return (
        storage.get_pixel(pixel.id),
        all_recipients(storage, pixel),
        all_opens(storage, pixel),
        storage.get_figures(pixel.id, top=100),
    )


def some_opens(pixel: Pixel, recipients: list[Recipient], number: int) -> list[Open]:
    """Make opens of all sorts: the same for each call, except for their ids."""
    dice = random.Random(0)  # noqa: S311  # the same opens each time
    kinds = list(VerdictKind)
    return [
        make_open(
            pixel,
            dice.choice([None, *recipients]),
            at=NOON + timedelta(minutes=dice.randrange(-60, 6000)),
            signals=dice.choice([(), ("repeat",), ("range",)]),
            verdict=Verdict(kind=dice.choice(kinds), vendor=dice.choice([None, "Google", "Apple"])),
            client=Client(name=dice.choice("abc"), os=dice.choice("xy"), device=dice.choice(["mobile", "desktop"])),
            counted=dice.random() < 0.6,
        )
        for _ in range(number)
    ]


def assert_scan(storage: Storage, pixel: Pixel) -> None:
    """Compare all counts of a pixel with a scan of its opens and recipients."""
    opens = all_opens(storage, pixel)
    recipients = all_recipients(storage, pixel)
    figures = storage.get_figures(pixel.id, top=100)
    assert figures.pixel == storage.get_pixel(pixel.id)
    _assert_opens(figures, opens)
    _assert_recipients(figures, opens, recipients)


def _assert_opens(figures: Figures, opens: list[Open]) -> None:
    counted = _counted(opens)
    found = figures.pixel
    assert found.opens == OpenSpans(counted=_span(counted), raw=_span(opens))
    assert found.views == Count(*(sum("repeat" not in one.signals for one in some) for some in (counted, opens)))
    hours = [Counter((one.opened_at.replace(minute=0), one.verdict.kind) for one in some) for some in (opens, counted)]
    assert figures.hours == tuple(
        HourCount(hour=hour, kind=kind, opens=Count(hours[1][hour, kind], number))
        for (hour, kind), number in sorted(hours[0].items())
    )
    for facet in Facet:
        names = [Counter(_names(one)[facet] for one in some) for some in (opens, counted)]
        del names[0][None]
        assert facets(figures, facet) == [
            (name, number, names[1][name])
            for name, number in sorted(names[0].items(), key=lambda item: (-item[1], item[0] or ""))
        ]


def _names(one: Open) -> dict[Facet, str | None]:
    return {
        Facet.VENDOR: one.verdict.vendor,
        Facet.CLIENT: one.client.name,
        Facet.OS: one.client.os,
        Facet.DEVICE: one.client.device,
    }


def _assert_recipients(figures: Figures, opens: list[Open], recipients: list[Recipient]) -> None:
    own = {one.id: [it for it in opens if it.recipient_id == one.id] for one in recipients}
    for one in recipients:
        assert one.opens == OpenSpans(counted=_span(_counted(own[one.id])), raw=_span(own[one.id]))
        assert one.prefetches == sum(it.verdict.kind is VerdictKind.PREFETCH for it in own[one.id])
    opened = [one for one in recipients if own[one.id]]
    opened_counted = [one for one in recipients if _counted(own[one.id])]
    assert figures.pixel.opened == Count(len(opened_counted), len(opened))
    assert figures.pixel.prefetched == sum(one.state is RecipientState.PREFETCHED for one in recipients)
    raw = Counter(_delay(one, own[one.id]) for one in opened)
    counted = Counter(_delay(one, _counted(own[one.id])) for one in opened_counted)
    assert figures.delays == tuple(
        DelayCount(bucket=bucket, recipients=Count(counted[bucket], raw[bucket])) for bucket in sorted({*raw, *counted})
    )
    often = [one for one in recipients if len(_counted(own[one.id])) >= 2]
    assert list(figures.top) == sorted(often, key=lambda one: -len(_counted(own[one.id])))


def _delay(recipient: Recipient, opens: list[Open]) -> int:
    first = min(one.opened_at for one in opens)
    sent = recipient.sent_at
    return to_bucket(first - (sent if sent and sent <= first else recipient.created_at))


def _counted(opens: list[Open]) -> list[Open]:
    return [one for one in opens if one.counted]


def _span(opens: list[Open]) -> OpenSpan:
    times = [one.opened_at for one in opens]
    return OpenSpan(number=len(times), first=min(times, default=None), last=max(times, default=None))
