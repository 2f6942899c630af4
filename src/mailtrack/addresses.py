"""E-mail addresses: which are valid, and the one form in which they are compared.

email-validator decides (syntax only, no DNS). It takes about 0.1 ms for an address, so plain ASCII addresses that
surely pass it take a fast way with the same result.
"""

import re
import unicodedata
from collections.abc import Iterable

from mailtrack.errors import EmailProblem, InvalidEmail, InvalidEmails

MAX_LENGTH = 254
"""Characters in an address (RFC 5321 4.5.3.1.3, RFC 3696 erratum 1690)."""

# Letters, digits and the usual separators; labels without a hyphen at either end or two in a row (which also
# keeps Punycode out); at least one dot; a last label of letters that is not reserved.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
    r"@"
    r"((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+)"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)\Z)([A-Za-z]{2,24})",
    re.ASCII | re.IGNORECASE,
)
_LONG_LABEL = re.compile(r"[^.@]{64}")


def canonical(email: str) -> str:
    """Return an address with its domain in lower case and Unicode, its local part as written (NFC).

    Raises:
        InvalidEmail: it is not a valid address.
    """
    if len(email) > MAX_LENGTH:
        raise InvalidEmail("The address is too long.")
    if _PLAIN.fullmatch(email) and not _LONG_LABEL.search(email):
        local, at, domain = email.rpartition("@")
        return local + at + domain.lower()
    return _validated(email)


def canonical_all(emails: Iterable[object]) -> list[str]:
    """Return the distinct addresses in canonical form, in the order of their first appearance.

    Raises:
        InvalidEmails: at least one is not valid; all problems are told.
    """
    distinct: dict[str, None] = {}
    problems = []
    for index, email in enumerate(emails):
        if not isinstance(email, str):
            problems.append(EmailProblem(index, "The address is not a string."))
            continue
        try:
            distinct[canonical(email)] = None
        except InvalidEmail as error:
            problems.append(EmailProblem(index, error.reason))
    if problems:
        raise InvalidEmails(problems)
    return list(distinct)


def _validated(email: str) -> str:
    from email_validator import EmailNotValidError, validate_email  # slow to load, and seldom needed

    try:
        found = validate_email(email, check_deliverability=False)
    except EmailNotValidError as error:
        raise InvalidEmail(_without_input(str(error))) from None
    # The validator writes role names such as "Info" in lower case; here the local part stays as written.
    local = unicodedata.normalize("NFC", email.partition("@")[0])
    return f"{local}@{found.domain}"


def _without_input(message: str) -> str:
    """Cut an error message before it begins to quote the address."""
    return re.split(r":| \(", message, maxsplit=1)[0].rstrip(".") + "."
