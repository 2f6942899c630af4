"""`Endpoint`: the thread that sends the deliveries of one webhook while some are due."""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from mailtrack._errors import InvalidPaging, InvalidWebhook, StorageError, WebhookNotFound
from mailtrack._event import Event
from mailtrack._events.webhooks import schedule, signing
from mailtrack._events.webhooks.answer import Answer
from mailtrack._events.webhooks.client import TIMEOUT, Client
from mailtrack._events.webhooks.filling import Outboxes
from mailtrack._events.webhooks.guard import Network
from mailtrack._events.webhooks.messages import to_body
from mailtrack._threads import BackgroundThread
from mailtrack._times import Clock
from mailtrack._webhook import Delivery, DeliveryState, Webhook

TAKEN_AT_ONCE = 20
LEASE = timedelta(seconds=2 * TIMEOUT)  # a step and the try that it ends with
_STEP_SECONDS = 5.0
_GONE = "The event does not exist any more."

_logger = logging.getLogger(__name__)


class Endpoint:
    """Sends deliveries in a daemon thread until none is due. It is started once, and does not survive a fork.

    Args:
        storage: has the webhook and its deliveries.
        webhook: the webhook.
        taken: deliveries of it that were taken for `LEASE`.
        allow: networks that are allowed though they are not public.
        clock: returns the current time.

    Attributes:
        paused_until: until when the endpoint has asked to get nothing, `None` if it has not.
    """

    paused_until: datetime | None

    def __init__(
        self,
        storage: Outboxes,
        webhook: Webhook,
        taken: Sequence[Delivery],
        allow: Sequence[Network],
        clock: Clock,
    ) -> None:
        self.paused_until = None
        self._storage = storage
        self._webhook = webhook
        self._taken = taken
        self._allow = allow
        self._clock = clock
        self._client = Client(webhook.url, allow=allow)
        self._stopping = threading.Event()
        self._aborted = False
        self._thread = BackgroundThread(self._run, name=f"mailtrack-webhook-{webhook.id}")

    @property
    def url(self) -> str:
        """Where it sends to, or sent to last."""
        return self._client.url

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Return whether the thread has not ended."""
        return self._thread.is_alive()

    def is_paused(self) -> bool:
        """Return whether the endpoint has asked to get nothing now."""
        return self.paused_until is not None and self._clock() < self.paused_until

    def end(self) -> None:
        """Let the thread end after the try that is under way."""
        self._stopping.set()

    def abort(self) -> None:
        """Interrupt the try that is under way. It counts as none."""
        self._stopping.set()
        self._aborted = True
        self._client.abort()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, for up to `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while self._taken:
                self._settle(self._try_some())
                if self._stopping.is_set() or self.is_paused():
                    return
                now = self._clock()
                self._webhook = self._storage.get_webhook(self._webhook.id)
                self._taken = self._storage.take_deliveries(
                    self._webhook.id, now=now, until=now + LEASE, limit=TAKEN_AT_ONCE
                )
        except WebhookNotFound:
            pass  # it was deleted meanwhile
        except Exception as error:  # what was taken is due again after its lease
            expected = isinstance(error, StorageError)
            _logger.warning("Webhook %s is interrupted: %s", self._webhook.id, error, exc_info=not expected)
        finally:
            self._client.close()

    def _try_some(self) -> list[Delivery]:
        """Try the deliveries that were taken, for some seconds, and return them as they are then."""
        until = time.monotonic() + _STEP_SECONDS
        done: list[Delivery] = []
        for place, delivery in enumerate(self._taken):
            if self._stopping.is_set() or time.monotonic() >= until or not self._webhook.enabled or self.is_paused():
                return [*done, *map(self._postpone, self._taken[place:])]  # they are free again
            done.append(self._try(delivery))
        return done

    def _postpone(self, delivery: Delivery) -> Delivery:
        """Return a delivery that was not tried; not to be tried before the endpoint wants it."""
        if self.paused_until is None or delivery.next_try_at is None:
            return delivery
        return attrs.evolve(delivery, next_try_at=max(delivery.next_try_at, self.paused_until))

    def _read(self, delivery: Delivery) -> Event | None:
        """Return the event of a delivery as it is at this moment, `None` if it is gone."""
        try:
            return self._storage.get_events([delivery.cursor]).get(delivery.cursor)
        except InvalidPaging:  # as where the feed was made anew
            return None

    def _try(self, delivery: Delivery) -> Delivery:
        event = self._read(delivery)
        if event is None:
            return schedule.give_up(delivery, _GONE, self._clock())
        if self._webhook.url != self._client.url:
            self._client.close()
            self._client = Client(self._webhook.url, allow=self._allow)
        answer = post(self._client, self._webhook, event.id, to_body(event), self._clock)
        if self._aborted and answer.error is not None:
            return delivery
        now = self._clock()
        self._webhook = note(self._storage, self._webhook, answer, now)
        if self._webhook.url != self._client.url and answer.error is not None:
            return delivery  # to be tried at the new URL
        if answer.retry_after:
            self.paused_until = now + answer.retry_after
        tried = schedule.after_try(delivery, answer, now)
        if tried.state is DeliveryState.FAILED:
            _logger.warning("Webhook %s does not get event %s: %s", self._webhook.id, event.id, answer.error)
        return tried

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        self._storage.settle_deliveries(self._webhook.id, deliveries)


def post(client: Client, webhook: Webhook, message_id: str, body: bytes, clock: Clock) -> Answer:
    """Send a signed message to a webhook, and return what became of it."""
    now = clock()
    try:
        headers = signing.make_headers(message_id, now, body, signing.secrets_of(webhook, now))
    except InvalidWebhook as error:
        return Answer(error=str(error))
    return client.post(body, headers)


def note(storage: Outboxes, webhook: Webhook, answer: Answer, now: datetime) -> Webhook:
    """Store what a try shows of a webhook, if that is new, and return the webhook as it is now.

    Nothing is stored where it has another URL by now: the answer is not that one's.

    Raises:
        WebhookNotFound: it was deleted.
        StorageError: it can't be stored.
    """
    tried = webhook.url
    while (present := schedule.judge(webhook, answer, now)) != webhook:
        webhook = storage.get_webhook(webhook.id)
        if webhook.url != tried:
            return webhook
        present = schedule.judge(webhook, answer, now)
        if present == webhook or storage.change_webhook(webhook, present):
            if webhook.enabled and not present.enabled:
                _logger.warning("Webhook %s is disabled: %s", webhook.id, present.disabled_reason)
            return present
    return webhook
