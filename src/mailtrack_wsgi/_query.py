"""Reading arguments of the query: each at most once, and of the expected form."""

from collections.abc import Collection
from typing import TypedDict

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request

from mailtrack._errors import InvalidPaging
from mailtrack._model import RecipientState
from mailtrack._paging import DEFAULT_LIMIT

_MAX_DIGITS = 18  # what follows fits into 64 bits


def one_argument(request: Request, name: str) -> str | None:
    """Return an argument of the query, `None` if it is missing.

    Raises:
        InvalidPaging: it is given more than once.
        BadRequest: the query is not UTF-8.
    """
    try:
        values = request.args.getlist(name)
    except UnicodeDecodeError:
        raise BadRequest("The query is not valid.") from None
    if len(values) > 1:
        raise InvalidPaging(f"{name} must be given once.")
    return values[0] if values else None


def number_argument(request: Request, name: str, default: int) -> int:
    """Return an argument of the query that is a whole number of at least 1.

    Raises:
        InvalidPaging: it is not, or is given more than once.
    """
    value = one_argument(request, name)
    if value is None:
        return default
    if not _is_whole(value) or int(value) < 1:
        raise InvalidPaging(f"{name} must be a whole number of at least 1.")
    return int(value)


def count_argument(request: Request, name: str) -> int | None:
    """Return an argument of the query that is a whole number of at least 0, `None` if it is missing.

    Raises:
        InvalidPaging: it is not, or is given more than once.
    """
    value = one_argument(request, name)
    if value is None:
        return None
    if not _is_whole(value):
        raise InvalidPaging(f"{name} must be a whole number.")
    return int(value)


def choice_argument(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Return an argument of the query that is one of the choices, `None` if it is missing.

    Raises:
        InvalidPaging: it is another text, or is given more than once.
    """
    value = one_argument(request, name)
    if value is not None and value not in choices:
        raise InvalidPaging(f"{name} must be one of {', '.join(choices)}.")
    return value


def form_choice_argument(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Do as `choice_argument`, but return `None` for an empty argument, too, as forms send it where none is chosen."""
    return choice_argument(request, name, choices) if one_argument(request, name) else None


def choices_argument(request: Request, name: str, choices: Collection[str]) -> list[str] | None:
    """Return an argument of the query that is some of the choices, separated by commas; `None` if it is missing.

    Raises:
        InvalidPaging: one of them is another text, or the argument is given more than once.
    """
    value = one_argument(request, name)
    found = None if value is None else value.split(",")
    if found is not None and not set(found) <= set(choices):
        raise InvalidPaging(f"{name} must be some of {', '.join(choices)}, separated by commas.")
    return found


class RecipientFilter(TypedDict):
    """The recipients that a request asks for, as the tracker's lists take it."""

    opened: bool | None
    states: list[str] | None
    search: str | None
    ref: str | None


def recipient_filter(request: Request) -> RecipientFilter:
    """Return `opened`, `state`, `search` and `ref` of the query; a recipient must fit all.

    Raises:
        InvalidPaging: one is malformed, or is given more than once.
    """
    return {
        "opened": flag_argument(request, "opened"),
        "states": choices_argument(request, "state", tuple(RecipientState)),
        "search": one_argument(request, "search") or None,
        "ref": _ref_argument(request),
    }


def _ref_argument(request: Request) -> str | None:
    ref = one_argument(request, "ref")
    if ref == "":  # a program whose variable is empty must not get all recipients
        raise InvalidPaging("ref must not be empty.")
    return ref


def flag_argument(request: Request, name: str) -> bool | None:
    """Return an argument of the query that is `true` or `false`, `None` if it is missing.

    Raises:
        InvalidPaging: it is neither, or is given more than once.
    """
    value = one_argument(request, name)
    if value not in (None, "true", "false"):
        raise InvalidPaging(f"{name} must be true or false.")
    return None if value is None else value == "true"


class Paging(TypedDict):
    """The page of a list that a request asks for, as the tracker's lists take it."""

    limit: int
    cursor: str | None


def paging_arguments(request: Request) -> Paging:
    """Return `limit` and `cursor` of the query.

    Raises:
        InvalidPaging: one is malformed, or is given more than once.
    """
    return {
        "limit": number_argument(request, "limit", DEFAULT_LIMIT),
        "cursor": one_argument(request, "cursor"),
    }


def _is_whole(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
