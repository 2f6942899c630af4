"""The page of a pixel's settings: its name, its note, and whether it is archived."""

from typing import Any

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from mailtrack._errors import InvalidInput
from mailtrack._model import Pixel
from mailtrack_wsgi._bodies import read_text_form
from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html.templating import page_response


def settings(context: Context, request: Request, pixel: str) -> Response:
    """`GET /pixels/<pixel>/settings`: forms to rename, annotate and archive a pixel."""
    return _show(context, request, context.tracker.get_pixel(pixel), {})


def change_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/settings`: the form with the name and the note."""
    found = context.tracker.get_pixel(pixel)
    given = read_text_form(request.environ, "name", "note")
    try:
        return _change(context, request, found, **given)
    except InvalidInput as error:
        return _show(context, request, found, given, problem=str(error))


def archive_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/archive`."""
    return _change(context, request, context.tracker.get_pixel(pixel), archived=True)


def unarchive_pixel(context: Context, request: Request, pixel: str) -> Response:
    """`POST /pixels/<pixel>/unarchive`."""
    return _change(context, request, context.tracker.get_pixel(pixel), archived=False)


def _change(context: Context, request: Request, pixel: Pixel, **changes: Any) -> Response:
    context.tracker.update_pixel(pixel, **changes)
    return redirect(f"{context.root(request.environ)}/logs/{pixel.short_id}", 303)


def _show(
    context: Context, request: Request, pixel: Pixel, given: dict[str, str], *, problem: str | None = None
) -> Response:
    return page_response(
        "settings.html",
        400 if problem else 200,
        root=context.root(request.environ),
        now=context.tracker.now(),
        pixel=pixel,
        name=given.get("name", pixel.name),
        note=given.get("note", pixel.note),
        problem=problem,
    )
