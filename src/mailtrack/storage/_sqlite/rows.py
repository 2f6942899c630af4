"""Rows of the tables to values of the model, and back."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from mailtrack._model import (
    NEVER_OPENED,
    ApiKey,
    Client,
    Image,
    Open,
    OpenSpan,
    Page,
    Pixel,
    Recipient,
    T,
    Target,
    Verdict,
)
from mailtrack._times import from_milliseconds
from mailtrack.storage import _cursors as cursors

PIXEL = (
    "pixel, id, name, created_at, image, recipients, views, counted_views, opened, opened_raw, purged, purged_before,"
    " opens, first_opened_at, last_opened_at, counted, first_counted_at, last_counted_at"
)
RECIPIENT = (
    "r.number, r.id, r.email, r.token, r.created_at,"
    " r.opens, r.first_opened_at, r.last_opened_at, r.counted, r.first_counted_at, r.last_counted_at"
)
OPEN = (
    "o.number, o.id, o.recipient, r.token, o.opened_at, o.ip, o.user_agent, o.referer, o.signs, o.age, o.counted,"
    " o.verdict, o.vendor, o.reasons, o.certainty, o.rules_version, o.client, o.client_version, o.os, o.device"
)
NEW_OPEN = (
    "pixel, number, id, recipient, opened_at, ip, user_agent, referer, signs, age, counted,"
    " verdict, vendor, reasons, certainty, rules_version, client, client_version, os, device"
)
KEY = "id, name, digest, created_at"
_VERDICT_COLUMNS = 5


def to_pixel(row: Sequence[Any]) -> Pixel:
    """Make a pixel from the columns of `PIXEL`."""
    _, pixel_id, name, created_at, image, recipients, views, counted_views, opened, opened_raw, *rest = row
    purged, purged_before, *spans = rest
    return Pixel(
        id=pixel_id,
        name=name,
        created_at=from_milliseconds(created_at),
        image=image,
        recipients=recipients,
        opens=_to_span(*spans[:3]),
        counted=_to_span(*spans[3:]),
        views=views,
        counted_views=counted_views,
        opened=opened,
        opened_raw=opened_raw,
        purged=purged,
        purged_before=None if purged_before is None else from_milliseconds(purged_before),
    )


def to_recipient(row: Sequence[Any], pixel_id: str) -> Recipient:
    """Make a recipient from the columns of `RECIPIENT`."""
    _, recipient_id, email, token, created_at, opens, first, last, counted, first_counted, last_counted = row
    return Recipient(
        id=recipient_id,
        pixel_id=pixel_id,
        email=email,
        token=token,
        created_at=_to_shared_time(created_at),
        opens=_to_span(opens, first, last),
        counted=_to_span(counted, first_counted, last_counted),
    )


def to_target(pixel_id: str, recipient_id: str, created_at: int) -> Target:
    """Make the target of a hit with a recipient's token."""
    return Target(pixel_id=pixel_id, recipient_id=recipient_id, token_made_at=_to_shared_time(created_at))


def to_open(row: Sequence[Any], pixel_id: str) -> Open:
    """Make an open from the columns of `OPEN`."""
    _, open_id, recipient_id, token, opened_at, ip, user_agent, referer, signals, age, counted, *judged = row
    return Open(
        id=open_id,
        pixel_id=pixel_id,
        recipient_id=recipient_id,
        token=token,
        opened_at=from_milliseconds(opened_at),
        ip=ip,
        user_agent=user_agent,
        referer=referer,
        signals=tuple(signals.split()),
        age=None if age is None else age / 1000,
        counted=bool(counted),
        verdict=_to_verdict(*judged[:_VERDICT_COLUMNS]),
        client=_to_client(*judged[_VERDICT_COLUMNS:]),
    )


def from_opens(
    opens: Sequence[Open], pixel: int, numbers: Iterable[int], times: Iterable[int]
) -> Iterator[tuple[object, ...]]:
    """Make the columns of `NEW_OPEN` for each open, given their numbers and times in milliseconds."""
    alike: dict[tuple[int, int], tuple[object, ...]] = {}  # verdicts and clients are few objects: by identity
    for new, number, at in zip(opens, numbers, times, strict=False):
        key = (id(new.verdict), id(new.client))
        judged = alike.get(key)
        if judged is None:
            judged = alike[key] = (*from_verdict(new.verdict), *from_client(new.client))
        yield (
            pixel,
            number,
            new.id,
            new.recipient_id,
            at,
            new.ip,
            new.user_agent,
            new.referer,
            " ".join(new.signals),
            None if new.age is None else round(new.age * 1000),
            new.counted,
            *judged,
        )


@lru_cache(maxsize=1024)
def from_verdict(verdict: Verdict) -> tuple[object, ...]:
    """Make the columns from `verdict` to `rules_version`."""
    return (
        verdict.kind.value,
        verdict.vendor,
        json.dumps(verdict.reasons),
        verdict.certainty.value if verdict.certainty else None,
        verdict.rules_version,
    )


@lru_cache(maxsize=1024)
def from_client(client: Client) -> tuple[object, ...]:
    """Make the columns from `client` to `device`."""
    return (client.name, client.version, client.os, client.device)


def to_key(row: Sequence[Any]) -> ApiKey:
    """Make an API key from the columns of `KEY`."""
    key_id, name, digest, created_at = row
    return ApiKey(id=key_id, name=name, digest=digest, created_at=from_milliseconds(created_at))


def to_page(rows: Sequence[Any], limit: int, convert: Callable[[Any], T], *, place: int) -> Page[T]:
    """Cut a page from up to `limit + 1` rows; the column `place` of the last one on it is the cursor."""
    items = tuple(convert(row) for row in rows[:limit])
    return Page(items=items, next=cursors.from_place(rows[limit - 1][place]) if len(rows) > limit else None)


def _to_span(number: int, first: int | None, last: int | None) -> OpenSpan:
    if first is None or last is None:
        return NEVER_OPENED
    return OpenSpan(number=number, first=from_milliseconds(first), last=from_milliseconds(last))


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


@lru_cache(maxsize=1024)
def _to_client(name: str, version: str, os: str, device: str) -> Client:
    return Client(name=name, version=version, os=os, device=device)


def add_image(db: sqlite3.Connection, pixel: int | None, image: Image) -> None:
    """Add a pixel's image. Its bytes are written, not bound: a connection would keep a bound value for long."""
    size = len(image.data)
    place = db.execute("INSERT INTO images VALUES (?, ?, zeroblob(?))", (pixel, image.media_type, size)).lastrowid
    if place is not None:
        with db.blobopen("images", "data", place) as blob:
            blob.write(image.data)
