"""The pages of a pixel's recipients: to add, list and delete them."""

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
from mailtrack._images import memory
from mailtrack._imports import RejectedRow
from mailtrack._model import Pixel
from mailtrack._text import plural
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._bodies import MAX_RECIPIENTS_BYTES, RecipientsForm, read_recipients_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html import filters
from mailtrack_wsgi._html.recipient_list import RecipientList
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._query import count_argument, one_argument

RECIPIENTS_ON_PAGE = 50
REJECTED_ON_PAGE = 40
MAX_LINES = 100_000
"""Number of lines or addresses in one submission: some seconds of work."""

_LARGE = 1024 * 1024  # bytes

# A process imports large lists one at a time, so that it needs their memory, up to 75 MiB, only once.
_importing = threading.Semaphore(1)


@attrs.frozen(kw_only=True)
class _Rejects:
    """The rejected rows of one source, and a file of them with a byte order mark, by which Excel recognises UTF-8."""

    source: str
    rows: tuple[RejectedRow, ...]
    data: bytes

    @property
    def link(self) -> Markup:
        """The file as a link that contains it, so that the server need not keep it."""
        return Markup("data:text/csv;charset=utf-8;base64,") + Markup(b64encode(self.data).decode())  # noqa: S704


@attrs.frozen(kw_only=True)
class _Outcome:
    """The outcome of a submitted list.

    Attributes:
        added: number of new recipients.
        present: number of recipients that existed already.
        column: the column of a table that the addresses were read from, "" without one.
        rejects: the rejected rows.
        problem: the fault of the submission as a whole, or of its file.
        columns: the names of the columns in the form, which the corrected rows need again.
    """

    added: int = 0
    present: int = 0
    column: str = ""
    rejects: tuple[_Rejects, ...] = ()
    problem: str | None = None
    columns: tuple[str, str] = ("", "")

    @property
    def failed(self) -> bool:
        """Whether nothing was imported at all."""
        return bool(self.problem or self.rejects) and not (self.added or self.present)


def recipients(context: Context, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/recipients`: the recipients, and the image tag to copy.

    After an import, the query has its outcome (`?added=3&present=1&column=Email`).
    """
    added, present = count_argument(request, "added"), count_argument(request, "present")
    column = filters.short_name(one_argument(request, "column") or "")
    outcome = None if added is None else _Outcome(added=added, present=present or 0, column=column)
    return _show(context, request, context.tracker.get_pixel(pixel), outcome)


def add_recipients(context: Context, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/recipients`: the form on that page. Imports the valid rows.

    If all rows were imported, redirects to a page that can be reloaded without sending anything. Rejected rows are
    personal data, which belong neither into a URL nor into a file on the server, so the answer itself shows them. A
    reload that sends the same list again adds nothing, and does not count towards the rate limit.
    """
    found = context.tracker.get_pixel(pixel)
    form = read_recipients_form(request.environ)
    with _turn(form):
        return _take(context, request, found, form)


@contextmanager
def _turn(form: RecipientsForm) -> Iterator[None]:
    if len(form.emails) + len(form.file or b"") < _LARGE:
        yield
        return
    with _importing:
        try:
            yield
        finally:
            memory.give_back()


def _take(context: Context, request: Request, found: Pixel, form: RecipientsForm) -> Response:
    digest = _digest(found, form)
    if not context.remembers(request.environ, digest):
        _check_limit(context, request)
    outcome = _add(context, found, form)
    if not (outcome.rejects or outcome.problem):
        column = filters.short_name(outcome.column)
        numbers = filters.query({}, added=outcome.added, present=outcome.present or None, column=column)
        return redirect(f"{context.root(request.environ)}{paths.recipients_page(found.id)}{numbers}", 303)
    with suppress(StorageUnavailable):  # the import is done, and a reload would only count
        context.remember(request.environ, digest)
    return _show(context, request, context.tracker.get_pixel(found.id), outcome)


def _digest(pixel: Pixel, form: RecipientsForm) -> str:
    texts = (pixel.id, form.email_column, form.ref_column, form.emails)
    return sha256(b"\0".join([*map(str.encode, texts), form.file or b""])).hexdigest()


def _check_limit(context: Context, request: Request) -> None:
    allowance = context.ask_limiter(request.environ)
    if allowance and not allowance.granted:
        number = plural(allowance.limit.requests, "time")
        raise TooManyRequests(
            f"Recipients can be added {number} per {allowance.limit.period}.", retry_after=allowance.reset
        )


def _check(form: RecipientsForm) -> str | None:
    """Return the fault of a form that can be seen before it is read, `None` without one."""
    file = form.file or b""
    if not form.emails.strip() and not file.strip():
        return "Paste some addresses, or choose a file."
    lines = max(form.emails.count(sign) + file.count(sign.encode()) for sign in "@\n\r")
    if lines > MAX_LINES:
        return f"At most {MAX_LINES:,} lines can be added at once. The command line takes any number."
    return None


def _add(context: Context, pixel: Pixel, form: RecipientsForm) -> _Outcome:
    """Import the pasted text and the file, each with line numbers of its own."""
    sources: dict[str, str | bytes] = {"pasted": form.emails, "file": form.file or b""}
    given = {name: rows for name, rows in sources.items() if rows.strip()}
    outcome = _Outcome(problem=_check(form), columns=(form.email_column, form.ref_column))
    if outcome.problem:
        return outcome
    for name, rows in given.items():
        named = name == "file" or "file" not in given  # with a file, the pasted text may be a list
        email, ref = (form.email_column or None, form.ref_column or None) if named else (None, None)
        try:
            result = context.tracker.import_recipients(pixel, rows, on_invalid="skip", email=email, ref=ref)
        except InvalidInput as error:  # not a list, such as a workbook
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


def _show(context: Context, request: Request, pixel: Pixel, outcome: _Outcome | None) -> Response:
    chosen, cursor = RecipientList.of(request), one_argument(request, "cursor")
    page = context.tracker.list_recipients(pixel.id, limit=RECIPIENTS_ON_PAGE, cursor=cursor, **chosen.filter)
    url = context.urls(request.environ).tracking(pixel)
    size = "" if pixel.image else ' width="1" height="1" border="0"'
    return page_response(
        "recipients.html",
        400 if outcome and outcome.failed else 200,
        root=context.root(request.environ),
        lag=context.lag,
        now=context.tracker.now(),
        pixel=pixel,
        outcome=outcome,
        shown=REJECTED_ON_PAGE,
        url=url,
        snippet=f'<img src="{url}?token=TOKEN"{size} alt="">',
        max_lines=MAX_LINES,
        max_mebibytes=MAX_RECIPIENTS_BYTES // 1024**2,
        chosen=chosen,
        recipients=page.items,
        cursor=cursor,
        next=page.next,
    )


def confirm_recipient(context: Context, request: Request, recipient: str) -> Response:
    """`GET /recipients/<recipient>/deletion`: asks for confirmation."""
    found = context.tracker.get_recipient(recipient)
    opens = found.opens.raw.number
    back = paths.recipients_page(found.pixel_id)
    return page_response(
        "deletion.html",
        root=context.root(request.environ),
        name=found.email,
        deleted=["the address", "its token: later opens of the mail will have no recipient"],
        after=f"{plural(opens, 'open')} of this recipient will be kept, without the address." if opens else "",
        copies=[("the recipients", f"{paths.PIXELS}/{found.pixel_id}/generate-tokens/csv")],
        action=f"/recipients/{found.id}/delete",
        back=back,
    )


def delete_recipient(context: Context, request: Request, recipient: str) -> Response:
    """`POST /recipients/<recipient>/delete`."""
    deleted = context.tracker.delete_recipient(recipient)
    return redirect(f"{context.root(request.environ)}{paths.recipients_page(deleted.pixel_id)}", 303)
