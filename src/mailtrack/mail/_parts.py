"""Find the HTML part of a message, and its one address. Signed and encrypted messages are refused."""

from collections.abc import Iterator
from email.header import Header
from email.message import Message
from email.utils import getaddresses

from mailtrack._addresses import canonical, comparable
from mailtrack._errors import InvalidEmail, MessageNotTrackable

# Headers with a hash of the body: RFC 6376, RFC 4870, RFC 8617, RFC 1864.
_SEALS = ("DKIM-Signature", "DomainKey-Signature", "ARC-Message-Signature", "Content-MD5")

# Types whose content is signed or encrypted: RFC 1847, RFC 8551.
_SEALED = frozenset({"multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})

_SEALED_TEXT = "-----BEGIN PGP "  # RFC 9580 6.2 and 7
_REASON = "it is signed or encrypted"


def find_html(message: Message) -> Message | None:
    """Return the part that mail programs show as HTML, not an attached file or message; `None` without one.

    Raises:
        MessageNotTrackable: the message is signed or encrypted.
    """
    _check_seals(message)
    if message.get_content_type() in _SEALED:
        raise MessageNotTrackable(_REASON)
    is_file = message.get_content_disposition() == "attachment"  # the message is nothing else
    part = None if is_file else next(_iter_html(message), None)
    if part is not None:
        _check_seals(part)
    return part


def _check_seals(part: Message) -> None:
    if any(name in part for name in _SEALS):
        raise MessageNotTrackable(_REASON)


def check_text(html: str) -> None:
    """Check the text of the HTML part.

    Raises:
        MessageNotTrackable: it is signed or encrypted by PGP, without MIME.
    """
    if _SEALED_TEXT in html:
        raise MessageNotTrackable(_REASON)


def _iter_html(part: Message) -> Iterator[Message]:
    """Yield the HTML in a part, what programs prefer first."""
    kind = part.get_content_type()
    if kind in ("multipart/signed", "multipart/encrypted"):
        raise MessageNotTrackable(_REASON)
    if kind == "text/html" and not part.is_multipart():
        yield part
    elif part.get_content_maintype() == "multipart":
        for child in _shown(part, kind):
            yield from _iter_html(child)


def _shown(part: Message, kind: str) -> list[Message]:
    """Return those parts of a multipart that can be its text, what programs prefer first."""
    children = [child for child in part.get_payload() if isinstance(child, Message)] if part.is_multipart() else []
    if kind == "multipart/related":  # RFC 2387: the root, and what it refers to
        root = part.get_param("start")
        return [child for child in children if root and child.get("Content-ID", "").strip() == root] or children[:1]
    if kind == "multipart/alternative":  # RFC 2046 5.1.4: the last one that a program can show
        children.reverse()
    return [child for child in children if not _is_file(child)]


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_filename() is not None


def find_address(message: Message) -> str:
    """Return the address that a message goes to.

    Raises:
        MessageNotTrackable: To, Cc and Bcc have no address, or more than one.
    """
    headers = [_to_text(value) for name in ("To", "Cc", "Bcc") for value in message.get_all(name, [])]
    found = {_comparable(address): address for _, address in reversed(getaddresses(headers)) if address}
    if len(found) == 1:
        return found.popitem()[1]
    raise MessageNotTrackable(
        f"it has {len(found) or 'no'} addresses in To, Cc and Bcc; send a copy to each, or give `recipient`"
    )


def _to_text(value: object) -> str:
    """Return the value of a header as one line."""
    if isinstance(value, Header):  # with names, or all of it, in encoded words
        encoded = value.encode()
        value = encoded if "@" in encoded else value
    return " ".join(str(value).split())


def _comparable(address: str) -> str:
    try:
        return comparable(canonical(address, allow_special_domains=True))
    except InvalidEmail:
        return address.lower()
