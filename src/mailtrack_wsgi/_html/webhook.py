"""The page of a webhook: its deliveries, and forms to test, change, replay and delete it."""

from datetime import UTC, datetime, timedelta

import attrs
from werkzeug.exceptions import BadRequest
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidInput
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._text import plural
from mailtrack._times import to_utc
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._bodies import read_text_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._html.webhook_form import FIELDS, WebhookForm, pixels_of
from mailtrack_wsgi._query import form_choice_argument, one_argument

DELIVERIES_ON_PAGE = 10

SPANS = {
    "hour": ("The last hour", timedelta(hours=1)),
    "day": ("The last 24 hours", timedelta(days=1)),
    "week": ("The last 7 days", timedelta(days=7)),
    "month": ("The last 30 days", timedelta(days=30)),
}
"""Spans of time to replay, by their names in the form."""

_SINCE_FAILED = "failed"


@attrs.frozen(kw_only=True)
class _Outcome:
    """What a form has done, to be shown once.

    Attributes:
        rotated: the webhook with its new secret.
        tested: what became of a test.
        replayed: since when events are sent again.
        problem: why nothing was changed.
        of: the form that has this problem.
        form: the fields to keep in the form with the settings.
    """

    rotated: Webhook | None = None
    tested: Delivery | None = None
    replayed: datetime | None = None
    problem: str | None = None
    of: str = ""
    form: WebhookForm | None = None


def webhook(context: Context, request: Request, webhook: str) -> Response:
    """`GET /webhooks/<webhook>`."""
    return _show(context, request, context.webhooks.get(webhook), _Outcome())


def change_webhook(context: Context, request: Request, webhook: str) -> Response:
    """`POST /webhooks/<webhook>`: the forms on the page; `action` names the one that was sent."""
    found = context.webhooks.get(webhook)
    given = read_text_form(request.environ, "action", "span", "since", *FIELDS)
    action = given.get("action", "")
    if action in ("enable", "disable"):
        context.webhooks.update(found.id, enabled=action == "enable")
        return redirect(f"{context.root(request.environ)}{paths.webhook_page(found.id)}", 303)
    if action not in _ACTIONS:
        raise BadRequest("The form must say what to do.")
    try:
        outcome = _ACTIONS[action](context, found, given)
    except InvalidInput as error:
        form = WebhookForm.of(given) if action == "save" else None
        outcome = _Outcome(problem=str(error), of=action, form=form)
    return _show(context, request, context.webhooks.get(found.id), outcome)


def _save(context: Context, found: Webhook, given: dict[str, str]) -> _Outcome:
    context.webhooks.update(found.id, **WebhookForm.of(given).arguments(context))
    return _Outcome(of="save")


def _test(context: Context, found: Webhook, _: dict[str, str]) -> _Outcome:
    return _Outcome(of="test", tested=context.webhooks.test(found.id))


def _rotate(context: Context, found: Webhook, _: dict[str, str]) -> _Outcome:
    return _Outcome(of="rotate", rotated=context.webhooks.rotate(found.id))


def _replay(context: Context, found: Webhook, given: dict[str, str]) -> _Outcome:
    now = context.tracker.now()
    failed = given.get("span") == _SINCE_FAILED and not given.get("since", "").strip()
    since = _since_failed(context, found) if failed else _to_since(given, now)
    if since > now:
        raise InvalidInput("The time must not be in the future.")
    context.webhooks.replay(found.id, since=since)
    return _Outcome(of="replay", replayed=since)


_ACTIONS = {"save": _save, "test": _test, "rotate": _rotate, "replay": _replay}


def _since_failed(context: Context, found: Webhook) -> datetime:
    """Return the time of the oldest event that was given up."""
    failed = DeliveryState.FAILED
    deliveries = walk(
        lambda cursor: context.webhooks.list_deliveries(found.id, limit=MAX_LIMIT, cursor=cursor, state=failed)
    )
    since = min((one.event_at for one in deliveries), default=None)
    if since is None:
        raise InvalidInput("No delivery has failed.")
    return since


def _to_since(given: dict[str, str], now: datetime) -> datetime:
    """Return the time that the form to replay has: an exact one in UTC, else a span before now."""
    text = given.get("since", "").strip()
    if not text:
        if given.get("span") not in SPANS:
            raise InvalidInput("The form must say since when.")
        return now - SPANS[given["span"]][1]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("The time must be as in 2025-11-06T12:00.") from None
    return to_utc(at if at.tzinfo else at.replace(tzinfo=UTC))


def _show(context: Context, request: Request, found: Webhook, outcome: _Outcome) -> Response:
    state = form_choice_argument(request, "state", tuple(DeliveryState))
    cursor = one_argument(request, "cursor")
    failed = context.webhooks.list_deliveries(found.id, limit=1, state=DeliveryState.FAILED).items
    pixels = pixels_of(found, context.tracker)
    page = context.webhooks.list_deliveries(
        found.id,
        limit=DELIVERIES_ON_PAGE,
        cursor=cursor,
        state=None if state is None else DeliveryState(state),
    )
    return page_response(
        "webhook.html",
        400 if outcome.problem else 200,
        root=context.root(request.environ),
        now=context.tracker.now(),
        webhook=found,
        pixels=pixels,
        count=context.webhooks.count_deliveries().get(found.id, DeliveryCount()),
        deliveries=page.items,
        state=state,
        cursor=cursor,
        next=page.next,
        outcome=outcome,
        form=outcome.form or WebhookForm.of_webhook(found, pixels),
        spans=SPANS,
        since_failed=_SINCE_FAILED if failed else None,
    )


def confirm_webhook(context: Context, request: Request, webhook: str) -> Response:
    """`GET /webhooks/<webhook>/deletion`: asks for confirmation."""
    found = context.webhooks.get(webhook)
    pending = context.webhooks.count_deliveries().get(found.id, DeliveryCount()).pending
    waiting = f", {plural(pending, 'pending one')} included, which will not be sent" if pending else ""
    return page_response(
        "deletion.html",
        root=context.root(request.environ),
        name=filters.webhook_name(found),
        deleted=["the webhook, with its secret", f"the list of its deliveries{waiting}"],
        after="The opens stay.",
        copies=(),
        action=f"{paths.webhook_page(found.id)}/delete",
        back=paths.webhook_page(found.id),
    )


def delete_webhook(context: Context, request: Request, webhook: str) -> Response:
    """`POST /webhooks/<webhook>/delete`."""
    context.webhooks.delete(webhook)
    return redirect(f"{context.root(request.environ)}{paths.WEBHOOKS_PAGE}", 303)
