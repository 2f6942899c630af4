"""`mailtrack webhooks`."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from mailtrack import _wire as wire
from mailtrack._errors import InvalidArgument
from mailtrack._event import FIRSTS, First
from mailtrack._model import Page, VerdictKind
from mailtrack._paging import MAX_LIMIT, pages
from mailtrack._times import from_text, to_text
from mailtrack._tracker import Tracker
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
from mailtrack.cli._failures import FAILED
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import database_option, example, json_option, shared_options, webhook_allow_option
from mailtrack.cli._output import echo, echo_json, visible
from mailtrack.cli._tables import Table

_ID = "0123456789abcdef"


@click.group(epilog=example("mailtrack webhooks add https://crm.example.org/mailtrack"))
@shared_options
def webhooks() -> None:
    """Add, list, test, replay and remove webhooks: URLs to which the server sends opens."""


@webhooks.command(
    epilog=example(
        "mailtrack webhooks add https://crm.example.org/mailtrack",
        "mailtrack webhooks add https://crm.example.org/mailtrack --first any --kind human --pixel a1b2c3d4",
    )
)
@click.argument("url")
@click.option(
    "--first",
    type=click.Choice(FIRSTS),
    default="firstCounted",
    help="Which opens of a recipient: any, first, firstCounted (the first that counts).  [default: firstCounted]",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in VerdictKind]),
    help="Only opens with this verdict; repeatable.  [default: those that count]",
)
@click.option(
    "--pixel", "pixels", multiple=True, metavar="PIXEL", help="Only opens of this pixel; repeatable.  [default: all]"
)
@webhook_allow_option
@json_option
@database_option
def add(url: str, first: First, kinds: Sequence[str], pixels: Sequence[str], as_json: bool, **given: Any) -> None:
    """Add a webhook for URL, and print its secret, only this once."""
    with open_tracker(**given) as tracker:
        some = [tracker.get_pixel(pixel).id for pixel in pixels]
        added = tracker.webhooks.add(url, first=first, kinds=kinds or None, pixels=some or None)
    _print_secret(added, as_json)


@webhooks.command(name="list", epilog=example("mailtrack webhooks list"))
@json_option
@database_option
def list_(as_json: bool, **given: Any) -> None:
    """List the webhooks with their states and numbers of pending deliveries, oldest first."""
    with open_tracker(**given) as tracker:
        found = tracker.webhooks.list()
        counts = tracker.webhooks.count_deliveries()
    if as_json:
        echo_json(*(wire.webhook(one) | {"pending": _pending(counts, one)} for one in found))
        return
    table = Table("ID", "STATE", "PENDING", "FIRST", "URL", "REASON", right=(2,), cut=(5, 4))
    table.echo(
        (one.id, _state(one), str(_pending(counts, one)), one.first, one.url, one.disabled_reason or "")
        for one in found
    )


@webhooks.command(epilog=example(f"mailtrack webhooks remove {_ID}"))
@click.argument("webhook", metavar="ID")
@database_option
def remove(webhook: str, **given: Any) -> None:
    """Remove a webhook with its deliveries. Those that are pending are not sent."""
    with open_tracker(**given) as tracker:
        removed = tracker.webhooks.delete(webhook)
    echo(f"Removed {removed.id}.", err=True)


@webhooks.command(epilog=example(f"mailtrack webhooks enable {_ID}"))
@click.argument("webhook", metavar="ID")
@database_option
def enable(webhook: str, **given: Any) -> None:
    """Enable a webhook again. What is pending is sent, and the opens since it was disabled."""
    with open_tracker(**given) as tracker:
        echo(f"Enabled {tracker.webhooks.update(webhook, enabled=True).id}.", err=True)


@webhooks.command(epilog=example(f"mailtrack webhooks disable {_ID}"))
@click.argument("webhook", metavar="ID")
@database_option
def disable(webhook: str, **given: Any) -> None:
    """Disable a webhook: nothing is sent until it is enabled."""
    with open_tracker(**given) as tracker:
        echo(f"Disabled {tracker.webhooks.update(webhook, enabled=False).id}.", err=True)


@webhooks.command(epilog=example(f"mailtrack webhooks rotate {_ID}"))
@click.argument("webhook", metavar="ID")
@json_option
@database_option
def rotate(webhook: str, as_json: bool, **given: Any) -> None:
    """Make a new secret for a webhook, and print it, only this once. For 24 hours the former one signs as well."""
    with open_tracker(**given) as tracker:
        rotated = tracker.webhooks.rotate(webhook)
    _print_secret(rotated, as_json)


@webhooks.command(epilog=example(f"mailtrack webhooks test {_ID}"))
@click.argument("webhook", metavar="ID")
@webhook_allow_option
@json_option
@database_option
def test(webhook: str, as_json: bool, **given: Any) -> int:
    """Send one test event to a webhook now, and print what became of it. Exits with 1 if it was not delivered."""
    with open_tracker(**given) as tracker:
        tested = tracker.webhooks.test(webhook)
    if as_json:
        echo_json(wire.delivery(tested))
    elif tested.state is DeliveryState.DELIVERED:
        echo(f"Delivered: the endpoint answered with status {tested.last_status}.")
    else:
        echo(f"Not delivered: {visible(tested.error or 'no reason is known')}")
    return 0 if tested.state is DeliveryState.DELIVERED else FAILED


@webhooks.command(epilog=example("mailtrack webhooks failed", f"mailtrack webhooks failed {_ID} --json"))
@click.argument("webhook", metavar="[ID]", required=False)
@json_option
@database_option
def failed(webhook: str | None, as_json: bool, **given: Any) -> None:
    """List the deliveries of a webhook, or of all, that were given up, the last added first."""
    with open_tracker(**given) as tracker:
        found = tracker.webhooks.list() if webhook is None else [tracker.webhooks.get(webhook)]
        table = Table("WEBHOOK", "OPENED", "EVENT", "TRIES", "STATUS", "ERROR", right=(3, 4), cut=(5,))
        blocks = ((hook, page.items) for hook in found for page in _pages_of_failed(tracker, hook) if page.items)
        is_empty = True
        for hook, deliveries in blocks:
            is_empty = False
            if as_json:
                echo_json(*({"webhookId": hook.id} | wire.delivery(one) for one in deliveries))
            else:
                table.echo(_rows(hook, deliveries))
        if is_empty and not as_json:
            table.echo(())


def _to_time(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else from_text(value, "it")
    except InvalidArgument as error:
        raise click.BadParameter(error.reason) from None


@webhooks.command(
    epilog=example(f"mailtrack webhooks replay {_ID}", f"mailtrack webhooks replay {_ID} --since 2025-11-06T12:00:00Z")
)
@click.argument("webhook", metavar="ID")
@click.option(
    "--since",
    callback=_to_time,
    metavar="TIME",
    help="As in 2025-11-06T12:00:00Z.  [default: the oldest open whose delivery failed]",
)
@database_option
def replay(webhook: str, since: datetime | None, **given: Any) -> None:
    """Send every event since a time again that the webhook's filters take, delivered or not.

    A running server sends them. Each keeps its id.
    """
    with open_tracker(**given) as tracker:
        found = tracker.webhooks.get(webhook)
        if since is None:
            failed = (one for page in _pages_of_failed(tracker, found) for one in page.items)
            since = min((one.event_at for one in failed), default=None)
        if since is None:
            echo("No delivery has failed, so there is nothing to send again. Name a time with --since.", err=True)
            return
        tracker.webhooks.replay(found.id, since=since)
    echo(f"The events since {to_text(since)} will be sent again.", err=True)


def _pages_of_failed(tracker: Tracker, webhook: Webhook) -> Iterator[Page[Delivery]]:
    return pages(
        lambda cursor: tracker.webhooks.list_deliveries(
            webhook.id, limit=MAX_LIMIT, cursor=cursor, state=DeliveryState.FAILED
        )
    )


def _rows(webhook: Webhook, deliveries: Iterable[Delivery]) -> Iterator[tuple[str, ...]]:
    for one in deliveries:
        status = "" if one.last_status is None else str(one.last_status)
        yield webhook.id, to_text(one.event_at), one.event_id, str(one.tries), status, one.error or ""


def _pending(counts: dict[str, DeliveryCount], webhook: Webhook) -> int:
    return counts.get(webhook.id, DeliveryCount()).pending


def _state(webhook: Webhook) -> str:
    if not webhook.enabled:
        return "disabled"
    return "failing" if webhook.failing_since else "active"


def _print_secret(webhook: Webhook, as_json: bool) -> None:
    if as_json:
        echo_json(wire.new_secret(webhook))
    else:
        echo(webhook.secret)
        echo(f"The id of this webhook is {webhook.id}. The secret is not shown again.", err=True)
