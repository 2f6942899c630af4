"""One small mailing as the API tells of it, by the names of the schemas."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from mailtrack import _export as export
from mailtrack import _wire as wire
from mailtrack._delays import to_bucket
from mailtrack._model import (
    Client,
    DelayCount,
    Facet,
    FacetCount,
    Figures,
    HourCount,
    Open,
    OpenSpan,
    Page,
    Pixel,
    Recipient,
    Verdict,
    VerdictKind,
)
from mailtrack._urls import Urls
from mailtrack.report import make_report

_NOON = datetime(2025, 11, 6, 12, tzinfo=UTC)
_FETCHED, _OPENED = _NOON + timedelta(seconds=2), _NOON + timedelta(minutes=5)
_ONCE = OpenSpan(number=1, first=_OPENED, last=_OPENED)

PIXEL = Pixel(
    id="a1b2c3d4-e5f6-7890-1234-567890abcdef",
    name="Spring launch",
    created_at=_NOON,
    recipients=2,
    opens=OpenSpan(number=2, first=_FETCHED, last=_OPENED),
    counted=_ONCE,
    views=2,
    counted_views=1,
    opened=1,
    opened_raw=2,
)
ANN = Recipient(
    id="a1b2c3d40123456789abcdef",
    pixel_id=PIXEL.id,
    email="ann@example.org",
    token="tok_0123456789abcdef0123456789abcdef",  # noqa: S106  # nobody's
    created_at=_NOON,
    opens=_ONCE,
    counted=_ONCE,
)
_BOB = Recipient(
    id="a1b2c3d4fedcba9876543210",
    pixel_id=PIXEL.id,
    email="bob@example.com",
    token="tok_fedcba9876543210fedcba9876543210",  # noqa: S106  # nobody's
    created_at=_NOON,
    opens=OpenSpan(number=1, first=_FETCHED, last=_FETCHED),
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
_FIGURES = Figures(
    pixel=PIXEL,
    hours=(
        HourCount(hour=_NOON, kind=VerdictKind.HUMAN, opens=1, counted=1),
        HourCount(hour=_NOON, kind=VerdictKind.PREFETCH, opens=1, counted=0),
    ),
    facets=(
        FacetCount(facet=Facet.VENDOR, name="Apple", opens=1, counted=0),
        FacetCount(facet=Facet.VENDOR, name="Mozilla", opens=1, counted=1),
        FacetCount(facet=Facet.CLIENT, name="Thunderbird", opens=1, counted=1),
        FacetCount(facet=Facet.OS, name="Linux", opens=1, counted=1),
        FacetCount(facet=Facet.DEVICE, name="desktop", opens=1, counted=1),
    ),
    delays=(
        DelayCount(bucket=to_bucket(_FETCHED - _NOON), recipients=1, counted=0),
        DelayCount(bucket=to_bucket(_OPENED - _NOON), recipients=1, counted=1),
    ),
    top=(),
)


def make_examples(urls: Urls) -> dict[str, Any]:
    """Return an example for each schema that is asked for or answered, made as the API makes its answers.

    Args:
        urls: the URLs that are in them.
    """
    recipient = partial(wire.recipient, owner=PIXEL, urls=urls)
    return {
        "NewPixel": {"name": PIXEL.name},
        "NewPixelWithImage": {"name": PIXEL.name},
        "NewTokens": {"emails": [ANN.email, _BOB.email]},
        "Created": wire.pixel(Pixel(id=PIXEL.id, name=PIXEL.name, created_at=_NOON), urls),
        "Pixel": wire.pixel(PIXEL, urls),
        "PixelPage": wire.page(Page(items=(PIXEL,)), partial(wire.pixel, urls=urls)),
        "PixelDeleted": {"success": True, "message": "Pixel deleted successfully"},
        "Tokens": wire.generated_tokens(PIXEL, [ANN, _BOB], urls),
        "RecipientPage": wire.page(Page(items=(ANN, _BOB)), recipient),
        "RecipientDeleted": {
            "success": True,
            "message": "Recipient deleted successfully",
            "deletedEmail": ANN.email,
        },
        "OpenPage": wire.page(Page(items=(_OPEN,)), wire.open_),
        "Report": wire.report(make_report(_FIGURES, zone=UTC), urls),
        "Status": {"status": "ok"},
        "recipients.csv": _text(export.recipients_csv(PIXEL, [ANN, _BOB], urls=urls)),
        "opens.csv": _text(export.opens_csv([_OPEN], get_recipients=lambda _: {ANN.id: ANN})),
    }


def _text(pieces: Iterable[bytes]) -> str:
    return b"".join(pieces).decode()
