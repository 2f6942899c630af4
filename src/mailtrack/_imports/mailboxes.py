"""Find addresses in free text: alone or with names, as copied from mail programs, with any separators."""

import re
from collections.abc import Callable, Iterator

from mailtrack._addresses import INVISIBLE
from mailtrack._errors import InvalidEmail

# A quoted name, an address in angle brackets, a comment, a separator, or other text, including unmatched quotation
# marks and brackets. A quoted name has no brackets, is not adjacent to a word, and does not begin with a separator;
# otherwise an unclosed mark (`5" pipe`) would hide the addresses after it.
_SEPARATING = ";,|\\t\\r\\n\uff0c\uff1b\u3001\u060c\u061b"  # including Chinese, Japanese and Arabic ones
_PART = re.compile(
    rf'(?<!\w)"(?![{_SEPARATING}])[^"<>]*"(?!\w)|<[^<>]*>|\([^()]*\)'
    rf'|(?P<separator>:::|[{_SEPARATING}])|[^"<(:{_SEPARATING}]+|.',
    re.DOTALL,
)
_ALONE = re.compile(r'[^\s<>()\[\]:;,"\\]+')  # the characters of an address
_WRAPPING = INVISIBLE + "\0\"'`<>()[]{}.,;:\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"
_BEHIND = re.compile(r'[\s",;|]+')
_NAME = re.compile(r"[^\W\d_][^:]*\Z")  # a word, but not a number or a label such as `work: ann@example.org`
_BULLET = re.compile(
    "\\A[\u00b7\u2013\u2014\u2022\u2023\u2192\u25a0\u25aa\u25b6\u25ba\u25cf\u25e6\u2709\u2713\u2714\u27a4]\\s*"
)
_WORD = re.compile(r"[^\W\d_][^\s()\"<>:]*")
GUARDED = re.compile(
    r"\A'(?=[=+@\-\uff1d\uff0b\uff0d\uff20])"
)  # our own CSV export protects cells against formulas this way

NO_ADDRESS = "No email address found."

Canonical = Callable[[str], str]
"""Returns an address in canonical form, or raises `InvalidEmail`."""


def find(text: str, canonical: Canonical, *, several: bool = False) -> Iterator[str | tuple[str, str]]:
    """Find the addresses in a text.

    Args:
        text: the text.
        canonical: returns an address in canonical form.
        several: whether the text is a line of a list. In a list, `|` separates addresses, even though it is valid in an
            address, and words may precede an address; elsewhere, `ann lee@example.org` is more likely a typo than a
            name.

    Yields:
        An address in canonical form, or the invalid text and the reason.
    """
    text = text.strip().replace("\uff20", "@")
    if "@" not in text:
        return
    text = _BULLET.sub("", text)
    alone = GUARDED.sub("", text, count=1)
    if _ALONE.fullmatch(alone) and not (several and "|" in alone):
        try:
            yield canonical(alone)
            return
        except InvalidEmail:
            pass
    yield from _find_among(text, canonical, several)


def _find_among(text: str, canonical: Canonical, words: bool) -> Iterator[str | tuple[str, str]]:
    found = 0
    loose: list[str] = []  # words in place of addresses; each may still begin a name
    for mailbox in _split(text):
        candidates = list(_candidates(mailbox, words))
        if found and candidates:
            yield from ((word, NO_ADDRESS) for word in loose if words and mailbox[-1][0] != "<")
        for word in candidates:
            try:
                yield canonical(_unwrap(word))
            except InvalidEmail as error:
                yield word, error.reason
        found += len(candidates)
        loose = [] if candidates else [*loose, *_single_word(mailbox)]
    yield from ((word, NO_ADDRESS) for word in loose if words and found > 1)


def _single_word(mailbox: list[str]) -> list[str]:
    """Return a word in place of an address in a list, as in `ann@...; bob.example.org; carl@...`."""
    text = "".join(mailbox).strip()
    return [text] if _WORD.fullmatch(text) else []


def _split(text: str) -> Iterator[list[str]]:
    """Yield the parts between separators; a name such as `Lee, Ann` may be split in two."""
    parts: list[str] = []
    for part in _PART.finditer(text):
        if part["separator"]:
            yield parts
            parts = []
        else:
            parts.append(part[0])
    yield parts


def _candidates(mailbox: list[str], words: bool) -> Iterator[str]:
    """Yield the candidate addresses of a mailbox: the texts in angle brackets, else each word with an @.

    If other words stand between them, the whole mailbox is one invalid candidate, unless `words` allows them.
    """
    in_brackets = [part[1:-1] for part in mailbox if part[0] == "<" and part[-1] == ">" and "@" in part]
    if in_brackets:
        yield from in_brackets
        # The text before is the name; an address after it is a further one, as in `"Ann <a@b.org>",5,"c@d.org"`.
        last = max(index for index, part in enumerate(mailbox) if part[0] == "<" and part[-1] == ">" and "@" in part)
        rest = "".join(part for part in mailbox[last + 1 :] if part[0] != "(")
        yield from (word for word in _BEHIND.split(rest) if "@" in word)
        return
    found = [word for word in "".join(mailbox).split() if "@" in word]
    free = "".join(part for part in mailbox if "@" in part or part[0] not in '"(' or len(part) == 1).split()
    if found and not words and any("@" not in word and _NAME.search(word) for word in free):
        yield "".join(mailbox).strip()
    else:
        yield from found


def _unwrap(word: str) -> str:
    """Return an address without surrounding `mailto:`, group name, quotation marks and punctuation."""
    word = GUARDED.sub("", word.strip(), count=1).strip(_WRAPPING)
    local, at, domain = word.rpartition("@")
    local = local.rpartition(":")[2]
    return (local + at + domain.partition("?")[0]).strip(_WRAPPING)
