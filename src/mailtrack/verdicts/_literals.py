"""`needed_literals`: derives literals that a match of an expression must contain; `LiteralIndex` finds them in texts.

A table of rules has expressions with hundreds of names, few of which occur in a user agent. Finding a literal is thirty
times as fast as trying an expression at each position, so the judge tries only expressions that can match.
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

_MAX_COUNT = 200
_START = 3  # length of the index's keys


class LiteralIndex:
    """Finds which of many literals a text contains, in one pass, by their first three letters.

    Args:
        literals: non-empty strings.
    """

    def __init__(self, literals: Iterable[str]) -> None:
        self._by_start: dict[str, list[str]] = defaultdict(list)
        self._short = []
        for literal in set(literals):
            if len(literal) < _START:
                self._short.append(literal)
            else:
                self._by_start[literal[:_START]].append(literal)

    def found_in(self, text: str) -> set[str]:
        """Return the literals that a text contains."""
        found = {literal for literal in self._short if literal in text}
        starts = {text[at : at + _START] for at in range(len(text) - _START + 1)}
        for start in starts & self._by_start.keys():
            found.update(literal for literal in self._by_start[start] if literal in text)
        return found


def needed_literals(expression: str) -> Literals | None:
    """Return literals, at least one of which occurs in the lower case of any text that an expression matches.

    This holds for ASCII texts only, since other letters can have several lower-case forms. Returns `None` if there are
    no such literals, or too many.
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
        if code is codes.LITERAL:
            run += chr(argument).lower()
            continue
        found += [frozenset({run}), _of_item(code, argument)]
        run = ""
    return max(filter(_fit, [*found, frozenset({run})]), key=_worth, default=None)  # type: ignore[arg-type]


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


def _worth(literals: Literals) -> tuple[int, int]:
    return min(map(len, literals)), -len(literals)
