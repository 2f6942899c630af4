"""Recipients, opens and events of the model from the columns of rows: all of a page at once.

Row by row, making these values took two thirds of the time of reading a page.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mailtrack._event import Event
from mailtrack._json_data import JsonData
from mailtrack._model import Open, Pixel, Recipient, make_all
from mailtrack._slots import maker_of
from mailtrack._times import from_all_milliseconds, from_milliseconds
from mailtrack.storage._counting.firsts import FIRST, FIRST_COUNTED
from mailtrack.storage._counting.shared_rows import ReadAgent, ReadJudgement
from mailtrack.storage._counting.spans import to_all_open_spans

_IS_FIRST = [bits & FIRST > 0 for bits in range(4)]
_IS_FIRST_COUNTED = [bits & FIRST_COUNTED > 0 for bits in range(4)]

_make_recipients = maker_of(Recipient)


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
    columns = (ids, pixel_ids, recipient_ids, tokens, from_all_milliseconds(times), ips, referers, ages)
    fields = [
        {
            "id": open_id,
            "pixel_id": pixel_id,
            "recipient_id": recipient_id,
            "token": token,
            "opened_at": at,
            "ip": ip,
            "user_agent": user_agent,
            "referer": referer,
            "signals": signals,
            "networks": networks,
            "age": None if age is None else age / 1000,
            "verdict": verdict,
            "client": client,
            "counted": counted,
            "erased": False,
        }
        for open_id, pixel_id, recipient_id, token, at, ip, referer, age, (user_agent, client), (
            verdict,
            counted,
            signals,
            networks,
        ) in zip(*columns, agents, judgements, strict=True)
    ]
    return make_all(Open, fields)


def make_events(
    cursors: Iterable[str],
    opens: Iterable[Open],
    pixels: Iterable[Pixel],
    recipients: Iterable[Recipient | None],
    firsts: Iterable[int],
) -> list[Event]:
    """Return events, given the columns of what they consist of. `firsts` are the bits of `find_firsts`."""
    fields = [
        {
            "cursor": cursor,
            "open": one,
            "pixel": pixel,
            "recipient": recipient,
            "first": _IS_FIRST[bits],
            "first_counted": _IS_FIRST_COUNTED[bits],
        }
        for cursor, one, pixel, recipient, bits in zip(cursors, opens, pixels, recipients, firsts, strict=True)
    ]
    return make_all(Event, fields)
