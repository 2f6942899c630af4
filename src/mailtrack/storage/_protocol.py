"""What a storage must do: the contract, method by method.

`mailtrack.testing.StorageContract` is this text as tests.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from mailtrack._model import (
    ApiKey,
    DayCount,
    Figures,
    Hit,
    HourCount,
    Image,
    Judgement,
    Open,
    Page,
    Pixel,
    Recipient,
    Target,
    VerdictKind,
)

MAX_TOP = 100
"""How many of the recipients with the most opens, and of the names in each facet, a storage tells at most."""

SEARCHED_AT_ONCE = 10_000
"""How many pixels the bundled storages look at for one page of what a search finds."""


@runtime_checkable
class Storage(Protocol):
    """Where pixels, recipients, opens and keys live.

    **Threads.** Every method may be called from any thread at any time, and from a child process after a fork.
    **Atomicity.** A method does all it says or, when it raises, nothing. What it returned from is durable as far as
    the storage keeps anything at all. **Reads** see all writes that returned before they began. **Errors.**
    `StorageUnavailable` when trying again may help (out of reach, locked, full), `StorageError` otherwise; a driver's
    own errors never come out. **Ownership.** Whoever opens a storage closes it, with `close` or `with`. Values given
    and returned are immutable; the storage keeps nothing of the caller's that could change.

    Callers pass only checked values: names, addresses, tokens and ids of the forms that `mailtrack` makes, `limit`
    from 1 to 1,000, texts without NUL. Pages are cut by cursors, which are the storage's own short texts: a cursor
    stays usable while things are added and deleted around it, and an unusable one raises `InvalidPaging`.

    A storage in a local file may tell it as an attribute `path`, a `pathlib.Path`: what belongs to it, such as the
    counts of the rate limit, is then kept beside it.
    """

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        """Add a pixel with its image.

        Raises:
            ShortIdTaken: another pixel has the same short id; nothing was added.
        """
        ...

    def get_pixel(self, key: str) -> Pixel:
        """Return a pixel, given its UUID or short id in lower case, with its counts as of now.

        Raises:
            PixelNotFound: there is none.
        """
        ...

    def list_pixels(self, *, limit: int, cursor: str | None = None, search: str | None = None) -> Page[Pixel]:
        """Return pixels, the last added first.

        Args:
            limit: how many at most.
            cursor: from where, `None` for the newest.
            search: only those whose name has this text in it, both after `str.casefold`. Where a storage has looked at
                many, the bundled ones at 10,000, it may end the page with fewer than `limit`, even none, though another
                one follows.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def delete_pixel(self, pixel_id: str) -> None:
        """Delete a pixel with its image, recipients, opens and counts.

        Raises:
            PixelNotFound: there is none.
        """
        ...

    def get_image(self, key: str) -> Image:
        """Return the image that was added with a pixel, given its UUID or short id in lower case.

        Raises:
            ImageNotFound: the pixel has none, or does not exist.
        """
        ...

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        """Add those recipients whose address the pixel does not have yet.

        Addresses are compared without regard to case, and kept as they
        are. Those given are distinct in that form. The order given is the order of creation.

        Returns:
            One recipient for each given, in their order: the one given where it was added, else the one that the
            pixel already had for this address, of several (as data may have from before that rule) the oldest.

        Raises:
            PixelNotFound: the pixel does not exist.
        """
        ...

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        """Return the recipients with these ids, by id; ids that do not exist are left out."""
        ...

    def list_recipients(
        self, pixel_id: str, *, limit: int, cursor: str | None = None, opened: bool | None = None
    ) -> Page[Recipient]:
        """Return recipients of a pixel in the order of their creation.

        Args:
            pixel_id: the pixel; one that does not exist has no recipients.
            limit: how many at most.
            cursor: from where, `None` for the start.
            opened: only those with, or without, an open that counts.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def delete_recipient(self, recipient_id: str) -> Recipient:
        """Delete a recipient, and return it as it was.

        Its opens stay, with their `recipient_id` but without token, and so do the pixel's counts of opens; it counts no
        more among those who have opened. The address
        is overwritten where the storage keeps it, as soon as no reader needs it any more.

        Raises:
            RecipientNotFound: there is none.
        """
        ...

    def resolve(self, hits: Sequence[Hit]) -> list[Target | None]:
        """Look up whose opens hits would be.

        Returns:
            One entry for each hit, in their order, with the recipient where the hit's token is one of that pixel's;
            `None` where the pixel does not exist.
        """
        ...

    def add_opens(self, opens: Sequence[Open]) -> int:
        """Add opens, and count them for their pixels, recipients, hours and all else that `Figures` tell.

        Idempotent: an open whose id its pixel already has changes nothing. An open of a pixel that does not exist (any
        more) is left out, and one of a recipient that does not exist any more is added without counting for it. Within
        a pixel the order of arrival, and in one call the order given, is the order of the log, whatever the times say.

        Returns:
            How many were added.
        """
        ...

    def list_opens(
        self,
        pixel_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        skip: int = 0,
        kind: VerdictKind | None = None,
        recipient_id: str | None = None,
    ) -> Page[Open]:
        """Return opens of a pixel, the last arrived first.

        Args:
            pixel_id: the pixel; one that does not exist has no opens.
            limit: how many at most.
            cursor: from where, `None` for the newest.
            skip: how many to pass over from there, at least 0, also of those that are left out below. Costs the same
                however many.
            kind: only those with a verdict of this kind.
            recipient_id: only those of this recipient, who may be deleted. Costs by what is found, not by what is left
                out, where only one of the two is given.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def count_by_hour(self, pixel_id: str) -> list[HourCount]:
        """Return how many opens a pixel had, by hour and kind of verdict, in order of hour, then kind.

        Costs by the hours, not by the opens. A pixel that does not exist has none.
        """
        ...

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        """Return how many opens pixels had, by their ids, in each day of UTC that had any, in order.

        Costs by the hours since then, not by the opens. Pixels without any, and those that do not exist, are left out.

        Args:
            pixel_ids: the pixels.
            since: the start of the first day.
        """
        ...

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        """Return what is counted for a pixel: what a scan of its recipients and of all opens it ever had would give.

        Costs by the hours and the different clients, not by the opens.

        Args:
            pixel_id: the pixel.
            top: how many of the recipients with the most opens to tell, and how many names of each facet, at most; 1 to
                `MAX_TOP`.

        Raises:
            PixelNotFound: it does not exist.
        """
        ...

    def judge_again(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        """Change what is known of opens of a pixel, and correct all counts that depend on it.

        Of two judgements of one open the later stands. Opens that do not exist are passed over.

        Returns:
            How many there were.
        """
        ...

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        """Return how many opens of a pixel there are, of those not purged, whose time is before another.

        A pixel that does not exist has none. May cost by the opens, but keeps no writer waiting.
        """
        ...

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        """Delete opens of a pixel whose time is before another, the first arrived first.

        All counts stay as if the opens were there, also when others are judged again; what is listed, and passed over,
        are those that are left. `Pixel.purged` and `purged_before` follow. A purged open is forgotten: given to
        `add_opens` again, it is new. What the storage keeps of one is overwritten once the last is deleted, as soon as
        no reader needs it any more.

        Args:
            pixel_id: the pixel; one that does not exist has no opens.
            before: an aware time.
            limit: how many at most, 1 to 10,000. Other writers wait meanwhile.

        Returns:
            How many were deleted; 0 only where none is left.
        """
        ...

    def add_key(self, key: ApiKey) -> None:
        """Add an API key.

        Raises:
            StorageError: another key has the same id; nothing was added.
        """
        ...

    def list_keys(self) -> list[ApiKey]:
        """Return all API keys, of which there are few, in the order in which they were added."""
        ...

    def delete_key(self, key_id: str) -> ApiKey:
        """Delete an API key, and return it as it was.

        Raises:
            KeyNotFound: there is none.
        """
        ...

    def ping(self) -> None:
        """Return if the storage answers.

        Raises:
            StorageError: it does not.
        """
        ...

    def close(self) -> None:
        """Give up all resources. Closing twice is harmless; any other use afterwards raises `StorageError`."""
        ...

    def __enter__(self) -> Self:
        """Return the storage itself."""
        ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        ...


@runtime_checkable
class SupportsBackup(Protocol):
    """An optional ability of a storage: to be copied to one file, as `Tracker.backup` does.

    Threads and errors are as for `Storage`. `mailtrack.testing.BackupContract` is this text as tests.
    """

    def copy_to(self, file: Path) -> Storage:
        """Write a whole copy of the storage as it is at one moment after the call, while others go on to write.

        Args:
            file: an empty file, which gets the copy and keeps its mode. What is needed besides while the copy is made
                or open may be put beside it. Where this fails, what is there is no copy.

        Returns:
            The copy, open; the caller closes it. All of it is in the one file then, for a storage of the same kind.

        Raises:
            StorageUnavailable: there is no room for it, or the storage can't be reached.
            StorageError: the storage is damaged.
        """
        ...


@runtime_checkable
class SupportsSettings(Protocol):
    """An optional ability of a storage: to keep short texts by name, as `mailtrack serve` does with its base URL.

    Threads, atomicity, reads and errors are as for `Storage`. A storage without it is as good otherwise: what would be
    kept is then not known. `mailtrack.testing.SettingsContract` is this text as tests.
    """

    def get_setting(self, name: str) -> str | None:
        """Return the text that is kept under a name, `None` where there is none."""
        ...

    def set_setting(self, name: str, value: str | None) -> None:
        """Keep a text of at most 4,096 characters under a name, in place of the former one; `None` removes it."""
        ...
