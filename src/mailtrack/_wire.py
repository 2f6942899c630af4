"""The model as the documented JSON, in one place."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from mailtrack._counts import Count, OpenSpan, OpenSpans
from mailtrack._event import Event
from mailtrack._json_data import to_data
from mailtrack._model import ApiKey, Client, Open, Page, Pixel, Recipient, T, Verdict
from mailtrack._times import to_text
from mailtrack._urls import RECIPIENT_QUERY, UPLOADS_PATH, Urls
from mailtrack._webhook import Delivery, Webhook
from mailtrack.report import Delay, DelayRange, Named, Period, Rate, Report

Json = dict[str, Any]

_OMITTED = override(omit=True)
_HIDDEN_OF_WEBHOOKS = ("secret", "former_secret", "former_until", "after", "replay_since")
_HIDDEN_OF_DELIVERIES = ("cursor", "event_at", "ended_at")


def make_converter() -> cattrs.Converter:
    """Make the converter from the model to JSON's types.

    Names become camelCase; tuples become arrays.

    - `datetime`: `"2025-11-06T12:00:00.000Z"`.
    - `OpenSpan`: `{"number": 2, "first": time or null, "last": time or null}`.
    - `Verdict`: `{"kind", "vendor", "reasons": [...], "certainty", "rulesVersion"}`.
    - `Pixel`: `{"id", "name", "createdAt", "imagePath", "archived", "note", "recipients": number, "opens": OpenSpan,
      "counted": OpenSpan, "prefetched", "views", "countedViews", "opened", "openedRaw": numbers}`, where `opens` and
      `views` are raw; its purged opens are left out.
    - `Recipient`: `{"id", "email", "ref": text or null, "data": object or null, "token", "createdAt", "sentAt": time or
      null, "state", "opens": OpenSpan, "counted": OpenSpan}`.
    - `Client`: `{"name", "version", "os", "device"}`.
    - `Report`: its attributes but for `pixel` and `top`; a `Count` is `{"counted", "raw"}`, a span of time a
      number of seconds, and a period `{"start", "opens"}` with the time in the report's zone, as in
      `"2025-11-06T00:00:00+01:00"`.
    - `ApiKey`: `{"id", "name", "createdAt"}`.
    - `Open`: `{"id", "recipientId", "token", "openedAt", "ip", "userAgent", "referer", "verdict", "client",
      "counted"}`.
    - `Webhook`: `{"id", "url", "first", "kinds": [...] or null, "pixels": [...] or null, "enabled", "disabledReason",
      "failingSince": time or null, "createdAt"}`; its secrets are left out.
    - `Delivery`: `{"id", "eventId", "state", "tries", "nextTryAt": time or null, "lastStatus", "error"}`; the id is
      `null` where it is not stored.
    """
    converter = cattrs.Converter()
    converter.register_unstructure_hook(datetime, to_text)
    converter.register_unstructure_hook(Enum, lambda value: value.value)
    converter.register_unstructure_hook(timedelta, lambda value: round(value.total_seconds(), 3))
    for type_ in (OpenSpan, Verdict, Client, Count, Rate, Delay, Named, DelayRange):
        converter.register_unstructure_hook(type_, _unstructure(converter, type_))
    converter.register_unstructure_hook(Pixel, _pixel_hook(converter))
    # Recipients and opens are listed by pixel, so their pixel is known.
    converter.register_unstructure_hook(Recipient, _recipient_hook(converter))
    converter.register_unstructure_hook(
        Open,
        _unstructure(converter, Open, **dict.fromkeys(("pixel_id", "signals", "networks", "age", "erased"), _OMITTED)),
    )
    converter.register_unstructure_hook(ApiKey, _unstructure(converter, ApiKey, digest=_OMITTED))
    names = override(unstruct_hook=lambda values: None if values is None else sorted(map(str, values)))
    hidden = dict.fromkeys(_HIDDEN_OF_WEBHOOKS, _OMITTED)
    converter.register_unstructure_hook(Webhook, _unstructure(converter, Webhook, kinds=names, pixels=names, **hidden))
    stored = override(unstruct_hook=lambda value: value or None)
    hidden = dict.fromkeys(_HIDDEN_OF_DELIVERIES, _OMITTED)
    converter.register_unstructure_hook(Delivery, _unstructure(converter, Delivery, id=stored, **hidden))
    local_time = override(unstruct_hook=lambda start: start.isoformat())
    converter.register_unstructure_hook(Period, _unstructure(converter, Period, start=local_time))
    converter.register_unstructure_hook(Report, _unstructure(converter, Report, pixel=_OMITTED, top=_OMITTED))
    return converter


def _pixel_hook(converter: cattrs.Converter) -> Callable[[Pixel], Json]:
    image = override(rename="imagePath", unstruct_hook=lambda name: None if name is None else UPLOADS_PATH + name)
    omitted = dict.fromkeys(("opens", "views", "opened", "purged", "purged_before"), _OMITTED)
    alone = _unstructure(converter, Pixel, image=image, **omitted)
    return lambda value: (
        alone(value)
        | _spans(converter, value.opens)
        | {"views": value.views.raw, "countedViews": value.views.counted}
        | {"opened": value.opened.counted, "openedRaw": value.opened.raw}
    )


def _recipient_hook(converter: cattrs.Converter) -> Callable[[Recipient], Json]:
    data = override(unstruct_hook=_from_data)
    alone = _unstructure(
        converter, Recipient, data=data, **dict.fromkeys(("pixel_id", "opens", "prefetches"), _OMITTED)
    )
    return lambda value: alone(value) | {"state": value.state.value} | _spans(converter, value.opens)


def _from_data(data: Mapping[str, object] | None) -> Json | None:
    if data is None:
        return None
    found: Json = json.loads(to_data(data).text)
    return found


def _spans(converter: cattrs.Converter, opens: OpenSpans) -> Json:
    return {"opens": converter.unstructure(opens.raw), "counted": converter.unstructure(opens.counted)}


def _unstructure(converter: cattrs.Converter, type_: type, **overrides: Any) -> Callable[[Any], Json]:
    renamed = {field.name: override(rename=_camel_case(field.name)) for field in type_.__attrs_attrs__}  # type: ignore[attr-defined]  # an attrs class
    return make_dict_unstructure_fn(type_, converter, **(renamed | overrides))


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


_converter = make_converter()


def pixel(value: Pixel, urls: Urls) -> Json:
    """Return a pixel with its URLs."""
    found: Json = _converter.unstructure(value)
    return found | {"trackingUrl": urls.tracking(value), "logsUrl": urls.logs(value)}


def recipient(value: Recipient, owner: Pixel, urls: Urls) -> Json:
    """Return a recipient of a pixel with its tracking URL."""
    found: Json = _converter.unstructure(value)
    return found | {"trackingUrl": urls.tracking(owner, value)}


def found_recipient(value: Recipient, owner: Pixel, urls: Urls) -> Json:
    """Return a recipient with the id and name of its pixel."""
    return recipient(value, owner, urls) | {"pixelId": owner.id, "pixelName": owner.name}


def open_(value: Open) -> Json:
    """Return an open."""
    found: Json = _converter.unstructure(value)
    return found


def event(value: Event) -> Json:
    """Return an event, with as much of its pixel and recipient as its readers need."""
    owner = value.recipient
    return {
        "id": value.id,
        "type": "open",
        "timestamp": to_text(value.open.opened_at),
        "data": {
            "pixel": {"id": value.pixel.id, "name": value.pixel.name},
            "recipient": owner
            and {"id": owner.id, "email": owner.email, "ref": owner.ref, "data": _from_data(owner.data)},
            "open": open_(value.open),
            "first": value.first,
            "firstCounted": value.first_counted,
        },
    }


def api_key(value: ApiKey) -> Json:
    """Return an API key without its digest."""
    found: Json = _converter.unstructure(value)
    return found


def webhook(value: Webhook) -> Json:
    """Return a webhook without its secrets."""
    found: Json = _converter.unstructure(value)
    return found


def new_secret(value: Webhook) -> Json:
    """Return a webhook with its present secret, which is shown only when it is made."""
    return webhook(value) | {"secret": value.secret}


def delivery(value: Delivery) -> Json:
    """Return a delivery."""
    found: Json = _converter.unstructure(value)
    return found


def report(value: Report, urls: Urls) -> Json:
    """Return a report, with the URLs of its pixel and recipients."""
    found: Json = _converter.unstructure(value)
    top = [recipient(one, value.pixel, urls) for one in value.top]
    return found | {"pixel": pixel(value.pixel, urls), "rateBase": "recipients", "top": top}


def page(value: Page[T], item: Callable[[T], Json]) -> Json:
    """Return a part of a list, each item by a function."""
    return {"items": [item(one) for one in value.items], "next": value.next}


def generated_tokens(owner: Pixel, recipients: list[Recipient], urls: Urls) -> Json:
    """Return the answer to a request for tokens."""
    prefix = urls.tracking(owner) + RECIPIENT_QUERY
    return {
        "success": True,
        "pixelId": owner.id,
        "generated": len(recipients),
        "tokens": [_token(one, prefix) for one in recipients],
    }


def _token(one: Recipient, prefix: str) -> Json:
    found: Json = {"email": one.email, "token": one.token, "trackingUrl": prefix + one.token, "recipientId": one.id}
    if one.ref is not None:
        found["ref"] = one.ref
    if one.data is not None:
        found["data"] = _from_data(one.data)
    return found
