"""Split HTML into tokens by offset, as the tokenizer of the HTML Standard does, in linear time.

What looks like a tag in a comment, an attribute, a script, a style or a title is none.
https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

import re
from collections.abc import Iterator

SPACE = " \t\n\r\f"
"""White space in HTML, which is less than in Python."""

COMMENT = ""
"""The name of a comment, and of a declaration other than the following."""

DECLARATION = "!"
"""The name of `<!doctype ...>` and of `<?xml ...>`."""

REST = "..."
"""The name of what has no end: a comment, a tag, an element of text. All that follows belongs to it."""

Token = tuple[str, int, int]
"""A name, and the offsets of the first character and behind the last one.

The name is that of a tag in lower case, an end tag's with its slash, or one of the names above.
"""

TEXT_ELEMENTS = frozenset({"iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"})
"""Elements with text only, each of which is one token."""

HIDDEN_ELEMENTS = frozenset({"noscript", "template"})
"""Elements that not every program shows. One that has an end is one token."""

# Repetitions are possessive, and what has no end ends the search, so that no character is read more than a few times.
_TOKEN = re.compile(
    rf"""<(?:
        ( /?[a-zA-Z][^{SPACE}/>]*+ )
        (?: [^"'>=]*+ (?: (?<=[a-zA-Z])="[^"]*+" [^"'>=]*+ )*+ >  # most tags, in a third of the time
          | (?: [{SPACE}/]++
              | [^{SPACE}/>] [^{SPACE}/>=]*+
                (?: [{SPACE}]*+ = [{SPACE}]*+
                    (?: "[^"]*+ (?:"|\Z) | '[^']*+ (?:'|\Z) | [^{SPACE}"'>] [^{SPACE}>]*+ )?+ )?+
            )*+ > )
      | !-- (?: -?> | [^-]*+ (?: -(?!-!?>) [^-]*+ )*+ --!?> )
      | !\[CDATA\[ [^\]]*+ (?: \](?!\]>) [^\]]*+ )*+ \]\]>
      | ( !(?i:doctype) | \?(?i:xml) ) (?=[{SPACE}>]) [^>]*+ >
      | (?! !-- | !\[CDATA\[ ) (?: [!?] | /(?![a-zA-Z]) ) [^>]*+ >
      | ( [a-zA-Z/!?] )
    )""",
    re.VERBOSE,
)
_NAMES = (COMMENT, COMMENT, DECLARATION, REST)  # by the last group
_ENDS = {name: re.compile(rf"</(?i:{name})(?=[{SPACE}/>])") for name in TEXT_ELEMENTS | HIDDEN_ELEMENTS}


def tokens(html: str, at: int = 0, end: int | None = None, *, only: frozenset[str] | None = None) -> Iterator[Token]:
    """Yield the tokens of a text. Between them is text.

    Args:
        html: the text.
        at: the offset to begin at.
        end: the offset to end at; by default the end of the text.
        only: the names to yield; by default all. `REST` is the last token in any case.
    """
    end = len(html) if end is None else end
    endless: set[str] = set()
    begin: int | None = at
    while begin is not None:
        at, begin = begin, None
        for found in _TOKEN.finditer(html, at, end):
            tag = found[1]
            name = tag.lower() if tag else _NAMES[found.lastindex or 0]
            stop = found.end()
            if name in _ENDS and name not in endless:
                begin = _end_of_element(html, name, stop, end)
                if begin is not None:
                    stop = begin
                elif name in HIDDEN_ELEMENTS:
                    endless.add(name)  # so that each is looked for once
                else:
                    name = REST
            if name == REST:
                yield REST, found.start(), end
                return
            if only is None or name in only:
                yield name, found.start(), stop
            if begin is not None:
                break


def _end_of_element(html: str, name: str, at: int, end: int) -> int | None:
    """Return the offset behind the end tag of an element, `None` without one."""
    found = _ENDS[name].search(html, at, end)
    return (html.find(">", found.end(), end) + 1 or None) if found else None
