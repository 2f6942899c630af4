"""Create recipients from addresses."""

from collections.abc import Sequence
from datetime import datetime

from mailtrack import _ids as ids
from mailtrack._model import Pixel, Recipient
from mailtrack.storage._protocol import Storage


def add_recipients(
    storage: Storage, pixel: Pixel, addresses: Sequence[str], at: datetime
) -> tuple[list[Recipient], int]:
    """Add recipients to a pixel, all or none. An existing address keeps its token.

    Args:
        storage: the storage.
        pixel: the pixel.
        addresses: distinct addresses in canonical form, see `mailtrack._addresses`.
        at: the current time.

    Returns:
        A recipient for each address, in order, and the number of new ones.
    """
    recipient_ids = ids.new_recipient_ids(pixel.short_id, len(addresses))
    new = [
        Recipient(id=recipient_id, pixel_id=pixel.id, email=email, token=token, created_at=at)
        for email, recipient_id, token in zip(addresses, recipient_ids, ids.new_tokens(len(addresses)), strict=True)
    ]
    stored = storage.add_recipients(pixel.id, new)
    return stored, sum(one.id == made.id for one, made in zip(stored, new, strict=True))
