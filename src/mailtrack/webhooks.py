"""Webhooks: URLs to which events are sent, and what became of each event."""

from mailtrack._events.webhooks.facade import Webhooks
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook

__all__ = ["Delivery", "DeliveryCount", "DeliveryState", "Webhook", "Webhooks"]
