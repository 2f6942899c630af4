"""Reads what tokens are asked for: addresses, or recipients with references and data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest

from mailtrack._errors import InvalidRecipients, RecipientProblem
from mailtrack._model import NewRecipient
from mailtrack_wsgi._bodies import MAX_EMAILS, MAX_TOKENS_BYTES, read_json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_KEYS = {"email", "ref", "data"}


def read_new_recipients(environ: "WSGIEnvironment") -> Sequence[str | NewRecipient]:
    """Return the addresses or recipients in a request's body. Their values are not checked.

    Raises:
        HTTPException: the body is refused with 400, 408, 411, 413 or 415.
        InvalidRecipients: one of the recipients is no object, or has an unknown key.
    """
    body = read_json(environ, MAX_TOKENS_BYTES)
    if "emails" in body and "recipients" in body:
        raise BadRequest("Either emails or recipients, not both")
    key = "recipients" if "recipients" in body else "emails"
    given = body.get(key)
    if not isinstance(given, list) or not given:
        raise BadRequest(f"{key.capitalize()} array is required")
    if len(given) > MAX_EMAILS:
        raise BadRequest(f"Max {MAX_EMAILS:,} emails allowed")
    return given if key == "emails" else _to_recipients(given)


def _to_recipients(given: list[object]) -> list[NewRecipient]:
    problems: list[RecipientProblem] = []
    found: list[NewRecipient] = []
    for index, one in enumerate(given):
        if not isinstance(one, dict):
            problems.append(RecipientProblem(index, "The recipient is not an object."))
        elif not one.keys() <= _KEYS:  # a misspelt `ref` must not give several mails one token
            problems.append(RecipientProblem(index, "The recipient has other keys than email, ref and data."))
        else:
            found.append(NewRecipient(one.get("email"), one.get("ref"), one.get("data")))  # type: ignore[arg-type]  # checked by the tracker
    if problems:
        raise InvalidRecipients(problems, len(given))
    return found
