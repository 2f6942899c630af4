"""`WebhookForm`: the fields of the form with a webhook's URL and filters."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import attrs

from mailtrack._errors import InvalidArgument, PixelNotFound
from mailtrack._model import Pixel, VerdictKind
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._tracker import Tracker
from mailtrack._webhook import Webhook
from mailtrack_wsgi._context import MAX_PIXELS, Context

FIELDS = ("url", "first", "pixels", *(f"kind-{kind}" for kind in VerdictKind))
"""The names of the fields."""


@attrs.frozen(kw_only=True)
class WebhookForm:
    """The URL and filters of a webhook, as they stand in a form.

    Attributes:
        url: the URL.
        first: which opens of a recipient.
        kinds: only these kinds of verdict; those that count if it is empty.
        pixels: only these pixels, a line for each: its short id and its name, or one of both; all if it is empty.
    """

    url: str = ""
    first: str = "firstCounted"
    kinds: tuple[VerdictKind, ...] = ()
    pixels: str = ""

    @classmethod
    def of(cls, given: dict[str, str]) -> Self:
        """Return the form with the fields that a request has."""
        kinds = tuple(kind for kind in VerdictKind if given.get(f"kind-{kind}"))
        texts = {name: given[name] for name in ("url", "first", "pixels") if name in given}
        return cls(**texts, kinds=kinds)

    @classmethod
    def of_webhook(cls, webhook: Webhook, pixels: Sequence[Pixel]) -> Self:
        """Return the form with what is stored, given the pixels of `pixels_of`."""
        lines = [f"{pixel.short_id} {pixel.name}" for pixel in pixels]
        # Deleted ones stay in the form: without any line, the webhook would send the opens of all pixels.
        lines += sorted((webhook.pixels or frozenset()) - {pixel.id for pixel in pixels})
        return cls(
            url=webhook.url,
            first=webhook.first,
            kinds=tuple(kind for kind in VerdictKind if kind in (webhook.kinds or ())),
            pixels="\n".join(lines),
        )

    def arguments(self, context: Context) -> dict[str, Any]:
        """Return the arguments of `Webhooks.add` and `Webhooks.update`.

        Raises:
            InvalidArgument: a line names no pixel, or several; or there are too many.
        """
        lines = dict.fromkeys(filter(None, map(str.strip, self.pixels.splitlines())))
        if len(lines) > MAX_PIXELS:  # before they are looked up
            raise InvalidArgument("Pixels", f"must be at most {MAX_PIXELS:,}.")
        return {
            "url": self.url.strip(),
            "first": self.first,
            "kinds": self.kinds or None,
            "pixels": [_find_pixel(line, context.tracker) for line in lines] or None,
        }


def pixels_of(webhook: Webhook, tracker: Tracker) -> list[Pixel]:
    """Return the pixels to which a webhook is limited, by name; those that are deleted are left out."""
    found = []
    for pixel_id in webhook.pixels or ():
        with suppress(PixelNotFound):
            found.append(tracker.get_pixel(pixel_id))
    return sorted(found, key=lambda pixel: (pixel.name, pixel.id))


def _find_pixel(line: str, tracker: Tracker) -> str:
    try:
        return tracker.get_pixel(line.split()[0]).id
    except PixelNotFound:
        return _find_by_name(line, tracker)


def _find_by_name(name: str, tracker: Tracker) -> str:
    pixels = walk(lambda cursor: tracker.list_pixels(limit=MAX_LIMIT, cursor=cursor, search=name, archived=None))
    found = [pixel for pixel in pixels if pixel.name.casefold() == name.casefold()]
    if len(found) > 1:
        raise InvalidArgument("Pixels", "must be named by their id where several have the same name.")
    if not found:
        raise InvalidArgument("Pixels", "must be ids or names of pixels, one per line; one is of none.")
    return found[0].id
