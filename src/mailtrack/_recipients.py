"""Create recipients from addresses, mark them as sent to, and choose them by their state."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from mailtrack import _ids as ids
from mailtrack._addresses import canonical
from mailtrack._arguments import check_flag, check_type, to_choice, to_id, to_items
from mailtrack._errors import InvalidArgument
from mailtrack._model import NewRecipient, Pixel, Recipient, RecipientState
from mailtrack._times import to_utc
from mailtrack.storage._protocol import Storage


def add_recipients(
    storage: Storage, pixel: Pixel, given: Sequence[NewRecipient], at: datetime
) -> tuple[list[Recipient], int]:
    """Add recipients to a pixel, all or none. An existing one keeps its token.

    Args:
        storage: the storage.
        pixel: the pixel.
        given: checked and distinct, as `mailtrack._new_recipients.check_all` returns them.
        at: the current time.

    Returns:
        A recipient for each given, in order, and the number of new ones.
    """
    recipient_ids = ids.new_recipient_ids(pixel.short_id, len(given))
    new = [
        Recipient(
            id=recipient_id, pixel_id=pixel.id, email=one.email, ref=one.ref, data=one.data, token=token, created_at=at
        )
        for one, recipient_id, token in zip(given, recipient_ids, ids.new_tokens(len(given)), strict=True)
    ]
    stored = storage.add_recipients(pixel.id, new)
    return stored, sum(one.id == made.id for one, made in zip(stored, new, strict=True))


def to_address(email: str) -> str:
    """Return an address to look for in canonical form; one of a special domain, too, as it may be stored.

    Raises:
        InvalidEmail: it is not valid.
    """
    check_type(email, str, "email")
    return canonical(email, allow_special_domains=True)


def mark_sent(
    storage: Storage, pixel: Pixel, recipients: Iterable[Recipient | str] | None, at: datetime | None, now: datetime
) -> int:
    """Set when mails were sent; `Tracker.mark_sent` documents the rest.

    Args:
        storage: the storage.
        pixel: the pixel.
        recipients: the recipients, `None` for all.
        at: the time, `None` for now.
        now: the current time.
    """
    sent_at = now if at is None else to_utc(at, "at")
    if sent_at > now:
        raise InvalidArgument("at", "must not be in the future")
    if recipients is None:
        return storage.mark_sent(pixel.id, None, at=sent_at)
    given = (to_id(one, Recipient, "recipient") for one in to_items(recipients, "recipients"))
    return storage.mark_sent(pixel.id, set(filter(ids.is_recipient_id, given)), at=sent_at)


def to_states(opened: bool | None, states: Iterable[RecipientState | str] | None) -> frozenset[RecipientState] | None:
    """Return the states that are both among those given and fit `opened`; `None` for all.

    Raises:
        InvalidArgument: `opened` is no flag, or one of the states is none.
    """
    check_flag(opened, "opened")
    chosen = frozenset(RecipientState)
    if states is not None:
        chosen = frozenset(to_choice(one, RecipientState, "states") for one in to_items(states, "states"))
    if opened is not None:
        chosen = frozenset(one for one in chosen if (one is RecipientState.OPENED) == opened)
    return None if opened is None and states is None else chosen
