"""`Tracker`: the one object that a program works with."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from mailtrack import tokens
from mailtrack.addresses import canonical_all
from mailtrack.errors import (
    ImageNotFound,
    InvalidName,
    InvalidPaging,
    InvalidSetting,
    PixelNotFound,
    RecipientNotFound,
    ShortIdTaken,
)
from mailtrack.examiner import Examiner, Rejudged, rejudge
from mailtrack.images import EXTENSIONS, TRANSPARENT_PNG, check_upload
from mailtrack.keys import Keyring
from mailtrack.model import (
    DayCount,
    Hit,
    Image,
    Open,
    Page,
    Pixel,
    Recipient,
    Verdict,
    VerdictKind,
)
from mailtrack.names import clean_name, may_be_in_name
from mailtrack.paging import DEFAULT_LIMIT, MAX_LIMIT, check_limit, pages, walk
from mailtrack.pictures import Pictures
from mailtrack.recorder import Recorder
from mailtrack.report import DEFAULT_TOP, Report, make_report
from mailtrack.spool import Spool
from mailtrack.storage.protocol import MAX_TOP, Storage
from mailtrack.times import Clock, find_zone, now, start_of_day, to_utc
from mailtrack.urls import Urls
from mailtrack.verdicts import Judge, Patterns

_ID_ATTEMPTS = 10  # with a million pixels, the chance that all are taken is 10^-36


class Tracker:
    """Creates pixels and tokens, records opens, and tells about them.

    Thread-safe as far as its storage is, which all bundled ones are. It does not own the storage: whoever opened that
    closes it. Pixels are named by their UUID or their short id, in either case.

    Args:
        storage: where everything lives.
        base_url: where the application is mounted, as the world sees it, for the URLs that go into mails.
        spool: keeps hits until the storage has them, once `start` was called. Without one, `record` stores at once.
        judge: tells whose opens are people's; by the rules that come with mailtrack, if not given.
        patterns: tells bursts and repeats among hits; of its own, by the usual measures, if not given.
        clock: tells the time.

    Raises:
        InvalidSetting: `base_url` is not an absolute http or https URL.
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
    ) -> None:
        self._storage = storage
        self._urls = None if base_url is None else Urls(base_url)
        self._examiner = Examiner(judge, patterns)
        self._recorder = Recorder(storage, self._examiner, spool, clock)
        self._pictures = Pictures(storage.get_image)
        self._keys = Keyring(storage, clock)
        self._clock = clock

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
    def database_file(self) -> Path | None:
        """The file that the storage lives in, for what belongs beside it; `None` where it is no local file."""
        file = getattr(self._storage, "path", None)
        return file if isinstance(file, Path) else None

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
        """Load what judging opens needs, so that the first one does not wait for it; `start` does so, too."""
        self._examiner.prepare()

    def stop(self, *, timeout: float = 5.0) -> bool:
        """Stop using the spool, and wait until what this process took is stored. Harmless where nothing was started.

        Args:
            timeout: how long to wait for the storage, in seconds.

        Returns:
            Whether all is stored. What is not stays in the spool, for the next process that starts to use it.
        """
        return self._recorder.stop(timeout)

    def create_pixel(self, name: str, *, image: bytes | None = None) -> Pixel:
        """Create a pixel.

        Args:
            name: 1 to 256 characters, not all blank; blanks around it are cut off.
            image: a JPG, PNG, GIF or WebP file of at most 5 MB and 50 megapixels, shown instead of the transparent
                pixel.

        Raises:
            InvalidName: the name is blank, too long, or has control characters.
            InvalidImage: the image can't be taken; see `mailtrack.images.check_upload`.
            StorageError: it can't be stored.
        """
        name = clean_name(name, "Pixel name")
        if not name:
            raise InvalidName("Pixel name is required.")
        picture = None if image is None else check_upload(image)
        for _ in range(_ID_ATTEMPTS):
            pixel_id = tokens.new_pixel_id()
            file_name = None if picture is None else f"{pixel_id}.{EXTENSIONS[picture.media_type]}"
            pixel = Pixel(id=pixel_id, name=name, created_at=self._clock(), image=file_name)
            try:
                self._storage.add_pixel(pixel, picture)
            except ShortIdTaken:
                continue
            return pixel
        raise ShortIdTaken

    def get_pixel(self, pixel: str) -> Pixel:
        """Return a pixel with its counts as of now.

        Raises:
            PixelNotFound: there is none.
        """
        key = tokens.parse_pixel_key(pixel)
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
        limit = check_limit(limit)
        if search is not None and not may_be_in_name(search):
            return Page(items=())
        return self._storage.list_pixels(limit=limit, cursor=cursor, search=search)

    def iter_pixels(self) -> Iterator[Pixel]:
        """Iterate over all pixels, the newest first, in bounded memory."""
        return walk(lambda cursor: self._storage.list_pixels(limit=MAX_LIMIT, cursor=cursor))

    def delete_pixel(self, pixel: str) -> Pixel:
        """Delete a pixel with its opens, recipients, tokens and image, and return it as it was.

        Raises:
            PixelNotFound: there is none.
        """
        found = self.get_pixel(pixel)
        self._storage.delete_pixel(found.id)
        for key in (found.id, found.short_id):
            self._pictures.forget(key)
        return found

    def get_image(self, name: str) -> Image:
        """Return a pixel's own image by its file name, as `Pixel.image` tells it.

        Raises:
            ImageNotFound: there is none.
        """
        pixel_id = tokens.parse_pixel_key(name.partition(".")[0])
        if pixel_id is None or len(pixel_id) == tokens.SHORT_ID_LENGTH:  # files are named after the whole id
            raise ImageNotFound
        image = self._storage.get_image(pixel_id)
        if name != f"{pixel_id}.{EXTENSIONS[image.media_type]}":
            raise ImageNotFound
        return image

    def get_picture(self, pixel: str) -> Image:
        """Return what a pixel shows: its own image, or the transparent one, also where there is no such pixel.

        It is kept in memory for a second, and shown on while the storage fails.
        """
        key = tokens.parse_pixel_key(pixel)
        return TRANSPARENT_PNG if key is None else self._pictures.get(key)

    def generate_tokens(self, pixel: str, emails: Iterable[str]) -> list[Recipient]:
        """Return one recipient, with a token, for each distinct address, in the order of first appearance.

        All or nothing. An address that the pixel has already keeps its token, so doing it again is harmless.

        Args:
            pixel: the pixel.
            emails: any number of addresses; they are stored in canonical form, see `mailtrack.addresses.canonical`.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidEmails: some addresses are not valid; it tells which and why.
        """
        found = self.get_pixel(pixel)
        addresses = canonical_all(emails)
        created_at = self._clock()
        recipients = [
            Recipient(id=recipient_id, pixel_id=found.id, email=email, token=token, created_at=created_at)
            for email, recipient_id, token in zip(
                addresses,
                tokens.new_recipient_ids(found.short_id, len(addresses)),
                tokens.new_tokens(len(addresses)),
                strict=True,
            )
        ]
        return self._storage.add_recipients(found.id, recipients)

    def list_recipients(
        self, pixel: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, opened: bool | None = None
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
        limit = check_limit(limit)
        return self._storage.list_recipients(self.get_pixel(pixel).id, limit=limit, cursor=cursor, opened=opened)

    def iter_recipients(self, pixel: str, *, opened: bool | None = None) -> Iterator[Recipient]:
        """Iterate over all recipients of a pixel, in the order of their creation, in bounded memory.

        With `opened`, over those only that have opened, or have not: with, or without, an open that counts.

        Nothing is held open between steps: recipients added or deleted meanwhile may or may not be seen, and the
        iteration ends early where the pixel is deleted.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        found = self.get_pixel(pixel)
        return walk(
            lambda cursor: self._storage.list_recipients(found.id, limit=MAX_LIMIT, cursor=cursor, opened=opened)
        )

    def get_recipients(self, recipient_ids: Iterable[str | None]) -> dict[str, Recipient]:
        """Return the recipients with these ids, by id; what does not exist (any more) is left out."""
        wanted = {
            recipient_id for recipient_id in recipient_ids if recipient_id and tokens.is_recipient_id(recipient_id)
        }
        return self._storage.get_recipients(wanted) if wanted else {}

    def get_recipient(self, recipient_id: str) -> Recipient:
        """Return a recipient with its opens as of now.

        Raises:
            RecipientNotFound: there is none.
        """
        found = self.get_recipients([recipient_id]).get(recipient_id)
        if found is None:
            raise RecipientNotFound
        return found

    def delete_recipient(self, recipient_id: str) -> Recipient:
        """Delete a recipient, and return it as it was. Its opens stay, without the address.

        Raises:
            RecipientNotFound: there is none.
        """
        if not tokens.is_recipient_id(recipient_id):
            raise RecipientNotFound
        return self._storage.delete_recipient(recipient_id)

    def tracking_url(self, pixel: Pixel, recipient: Recipient | None = None) -> str:
        """Return the URL to put into a mail: with a recipient's token, or the bare pixel.

        Raises:
            InvalidSetting: this tracker was made without `base_url`.
        """
        return self.require_urls().tracking(pixel, recipient)

    def record(
        self,
        pixel: str,
        *,
        token: str | None = None,
        ip: str | None = None,
        user_agent: str = "",
        referer: str = "",
        signs: Collection[str] = (),
    ) -> None:
        """Record a request for a pixel's image, arrived now. One for a pixel that does not exist is passed over.

        Everything may be given as the request had it. What can't be a token or an address counts as none, and texts are
        cleaned. `signs` are what its headers announce, of `mailtrack.model.HEADER_SIGNS`; others are dropped. With a
        started spool the hit is in the spool when this returns, and in the storage within half a second.

        Raises:
            StorageError: it can't be stored, or the spool is full.
        """
        self._recorder.record(pixel, token, ip, user_agent, referer, signs)

    def new_hit(
        self,
        pixel: str,
        *,
        token: str | None = None,
        ip: str | None = None,
        user_agent: str = "",
        referer: str = "",
        signs: Collection[str] = (),
    ) -> Hit | None:
        """Return the hit that `record` would record, for `store`; `None` where `pixel` can't be the id of one."""
        return self._recorder.new_hit(pixel, token, ip, user_agent, referer, signs)

    def store(self, hits: Sequence[Hit]) -> int:
        """Store hits as opens, and return how many were new. Storing a hit again changes nothing.

        Raises:
            StorageError: they can't be stored; none was.
        """
        return self._recorder.store(hits)

    def list_opens(
        self,
        pixel: str,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        skip: int = 0,
        kind: VerdictKind | None = None,
        recipient_id: str | None = None,
    ) -> Page[Open]:
        """Return up to `limit` (1 to 1,000) opens of a pixel, the newest first.

        Args:
            pixel: the pixel.
            limit: how many at most.
            cursor: `Page.next` of the page before.
            skip: how many to pass over from there, whatever they are; costs the same however many.
            kind: only those with a verdict of this kind.
            recipient_id: only those of this recipient, who may be deleted.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidPaging: the limit or `skip` is out of range, or the cursor is not one.
        """
        limit = check_limit(limit)
        if not 0 <= skip < 2**63:
            raise InvalidPaging("The number to skip is out of range.")
        found = self.get_pixel(pixel)
        if recipient_id is not None and not tokens.is_recipient_id(recipient_id):
            return Page(items=())
        return self._storage.list_opens(
            found.id, limit=limit, cursor=cursor, skip=skip, kind=kind, recipient_id=recipient_id
        )

    def iter_opens(self, pixel: str) -> Iterator[Open]:
        """Iterate over all opens of a pixel, the newest first, in bounded memory; as `iter_recipients` does.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        return walk(self._opens_pages(self.get_pixel(pixel).id))

    def _opens_pages(self, pixel_id: str) -> Callable[[str | None], Page[Open]]:
        return lambda cursor: self._storage.list_opens(pixel_id, limit=MAX_LIMIT, cursor=cursor)

    def iter_opens_with_recipients(self, pixel: str) -> Iterator[tuple[tuple[Open, ...], dict[str, Recipient]]]:
        """Iterate over all opens of a pixel as `iter_opens` does, by the thousand, with their recipients by id.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        found = pages(self._opens_pages(self.get_pixel(pixel).id))
        return ((page.items, self.get_recipients(one.recipient_id for one in page.items)) for page in found)

    def report(self, pixel: str, *, time_zone: str = "UTC", top: int = DEFAULT_TOP) -> Report:
        """Return a pixel's figures, which cost the same however many opens it has.

        Args:
            pixel: the pixel.
            time_zone: in which hours and days begin, as in `Europe/Berlin`.
            top: how many recipients, and names in each breakdown, to tell at most, 1 to 100.

        Raises:
            PixelNotFound: there is no such pixel.
            InvalidTimeZone: no such zone is known.
            InvalidPaging: `top` is out of range.
        """
        zone = find_zone(time_zone)
        if not 1 <= top <= MAX_TOP:
            raise InvalidPaging(f"top must be between 1 and {MAX_TOP}.")
        return make_report(self._storage.get_figures(self.get_pixel(pixel).id, top=top), zone=zone)

    def count_by_day(self, pixels: Iterable[Pixel], *, since: datetime) -> dict[str, list[DayCount]]:
        """Return how many opens pixels had, by their ids, in each day of UTC that had any, in order.

        Args:
            pixels: the pixels; those without any opens are left out.
            since: an aware time; the day in which it lies is the first.
        """
        return self._storage.count_by_day([pixel.id for pixel in pixels], since=start_of_day(to_utc(since)))

    def explain(self, verdict: Verdict) -> str:
        """Tell in a sentence why a verdict is what it is, by the rules of this tracker's judge.

        It is the code of the rule where the judge does not have that rule (any more).
        """
        return self._examiner.explain(verdict)

    def rejudge(self, pixel: str) -> Iterator[Rejudged]:
        """Judge all opens of a pixel again with this tracker's judge, and correct the counts.

        Yields after each 1,000 opens, with how many were looked at and how many have another verdict now. Opens that
        arrive meanwhile are judged as they come.

        Raises:
            PixelNotFound: there is no such pixel. Raised at once, before the first step.
        """
        return rejudge(self._storage, self._examiner, self.get_pixel(pixel).id)

    def ping(self) -> None:
        """Return if the storage answers.

        Raises:
            StorageError: it does not.
        """
        self._storage.ping()
