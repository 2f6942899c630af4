"""`People`: the part of a tracker that finds, lists and deletes recipients, and one person over all pixels."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from mailtrack import _ids as ids
from mailtrack._arguments import check_type, to_id, to_items
from mailtrack._errors import RecipientNotFound
from mailtrack._following import Following
from mailtrack._ingest.forgetting import forget
from mailtrack._model import Erased, Page, Pixel, Recipient, RecipientState
from mailtrack._new_recipients import may_be_in_recipients
from mailtrack._paging import DEFAULT_LIMIT, MAX_LIMIT, check_cursor, check_limit, walk
from mailtrack._pixels import find_pixel
from mailtrack._recipients import to_address, to_states


class People(Following):
    """Finds, lists and deletes recipients. `Tracker` adds pixels, tokens and opens."""

    def list_recipients(
        self,
        pixel: Pixel | str,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        opened: bool | None = None,
        states: Iterable[RecipientState | str] | None = None,
        search: str | None = None,
        ref: str | None = None,
    ) -> Page[Recipient]:
        """Return a page of a pixel's recipients, in the order of their creation.

        Args:
            pixel: the pixel.
            limit: the most recipients, 1 to 1,000.
            cursor: `Page.next` of the page before.
            opened: only recipients with (`True`) or without (`False`) an open that counts.
            states: only recipients in one of these states, such as `["scanned", "none"]`.
            search: only recipients with this text in their address or reference, in any case. A page may then hold
                fewer than `limit` recipients, even none, though another one follows: a search reads 10,000 recipients
                for each page.
            ref: only recipients with this reference, as written.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidPaging: the limit is out of range, or the cursor is not valid.
            InvalidArgument: one of the states is none, or `search` or `ref` is no text.
        """
        limit, cursor = check_limit(limit), check_cursor(cursor)
        return self._find_recipients(pixel, opened, states, search, ref)(limit, cursor)

    def iter_recipients(
        self,
        pixel: Pixel | str,
        *,
        opened: bool | None = None,
        states: Iterable[RecipientState | str] | None = None,
        search: str | None = None,
        ref: str | None = None,
    ) -> Iterator[Recipient]:
        """Iterate over all recipients of a pixel, in the order of their creation, in bounded memory.

        No transaction is held between steps: recipients added or deleted meanwhile may or may not be seen, and the
        iteration ends early if the pixel is deleted. The filters are as for `list_recipients`.

        Raises:
            PixelNotFound: no pixel has this id. Raised at once, before the first step.
            InvalidArgument: one of the states is none, or `search` or `ref` is no text.
        """
        return walk(partial(self._find_recipients(pixel, opened, states, search, ref), MAX_LIMIT))

    def _find_recipients(
        self,
        pixel: Pixel | str,
        opened: bool | None,
        states: Iterable[RecipientState | str] | None,
        search: str | None,
        ref: str | None,
    ) -> Callable[[int, str | None], Page[Recipient]]:
        """Return a function that returns a page of the recipients that were chosen, given a limit and a cursor."""
        chosen = to_states(opened, states)
        check_type(search, str, "search", optional=True)
        check_type(ref, str, "ref", optional=True)
        key = find_pixel(self._storage, pixel).id
        if not (may_be_in_recipients(search) and may_be_in_recipients(ref)):
            return lambda _limit, _cursor: Page(items=())
        return lambda limit, cursor: self._storage.list_recipients(
            key, limit=limit, cursor=cursor, states=chosen, search=search, ref=ref
        )

    def get_recipients(self, recipient_ids: Iterable[Recipient | str | None]) -> dict[str, Recipient]:
        """Return recipients with their current opens, by id. Unknown ids and `None` are left out.

        Raises:
            InvalidArgument: `recipient_ids` is a single text.
        """
        given = (one for one in to_items(recipient_ids, "recipient_ids") if one is not None)
        wanted = set(filter(ids.is_recipient_id, (to_id(one, Recipient, "recipient") for one in given)))
        return self._storage.get_recipients(wanted) if wanted else {}

    def get_recipient(self, recipient_id: Recipient | str) -> Recipient:
        """Return a recipient with its current opens.

        Raises:
            RecipientNotFound: no recipient has this id.
        """
        key = to_id(recipient_id, Recipient, "recipient")
        found = self.get_recipients([key]).get(key)
        if found is None:
            raise RecipientNotFound
        return found

    def delete_recipient(self, recipient_id: Recipient | str) -> Recipient:
        """Delete a recipient, and return it as it was. Its opens stay, without the address.

        Raises:
            RecipientNotFound: no recipient has this id.
        """
        key = to_id(recipient_id, Recipient, "recipient")
        if not ids.is_recipient_id(key):
            raise RecipientNotFound
        return self._storage.delete_recipient(key)

    def find_recipients(self, email: str) -> list[Recipient]:
        """Return all recipients with an address, over all pixels and references, the newest first.

        The cost depends on the numbers of these recipients and of pixels, not on the number of other recipients.

        Args:
            email: the address, in any case.

        Raises:
            InvalidEmail: the address is not valid.
        """
        return list(walk(partial(self._list_found, to_address(email), MAX_LIMIT)))

    def list_found(self, email: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[Recipient]:
        """Return a page of what `find_recipients` returns.

        Args:
            email: the address, in any case.
            limit: the most recipients, 1 to 1,000.
            cursor: `Page.next` of the page before.

        Raises:
            InvalidEmail: the address is not valid.
            InvalidPaging: the limit is out of range, or the cursor is not valid.
        """
        return self._list_found(to_address(email), check_limit(limit), check_cursor(cursor))

    def _list_found(self, email: str, limit: int, cursor: str | None) -> Page[Recipient]:
        return self._storage.find_recipients(email, limit=limit, cursor=cursor)

    def erase(self, email: str, *, timeout: float | None = None) -> Erased:
        """Delete all recipients with an address over all pixels, with their tokens and data, and return how many.

        Their opens stay, but nothing in them leads to the person any more: neither recipient, address, user agent nor
        referer. The pixels' opens, views, verdicts and breakdowns stay; their recipients and those who opened fall.
        Hits of the person that wait in the spool, or come later with an old token, become such opens, too. In the
        spool's folder nothing of the person is left within some seconds. A new token for the same address is one of a
        new recipient.

        The person is out of sight at once. Many opens are then overwritten in short steps, between which others can
        write; if the process ends meanwhile, the next `sweep`, `erase` or `start` of any process goes on. Copies that
        were made before, such as backups, keep the person.

        Args:
            email: the address, in any case.
            timeout: how long to wait for that, in seconds, before the rest is left to a background thread of this
                process; by default without a limit.

        Returns:
            The numbers of the recipients and of their stored opens; zeros when it is asked again.

        Raises:
            InvalidEmail: the address is not valid.
            StorageError: the storage can't be written. Recipients deleted until then stay deleted; ask again.
            StorageUnavailable: the same, for now, or the spool's folder can't be written.
        """
        erased = self._storage.erase(to_address(email))
        self._sweeper.sweep(timeout)
        if self._spool_folder is not None:
            forget(self._spool_folder, self._storage)
        return erased
