"""`ExpressionIndex`: finds which of many expressions can match a text, by literals that a match must contain.

The rules and ua-parser have hundreds of expressions, few of which can match a given user agent. Finding a literal is
thirty times as fast as trying an expression at each position, so only expressions that can match are tried.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

# The parser of `re` is private. If it changes, no literals are derived, and all expressions are tried.
try:
    from re import _constants as codes  # type: ignore[attr-defined]  # not in the stubs
    from re import _parser as parser  # type: ignore[attr-defined]  # the same
except ImportError:  # pragma: no cover
    parser = None

Literals: TypeAlias = frozenset[str]
_Start: TypeAlias = tuple[str, ...]

_MAX_COUNT = 200
_START = 3  # length of the index's keys

# Literals in it say little, since most user agents contain them.
_USUAL = (
    "mozilla/5.0 (windows nt 10.0; win64; x64; linux; android; macintosh; intel mac os x; iphone; cpu iphone os like"
    " mac) applewebkit/537.36 (khtml, like gecko) version/4.0 chrome/131.0.0.0 mobile safari/537.36"
)
# The only letters that match an ASCII one if case is ignored.
_ASCII_LETTERS = str.maketrans({"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"})


class ExpressionIndex:
    """Finds which of many expressions can match a text, in one pass, by the first letters of the literals they need.

    Args:
        expressions: regular expressions, as they are passed to `re.compile`.
    """

    def __init__(self, expressions: Iterable[str]) -> None:
        self._always: list[int] = []  # numbers of expressions without literals
        self._short: defaultdict[str, list[int]] = defaultdict(list)  # numbers of expressions by literal
        by_start: defaultdict[_Start, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, expression in enumerate(expressions):
            literals = needed_literals(expression)
            if literals is None:
                self._always.append(number)
            for literal in literals or ():
                start = tuple(literal[:_START])
                (by_start[start] if len(start) == _START else self._short)[literal].append(number)
        self._by_start = {start: list(found.items()) for start, found in by_start.items()}
        self._starts = frozenset(by_start)

    def candidates(self, text: str) -> list[int]:
        """Return the numbers of the expressions that can match a text, counted from 0 and in order."""
        lower = (text if text.isascii() else text.translate(_ASCII_LETTERS)).lower()
        found = set(self._always)
        for literal, numbers in self._short.items():
            if literal in lower:
                found.update(numbers)
        for start in self._starts.intersection(zip(lower, lower[1:], lower[2:], strict=False)):
            for literal, numbers in self._by_start[start]:
                if literal in lower:
                    found.update(numbers)
        return sorted(found)


def needed_literals(expression: str) -> Literals | None:
    """Return ASCII literals, at least one of which occurs in the lower case of any text that an expression matches.

    Texts must be lower-cased as `ExpressionIndex` does it. Returns `None` if there are no such literals, or too many.
    """
    try:
        return _fit(_of_sequence(parser.parse(expression)))
    except Exception:  # noqa: BLE001  # a future parser may return anything; such expressions are always tried
        return None


def _of_sequence(items: Iterable[Any]) -> Literals | None:
    """Return the best literals of a sequence's parts, all of which must match."""
    found: list[Literals | None] = []
    run = ""
    for code, argument in items:
        if letter := _letter(code, argument):
            run += letter
            continue
        found += [frozenset({run}), _of_item(code, argument)]
        run = ""
    return max(filter(_fit, [*found, frozenset({run})]), key=_worth, default=None)  # type: ignore[arg-type]


def _letter(code: Any, argument: Any) -> str:
    """Return the lower-case ASCII character that an item matches in any case, `""` if there are several or none."""
    items = argument if code is codes.IN else [(code, argument)]
    letters = {chr(value).lower() if kind is codes.LITERAL else "" for kind, value in items}
    letter = letters.pop() if len(letters) == 1 else ""
    return letter if letter.isascii() else ""


def _of_item(code: Any, argument: Any) -> Literals | None:
    if code is codes.SUBPATTERN:
        return _of_sequence(argument[3])
    if code is codes.BRANCH:
        return _of_branches(argument[1])
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT) and argument[0] > 0:
        return _of_sequence(argument[2])
    if code is codes.ASSERT:
        return _of_sequence(argument[1])
    return None


def _of_branches(branches: Iterable[Any]) -> Literals | None:
    found: set[str] = set()
    for branch in branches:
        needed = _of_sequence(branch)
        if needed is None:
            return None
        found |= needed
    return frozenset(found)


def _fit(literals: Literals | None) -> Literals | None:
    """Return literals without those that contain another one, or `None` if they are unsuitable for a search."""
    if not literals or len(literals) > _MAX_COUNT or "" in literals:
        return None
    return frozenset(one for one in literals if not any(other != one and other in one for other in literals))


def _worth(literals: Literals) -> tuple[bool, int, int]:
    return not any(literal in _USUAL for literal in literals), min(map(len, literals)), -len(literals)
