"""The expected results of a storage, computed from the state machine's plain dicts.

Nothing here is shared with a storage: no helper of `mailtrack`, and no type of its model. An open is a dict with the
keys `id`, `recipient`, `at`, `kind`, `vendor`, `client`, `os`, `device`, `repeat`, `counted`, `place`, `purged`,
`erased`, `first` and `first_counted`; a recipient is one with `id`, `email`, `ref`, `data`, `token`, `at`, `sent` and
`place`; a pixel is a dict with its `recipients` and `opens`, both in the order in which they were added.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

# The upper ends of the buckets in seconds: an eighth of a doubling apart, counted from an eighth of a second.
_ENDS = [0.125 * (2 ** (number / 8) - 1) for number in range(1, 280)]

FACETS = ("vendor", "client", "os", "device")
"""The facets in the order in which figures list them."""

Span = tuple[int, datetime | None, datetime | None]
"""A number of opens, and the times of the first and the last."""

Plain = dict[str, Any]


def bucket(delay: timedelta) -> int:
    """Return the bucket of a delay: the number of buckets that end before it."""
    return sum(end <= delay.total_seconds() for end in _ENDS)


def kept(pixel: Plain) -> list[Plain]:
    """Return the opens that are listed. The figures include the purged ones as well."""
    return [one for one in pixel["opens"] if not one["purged"]]


def counted(opens: Iterable[Plain]) -> list[Plain]:
    """Return the opens that count."""
    return [one for one in opens if one["counted"]]


def both_spans(opens: list[Plain]) -> tuple[Span, Span]:
    """Return the span of all opens, and that of those that count."""
    return _span(opens), _span(counted(opens))


def _span(opens: list[Plain]) -> Span:
    times = [one["at"] for one in opens]
    return len(times), min(times, default=None), max(times, default=None)


def views(pixel: Plain) -> tuple[int, int]:
    """Return the number of opens that are no repeats, and of those among them that count."""
    shown = [one for one in pixel["opens"] if not one["repeat"]]
    return len(shown), len(counted(shown))


def openers(pixel: Plain) -> tuple[dict[str, list[Plain]], dict[str, list[Plain]]]:
    """Return the opens of each recipient that has any, by its id in order of creation, and those that count."""
    own = {one["id"]: [it for it in pixel["opens"] if it["recipient"] == one["id"]] for one in pixel["recipients"]}
    raw = {owner: opens for owner, opens in own.items() if opens}
    return raw, {owner: counted(opens) for owner, opens in own.items() if counted(opens)}


def hours(pixel: Plain) -> list[tuple[datetime, str, int, int]]:
    """Return the hours that had opens, with the kind of verdict, all opens, and those that count."""
    return _grouped(pixel["opens"], lambda one: (one["at"].replace(minute=0, second=0, microsecond=0), one["kind"]))


def days(pixel: Plain, since: datetime) -> list[tuple[datetime, int, int]]:
    """Return the days from a time on that had opens, with all opens, and those that count."""
    opens = [one for one in pixel["opens"] if one["at"] >= since]
    return _grouped(opens, lambda one: (one["at"].replace(hour=0, minute=0, second=0, microsecond=0),))


def totals(added: list[tuple[str, bool]]) -> dict[str, tuple[int, int]]:
    """Return the number of opens by kind, of all and of those that counted."""
    numbers = Counter(kind for kind, _ in added)
    counting = Counter(kind for kind, counts in added if counts)
    return {kind: (number, counting[kind]) for kind, number in numbers.items()}


def _grouped(opens: list[Plain], key: Any) -> list[Any]:
    numbers = Counter(map(key, opens))
    counting = Counter(map(key, counted(opens)))
    return sorted((*group, number, counting[group]) for group, number in numbers.items())


def facets(pixel: Plain, limit: int) -> list[tuple[str, str, int, int]]:
    """Return the most frequent names of each facet, with all opens, and those that count."""
    found = []
    for facet in FACETS:
        named = [one for one in pixel["opens"] if one[facet] is not None]
        names = sorted(_grouped(named, lambda one, facet=facet: (one[facet],)), key=lambda name: -name[1])
        found += [(facet, *name) for name in names[:limit]]
    return found


def delays(pixel: Plain) -> list[tuple[int, int, int]]:
    """Return the buckets of the delays of first opens: for how many recipients of any, and of one that counts."""
    own = {one["id"]: one for one in pixel["recipients"]}
    firsts = [
        Counter(bucket(_delay(own[owner], min(one["at"] for one in opens))) for owner, opens in some.items())
        for some in openers(pixel)
    ]
    return [(number, firsts[0][number], firsts[1][number]) for number in sorted({*firsts[0], *firsts[1]})]


def _delay(recipient: Plain, first: datetime) -> timedelta:
    late = recipient["sent"] is None or recipient["sent"] > first
    start: datetime = recipient["at" if late else "sent"]
    return first - start


def firsts(pixel: Plain, new: Plain) -> Plain:
    """Return whether an open that is going to be added is the first of its recipient, and the first that counts."""
    exists = new["recipient"] in [one["id"] for one in pixel["recipients"]]
    own = [one for one in pixel["opens"] if one["recipient"] == new["recipient"]]
    return {"first": exists and not own, "first_counted": exists and new["counted"] and not counted(own)}


def same(pixel: Plain, wanted: Plain) -> Plain | None:
    """Return the recipient of a pixel with an address and a reference, `None` where there is none."""
    for one in pixel["recipients"]:
        if (one["email"].lower(), one["ref"]) == (wanted["email"].lower(), wanted["ref"]):
            found: Plain = one
            return found
    return None


def own(pixel: Plain, email: str) -> list[Plain]:
    """Return the recipients of a pixel with an address in any case."""
    return [one for one in pixel["recipients"] if one["email"].lower() == email.lower()]


def found(pixels: Iterable[Plain], email: str) -> list[str]:
    """Return the ids of the recipients of all pixels with an address in any case, the newest first."""
    owners = [(pixel, one) for pixel in pixels for one in own(pixel, email)]
    owners.sort(key=lambda owner: (owner[1]["at"], owner[0]["place"], owner[1]["place"]), reverse=True)
    return [one["id"] for _, one in owners]


def matching(pixel: Plain, text: str) -> list[Plain]:
    """Return the recipients of a pixel that have a text in their address or reference, in any case."""
    texts = [(one["email"], one["ref"] or "") for one in pixel["recipients"]]
    found = zip(pixel["recipients"], texts, strict=True)
    return [one for one, own in found if any(text.lower() in it.lower() for it in own)]


def state(pixel: Plain, recipient: Plain) -> str:
    """Return the state of a recipient of a pixel."""
    own = [one for one in pixel["opens"] if one["recipient"] == recipient["id"]]
    if counted(own):
        return "opened"
    if "prefetch" in [one["kind"] for one in own]:
        return "prefetched"
    return "scanned" if own else "none"


def prefetched(pixel: Plain) -> int:
    """Return the number of recipients that are in the state `prefetched`."""
    return [state(pixel, one) for one in pixel["recipients"]].count("prefetched")


def target(pixel: Plain, token: str, gone: Iterable[Plain]) -> Plain:
    """Return what is known of the recipient with a token; nothing without one, but whether it was erased."""
    for one in pixel["recipients"]:
        if one["token"] == token:
            domain = one["email"].lower().split("@")[-1]
            return {"recipient_id": one["id"], "token_made_at": one["at"], "sent_at": one["sent"], "domain": domain}
    erased = [one for one in gone if "erased" in one and one["token"] == token and one["id"][:8] == pixel["id"][:8]]
    return {"erased": bool(erased)}


def top(pixel: Plain, limit: int) -> list[tuple[str, int]]:
    """Return the recipients with the most opens that count, at least two."""
    numbers = [(owner, len(opens)) for owner, opens in openers(pixel)[1].items() if len(opens) > 1]
    return sorted(numbers, key=lambda one: -one[1])[:limit]
