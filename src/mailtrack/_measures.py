"""`Measures`: what a monitor wants to know of a tracker, read at a cost that does not grow with its opens."""

import logging
from collections.abc import Mapping
from pathlib import Path

import attrs

from mailtrack._counts import Count
from mailtrack._model import VerdictKind
from mailtrack._spool import Backlog, get_backlog
from mailtrack._webhook import DeliveryCount
from mailtrack.storage._abilities import SupportsWebhooks
from mailtrack.storage._protocol import Storage
from mailtrack.storage._replica import ReplicaState

_logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class WebhookMeasures:
    """The webhooks of a storage.

    Attributes:
        enabled: number of those that are enabled.
        disabled: number of the others.
        deliveries: the deliveries that are due, by the id of the webhook; of all webhooks.
    """

    enabled: int
    disabled: int
    deliveries: Mapping[str, DeliveryCount]


@attrs.frozen(kw_only=True)
class StorageMeasures:
    """What is in a storage.

    Attributes:
        opens: the opens that were ever added, by the kind that they had then.
        webhooks: its webhooks, `None` if it can have none.
    """

    opens: Mapping[VerdictKind, Count]
    webhooks: WebhookMeasures | None


@attrs.frozen(kw_only=True)
class Measures:
    """What a monitor wants to know of a tracker.

    Attributes:
        storage: what is in its storage, `None` if that does not answer.
        spooled: whether it has a spool.
        backlog: what waits in its spool, `None` without one, or if that can't be read.
        replica: how the replica is doing that its storage reads from, `None` without one.
    """

    storage: StorageMeasures | None
    spooled: bool
    backlog: Backlog | None
    replica: ReplicaState | None = None


def measure(storage: Storage, spool: Path | None, replica: ReplicaState | None = None) -> Measures:
    """Measure a storage and the folder of a spool. What fails is logged and left out."""
    return Measures(
        storage=_measure_storage(storage),
        spooled=spool is not None,
        backlog=None if spool is None else _measure_spool(spool),
        replica=replica,
    )


def _measure_storage(storage: Storage) -> StorageMeasures | None:
    try:
        storage.ping()
        webhooks = _measure_webhooks(storage) if isinstance(storage, SupportsWebhooks) else None
        return StorageMeasures(opens=storage.count_by_kind(), webhooks=webhooks)
    except Exception as error:  # noqa: BLE001  # any fault means that it does not answer
        _logger.warning("The storage can't be measured: %s: %s", type(error).__name__, error)
        return None


def _measure_webhooks(storage: SupportsWebhooks) -> WebhookMeasures:
    webhooks = storage.list_webhooks()
    counted = storage.count_deliveries()
    enabled = sum(one.enabled for one in webhooks)
    return WebhookMeasures(
        enabled=enabled,
        disabled=len(webhooks) - enabled,
        deliveries={one.id: counted.get(one.id, DeliveryCount()) for one in webhooks},
    )


def _measure_spool(folder: Path) -> Backlog | None:
    try:
        return get_backlog(folder)
    except OSError as error:
        _logger.warning("The spool can't be measured: %s", error.strerror)
        return None
