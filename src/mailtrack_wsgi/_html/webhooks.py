"""The page of all webhooks: their states, and a form to add one."""

from collections.abc import Sequence

from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidInput
from mailtrack._webhook import Delivery, DeliveryState, Webhook
from mailtrack_wsgi._bodies import read_text_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._html.webhook_form import FIELDS, WebhookForm

_LOOKED_AT = 20  # pending deliveries, the newest, among which the last failure of a failing webhook is looked for


def webhooks(context: Context, request: Request) -> Response:
    """`GET /webhooks`."""
    return _show(context, request, WebhookForm())


def add_webhook(context: Context, request: Request) -> Response:
    """`POST /webhooks`: the form on the page. The secret is shown in the answer, and never again."""
    form = WebhookForm.of(read_text_form(request.environ, *FIELDS))
    try:
        added = context.webhooks.add(**form.arguments(context))
    except InvalidInput as error:
        return _show(context, request, form, problem=str(error))
    return _show(context, request, WebhookForm(), added=added)


def _show(
    context: Context, request: Request, form: WebhookForm, *, added: Webhook | None = None, problem: str | None = None
) -> Response:
    found = context.webhooks.list()
    return page_response(
        "webhooks.html",
        400 if problem else 200,
        root=context.root(request.environ),
        now=context.tracker.now(),
        webhooks=found,
        counts=context.webhooks.count_deliveries(),
        failures=_last_failures(context, found),
        form=form,
        added=added,
        problem=problem,
    )


def _last_failures(context: Context, found: Sequence[Webhook]) -> dict[str, Delivery]:
    """Return the last delivery of each webhook that failed, or that is tried again after a failure."""
    failures = {}
    for webhook in found:
        states = [(DeliveryState.FAILED, 1)]
        if webhook.failing_since:
            states.insert(0, (DeliveryState.PENDING, _LOOKED_AT))
        for state, limit in states:
            page = context.webhooks.list_deliveries(webhook.id, limit=limit, state=state)
            if failed := next((one for one in page.items if one.error), None):
                failures[webhook.id] = failed
                break
    return failures
