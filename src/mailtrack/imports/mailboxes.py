"""Addresses in free text: alone, with names, as mail programs copy them, with whatever separators."""

import re
from collections.abc import Callable, Iterator

from mailtrack.errors import InvalidEmail

# A quoted name, an address in angle brackets, a comment, a separator, or other text, which a quotation mark or bracket
# without its counterpart is, too.
# A name in quotation marks has no brackets, or a mark that is never closed would hide the addresses behind it.
_SEPARATING = ";,|\\t\\r\\n\uff0c\uff1b\u3001\u060c\u061b"  # with those of China, Japan and Arabia
_PART = re.compile(
    rf'"[^"<>]*"|<[^<>]*>|\([^()]*\)|(?P<separator>:::|[{_SEPARATING}])|[^"<(:{_SEPARATING}]+|.', re.DOTALL
)
_ALONE = re.compile(r'[^\s<>()\[\]:;,"\\]+')  # what an address may be made of
_WRAPPING = "\"'`<>()[]{}.,;:\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"
_SPACES = re.compile(r"[\s\u200b\0]+")
_GUARDED = re.compile(r"\A'(?=[=+@-])")  # as our own CSV guards a cell from being taken for a formula

Canonical = Callable[[str], str]
"""Returns an address in canonical form, or raises `InvalidEmail`."""


def find(text: str, canonical: Canonical, *, several: bool = False) -> Iterator[str | tuple[str, str]]:
    """Find the addresses in a text.

    Args:
        text: the text.
        canonical: returns an address in canonical form.
        several: whether a `|` separates addresses, though it may be part of one.

    Yields:
        An address in canonical form, or the text that should be one and the reason why it is not.
    """
    text = text.strip().replace("\uff20", "@")
    if "@" not in text:
        return
    alone = _GUARDED.sub("", text, count=1)
    if _ALONE.fullmatch(alone) and not (several and "|" in alone):
        try:
            yield canonical(alone)
            return
        except InvalidEmail:
            pass
    yield from _find_among(text, canonical)


def _find_among(text: str, canonical: Canonical) -> Iterator[str | tuple[str, str]]:
    for mailbox in _split(text):
        for word in _candidates(mailbox):
            try:
                yield canonical(_unwrap(word))
            except InvalidEmail as error:
                yield word, error.reason


def _split(text: str) -> Iterator[list[str]]:
    """Yield the parts between separators; names such as `Lee, Ann` may still be cut in two."""
    parts: list[str] = []
    for part in _PART.finditer(text):
        if part["separator"]:
            yield parts
            parts = []
        else:
            parts.append(part[0])
    yield parts


def _candidates(mailbox: list[str]) -> Iterator[str]:
    """Yield what should be the addresses of a mailbox: what stands in angle brackets, else each word with an @."""
    in_brackets = [part[1:-1] for part in mailbox if part[0] == "<" and part[-1] == ">" and "@" in part]
    if in_brackets:
        yield from in_brackets
        return
    for word in _SPACES.split("".join(mailbox)):
        if "@" in word:
            yield word


def _unwrap(word: str) -> str:
    """Return an address without `mailto:`, a group's name, quotation marks and the signs of a sentence around it."""
    word = _GUARDED.sub("", word.strip(), count=1).strip(_WRAPPING)
    local, at, domain = word.rpartition("@")
    local = local.rpartition(":")[2]
    return (local + at + domain.partition("?")[0]).strip(_WRAPPING)
