"""The operations of webhooks, by path."""

from collections.abc import Mapping
from typing import Any

from mailtrack._webhook import DeliveryState
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._openapi.parts import (
    ANY,
    BODY,
    CHANGE,
    IN_WEBHOOK,
    PAGING,
    Data,
    body,
    in_query,
    json_answer,
    operation,
)

_UNSUPPORTED = 501
_STATE = in_query("state", "Only deliveries in this state.", {"type": "string", "enum": [*DeliveryState]})
_TAG = "Webhooks"


def make_webhook_paths(examples: Mapping[str, Any]) -> dict[str, Data]:
    """Return the paths of webhooks with their operations; the argument is that of `make_paths`."""
    webhook = f"{paths.WEBHOOKS}/{{webhook}}"
    return {
        paths.WEBHOOKS: _webhooks(examples),
        webhook: _webhook(examples),
        f"{webhook}/rotate": _rotate(examples),
        f"{webhook}/test": _test(examples),
        f"{webhook}/deliveries": _deliveries(examples),
        f"{webhook}/replay": _replay(examples),
    }


def _webhooks(examples: Mapping[str, Any]) -> Data:
    return {
        "get": operation(
            _TAG,
            "listWebhooks",
            "List webhooks",
            "The webhooks, newest first, without their secrets.",
            parameters=PAGING,
            answers={200: json_answer("WebhookList", "The list.", examples)},
            refusals=(*ANY, _UNSUPPORTED),
        ),
        "post": operation(
            _TAG,
            "createWebhook",
            "Create a webhook",
            "Sends the events of opens that are stored from now on to a URL. By default: of each recipient the first "
            "open that counts, of all pixels. The answer has the secret that signs them, only this once.",
            requestBody=body({"application/json": "NewWebhook"}, examples),
            answers={201: json_answer("WebhookWithSecret", "The webhook.", examples)},
            refusals=(*BODY, _UNSUPPORTED),
        ),
    }


def _webhook(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_WEBHOOK],
        "get": operation(
            _TAG,
            "getWebhook",
            "Get a webhook",
            "The webhook, without its secrets.",
            answers={200: json_answer("Webhook", "The webhook.", examples)},
            refusals=(*ANY, 404, _UNSUPPORTED),
        ),
        "patch": operation(
            _TAG,
            "updateWebhook",
            "Change a webhook",
            "Changes the URL or the filters, or disables or enables it. New filters apply to later events.",
            requestBody=body({"application/json": "WebhookChange"}, examples),
            answers={200: json_answer("Webhook", "The webhook.", examples)},
            refusals=(*BODY, 404, _UNSUPPORTED),
        ),
        "delete": operation(
            _TAG,
            "deleteWebhook",
            "Delete a webhook",
            "Deletes the webhook with its deliveries. Those that are pending are not sent.",
            answers={200: json_answer("WebhookDeleted", "The webhook is deleted.", examples)},
            refusals=(*CHANGE, 404, _UNSUPPORTED),
        ),
    }


def _rotate(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_WEBHOOK],
        "post": operation(
            _TAG,
            "rotateSecret",
            "Rotate the secret",
            "Makes a new secret, and returns it only this once. For 24 hours, each event is signed with the former one "
            "as well.",
            answers={200: json_answer("WebhookWithSecret", "The webhook with its new secret.", examples)},
            refusals=(*CHANGE, 404, _UNSUPPORTED),
        ),
    }


def _test(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_WEBHOOK],
        "post": operation(
            _TAG,
            "testWebhook",
            "Test a webhook",
            "Sends one test event now, even if it is disabled, and returns what became of it. Nothing is stored.",
            answers={200: json_answer("Delivery", "What became of the try.", examples)},
            refusals=(*CHANGE, 404, _UNSUPPORTED),
        ),
    }


def _deliveries(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_WEBHOOK],
        "get": operation(
            _TAG,
            "listDeliveries",
            "List deliveries",
            "The deliveries of a webhook, the last added first. Those that have ended are kept for 30 days.",
            parameters=[_STATE, *PAGING],
            answers={200: json_answer("DeliveryPage", "A page of the list.", examples)},
            refusals=(*ANY, 404, _UNSUPPORTED),
        ),
    }


def _replay(examples: Mapping[str, Any]) -> Data:
    return {
        "parameters": [IN_WEBHOOK],
        "post": operation(
            _TAG,
            "replayWebhook",
            "Send events again",
            "Sends every event since a time again that the filters take, delivered or not, with the same id.",
            requestBody=body({"application/json": "Replay"}, examples),
            answers={202: json_answer("Webhook", "They will be sent. The webhook.", examples)},
            refusals=(*BODY, 404, _UNSUPPORTED),
        ),
    }
