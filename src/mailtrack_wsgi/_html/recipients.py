"""The page of a pixel's recipients: to add, look at and delete them."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

import attrs
from markupsafe import Markup
from werkzeug.exceptions import TooManyRequests
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidInput, StorageUnavailable
from mailtrack._images import heap
from mailtrack._imports import RejectedRow
from mailtrack._model import Pixel
from mailtrack_wsgi._bodies import MAX_RECIPIENTS_BYTES, RecipientsForm, read_recipients_form
from mailtrack_wsgi._context import Site, choice_argument, count_argument, one_argument
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._rate_limit import MINUTES, REQUESTS

RECIPIENTS_ON_PAGE = 50
REJECTED_ON_PAGE = 40
MAX_LINES = 100_000
"""How many lines or addresses are taken at once: some seconds of work."""

_LARGE = 1024 * 1024  # bytes

# Large lists are taken one at a time in a process: what one costs in memory, up to 75 MiB, is then paid once.
_taking = threading.Semaphore(1)


@attrs.frozen(kw_only=True)
class _Rejects:
    """The rows of one source that were not taken, and the file of them, by whose byte order mark Excel knows UTF-8."""

    source: str
    rows: tuple[RejectedRow, ...]
    data: bytes

    @property
    def link(self) -> Markup:
        """The rows as a file in a link: nothing of them has to be kept on the server."""
        return Markup("data:text/csv;charset=utf-8;base64,") + Markup(b64encode(self.data).decode())  # noqa: S704


@attrs.frozen(kw_only=True)
class _Outcome:
    """What became of a submitted list.

    Attributes:
        added: how many recipients are new.
        present: how many were there already.
        column: from which column of a table they were taken, "" for none.
        rejects: what was not taken.
        problem: what is wrong with the submission as a whole, or with its file.
    """

    added: int = 0
    present: int = 0
    column: str = ""
    rejects: tuple[_Rejects, ...] = ()
    problem: str | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing at all was taken."""
        return bool(self.problem or self.rejects) and not (self.added or self.present)


def recipients(site: Site, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/recipients`: the recipients, and what to put into mails.

    After a list was added, the query has the numbers, and the column of a table (`?added=3&present=1&column=Email`).
    """
    added, present = count_argument(request, "added"), count_argument(request, "present")
    column = filters.short_name(one_argument(request, "column") or "")
    outcome = None if added is None else _Outcome(added=added, present=present or 0, column=column)
    return _show(site, request, site.tracker.get_pixel(pixel), outcome)


def add_recipients(site: Site, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/recipients`: the submission of the form there. What is valid is taken.

    Where all was taken, another page follows, so that reloading that one sends nothing. Rejected rows are people's
    data, which belong neither into a URL nor into a file on the server, so they are shown in the answer itself. A
    reload that sends the same again adds nothing, and is not counted either.
    """
    found = site.tracker.get_pixel(pixel)
    form = read_recipients_form(request.environ)
    with _turn(form):
        return _take(site, request, found, form)


@contextmanager
def _turn(form: RecipientsForm) -> Iterator[None]:
    if len(form.emails) + len(form.file or b"") < _LARGE:
        yield
        return
    with _taking:
        try:
            yield
        finally:
            heap.give_back()


def _take(site: Site, request: Request, found: Pixel, form: RecipientsForm) -> Response:
    digest = _digest(found, form)
    if not site.remembers(request.environ, digest):
        _count(site, request)
    outcome = _add(site, found, form)
    if not (outcome.rejects or outcome.problem):
        column = filters.short_name(outcome.column)
        numbers = filters.query({}, added=outcome.added, present=outcome.present or None, column=column)
        return redirect(f"{site.root(request.environ)}/pixels/{found.short_id}/recipients{numbers}", 303)
    with suppress(StorageUnavailable):  # it is done, and a reload would only count
        site.remember(request.environ, digest)
    return _show(site, request, site.tracker.get_pixel(found.id), outcome)


def _digest(pixel: Pixel, form: RecipientsForm) -> str:
    return sha256(b"\0".join([pixel.id.encode(), form.emails.encode(), form.file or b""])).hexdigest()


def _count(site: Site, request: Request) -> None:
    allowance = site.ask_limiter(request.environ)
    if not allowance.granted:
        raise TooManyRequests(
            f"Recipients can be added {REQUESTS} times in {MINUTES} minutes.", retry_after=allowance.reset
        )


def _check(form: RecipientsForm) -> str | None:
    """Return what is wrong with a form before any of it is read, if anything."""
    file = form.file or b""
    if not form.emails.strip() and not file.strip():
        return "Paste some addresses, or choose a file."
    lines = max(form.emails.count(sign) + file.count(sign.encode()) for sign in "@\n\r")
    if lines > MAX_LINES:
        return f"At most {MAX_LINES:,} lines can be added at once; the command line takes any number."
    return None


def _add(site: Site, pixel: Pixel, form: RecipientsForm) -> _Outcome:
    """Add what was pasted and what is in the file, each by its own lines."""
    sources: dict[str, str | bytes] = {"pasted": form.emails, "file": form.file or b""}
    given = {name: rows for name, rows in sources.items() if rows.strip()}
    outcome = _Outcome(problem=_check(form))
    if outcome.problem:
        return outcome
    for name, rows in given.items():
        try:
            result = site.tracker.import_recipients(pixel, rows, on_invalid="skip")
        except InvalidInput as error:  # no list at all, such as a workbook
            return attrs.evolve(outcome, problem=str(error))
        rejects = _Rejects(source=name, rows=result.rejected, data=result.rejects().encode("utf-8-sig"))
        outcome = attrs.evolve(
            outcome,
            added=outcome.added + result.added,
            present=outcome.present + result.present,
            column=result.column or outcome.column,
            rejects=(*outcome.rejects, rejects) if result.rejected else outcome.rejects,
        )
    return outcome


def _show(site: Site, request: Request, pixel: Pixel, outcome: _Outcome | None) -> Response:
    opened = choice_argument(request, "opened", ("true", "false"))
    cursor = one_argument(request, "cursor")
    page = site.tracker.list_recipients(
        pixel.id, limit=RECIPIENTS_ON_PAGE, cursor=cursor, opened=None if opened is None else opened == "true"
    )
    url = site.urls(request.environ).tracking(pixel)
    size = "" if pixel.image else ' width="1" height="1" border="0"'
    return page_response(
        "recipients.html",
        400 if outcome and outcome.failed else 200,
        root=site.root(request.environ),
        now=site.tracker.now(),
        pixel=pixel,
        outcome=outcome,
        shown=REJECTED_ON_PAGE,
        url=url,
        snippet=f'<img src="{url}?token=TOKEN"{size} alt="">',
        max_lines=MAX_LINES,
        max_mebibytes=MAX_RECIPIENTS_BYTES // 1024**2,
        opened=opened,
        recipients=page.items,
        cursor=cursor,
        next=page.next,
    )


def confirm_recipient(site: Site, request: Request, recipient: str) -> Response:
    """`GET /recipients/<recipient>/deletion`: what will go."""
    found = site.tracker.get_recipient(recipient)
    opens = found.opens.raw.number
    back = f"/pixels/{found.pixel_id[:8]}/recipients"
    return page_response(
        "deletion.html",
        root=site.root(request.environ),
        name=found.email,
        goes=["the address", "its token: further opens of the mail are counted without a recipient"],
        after=f"The {filters.plural(opens, 'open')} of this recipient will be kept, without the address."
        if opens
        else "",
        copies=[("the recipients", f"/api/v1/pixels/{found.pixel_id}/generate-tokens/csv")],
        action=f"/recipients/{found.id}/delete",
        back=back,
    )


def delete_recipient(site: Site, request: Request, recipient: str) -> Response:
    """`POST /recipients/<recipient>/delete`."""
    deleted = site.tracker.delete_recipient(recipient)
    return redirect(f"{site.root(request.environ)}/pixels/{deleted.pixel_id[:8]}/recipients", 303)
