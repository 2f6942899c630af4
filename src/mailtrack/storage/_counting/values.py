"""Recipients, opens and events of the model from the columns of rows: all of a page at once.

Row by row, making these values took two thirds of the time of reading a page.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from mailtrack._event import Event
from mailtrack._json_data import JsonData
from mailtrack._model import Open, Pixel, Recipient
from mailtrack._slots import maker_of
from mailtrack._times import from_all_milliseconds, from_milliseconds
from mailtrack.storage._counting.firsts import FIRST, FIRST_COUNTED
from mailtrack.storage._counting.shared_rows import ReadAgent, ReadJudgement
from mailtrack.storage._counting.spans import to_all_open_spans

_IS_FIRST = [bits & FIRST > 0 for bits in range(4)]
_IS_FIRST_COUNTED = [bits & FIRST_COUNTED > 0 for bits in range(4)]

_make_recipients, _make_opens, _make_events = maker_of(Recipient), maker_of(Open), maker_of(Event)


def make_recipients(rows: Sequence[Sequence[Any]], pixel_ids: Iterable[str]) -> list[Recipient]:
    """Return the recipients of rows, given their pixels.

    Args:
        rows: number, id, address, reference ("" for none), data as JSON, token, times of creation and sending, number
            of prefetches, and the first six fields of the `Spans`.
        pixel_ids: the id of the pixel of each.
    """
    if not rows:
        return []
    _, ids, emails, refs, data, tokens, made_at, sent_at, prefetches, *spans = zip(*rows, strict=True)
    times = {
        at: from_milliseconds(at) for at in {*made_at, *sent_at} if at is not None
    }  # of a request, all are the same
    columns = (
        ids,
        pixel_ids,
        emails,
        [ref or None for ref in refs],
        [None if one is None else JsonData(one) for one in data],
        tokens,
        map(times.get, made_at),
        map(times.get, sent_at),
        to_all_open_spans(*spans),
        prefetches,
    )
    return _make_recipients(len(rows), columns)


def make_opens(
    *,
    ids: Iterable[str],
    pixel_ids: Iterable[str],
    recipient_ids: Iterable[str | None],
    tokens: Iterable[str | None],
    times: Iterable[int],
    ips: Iterable[str | None],
    referers: Iterable[str],
    ages: Iterable[int | None],
    agents: Iterable[ReadAgent],
    judgements: Iterable[ReadJudgement],
) -> list[Open]:
    """Return opens, given the columns of what they consist of. Times and ages are in milliseconds."""
    user_agents, clients = _turn(agents, 2)
    verdicts, counted, signals, networks = _turn(judgements, 4)
    columns = (
        ids,
        pixel_ids,
        recipient_ids,
        tokens,
        from_all_milliseconds(times),
        ips,
        user_agents,
        referers,
        signals,
        networks,
        [None if age is None else age / 1000 for age in ages],
        verdicts,
        clients,
        counted,
        repeat(False),
    )
    return _make_opens(len(user_agents), columns)


def _turn(rows: Iterable[tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    """Return the columns of rows that have some width."""
    return list(zip(*rows, strict=True)) or [()] * width


def make_events(
    cursors: Iterable[str],
    opens: Iterable[Open],
    pixels: Iterable[Pixel],
    recipients: Iterable[Recipient | None],
    firsts: Iterable[int],
) -> list[Event]:
    """Return events, given the columns of what they consist of. `firsts` are the bits of `find_firsts`."""
    given = list(opens)
    bits = list(firsts)
    columns = (
        cursors,
        given,
        pixels,
        recipients,
        map(_IS_FIRST.__getitem__, bits),
        map(_IS_FIRST_COUNTED.__getitem__, bits),
    )
    return _make_events(len(given), columns)
