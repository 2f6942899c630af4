"""All that is stored about a recipient, as JSON: for a person who asks for it."""

from mailtrack import _wire as wire
from mailtrack._model import Recipient
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls


def everything(tracker: Tracker, one: Recipient, urls: Urls) -> wire.Json:
    """Return a recipient with its pixel, and with its opens, the newest first, under `log`.

    Raises:
        PixelNotFound: the pixel was deleted meanwhile.
    """
    found = wire.found_recipient(one, tracker.get_pixel(one.pixel_id), urls)
    opens = walk(lambda cursor: tracker.list_opens(one.pixel_id, recipient_id=one, limit=MAX_LIMIT, cursor=cursor))
    return found | {"log": list(map(wire.open_, opens))}
