"""Find where a tag stands in HTML and which older tags it replaces, as edits by offset."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from mailtrack._errors import InvalidArgument
from mailtrack.mail._tag import TrackerImages, source_of
from mailtrack.mail._tokens import COMMENT, DECLARATION, HIDDEN_ELEMENTS, REST, SPACE, tokens

TOP, BOTTOM = "top", "bottom"

Span = tuple[int, int]
"""The offsets of the first character and behind the last one."""

_BYTE_ORDER_MARKS = ("\ufeff", "\xef\xbb\xbf")  # the second one as bytes that were decoded as Latin-1
_IN_HEAD = {DECLARATION, "html", "head", "title", "base", "link", "meta", "style", "script"}
_MAY_BE_BODY = re.compile("<[bB][oO][dD][yY]")
_MAY_BE_MARKUP = re.compile("[a-zA-Z/!?]")

# The end of a part that Outlook skips, as in `<!--[if !mso]><!--><body><!--<![endif]-->`.
_END_OF_CONDITION = re.compile(rf"(?:[{SPACE}]*+<!(?:--<!\[(?i:endif)\]--|\[(?i:endif)\](?:--)?+)>)++")


class Edit(NamedTuple):
    """A part of a text, by its offsets, and what replaces it."""

    start: int
    end: int
    text: str


def apply(text: str, edits: list[Edit]) -> str:
    """Return a text with edits, which are in its order and do not overlap."""
    parts: list[str] = []
    at = 0
    for edit in edits:
        parts += text[at : edit.start], edit.text
        at = edit.end
    return "".join([*parts, text[at:]])


def find_edits(html: str, url: str, tag: str, where: str) -> list[Edit]:
    """Return the edits that embed a tag and remove the older ones of its tracker.

    Args:
        html: the text.
        url: the URL in the tag.
        tag: the tag.
        where: "top", "bottom" or a placeholder.

    Raises:
        InvalidArgument: `where` is a placeholder that does not occur where a tag can stand.
    """
    images = TrackerImages.of(url)
    older = list(_find_images(html, images)) if images.may_be_in(html) else []
    if where in (TOP, BOTTOM):
        start = end = _find_top(html) if where == TOP else _find_bottom(html)
    else:
        same = (one for one in older if source_of(html[slice(*one)]) == url)  # it has replaced the placeholder
        place = _find_placeholder(html, where) or next(same, None)
        if place is None:
            raise InvalidArgument(
                "where", 'must be "top", "bottom" or a placeholder in the text, not one in a comment or a tag only'
            )
        start, end = place
    removed = [Edit(*one, "") for one in _removable(html, older) if one[1] <= start or end <= one[0]]
    return sorted([*removed, Edit(start, end, tag)])


def _find_top(html: str) -> int:
    """Return the offset behind the start tag of the body; without one, behind doctype and head."""
    place, at = _find_end_of_head(html)
    if _MAY_BE_BODY.search(html, at):
        name, _, end = next(tokens(html, at, only=frozenset({"body"})), (REST, at, at))
        place = place if name == REST else end
    behind = _END_OF_CONDITION.match(html, place)
    return behind.end() if behind else place


def _find_end_of_head(html: str) -> Span:
    """Return the offset behind doctype and head, and one at or before the first token of the body."""
    place = at = next((len(mark) for mark in _BYTE_ORDER_MARKS if html.startswith(mark)), 0)
    declared = False
    for name, start, end in tokens(html, at):
        if declared and html[at:start].strip(SPACE):
            break
        if name == "/head":
            return end, end
        if name in _IN_HEAD:
            place, declared = end, True
        elif name not in HIDDEN_ELEMENTS and name != COMMENT and not name.startswith("/"):
            break
        at = end
    return place, at


def _find_bottom(html: str) -> int:
    """Return the offset of the last end tag of a body; without one, of that of the document, or its end."""
    found = {REST: len(html)}
    for name, start, _ in tokens(html, only=frozenset({"/body", "/html"})):
        found[name] = start
    return found.get("/body", found.get("/html", found[REST]))


def _find_placeholder(html: str, text: str) -> Span | None:
    """Return the offsets of a placeholder that is text, or is whole tokens; `None` without one."""
    start = html.find(text)
    spans = [(begin, end) for _, begin, end in tokens(html)] if start >= 0 else []

    def is_in_token(offset: int) -> bool:
        number = bisect_left(spans, (offset,)) - 1
        return number >= 0 and offset < spans[number][1]

    while start >= 0:
        end = start + len(text)
        if not is_in_token(start) and not is_in_token(end):
            return start, end
        start = html.find(text, start + 1)
    return None


def _find_images(html: str, images: TrackerImages, at: int = 0, end: int | None = None) -> Iterator[Span]:
    """Yield the places of a tracker's images, also of those that not every program shows."""
    for name, start, stop in tokens(html, at, end, only=HIDDEN_ELEMENTS | {"img"}):
        if name in HIDDEN_ELEMENTS:
            yield from _find_images(html, images, start + 1, stop)
        elif name == "img" and images.may_be_in(tag := html[start:stop]) and images.has(source_of(tag)):
            yield start, stop


def _removable(html: str, older: list[Span]) -> Iterator[Span]:
    """Yield the tags whose removal does not make markup of the text around them, as of `<` and `p>`."""
    group: list[Span] = []
    for one in [*older, None]:
        if group and (one is None or group[-1][1] < one[0]):
            start, end = group[0][0], group[-1][1]
            if not (html[start - 1 : start] == "<" and _MAY_BE_MARKUP.match(html, end)):
                yield from group
            group = []
        if one is not None:
            group.append(one)
