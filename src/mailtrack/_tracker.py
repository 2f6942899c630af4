"""`Tracker`: the one object that a program works with."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Literal

from mailtrack import _ids as ids
from mailtrack._addresses import canonical, canonical_all
from mailtrack._arguments import check_flag, check_type, to_choice, to_id, to_items, to_path, to_whole
from mailtrack._backup import Backup, back_up
from mailtrack._errors import (
    ImageNotFound,
    InvalidArgument,
    InvalidPaging,
    InvalidSetting,
    PixelNotFound,
    RecipientNotFound,
)
from mailtrack._figures import DayCount
from mailtrack._images.cache import Pictures
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._imports import ImportResult, OnInvalid, Progress, Rows, import_all, import_valid, parse
from mailtrack._ingest.enrich import Examiner, Rejudged, rejudge
from mailtrack._ingest.recorder import Recorder
from mailtrack._keys import Keyring
from mailtrack._model import Hit, Image, Open, Page, Pixel, Recipient, Verdict, VerdictKind
from mailtrack._names import may_be_in_name
from mailtrack._paging import DEFAULT_LIMIT, MAX_LIMIT, check_cursor, check_limit, pages, walk
from mailtrack._pixels import ImageSource, add_pixel, image_name
from mailtrack._recipients import add_recipients
from mailtrack._retention import Purge, make_purge
from mailtrack._spool import Spool
from mailtrack._times import Clock, find_zone, now, start_of_day, to_utc
from mailtrack._urls import Urls
from mailtrack.report import DEFAULT_TOP, Report, make_report
from mailtrack.storage._protocol import MAX_TOP, Storage, SupportsLocalFile
from mailtrack.verdicts import Judge, Patterns


class Tracker:
    """Creates pixels and tokens, records opens, lists them, and reports figures.

    Thread-safe as far as its storage is, which all bundled ones are. It does not close the storage, which belongs to
    the program that opened it. Where a method takes a pixel, it takes the `Pixel` or its UUID or short id, in upper or
    lower case; where it takes a recipient, the `Recipient` or its id.

    Args:
        storage: where everything lives.
        base_url: where the application is mounted, as the world sees it, for the URLs that go into mails.
        spool: keeps hits until the storage has them, once `start` was called. Without one, `record` stores at once.
        judge: decides which opens are people's; by the built-in rules, if not given.
        patterns: recognizes bursts and repeats among hits; with the default thresholds, if not given.
        clock: returns the time now.
        allow_special_domains: whether recipients may have addresses that no mail reaches from outside, as in `.test`,
            `.local`, `.invalid` and `localhost`: for test suites and intranets.

    Raises:
        InvalidSetting: `base_url` is not an absolute http or https URL.
        InvalidArgument: another argument is of a wrong type, such as a URL where an open storage is needed.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        base_url: str | None = None,
        spool: Spool | None = None,
        judge: Judge | None = None,
        patterns: Patterns | None = None,
        clock: Clock = now,
        allow_special_domains: bool = False,
    ) -> None:
        if not hasattr(storage, "get_pixel"):
            raise InvalidArgument("storage", "must be an open storage, as open_storage(url) returns it")
        check_flag(allow_special_domains, "allow_special_domains")
        for value, kind, name in ((spool, Spool, "spool"), (judge, Judge, "judge"), (patterns, Patterns, "patterns")):
            if value is not None:
                check_type(value, kind, name)
        self._storage = storage
        self._urls = None if base_url is None else Urls(base_url)
        self._examiner = Examiner(judge, patterns)
        self._recorder = Recorder(storage, self._examiner, spool, clock)
        self._pictures = Pictures(storage.get_image)
        self._keys = Keyring(storage, clock)
        self._clock = clock
        self._spool_folder = None if spool is None else spool.folder
        self._allow_special_domains = allow_special_domains

    def __repr__(self) -> str:
        return f"<Tracker {self._storage!r}>"

    @property
    def urls(self) -> Urls | None:
        """The URLs below `base_url`, or `None` without one."""
        return self._urls

    @property
    def keys(self) -> Keyring:
        """The API keys that the storage holds: to create, list, revoke and find them."""
        return self._keys

    @property
    def allow_special_domains(self) -> bool:
        """Whether recipients may have addresses that no mail reaches from outside."""
        return self._allow_special_domains

    @property
    def database_file(self) -> Path | None:
        """The file that the storage lives in, for what belongs beside it; `None` where it is no local file."""
        file = self._storage.path if isinstance(self._storage, SupportsLocalFile) else None
        return file if isinstance(file, Path) else None  # a storage may have a `path` of another kind

    def require_urls(self) -> Urls:
        """Return the URLs below `base_url`.

        Raises:
            InvalidSetting: this tracker was made without `base_url`.
        """
        if self._urls is None:
            raise InvalidSetting("base_url", "is needed to make URLs; give it to Tracker")
        return self._urls

    def now(self) -> datetime:
        """Return the time now, by this tracker's clock."""
        return self._clock()

    def start(self) -> None:
        """Start to use the spool: take hits with it, and bring them to the storage, with two threads of this process.

        Of several processes that use one folder, one brings the hits of all to its storage; the others stand by.

        Call it in each process that serves, after it was forked: in `post_worker_init` of gunicorn, `postfork` of
        uWSGI, before serving with waitress. Until then, and without a spool, `record` stores at once. Harmless where it
        is started.

        Raises:
            OSError: the spool's folder can't be used.
        """
        self._recorder.start()

    def prepare(self) -> None:
        """Load what judging opens needs, so that the first one does not wait for it.

        `start` and `mailtrack_wsgi.create_app` do so, too. Only the first call in a process takes long.
        """
        self._examiner.prepare()

    def stop(self, *, timeout: float = 5.0) -> bool:
        """Stop using the spool, and wait until what this process took is stored. Harmless where nothing was started.

        Args:
            timeout: how long to wait for the storage, in seconds.

        Returns:
            Whether all is stored. What is not stays in the spool, for the next process that starts to use it.
        """
        return self._recorder.stop(timeout)

    def create_pixel(self, name: str, *, image: ImageSource | None = None) -> Pixel:
        """Create a pixel.

        Args:
            name: 1 to 256 characters, not all blank; blanks around it are cut off.
            image: a JPG, PNG, GIF or WebP file of at most 5 MB and 50 megapixels, shown instead of the transparent
                pixel: its bytes, or its path.

        Raises:
            InvalidName: the name is blank, too long, or has control characters.
            InvalidImage: the image can't be taken; see `mailtrack._images.check.check_upload`.
            OSError: the file can't be read: `FileNotFoundError`, `IsADirectoryError` and so on, with its path.
            StorageError: it can't be stored.
        """
        return add_pixel(self._storage, name, image, self._clock)

    def get_pixel(self, pixel: Pixel | str) -> Pixel:
        """Return a pixel with its counts as of now.

        Raises:
            PixelNotFound: there is none.
        """
        key = ids.parse_pixel_key(to_id(pixel, Pixel, "pixel"))
        if key is None:
            raise PixelNotFound
        return self._storage.get_pixel(key)

    def list_pixels(
        self, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, search: str | None = None
    ) -> Page[Pixel]:
        """Return up to `limit` (1 to 1,000) pixels, the newest first.

        Args:
            limit: how many at most.
            cursor: `Page.next` of the page before.
            search: only those with this text in their name, whatever its case. A page then may hold fewer than `limit`,
                even none, though another one follows: a search looks at 10,000 pixels for each.

        Raises:
            InvalidPaging: the limit is out of range, or the cursor is not one.
        """
        limit, cursor = check_limit(limit), check_cursor(cursor)
        if search is not None:
            check_type(search, str, "search")
            if not may_be_in_name(search):
                return Page(items=())
        return self._storage.list_pixels(limit=limit, cursor=cursor, search=search)

    def iter_pixels(self) -> Iterator[Pixel]:
        """Iterate over all pixels, the newest first, in bounded memory."""
        return walk(lambda cursor: self._storage.list_pixels(limit=MAX_LIMIT, cursor=cursor))

    def delete_pixel(self, pixel: Pixel | str) -> Pixel:
        """Delete a pixel with its opens, recipients, tokens and image, and return it as it was.

        Raises:
            PixelNotFound: there is none.
        """
        found = self.get_pixel(pixel)
        self._storage.delete_pixel(found.id)
        for key in (found.id, found.short_id):
            self._pictures.forget(key)
        return found

    def get_image(self, name: str | None) -> Image:
        """Return a pixel's own image by its file name, as in `Pixel.image`.

        Raises:
            ImageNotFound: there is none.
        """
        if name is None:
            raise ImageNotFound
        check_type(name, str, "name")
        pixel_id = ids.parse_pixel_key(name.partition(".")[0])
        if pixel_id is None or len(pixel_id) == ids.SHORT_ID_LENGTH:  # files are named after the whole id
            raise ImageNotFound
        image = self._storage.get_image(pixel_id)
        if name != image_name(pixel_id, image):
            raise ImageNotFound
        return image

    def get_picture(self, pixel: Pixel | str) -> Image:
        """Return what a pixel shows: its own image, or the transparent one, also where there is no such pixel.

        It is kept in memory for a second, and shown on while the storage fails.
        """
        key = ids.parse_pixel_key(to_id(pixel, Pixel, "pixel"))
        return TRANSPARENT_PNG if key is None else self._pictures.get(key)

    def generate_tokens(self, pixel: Pixel | str, emails: Iterable[str]) -> list[Recipient]:
        """Return one recipient, with a token, for each distinct address, in the order of first appearance.

        All or nothing. An address that the pixel has already keeps its token, so doing it again is harmless.

        Args:
            pixel: the pixel.
            emails: any number of addresses; they are stored in canonical form, see `mailtrack._addresses.canonical`.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidEmails: some addresses are not valid; `problems` has which and why.
            InvalidArgument: `emails` is one text instead of a list.
        """
        found = self.get_pixel(pixel)
        addresses = canonical_all(to_items(emails, "emails"), allow_special_domains=self._allow_special_domains)
        return add_recipients(self._storage, found, addresses, self._clock())[0]

    def import_recipients(
        self,
        pixel: Pixel | str,
        rows: Rows,
        *,
        on_invalid: Literal["raise", "skip"] = "raise",
        email: str | None = None,
        progress: Progress = lambda *_: None,
    ) -> ImportResult:
        """Take recipients from a list, a table or a file, as spreadsheets, mail programs and databases give them.

        Which forms are taken, and how the column of the addresses is found, is described in `docs/importing.md`.

        Args:
            pixel: the pixel.
            rows: a file, its bytes or its text (a list or a CSV table, in any encoding, also from a pipe), which is
                read whole; or several texts with one address each; or several mappings, as `csv.DictReader` makes them.
            on_invalid: "raise" to take all rows or none; "skip" to take what is valid, in steps of 10,000 that are each
                stored whole.
            email: the column of the addresses, by its heading, or by its number from 1 in a table.
            progress: called after each step with the numbers added, present and rejected so far.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidEmails: with "raise": something can't be taken; `problems` has what and why, by row or line.
            InvalidImport: the file is no text, or has no such column.
            InvalidArgument: `rows` or `on_invalid` is nothing that can be used.
        """
        skips = to_choice(on_invalid, OnInvalid, "on_invalid") is OnInvalid.SKIP
        found = self.get_pixel(pixel)
        canonical_here = partial(canonical, allow_special_domains=self._allow_special_domains)
        source = parse(rows, canonical_here, email=email)

        def add(addresses: Sequence[str]) -> tuple[list[Recipient], int]:
            return add_recipients(self._storage, found, addresses, self._clock())

        return import_valid(source, add, progress) if skips else import_all(source, add, progress)

    def list_recipients(
        self, pixel: Pixel | str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, opened: bool | None = None
    ) -> Page[Recipient]:
        """Return up to `limit` (1 to 1,000) recipients of a pixel, in the order of their creation.

        Args:
            pixel: the pixel.
            limit: how many at most.
            cursor: `Page.next` of the page before.
            opened: only those that have opened, or have not: with, or without, an open that counts.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidPaging: the limit is out of range, or the cursor is not one.
        """
        limit, cursor = check_limit(limit), check_cursor(cursor)
        check_flag(opened, "opened")
        return self._storage.list_recipients(self.get_pixel(pixel).id, limit=limit, cursor=cursor, opened=opened)

    def iter_recipients(self, pixel: Pixel | str, *, opened: bool | None = None) -> Iterator[Recipient]:
        """Iterate over all recipients of a pixel, in the order of their creation, in bounded memory.

        With `opened`, over those only that have opened, or have not: with, or without, an open that counts.

        Nothing is held open between steps: recipients added or deleted meanwhile may or may not be seen, and the
        iteration ends early where the pixel is deleted.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        check_flag(opened, "opened")
        found = self.get_pixel(pixel)
        return walk(
            lambda cursor: self._storage.list_recipients(found.id, limit=MAX_LIMIT, cursor=cursor, opened=opened)
        )

    def get_recipients(self, recipient_ids: Iterable[Recipient | str | None]) -> dict[str, Recipient]:
        """Return these recipients as of now, by id; what does not exist (any more) is left out, and so is `None`.

        Raises:
            InvalidArgument: `recipient_ids` is one text instead of a list.
        """
        given = (one for one in to_items(recipient_ids, "recipient_ids") if one is not None)
        wanted = set(filter(ids.is_recipient_id, (to_id(one, Recipient, "recipient") for one in given)))
        return self._storage.get_recipients(wanted) if wanted else {}

    def get_recipient(self, recipient_id: Recipient | str) -> Recipient:
        """Return a recipient with its opens as of now.

        Raises:
            RecipientNotFound: there is none.
        """
        key = to_id(recipient_id, Recipient, "recipient")
        found = self.get_recipients([key]).get(key)
        if found is None:
            raise RecipientNotFound
        return found

    def delete_recipient(self, recipient_id: Recipient | str) -> Recipient:
        """Delete a recipient, and return it as it was. Its opens stay, without the address.

        Raises:
            RecipientNotFound: there is none.
        """
        key = to_id(recipient_id, Recipient, "recipient")
        if not ids.is_recipient_id(key):
            raise RecipientNotFound
        return self._storage.delete_recipient(key)

    def tracking_url(self, pixel: Pixel | str, recipient: Recipient | str | None = None) -> str:
        """Return the URL to put into a mail: with a recipient's token, or the bare pixel.

        A `Pixel` and a `Recipient` are taken as they are; an id is looked up in the storage.

        Raises:
            InvalidSetting: this tracker was made without `base_url`.
            PixelNotFound: there is no such pixel.
            RecipientNotFound: there is no such recipient.
            InvalidArgument: the recipient is one of another pixel.
        """
        urls = self.require_urls()
        owner = pixel if isinstance(pixel, Pixel) else self.get_pixel(pixel)
        if recipient is None:
            return urls.tracking(owner)
        found = recipient if isinstance(recipient, Recipient) else self.get_recipient(recipient)
        if found.pixel_id != owner.id:
            raise InvalidArgument("recipient", "must be one of this pixel; it is one of another")
        return urls.tracking(owner, found)

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
        """Record a request for a pixel's image, arrived now. One for a pixel that does not exist is passed over.

        Everything may be given as the request had it. What can't be a token or an address counts as none, and texts are
        cleaned. `signals` are what its headers announce, of `HEADER_SIGNALS`; others are dropped. With a
        started spool the hit is in the spool when this returns, and in the storage within half a second.

        Raises:
            StorageError: it can't be stored, or the spool is full.
        """
        self._recorder.record(to_id(pixel, Pixel, "pixel"), token, ip, user_agent or "", referer or "", signals)

    def new_hit(
        self,
        pixel: Pixel | str,
        *,
        token: str | None = None,
        ip: str | None = None,
        user_agent: str | None = "",
        referer: str | None = "",
        signals: Collection[str] = (),
    ) -> Hit | None:
        """Return the hit that `record` would record, for `store`; `None` where `pixel` can't be the id of one."""
        return self._recorder.new_hit(to_id(pixel, Pixel, "pixel"), token, ip, user_agent or "", referer or "", signals)

    def store(self, hits: Iterable[Hit]) -> int:
        """Store hits as opens, and return how many were new. Storing a hit again changes nothing.

        Raises:
            StorageError: they can't be stored; none was.
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
        """Return up to `limit` (1 to 1,000) opens of a pixel, the newest first.

        Args:
            pixel: the pixel.
            limit: how many at most.
            cursor: `Page.next` of the page before.
            skip: how many to pass over from there, whatever they are; costs the same however many.
            kind: only those with a verdict of this kind, given as such or as its text, as in `"human"`.
            recipient_id: only those of this recipient, who may be deleted.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidPaging: the limit or `skip` is out of range, or the cursor is not one.
            InvalidArgument: there is no such kind of verdict.
        """
        limit, cursor = check_limit(limit), check_cursor(cursor)
        whole_skip = to_whole(skip, 0, 2**63 - 1)
        if whole_skip is None:
            raise InvalidPaging("The number to skip is out of range.")
        chosen = None if kind is None else to_choice(kind, VerdictKind, "kind")
        key = None if recipient_id is None else to_id(recipient_id, Recipient, "recipient_id")
        found = self.get_pixel(pixel)
        if key is not None and not ids.is_recipient_id(key):
            return Page(items=())
        return self._storage.list_opens(
            found.id, limit=limit, cursor=cursor, skip=whole_skip, kind=chosen, recipient_id=key
        )

    def iter_opens(self, pixel: Pixel | str) -> Iterator[Open]:
        """Iterate over all opens of a pixel, the newest first, in bounded memory; as `iter_recipients` does.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        return walk(self._opens_pages(self.get_pixel(pixel).id))

    def _opens_pages(self, pixel_id: str) -> Callable[[str | None], Page[Open]]:
        return lambda cursor: self._storage.list_opens(pixel_id, limit=MAX_LIMIT, cursor=cursor)

    def iter_opens_with_recipients(self, pixel: Pixel | str) -> Iterator[tuple[tuple[Open, ...], dict[str, Recipient]]]:
        """Iterate over all opens of a pixel as `iter_opens` does, by the thousand, with their recipients by id.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        found = pages(self._opens_pages(self.get_pixel(pixel).id))
        return ((page.items, self.get_recipients(one.recipient_id for one in page.items)) for page in found)

    def report(self, pixel: Pixel | str, *, time_zone: str | tzinfo = "UTC", top: int = DEFAULT_TOP) -> Report:
        """Return a pixel's figures, which cost the same however many opens it has.

        Args:
            pixel: the pixel.
            time_zone: in which hours and days begin: its name, as in `Europe/Berlin`, or a `tzinfo`.
            top: the most recipients, and the most names in each breakdown, 1 to 100.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidTimeZone: no such zone is known.
            InvalidPaging: `top` is out of range.
        """
        zone = find_zone(time_zone)
        most = to_whole(top, 1, MAX_TOP)
        if most is None:
            raise InvalidPaging(f"top must be between 1 and {MAX_TOP}.")
        return make_report(self._storage.get_figures(self.get_pixel(pixel).id, top=most), zone=zone)

    def count_by_day(self, pixels: Iterable[Pixel | str], *, since: datetime) -> dict[str, list[DayCount]]:
        """Return how many opens pixels had, by their ids, in each day of UTC that had any, in order.

        Args:
            pixels: the pixels; those without any opens, and those that do not exist, are left out.
            since: an aware time, in any zone; the day of UTC in which it lies is the first.

        Raises:
            InvalidArgument: `pixels` is one text or pixel instead of several, or `since` has no time zone.
        """
        pixel_ids = list(self._existing_ids(to_items(pixels, "pixels")))
        return self._storage.count_by_day(pixel_ids, since=start_of_day(to_utc(since, "since")))

    def _existing_ids(self, pixels: Iterable[Pixel | str]) -> Iterator[str]:
        for pixel in pixels:
            with suppress(PixelNotFound):
                yield pixel.id if isinstance(pixel, Pixel) else self.get_pixel(pixel).id

    def explain(self, verdict: Verdict) -> str:
        """Return a sentence on why a verdict is what it is, by the rules of this tracker's judge.

        It is the code of the rule where the judge does not have that rule (any more).
        """
        return self._examiner.explain(verdict)

    def rejudge(self, pixel: Pixel | str) -> Iterator[Rejudged]:
        """Judge all opens of a pixel again with this tracker's judge, and correct the counts.

        Yields after each 1,000 opens, with how many were looked at and how many have another verdict now. Opens that
        arrive meanwhile are judged as they come.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        return rejudge(self._storage, self._examiner, self.get_pixel(pixel).id)

    def purge(self, *, before: datetime, pixel: Pixel | str | None = None) -> int:
        """Delete the opens of a pixel, or of all, whose time is before another, and return how many that were.

        All counts and figures stay as they are; what lists opens shows those that are left. Others can write meanwhile.
        `plan_purge` does the same in steps, and counts before.

        Args:
            before: an aware time, not in the future.
            pixel: the pixel; all, if not given.

        Raises:
            InvalidArgument: `before` is no time with a time zone, or is in the future.
            PixelNotFound: there is no such pixel.
            StorageError: the storage can't be written; what was deleted until then stays deleted.
        """
        return sum(self.plan_purge(before=before, pixel=pixel).run())

    def plan_purge(self, *, before: datetime, pixel: Pixel | str | None = None) -> Purge:
        """Return what `purge` would delete, to count it, and to delete it in steps. Nothing is deleted by this.

        Where this tracker has a spool, opens are kept whose hits may still lie in it; `Purge.before` is earlier then.

        Raises:
            InvalidArgument: `before` is no time with a time zone, or is in the future.
            PixelNotFound: there is no such pixel.
            StorageUnavailable: the spool can't be read.
        """
        found = None if pixel is None else self.get_pixel(pixel)
        pixels = self.iter_pixels if found is None else lambda: iter((found,))
        return make_purge(self._storage, pixels, before=before, spool=self._spool_folder, now=self._clock())

    def backup(self, file: str | PathLike[str]) -> Backup:
        """Write a whole copy of the storage into a new file, with the hits that wait in this tracker's spool.

        It holds all that was stored or taken before this was called, and perhaps some of what came meanwhile. Others
        can read and write as ever. The file appears when it is whole; it is readable for its owner only. To restore it,
        open it in the place of the database; see `docs/backup.md`.

        Args:
            file: a name that is not taken, on a local disk with room for it.

        Raises:
            InvalidArgument: it can't be the path of a file.
            InvalidInput: there is a file of this name.
            StorageUnavailable: the file can't be written, or the storage or the spool not be read.
            StorageError: the storage is damaged, or does not support backups, as `memory://` does not.
        """
        return back_up(self._storage, to_path(file, "file"), spool=self._spool_folder, examiner=self._examiner.fresh())

    def ping(self) -> None:
        """Return if the storage answers.

        Raises:
            StorageError: it does not.
        """
        self._storage.ping()
