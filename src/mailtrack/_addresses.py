"""Validate email addresses, and convert them to their canonical and comparable forms.

email-validator checks them (syntax only, no DNS). It takes about 0.1 ms per address, so plain ASCII addresses that are
certain to pass take a shortcut with the same result.
"""

import re
import unicodedata

from mailtrack._errors import InvalidEmail

MAX_LENGTH = 254
"""Maximum length of an address in characters (RFC 5321 4.5.3.1.3, RFC 3696 erratum 1690)."""

# Letters, digits and the usual separators; labels without hyphens at the ends or two in a row (which also excludes
# Punycode); at least one dot; a last label of letters that is not reserved.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
    r"@"
    r"((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+)"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)\Z)([A-Za-z]{2,24})",
    re.ASCII | re.IGNORECASE,
)
_LONG_LABEL = re.compile(r"[^.@]{64}")


_RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})
_STAND_IN = ".example"  # a domain below it passes the validation

# Invisible characters that are copied along with an address: zero-width and no-break spaces, soft hyphens, direction
# marks, byte order marks.
INVISIBLE = (
    "\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)


def canonical(email: str, *, allow_special_domains: bool = False) -> str:
    """Return an address with its domain in lower case and Unicode, its local part as written (NFC).

    Surrounding invisible characters, such as zero-width spaces and byte order marks, are removed.

    Args:
        email: the address.
        allow_special_domains: whether to accept domains that no mail reaches from outside: reserved ones, as in
            `.test`, `.local` or `.invalid`, or single names such as `localhost`.

    Raises:
        InvalidEmail: the address is invalid.
    """
    email = email.strip(INVISIBLE)
    if len(email) > MAX_LENGTH:
        raise InvalidEmail("The address is too long.")
    if _PLAIN.fullmatch(email) and not _LONG_LABEL.search(email):
        local, at, domain = email.rpartition("@")
        return local + at + domain.lower()
    return _validated(email, allow_special_domains)


def comparable(email: str) -> str:
    """Return the case-insensitive form in which addresses are compared.

    According to RFC 5321 (2.4) the local part is case-sensitive, but hardly any mail system distinguishes mailboxes by
    case. Letters are folded one by one (Unicode's simple case folding), so that different spellings, such as
    `straße@example.org` and `strasse@example.org`, stay distinct. The domain is already in lower case; `faß.example`
    and `fass.example` are two domains (IDNA 2008).

    Args:
        email: an address in canonical form.
    """
    if email.isascii():
        return email.lower()
    local, at, domain = email.rpartition("@")
    return unicodedata.normalize("NFC", "".join(map(_fold, local))) + at + domain


def _fold(letter: str) -> str:
    return next((folded for folded in (letter.casefold(), letter.lower()) if len(folded) == 1), letter)


def domain_of(address: str) -> str:
    """Return the domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()


def _validated(email: str, allow_special_domains: bool) -> str:
    from email_validator import EmailNotValidError, validate_email  # slow to load, and rarely needed

    try:
        domain = validate_email(email, check_deliverability=False).domain
    except EmailNotValidError as error:
        special = _special_domain(email) if allow_special_domains else None
        if special is None:
            raise InvalidEmail(_without_input(str(error))) from None
        domain = special
    # The validator writes role names such as "Info" in lower case; here the local part stays as written.
    local = unicodedata.normalize("NFC", email.partition("@")[0])
    return f"{local}@{domain}"


def _special_domain(email: str) -> str | None:
    """Return the special domain of an otherwise valid address, else `None`."""
    from email_validator import EmailNotValidError, validate_email

    try:
        domain = validate_email(email + _STAND_IN, check_deliverability=False).domain.removesuffix(_STAND_IN)
    except EmailNotValidError:
        return None
    _, dot, last = domain.rpartition(".")
    return domain if last in _RESERVED or not (dot or last.isdigit()) else None


def _without_input(message: str) -> str:
    """Cut an error message off before it quotes the address."""
    return re.split(r":| \(", message, maxsplit=1)[0].rstrip(".") + "."
