"""Check what tokens are to be made for: addresses, references and data, all of them before anything is stored."""

import re
from collections.abc import Callable, Iterable

from mailtrack._addresses import MAX_LENGTH, comparable
from mailtrack._errors import EmailProblem, InvalidEmail, InvalidEmails, InvalidRecipients, RecipientProblem
from mailtrack._json_data import InvalidValue, check_data
from mailtrack._model import NewRecipient

MAX_REF_LENGTH = 128
"""Characters in a reference."""

_NOT_IN_REFS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # what names must not have


def check_all(given: Iterable[object], canonical: Callable[[str], str]) -> list[NewRecipient]:
    """Return the distinct recipients, checked, in order of first appearance.

    Two are one if their addresses, compared without regard to case, and their references are the same. The address
    stays as first written; of data that is given several times the last counts.

    Args:
        given: addresses, and `NewRecipient` values as their makers wrote them.
        canonical: returns an address in canonical form.

    Raises:
        InvalidEmails: at least one address is invalid; the error lists all of these.
        InvalidRecipients: at least one reference, or one object of data, is invalid; the error lists all of these.
    """
    distinct: dict[tuple[str, str | None], NewRecipient] = {}
    bad_emails: list[EmailProblem] = []
    others: list[RecipientProblem] = []
    total = 0
    for index, one in enumerate(given):
        total = index + 1
        new = one if isinstance(one, NewRecipient) else None
        email = one if new is None else new.email
        if not isinstance(email, str):
            bad_emails.append(EmailProblem(index, "The address is not a string.", email))
            continue
        try:
            address = canonical(email)
        except InvalidEmail as error:
            bad_emails.append(EmailProblem(index, error.reason, email))
            continue
        if new is None:
            distinct.setdefault((comparable(address), None), NewRecipient(address))
            continue
        try:
            ref, data = check_ref(new.ref), None if new.data is None else check_data(new.data)
        except InvalidValue as error:
            others.append(RecipientProblem(index, str(error)))
            continue
        key = (comparable(address), ref)
        before = distinct.get(key)
        if before is None and data is None and address == email:
            distinct[key] = new  # as most are
        elif before is None or data is not None:
            distinct[key] = NewRecipient(before.email if before else address, ref, data)
    if bad_emails:
        raise InvalidEmails(bad_emails, total)
    if others:
        raise InvalidRecipients(others, total)
    return list(distinct.values())


def check_ref(ref: object) -> str | None:
    """Return a reference as it is.

    Raises:
        InvalidValue: it is neither a valid reference nor `None`.
    """
    if ref is None:
        return None
    if not isinstance(ref, str):
        raise InvalidValue("The reference is not a string.")
    if not ref:
        raise InvalidValue("The reference is empty.")
    if len(ref) > MAX_REF_LENGTH:
        raise InvalidValue(f"The reference is longer than {MAX_REF_LENGTH} characters.")
    if not ref.isprintable() and _NOT_IN_REFS.search(ref):  # the first is faster
        raise InvalidValue("The reference has a control character.")
    return ref


def may_be_in_recipients(text: str | None) -> bool:
    """Return whether a text to search for can be part of an address or a reference; `None` is no text."""
    return text is None or (len(text) <= MAX_LENGTH and not _NOT_IN_REFS.search(text))
