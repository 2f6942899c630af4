"""Rows of the tables to values of the model, and back."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from mailtrack.model import NEVER_OPENED, Open, OpenSpan, Page, Pixel, Recipient, T, Target, Verdict
from mailtrack.storage import cursors
from mailtrack.times import from_milliseconds

PIXEL = "pixel, id, name, created_at, image, recipients, opens, first_opened_at, last_opened_at"
RECIPIENT = "r.number, r.id, r.email, r.token, r.created_at, r.opens, r.first_opened_at, r.last_opened_at"
OPEN = (
    "o.number, o.id, o.recipient, r.token, o.opened_at, o.ip, o.user_agent, o.referer,"
    " o.verdict, o.vendor, o.reasons, o.certainty, o.rules_version"
)
OPEN_COLUMNS = 13
# Plain placeholders: Python 3.12.0 to 3.12.3 warn of numbered ones.
COUNT_OPENS = (
    "opens = opens + ?, first_opened_at = min(?, coalesce(first_opened_at, 9223372036854775807)),"
    " last_opened_at = max(?, coalesce(last_opened_at, -9223372036854775807))"
)


def to_pixel(row: Sequence[Any]) -> Pixel:
    """Make a pixel from the columns of `PIXEL`."""
    _, pixel_id, name, created_at, image, recipients, *span = row
    return Pixel(
        id=pixel_id,
        name=name,
        created_at=from_milliseconds(created_at),
        image=image,
        recipients=recipients,
        opens=_to_span(span),
    )


def to_recipient(row: Sequence[Any], pixel_id: str) -> Recipient:
    """Make a recipient from the columns of `RECIPIENT`."""
    _, recipient_id, email, token, created_at, *span = row
    return Recipient(
        id=recipient_id,
        pixel_id=pixel_id,
        email=email,
        token=token,
        created_at=_to_shared_time(created_at),
        opens=_to_span(span),
    )


def to_target(pixel_id: str, recipient_id: str, created_at: int) -> Target:
    """Make the target of a hit with a recipient's token."""
    return Target(pixel_id=pixel_id, recipient_id=recipient_id, token_made_at=_to_shared_time(created_at))


def to_open(row: Sequence[Any], pixel_id: str) -> Open:
    """Make an open from the columns of `OPEN`."""
    _, open_id, recipient_id, token, opened_at, ip, user_agent, referer, *verdict = row
    return Open(
        id=open_id,
        pixel_id=pixel_id,
        recipient_id=recipient_id,
        token=token,
        opened_at=from_milliseconds(opened_at),
        ip=ip,
        user_agent=user_agent,
        referer=referer,
        verdict=_to_verdict(*verdict),
    )


def from_open(new: Open, pixel: int, number: int, at: int) -> tuple[object, ...]:
    """Make a row of the table `opens`, given the time of the open in milliseconds."""
    return (
        pixel,
        number,
        new.id,
        new.recipient_id,
        at,
        new.ip,
        new.user_agent,
        new.referer,
        *_from_verdict(new.verdict),
    )


@lru_cache(maxsize=1024)
def _from_verdict(verdict: Verdict) -> tuple[object, ...]:
    return (
        verdict.kind.value,
        verdict.vendor,
        json.dumps(verdict.reasons),
        verdict.certainty.value if verdict.certainty else None,
        verdict.rules_version,
    )


def to_page(rows: Sequence[Any], limit: int, convert: Callable[[Any], T], *, place: int) -> Page[T]:
    """Cut a page from up to `limit + 1` rows; the column `place` of the last one on it is the cursor."""
    items = tuple(convert(row) for row in rows[:limit])
    return Page(items=items, next=cursors.from_place(rows[limit - 1][place]) if len(rows) > limit else None)


def _to_span(columns: Sequence[int | None]) -> OpenSpan:
    number, first, last = columns
    if not number:
        return NEVER_OPENED
    return OpenSpan(
        number=number,
        first=None if first is None else from_milliseconds(first),
        last=None if last is None else from_milliseconds(last),
    )


# All recipients of one request have one time.
_to_shared_time = lru_cache(maxsize=64)(from_milliseconds)


@lru_cache(maxsize=1024)
def _to_verdict(kind: str, vendor: str | None, reasons: str, certainty: str | None, rules_version: int) -> Verdict:
    return Verdict(
        kind=kind,
        vendor=vendor,
        reasons=json.loads(reasons),
        certainty=certainty,
        rules_version=rules_version,
    )
