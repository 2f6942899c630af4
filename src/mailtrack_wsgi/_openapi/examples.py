"""Examples: one small mailing as the API shows it, by the names of the schemas."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from mailtrack import _export as export
from mailtrack import _wire as wire
from mailtrack._counts import Count, OpenSpan, OpenSpans
from mailtrack._delays import to_bucket
from mailtrack._event import Event, event_id
from mailtrack._figures import DelayCount, Facet, FacetCount, Figures, HourCount
from mailtrack._model import Client, Open, Page, Pixel, Recipient, Verdict, VerdictKind
from mailtrack._times import to_text
from mailtrack._urls import Urls
from mailtrack._webhook import Delivery, DeliveryState, Webhook
from mailtrack.report import make_report

_NOON = datetime(2025, 11, 6, 12, tzinfo=UTC)
_SENT = _NOON + timedelta(minutes=15)
_FETCHED, _OPENED = _SENT + timedelta(seconds=2), _SENT + timedelta(minutes=5)
_ONCE = OpenSpan(number=1, first=_OPENED, last=_OPENED)

PIXEL = Pixel(
    id="a1b2c3d4-e5f6-7890-1234-567890abcdef",
    name="Spring launch",
    created_at=_NOON,
    recipients=2,
    opens=OpenSpans(counted=_ONCE, raw=OpenSpan(number=2, first=_FETCHED, last=_OPENED)),
    views=Count(1, 2),
    opened=Count(1, 2),
    prefetched=1,
)
ANN = Recipient(
    id="a1b2c3d40123456789abcdef",
    pixel_id=PIXEL.id,
    email="ann@example.org",
    token="tok_0123456789abcdef0123456789abcdef",  # noqa: S106  # an example
    created_at=_NOON,
    sent_at=_SENT,
    opens=OpenSpans(counted=_ONCE, raw=_ONCE),
)
_BOB = Recipient(
    id="a1b2c3d4fedcba9876543210",
    pixel_id=PIXEL.id,
    email="bob@example.com",
    token="tok_fedcba9876543210fedcba9876543210",  # noqa: S106  # an example
    created_at=_NOON,
    sent_at=_SENT,
    opens=OpenSpans(raw=OpenSpan(number=1, first=_FETCHED, last=_FETCHED)),
    prefetches=1,
)
_OPEN = Open(
    id="019a58f1ca600123456789ab00000001",
    pixel_id=PIXEL.id,
    recipient_id=ANN.id,
    token=ANN.token,
    opened_at=_OPENED,
    ip="192.0.2.1",
    user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1",
    verdict=Verdict(
        kind=VerdictKind.HUMAN, vendor="Mozilla", reasons=("thunderbird",), certainty="certain", rules_version=1
    ),
    client=Client(name="Thunderbird", version="128", os="Linux", device="desktop"),
)
_EVENT = Event(cursor="1.0", open=_OPEN, pixel=PIXEL, recipient=ANN, first=False, first_counted=True)
WEBHOOK = Webhook(
    id="0123456789abcdef",
    url="https://crm.example.org/mailtrack",
    secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # noqa: S106  # an example
    created_at=_NOON,
)
_DELIVERY = Delivery(
    id="17",
    event_id=event_id(_OPEN.id),
    cursor="1.1",
    event_at=_OPENED,
    tries=1,
    next_try_at=_OPENED + timedelta(seconds=5),
    last_status=500,
    error="The endpoint answered with 500.",
)
_TEST = Delivery(
    event_id="evt_test_0123456789abcdef",
    cursor="",
    event_at=_NOON,
    state=DeliveryState.DELIVERED,
    tries=1,
    last_status=204,
    ended_at=_NOON,
)
_FIGURES = Figures(
    pixel=PIXEL,
    hours=(
        HourCount(hour=_NOON, kind=VerdictKind.HUMAN, opens=Count(1, 1)),
        HourCount(hour=_NOON, kind=VerdictKind.PREFETCH, opens=Count(0, 1)),
    ),
    facets=(
        FacetCount(facet=Facet.VENDOR, name="Apple", opens=Count(0, 1)),
        FacetCount(facet=Facet.VENDOR, name="Mozilla", opens=Count(1, 1)),
        FacetCount(facet=Facet.CLIENT, name="Thunderbird", opens=Count(1, 1)),
        FacetCount(facet=Facet.OS, name="Linux", opens=Count(1, 1)),
        FacetCount(facet=Facet.DEVICE, name="desktop", opens=Count(1, 1)),
    ),
    delays=(
        DelayCount(bucket=to_bucket(_FETCHED - _SENT), recipients=Count(0, 1)),
        DelayCount(bucket=to_bucket(_OPENED - _SENT), recipients=Count(1, 1)),
    ),
    top=(),
)


def make_examples(urls: Urls) -> dict[str, Any]:
    """Return an example for each schema of a request or an answer, made as the API makes its answers.

    Args:
        urls: builds the URLs in them.
    """
    recipient = partial(wire.recipient, owner=PIXEL, urls=urls)
    return {
        "NewPixel": {"name": PIXEL.name},
        "NewPixelWithImage": {"name": PIXEL.name},
        "NewTokens": {"emails": [ANN.email, _BOB.email]},
        "Created": wire.pixel(Pixel(id=PIXEL.id, name=PIXEL.name, created_at=_NOON), urls),
        "Pixel": wire.pixel(PIXEL, urls),
        "PixelPage": wire.page(Page(items=(PIXEL,)), partial(wire.pixel, urls=urls)),
        "PixelChange": {"name": PIXEL.name, "archived": False},
        "PixelDeleted": {"success": True, "message": "Pixel deleted successfully"},
        "Tokens": wire.generated_tokens(PIXEL, [ANN, _BOB], urls),
        "Sent": {"recipientIds": [ANN.id, _BOB.id], "at": to_text(_SENT)},
        "MarkedSent": {"success": True, "sent": 2},
        "RecipientPage": wire.page(Page(items=(ANN, _BOB)), recipient),
        "FoundRecipient": wire.found_recipient(ANN, PIXEL, urls),
        "FoundRecipientPage": wire.page(Page(items=(ANN,)), partial(wire.found_recipient, owner=PIXEL, urls=urls)),
        "PersonExport": [wire.found_recipient(ANN, PIXEL, urls) | {"log": [wire.open_(_OPEN)]}],
        "ErasedPerson": {"email": ANN.email},
        "Erased": {"success": True, "recipients": 1, "opens": 1},
        "RecipientDeleted": {
            "success": True,
            "message": "Recipient deleted successfully",
            "deletedEmail": ANN.email,
        },
        "EventPage": wire.page(Page(items=(_EVENT,), next=_EVENT.cursor), wire.event),
        "OpenPage": wire.page(Page(items=(_OPEN,)), wire.open_),
        "NewWebhook": {"url": WEBHOOK.url, "first": "firstCounted", "kinds": ["human", "proxy"], "pixels": [PIXEL.id]},
        "WebhookChange": {"enabled": True},
        "Webhook": wire.webhook(WEBHOOK),
        "WebhookWithSecret": wire.new_secret(WEBHOOK),
        "WebhookList": {"items": [wire.webhook(WEBHOOK)], "next": None},
        "WebhookDeleted": {"success": True, "message": "Webhook deleted successfully"},
        "Delivery": wire.delivery(_TEST),
        "DeliveryPage": wire.page(Page(items=(_DELIVERY,)), wire.delivery),
        "Replay": {"since": to_text(_SENT)},
        "Report": wire.report(make_report(_FIGURES, zone=UTC), urls),
        "Readiness": {"status": "ok"},
        "Status": {"status": "ok"},
        "recipients.csv": _text(export.recipients_csv(PIXEL, [ANN, _BOB], urls=urls)),
        "opens.csv": _text(export.opens_csv([_OPEN], get_recipients=lambda _: {ANN.id: ANN})),
    }


def _text(pieces: Iterable[bytes]) -> str:
    return b"".join(pieces).decode()
