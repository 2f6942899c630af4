"""`GET /metrics`: what a monitor wants to know, in the text format of Prometheus.

All of it comes from the storage and the spool when it is asked for, so every worker process gives the same answer, and
nothing is kept between requests.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotImplemented as NotProvided
from werkzeug.wrappers import Request, Response

from mailtrack._counts import Count
from mailtrack._measures import Measures, WebhookMeasures
from mailtrack._model import VerdictKind
from mailtrack._spool import Backlog
from mailtrack._version import __version__
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._security_headers import NO_STORE

if TYPE_CHECKING:
    from prometheus_client.core import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_MISSING = "Metrics need prometheus-client: pip install 'mailtrack[metrics]'"


def metrics(context: Context, _: Request) -> Response:
    """`GET /metrics`."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest  # an extra
    except ImportError as error:
        raise NotProvided(_MISSING) from error
    registry = CollectorRegistry()  # of this answer: the library's own is shared by all parts of a process
    registry.register(_Collector(context.tracker._measure(), context.tracker.now()))
    return Response(generate_latest(registry), 200, NO_STORE, content_type=MEDIA_TYPE)


class _Collector:
    """Yields the metrics of a tracker, as prometheus-client asks for them."""

    def __init__(self, measures: Measures, now: datetime) -> None:
        self._measures = measures
        self._now = now

    def collect(self) -> "Iterator[Metric]":
        measures = self._measures
        yield _gauge("build_info", "The version of mailtrack; the value is 1.", ["version"], [([__version__], 1)])
        yield _gauge(
            "storage_up", "Whether the storage answers (1) or not (0).", rows=[([], measures.storage is not None)]
        )
        if measures.storage:
            yield _opens(measures.storage.opens)
            if measures.storage.webhooks:
                yield from self._webhooks(measures.storage.webhooks)
        if measures.replica:
            lag = measures.replica.lag
            yield _gauge("replica_up", "Whether the replica is read (1) or not (0).", rows=[([], lag is not None)])
            if lag is not None:
                yield _gauge(
                    "replica_lag_seconds", "How old what the replica shows is; 0 if it lacks nothing.", rows=[([], lag)]
                )
        if measures.spooled:
            readable = measures.backlog is not None
            yield _gauge("spool_up", "Whether the spool can be read (1) or not (0).", rows=[([], readable)])
        if measures.backlog:
            yield from self._spool(measures.backlog)

    def _spool(self, backlog: Backlog) -> "Iterator[Metric]":
        for name, meaning, value in (
            ("spool_hits", "Hits in the spool that are not stored yet.", backlog.lines),
            ("spool_bytes", "Size of the hits in the spool that are not stored yet.", backlog.bytes),
            (
                "spool_oldest_hit_age_seconds",
                "Age of the oldest hit in the spool that is not stored yet; 0 if there is none.",
                self._age(backlog.oldest),
            ),
            (
                "spool_dead_letters",
                "Lines in the spool that could not be stored and were set aside.",
                backlog.dead_letters,
            ),
            (
                "spool_drain_lag_seconds",
                "How long the oldest hit of the last stored batch had waited; 0 while the spool is empty.",
                backlog.waited,
            ),
        ):
            yield _gauge(name, meaning, rows=[([], value)])

    def _webhooks(self, webhooks: WebhookMeasures) -> "Iterator[Metric]":
        states = [(["enabled"], webhooks.enabled), (["disabled"], webhooks.disabled)]
        yield _gauge("webhooks", "Webhooks by state.", ["state"], states)
        due = webhooks.deliveries.items()
        yield _gauge(
            "webhook_pending_deliveries",
            "Deliveries of a webhook that are due, now or later.",
            ["webhook"],
            [([webhook], count.pending) for webhook, count in due],
        )
        yield _gauge(
            "webhook_oldest_delivery_age_seconds",
            "Age of the oldest event that is still to be delivered to a webhook; 0 if there is none.",
            ["webhook"],
            [([webhook], self._age(count.oldest)) for webhook, count in due],
        )

    def _age(self, time: datetime | None) -> float:
        return 0.0 if time is None else max(0.0, (self._now - time).total_seconds())


def _opens(opens: Mapping[VerdictKind, Count]) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    found = CounterMetricFamily(
        "mailtrack_opens",
        "Opens that were stored, with the verdict that they had then. Deleting or rejudging opens does not lower it.",
        labels=["kind", "counted"],
    )
    for kind in VerdictKind:  # also those without any, so that the first open is an increase
        number = opens.get(kind, Count())
        found.add_metric([kind.value, "true"], number.counted)
        found.add_metric([kind.value, "false"], number.raw - number.counted)
    return found


def _gauge(
    name: str, meaning: str, labels: Iterable[str] = (), rows: Iterable[tuple[list[str], float]] = ()
) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    found = GaugeMetricFamily(f"mailtrack_{name}", meaning, labels=list(labels))
    for values, value in rows:
        found.add_metric(values, value)
    return found
