"""`Loop`: the thread that fills the outboxes of webhooks and starts the threads that send."""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from mailtrack._errors import StorageError, WebhookNotFound
from mailtrack._events.backoff import backoff
from mailtrack._events.webhooks.endpoint import LEASE, TAKEN_AT_ONCE, Endpoint
from mailtrack._events.webhooks.filling import Outboxes, fill
from mailtrack._events.webhooks.guard import Network
from mailtrack._threads import BackgroundThread
from mailtrack._times import Clock
from mailtrack._webhook import Webhook

_LOOK_SECONDS = 0.5  # for opens that other processes have stored, and for deliveries that have become due
_LEAST_SECONDS = 0.05  # between one look and the next, however many opens are stored
_PAGES_AT_ONCE = 20  # of events, for one webhook, before the others have their turn
_MOST_THREADS = 4  # for one webhook
_KEPT = timedelta(days=30)  # deliveries that have ended
_DELETED_AT_ONCE = 1000
_DELETE_EVERY_SECONDS = 600.0
_MOST_STORAGE_SECONDS = 5.0
_ABORT_SECONDS = 0.5  # for the threads to end once their tries are interrupted

_logger = logging.getLogger(__name__)


class Loop:
    """The thread that fills outboxes and starts the threads that send, from one start to the next stop."""

    def __init__(self, storage: Outboxes, allow: Sequence[Network], clock: Clock) -> None:
        self.woken = threading.Event()
        self.has_webhooks = False  # when they were last listed
        self._stopping = threading.Event()
        self._storage = storage
        self._allow = allow
        self._clock = clock
        self._endpoints: dict[str, list[Endpoint]] = {}  # by the webhook's id; used by the loop's thread only
        self._failures = 0
        self._delete_at = 0.0
        self._thread = BackgroundThread(self._run, name="mailtrack-webhooks")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stopping.set()
        self.woken.set()

    def wait(self, until: float) -> None:
        self._thread.join(max(0.0, until - time.monotonic()))
        endpoints = [one for some in list(self._endpoints.values()) for one in some]
        for one in endpoints:
            one.join(max(0.0, until - _ABORT_SECONDS - time.monotonic()))
        for one in endpoints:
            one.abort()
        for one in endpoints:
            one.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.woken.clear()
            try:
                wait = self._work()
                self._failures = 0
            except Exception as error:  # the thread must go on after any error
                self._failures += 1
                wait = min(backoff(self._failures), _MOST_STORAGE_SECONDS)
                expected = isinstance(error, StorageError)
                message = "Webhooks can't be served; trying again in %.1f s: %s"
                _logger.warning(message, wait, error, exc_info=not expected)
            self._stopping.wait(_LEAST_SECONDS)
            self.woken.wait(wait)
        for one in (it for some in self._endpoints.values() for it in some):
            one.end()

    def _work(self) -> float:
        """Serve all webhooks once, and return how many seconds to wait before the next time."""
        webhooks = self._storage.list_webhooks()
        self.has_webhooks = any(one.enabled for one in webhooks)
        self._endpoints = {
            key: kept
            for key, some in self._endpoints.items()
            if (kept := [one for one in some if one.is_alive() or one.is_paused()])
        }
        more = False
        for webhook in webhooks:
            if webhook.enabled:
                more |= self._fill(webhook)
                self._send(webhook)
            if self._stopping.is_set():
                return 0.0
        if time.monotonic() >= self._delete_at:
            deleted = self._storage.delete_deliveries(before=self._clock() - _KEPT, limit=_DELETED_AT_ONCE)
            if deleted < _DELETED_AT_ONCE:
                self._delete_at = time.monotonic() + _DELETE_EVERY_SECONDS
        return 0.0 if more else _LOOK_SECONDS

    def _fill(self, webhook: Webhook) -> bool:
        """Fill the outbox of a webhook, and return whether there is more to be put in than was now."""
        for _ in range(_PAGES_AT_ONCE):
            try:
                after = fill(self._storage, webhook, self._clock())
                if after is None or self._stopping.is_set():
                    return False
                webhook = self._storage.get_webhook(webhook.id)  # it may have been changed meanwhile
            except WebhookNotFound:
                return False
        return True

    def _send(self, webhook: Webhook) -> None:
        """Start a thread for what is due, if it is not too many for the webhook."""
        threads = self._endpoints.get(webhook.id, [])
        if len(threads) >= _MOST_THREADS or any(one.is_paused() and one.url == webhook.url for one in threads):
            return
        now = self._clock()
        due = self._storage.take_deliveries(webhook.id, now=now, until=now + LEASE, limit=TAKEN_AT_ONCE)
        if due:
            endpoint = Endpoint(self._storage, webhook, due, self._allow, self._clock)
            self._endpoints[webhook.id] = [*threads, endpoint]
            endpoint.start()
