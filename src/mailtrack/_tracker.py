"""`Tracker`: the one object that a program works with."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from typing import Literal, get_args

from mailtrack import _ids as ids
from mailtrack._addresses import canonical
from mailtrack._arguments import check_flag, check_type, to_choice, to_id, to_items
from mailtrack._errors import InvalidArgument, InvalidSetting, PixelNotFound
from mailtrack._figures import DayCount
from mailtrack._images.cache import ImageCache
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._imports import ImportProgress, ImportResult, ImportRows, OnInvalid, import_all, import_valid, parse
from mailtrack._ingest.request import clean_request
from mailtrack._keys import Keyring
from mailtrack._model import Hit, Image, NewRecipient, Open, Page, Pixel, PixelOrder, Recipient, VerdictKind
from mailtrack._names import may_be_in_name
from mailtrack._new_recipients import check_all
from mailtrack._paging import DEFAULT_LIMIT, MAX_LIMIT, check_cursor, check_limit, check_skip, walk
from mailtrack._people import People
from mailtrack._pixels import ImageSource, add_pixel, find_image, find_pixel, iter_pixels, update_pixel
from mailtrack._recipients import add_recipients
from mailtrack._spool import Spool
from mailtrack._times import Clock, find_zone, now, start_of_day, to_utc
from mailtrack._urls import Urls
from mailtrack.report import DEFAULT_TOP, Report, make_report
from mailtrack.storage._protocol import MAX_TOP, Storage
from mailtrack.verdicts import Judge, RecentHits


class Tracker(People):
    """Creates pixels and tokens, records opens, lists them, and reports figures.

    Where a method takes a pixel, it takes the `Pixel`, its UUID or its short id, in upper or lower case; where it takes
    a recipient, the `Recipient` or its id. Values are as of the call that returned them.

    Thread-safe as far as the storage is, as all bundled ones are. The program that opened the storage closes it.

    Args:
        storage: an open storage.
        base_url: the public URL where the application is mounted. Only URLs of pixels need it.
        spool: keeps opens until they are stored, once `start` was called. Without a spool, `record` stores at once.
        judge: decides which opens are people's; by default by the bundled rules.
        recent_hits: detects bursts and repeats; by default with the default thresholds.
        clock: returns the current time.
        allow_special_domains: whether to accept addresses that can't be reached from outside, as in `.test`, `.local`,
            `.invalid` and `localhost`: for test suites and intranets.
        webhook_allow: networks, such as "10.0.0.0/8", that webhooks may reach though they are not public.

    Raises:
        InvalidSetting: `base_url` is not an absolute http or https URL, or `webhook_allow` has what is no network.
        InvalidArgument: another argument is of a wrong type, such as a URL in place of an open storage.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        base_url: str | None = None,
        spool: Spool | None = None,
        judge: Judge | None = None,
        recent_hits: RecentHits | None = None,
        clock: Clock = now,
        allow_special_domains: bool = False,
        webhook_allow: Iterable[str] = (),
    ) -> None:
        super().__init__(
            storage, spool=spool, judge=judge, recent_hits=recent_hits, clock=clock, webhook_allow=webhook_allow
        )
        check_flag(allow_special_domains, "allow_special_domains")
        self._urls = None if base_url is None else Urls(base_url)
        self._images = ImageCache(storage.get_image)
        self._keys = Keyring(storage, clock)
        self._canonical = partial(canonical, allow_special_domains=allow_special_domains)

    def __repr__(self) -> str:
        return f"<Tracker {self._storage!r}>"

    @property
    def urls(self) -> Urls | None:
        """The URLs below `base_url`, or `None` without one."""
        return self._urls

    @property
    def keys(self) -> Keyring:
        """The stored API keys."""
        return self._keys

    # Pixels

    def create_pixel(self, name: str, *, image: ImageSource | None = None) -> Pixel:
        """Create a pixel.

        Args:
            name: 1 to 256 characters, not all blank; blanks around it are cut off.
            image: the bytes or the path of a JPG, PNG, GIF or WebP file of at most 5 MB and 50 megapixels, to show
                instead of the transparent pixel.

        Raises:
            InvalidName: the name is blank, too long, or has control characters.
            InvalidImage: the image is damaged, of another format (`UnsupportedImage`) or too large (`ImageTooLarge`).
            OSError: the file can't be read.
            StorageError: the pixel can't be stored.
        """
        return add_pixel(self._storage, name, image, self._clock)

    def get_pixel(self, pixel: Pixel | str) -> Pixel:
        """Return a pixel with its current counts.

        Raises:
            PixelNotFound: no pixel has this id.
        """
        return find_pixel(self._storage, pixel)

    def list_pixels(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        search: str | None = None,
        archived: bool | None = False,
        order: PixelOrder = "newest",
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> Page[Pixel]:
        """Return a page of the pixels, the newest first or in another order.

        Args:
            limit: the most pixels, 1 to 1,000.
            cursor: `Page.next` of the page before.
            search: only pixels with this text in their name, in any case. A page may then hold fewer than `limit`
                pixels, even none, though another one follows: a search reads 10,000 pixels for each page.
            archived: `False` leaves archived pixels out, `True` the others, `None` neither.
            order: "name", in any case; "opens", the most that count first; "rate", the highest share of the recipients
                who have opened first. While counts change, a pixel may be on two pages or on none.
            since: only pixels created at this time or later. In other orders than the newest first, pages may end
                early, as with `search`.
            before: only pixels created before this time, likewise.

        Raises:
            InvalidPaging: the limit is out of range, or the cursor is not valid, such as one of another order.
            InvalidArgument: there is no such order, or a time has no time zone.
        """
        limit, cursor = check_limit(limit), check_cursor(cursor)
        check_flag(archived, "archived")
        if order not in get_args(PixelOrder):
            raise InvalidArgument("order", f"must be one of {', '.join(get_args(PixelOrder))}")
        start, end = (
            None if time is None else to_utc(time, name) for time, name in ((since, "since"), (before, "before"))
        )
        if search is not None:
            check_type(search, str, "search")
            if not may_be_in_name(search):
                return Page(items=())
        return self._storage.list_pixels(
            limit=limit, cursor=cursor, search=search, archived=archived, order=order, since=start, before=end
        )

    def iter_pixels(self) -> Iterator[Pixel]:
        """Iterate over all pixels, also archived ones, the newest first, in bounded memory."""
        return iter_pixels(self._storage)

    def update_pixel(
        self, pixel: Pixel | str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> Pixel:
        """Change a pixel, and return it as it is now. What is not given, or `None`, stays.

        Args:
            pixel: the pixel.
            name: a new name, as for `create_pixel`.
            archived: whether lists and the dashboard leave it out. An archived pixel goes on tracking.
            note: up to 2,000 characters, on any number of lines; blanks around it are cut off. "" removes it.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidName: the name is blank, too long, or has control characters.
            InvalidNote: the note is too long, or has control characters other than line breaks and tabs.
        """
        return update_pixel(self._storage, pixel, name, archived, note)

    def delete_pixel(self, pixel: Pixel | str, *, timeout: float | None = None) -> Pixel:
        """Delete a pixel with its opens, recipients, tokens and image, and return it as it was.

        It is gone at once and as a whole, for every process. The rows of a large one are then removed in short steps
        between which others can write, those of recipients first: some 20,000 rows a second. If the process ends
        meanwhile, the rest is removed by the next `sweep`, `delete_pixel`, `purge` or `start` of any process.

        Args:
            pixel: the pixel.
            timeout: how long to wait for that, in seconds, before the rest is left to a background thread of this
                process; by default without a limit.

        Raises:
            PixelNotFound: no pixel has this id.
        """
        found = self.get_pixel(pixel)
        self._storage.delete_pixel(found.id)
        for key in (found.id, found.short_id):
            self._images.forget(key)
        self._sweeper.sweep(timeout)
        return found

    def get_image(self, name: str | None) -> Image:
        """Return the image that a pixel was created with, by its file name in `Pixel.image`.

        Raises:
            ImageNotFound: no pixel has an image of this name.
        """
        return find_image(self._storage, name)

    def get_pixel_image(self, pixel: Pixel | str) -> Image:
        """Return the image to answer a request with: the pixel's own, or the transparent one, also for unknown pixels.

        Images are cached for a second, and served on while the storage fails.
        """
        key = ids.parse_pixel_key(to_id(pixel, Pixel, "pixel"))
        return TRANSPARENT_PNG if key is None else self._images.get(key)

    def tracking_url(self, pixel: Pixel | str, recipient: Recipient | str | None = None) -> str:
        """Return the URL of a pixel's image, with a recipient's token or without one. Ids are looked up.

        Raises:
            InvalidSetting: this tracker was made without `base_url`.
            PixelNotFound: no pixel has this id.
            RecipientNotFound: no recipient has this id.
            InvalidArgument: the recipient belongs to another pixel.
        """
        if self._urls is None:
            raise InvalidSetting("base_url", "is needed to make URLs; give it to Tracker")
        owner = pixel if isinstance(pixel, Pixel) else self.get_pixel(pixel)
        if recipient is None:
            return self._urls.tracking(owner)
        found = recipient if isinstance(recipient, Recipient) else self.get_recipient(recipient)
        if found.pixel_id != owner.id:
            raise InvalidArgument("recipient", "must be one of this pixel; it is one of another")
        return self._urls.tracking(owner, found)

    # Recipients

    def generate_tokens(self, pixel: Pixel | str, emails: Iterable[str | NewRecipient]) -> list[Recipient]:
        """Return one recipient, with a token, for each distinct address and reference, in order of first appearance.

        All or nothing. A recipient that the pixel already has keeps its token, so a retry is harmless.

        Args:
            pixel: the pixel.
            emails: any number of addresses, or of `NewRecipient` values with a reference and data. Addresses are
                compared without regard to case, and stored as given, with the domain in lower case; references are
                compared as written. Data replaces what the recipient had; if it is given several times, the last
                counts.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidEmails: some addresses are not valid; `problems` lists them with the reasons.
            InvalidRecipients: some references or data are not valid, likewise.
            InvalidArgument: `emails` is a single text.
        """
        found, given = self.get_pixel(pixel), check_all(to_items(emails, "emails"), self._canonical)
        return add_recipients(self._storage, found, given, self._clock())[0]

    def import_recipients(
        self,
        pixel: Pixel | str,
        rows: ImportRows,
        *,
        on_invalid: Literal["raise", "skip"] = "raise",
        email: str | None = None,
        ref: str | None = None,
        progress: ImportProgress = lambda *_: None,
    ) -> ImportResult:
        """Add recipients from a list, a table or a file; see `docs/importing.md` for the accepted forms.

        Args:
            pixel: the pixel.
            rows: a file, its bytes or its text (a list or a CSV table, in any encoding), which is read whole; or texts
                with one address each; or `NewRecipient` values; or mappings, as `csv.DictReader` makes them. Of a
                mapping, the value under `ref` is its reference, and a mapping under `data` is its data.
            on_invalid: "raise" to store all rows or none; "skip" to store the valid ones, in steps of 10,000 that are
                all or nothing each.
            email: the column of the addresses, by its heading, or in a table by its number from 1.
            ref: the column of the references, likewise. An empty cell is none. Without it, tables have no references.
            progress: called after each step with the numbers added, present and rejected so far.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidEmails: with "raise", some addresses are not valid; `problems` lists the rows by row or line.
            InvalidRecipients: with "raise", only references or data are not valid, likewise.
            InvalidImport: the file is not text, or has no such column.
            InvalidArgument: `rows` or `on_invalid` can't be used.
        """
        store = import_all if to_choice(on_invalid, OnInvalid, "on_invalid") is OnInvalid.RAISE else import_valid
        found = self.get_pixel(pixel)

        def add(new: Sequence[NewRecipient]) -> tuple[list[Recipient], int]:
            return add_recipients(self._storage, found, new, self._clock())

        return store(parse(rows, self._canonical, email=email, ref=ref), add, progress)

    # Opens

    def record(
        self,
        pixel: Pixel | str,
        *,
        token: str | None = None,
        ip: str | None = None,
        user_agent: str | None = "",
        referer: str | None = "",
        signals: Collection[str] = (),
    ) -> None:
        """Record a request for a pixel's image that arrives now. Requests for unknown pixels are ignored.

        All values may be given as the request has them. A token or address of a wrong form counts as none, and texts
        are cleaned. `signals` are what the headers show: some of "forged-hint", "headless-hint", "navigation",
        "no-client-hints", "no-fetch-metadata", "no-language", "prefetch", "preview" and "range" (see
        docs/verdicts.md); others are dropped. With a started spool the open is in the spool when this returns, and in
        the storage within half a second.

        Raises:
            StorageError: the open can't be stored, or the spool is full.
        """
        request = clean_request(to_id(pixel, Pixel, "pixel"), token, ip, user_agent, referer, signals)
        if request is not None:
            self._recorder.record(request)

    def store(self, hits: Iterable[Hit]) -> int:
        """Store hits as opens, and return how many were new. Storing a hit again changes nothing.

        Raises:
            StorageError: the hits can't be stored; none was.
        """
        return self._recorder.store(list(hits))

    def list_opens(
        self,
        pixel: Pixel | str,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        skip: int = 0,
        kind: VerdictKind | str | None = None,
        recipient_id: Recipient | str | None = None,
    ) -> Page[Open]:
        """Return a page of a pixel's opens, the newest first.

        Args:
            pixel: the pixel.
            limit: the most opens, 1 to 1,000.
            cursor: `Page.next` of the page before.
            skip: the number of opens, of any kind, to pass over from there. Its cost does not depend on it.
            kind: only opens with a verdict of this kind, such as "human".
            recipient_id: only opens of this recipient, which may be deleted.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidPaging: the limit or `skip` is out of range, or the cursor is not valid.
            InvalidArgument: there is no such kind of verdict.
        """
        limit, cursor, skip = check_limit(limit), check_cursor(cursor), check_skip(skip)
        chosen = None if kind is None else to_choice(kind, VerdictKind, "kind")
        key = None if recipient_id is None else to_id(recipient_id, Recipient, "recipient_id")
        found = self.get_pixel(pixel)
        if key is not None and not ids.is_recipient_id(key):
            return Page(items=())
        return self._storage.list_opens(found.id, limit=limit, cursor=cursor, skip=skip, kind=chosen, recipient_id=key)

    def iter_opens(self, pixel: Pixel | str) -> Iterator[Open]:
        """Iterate over all opens of a pixel, the newest first, in bounded memory, as `iter_recipients` does.

        Raises:
            PixelNotFound: no pixel has this id. Raised at once, before the first step.
        """
        key = self.get_pixel(pixel).id
        return walk(lambda cursor: self._storage.list_opens(key, limit=MAX_LIMIT, cursor=cursor))

    def report(self, pixel: Pixel | str, *, time_zone: str | tzinfo = "UTC", top: int = DEFAULT_TOP) -> Report:
        """Return the figures of a pixel. The cost does not depend on its number of opens.

        Args:
            pixel: the pixel, its id or its short id.
            time_zone: the zone in which hours and days begin: an IANA name such as `Europe/Berlin`, or a `tzinfo`.
            top: the most recipients, and the most entries in each breakdown, 1 to 100.

        Returns:
            The figures as of this call, each counted and raw. Hours and days are aware times in `time_zone`.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidTimeZone: no zone has this name.
            InvalidPaging: `top` is out of range.
        """
        zone, most = find_zone(time_zone), check_limit(top, MAX_TOP, "top")
        return make_report(self._storage.get_figures(self.get_pixel(pixel).id, top=most), zone=zone)

    def count_by_day(self, pixels: Iterable[Pixel | str], *, since: datetime) -> dict[str, list[DayCount]]:
        """Return the numbers of opens of pixels in each day of UTC that has any, in order, by the pixels' ids.

        Args:
            pixels: the pixels. Unknown ones, and those without opens, are left out.
            since: an aware time; the day of UTC in which it lies is the first.

        Raises:
            InvalidArgument: `pixels` is a single text or pixel, or `since` has no time zone.
        """
        pixel_ids = list(self._existing_ids(to_items(pixels, "pixels")))
        return self._storage.count_by_day(pixel_ids, since=start_of_day(to_utc(since, "since")))

    def _existing_ids(self, pixels: Iterable[Pixel | str]) -> Iterator[str]:
        for pixel in pixels:
            with suppress(PixelNotFound):
                yield pixel.id if isinstance(pixel, Pixel) else self.get_pixel(pixel).id
