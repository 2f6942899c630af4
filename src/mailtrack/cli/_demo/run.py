"""Run the demonstration: everything in the memory of one process, so that nothing is left when it ends."""

from collections.abc import Callable

from mailtrack._errors import MailtrackError
from mailtrack._model import Pixel, Recipient, RecipientState
from mailtrack._times import now
from mailtrack._tracker import Tracker
from mailtrack.cli._demo.server import listen
from mailtrack.cli._demo.simulation import simulate
from mailtrack.cli._demo.webhooks import add_webhooks
from mailtrack.storage import open_storage
from mailtrack_wsgi._app import create_app
from mailtrack_wsgi._paths import WEBHOOKS_PAGE, person_page, recipients_page

_HOSTS = ("127.0.0.1", "localhost")


class DemoError(MailtrackError):
    """The demonstration can't be started."""


def run(port: int | None, seed: int, on_start: Callable[[list[tuple[str, str]]], None]) -> None:
    """Make the mailings, and serve the pages until an exception ends it.

    Args:
        port: the TCP port, 0 for a free one, `None` for 8000 or else a free one.
        seed: another seed is another mailing.
        on_start: called when the pages are served, with what to look at first: titles and URLs.

    Raises:
        DemoError: the port can't be listened on.
    """
    try:
        server = listen(port)
    except OSError as error:
        raise DemoError(f"Can't listen on 127.0.0.1, port {port}: {error.strerror}.") from error
    with server, open_storage("memory://") as storage:
        at = now()
        pixel = simulate(storage, server.url, at, seed)
        add_webhooks(storage, at)
        tracker = Tracker(storage, base_url=server.url)
        server.set_app(create_app(tracker, hosts=_HOSTS))
        on_start(_first_pages(tracker, pixel, server.url))
        server.serve_forever()


def _first_pages(tracker: Tracker, pixel: Pixel, url: str) -> list[tuple[str, str]]:
    """Return titles and URLs, the last of which is that of the image in a mail that was not opened."""
    reader = max(tracker.iter_recipients(pixel, opened=True), key=lambda one: _count_opens(tracker, one))
    unopened = next(tracker.iter_recipients(pixel, states=[RecipientState.NONE]))
    return [
        ("Dashboard", f"{url}/"),
        ("Log and figures", f"{url}/logs/{pixel.short_id}"),
        ("Recipients", url + recipients_page(pixel.id)),
        ("A reader", url + person_page(reader.email)),
        ("Webhooks", url + WEBHOOKS_PAGE),
        ("API reference", f"{url}/docs"),
        ("A mail's image", tracker.tracking_url(pixel, unopened)),
    ]


def _count_opens(tracker: Tracker, recipient: Recipient) -> int:
    """Return how often a person has opened mails of all pixels."""
    return sum(one.opens.counted.number for one in tracker.find_recipients(recipient.email))
