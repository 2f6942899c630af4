"""Make the mailings, and send the requests for their images to the application, each at its own time."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from mailtrack._model import Pixel
from mailtrack._tracker import Tracker
from mailtrack.cli._demo.fetches import Fetch, fetches
from mailtrack.cli._demo.mailings import PEOPLE, Mailing, make_mailings
from mailtrack.cli._demo.people import make_people
from mailtrack.cli._demo.programs import Program, load_programs
from mailtrack.storage import Storage
from mailtrack_wsgi._app import Application, create_app

_PREPARED = timedelta(minutes=20)  # tokens are made so long before the mails are sent


class _Clock:
    """The time of the simulation."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class _Hit(NamedTuple):
    """A request for the image of a mail, and the URL in the mail."""

    url: str
    fetch: Fetch


def simulate(storage: Storage, base_url: str, now: datetime, seed: int) -> Pixel:
    """Fill a storage with mailings and the opens that they caused up to now.

    Times are relative to `now`. Equal times and seeds give equal mailings and figures; ids and tokens are always new.

    Args:
        storage: an empty storage.
        base_url: the URL of the server.
        now: the current time.
        seed: another seed is another mailing.

    Returns:
        The pixel of the mailing of the last week, with its counts.
    """
    chance = random.Random(seed)
    clock = _Clock(now)
    tracker = Tracker(storage, base_url=base_url, clock=clock)
    programs = load_programs()
    hits: list[_Hit] = []
    for mailing in make_mailings(make_people(PEOPLE, programs, chance), now, chance):
        clock.now = mailing.sendings[0].at - _PREPARED
        pixel = tracker.create_pixel(mailing.name)
        tracker.update_pixel(pixel, note=mailing.note, archived=mailing.archived)
        hits += _send(tracker, clock, pixel, mailing, programs.robots, chance)
    app = create_app(tracker)
    for hit in sorted((one for one in hits if one.fetch.at <= now), key=lambda one: one.fetch.at):
        clock.now = hit.fetch.at
        _load_image(app, hit, chance)
    return tracker.get_pixel(pixel)


def _send(
    tracker: Tracker, clock: _Clock, pixel: Pixel, mailing: Mailing, robots: list[Program], chance: random.Random
) -> Iterator[_Hit]:
    """Make the tokens of a mailing, mark its mails as sent, and yield the requests that they will cause."""
    for sending in mailing.sendings:
        clock.now = sending.at - _PREPARED
        recipients = tracker.generate_tokens(pixel, [new for _, new in sending.mails])
        clock.now = sending.at
        tracker.mark_sent(pixel, recipients)
        for (person, _), recipient in zip(sending.mails, recipients, strict=True):
            url = tracker.tracking_url(pixel, recipient)
            for fetch in fetches(person, sending.at, mailing.readers, robots, chance):
                yield _Hit(url, fetch)


def _load_image(app: Application, hit: _Hit, chance: random.Random) -> None:
    """Request an image over HTTPS, as the recipient's program does."""
    url = urlsplit(hit.url)
    environ = {
        "PATH_INFO": url.path,
        "QUERY_STRING": url.query,
        "wsgi.url_scheme": "https",
        **hit.fetch.device.headers(chance),
    }
    setup_testing_defaults(environ)
    app(environ, lambda *_: lambda _: None)
