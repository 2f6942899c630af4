"""Rank column headings by how likely the recipients' addresses are below them."""

import re
import tomllib
import unicodedata
from enum import IntEnum
from functools import cache
from importlib import resources

import attrs

_CASE_CHANGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PUNCTUATION = re.compile(r"[\W_]+")


class Rank(IntEnum):
    """The fit of a heading for the recipients' addresses, in ascending order."""

    OTHERS = 0  # another person's addresses
    UNNAMED = 1
    WEAK = 2  # may mean a postal address
    RELATED = 3  # some kind of email address
    LIKELY = 4
    EXACT = 5


def normalize(heading: str) -> str:
    """Return a heading without case, accents, punctuation and underscores, and with `managerEmail` split."""
    heading = _CASE_CHANGE.sub(" ", heading)
    plain = "".join(one for one in unicodedata.normalize("NFKD", heading.casefold()) if not unicodedata.combining(one))
    return _PUNCTUATION.sub(" ", plain).strip()


def mentions_email(heading: str) -> bool:
    """Return whether a heading mentions email, of any person."""
    name = normalize(heading)
    return any(term in name for term in _known().terms)


def rank(heading: str) -> Rank:
    """Return the rank of a heading."""
    name, known = normalize(heading), _known()
    words = name.split()
    if name in known.exact:
        return Rank.EXACT
    if known.others.intersection(words):
        return Rank.OTHERS
    if name in known.weak:
        return Rank.WEAK
    if not any(term in name for term in known.terms):
        return Rank.UNNAMED
    return Rank.LIKELY if " ".join(word for word in words if word not in known.benign) in known.exact else Rank.RELATED


@attrs.frozen
class _Names:
    """The lists of headings.toml."""

    exact: frozenset[str]
    weak: frozenset[str]
    benign: frozenset[str]
    others: frozenset[str]
    terms: frozenset[str]


@cache
def _known() -> _Names:
    lists = tomllib.loads(resources.files("mailtrack._imports").joinpath("headings.toml").read_text("utf-8"))
    return _Names(**{name: frozenset(map(normalize, names)) for name, names in lists.items()})
