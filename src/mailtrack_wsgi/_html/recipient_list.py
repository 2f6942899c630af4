"""`RecipientList`: the part of a pixel's recipients that a page shows, and the links to other parts."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import attrs
from werkzeug.wrappers import Request

from mailtrack._model import Pixel, RecipientState
from mailtrack._recipients import to_states
from mailtrack_wsgi._html.filters import query
from mailtrack_wsgi._query import RecipientFilter, recipient_filter

_ALL = frozenset(RecipientState)
_OPENED = frozenset({RecipientState.OPENED})
_UNKNOWABLE = frozenset({RecipientState.PREFETCHED})
_NOT_OPENED = _ALL - _OPENED - _UNKNOWABLE

_NAMES = {
    _ALL: "all",
    _OPENED: "opened",
    _NOT_OPENED: "not opened",
    _NOT_OPENED | _UNKNOWABLE: "not opened",
    _UNKNOWABLE: "not known",
}


class Choice(NamedTuple):
    """A list that a page offers: its name, its title, the number of recipients in it, and the link to it."""

    name: str
    title: str
    number: int
    link: str


@attrs.frozen(kw_only=True)
class RecipientList:
    """A list of recipients.

    Attributes:
        filter: the filter of the query.
        states: the states of the recipients in the list.
    """

    filter: RecipientFilter
    states: frozenset[RecipientState]

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read the query of a request."""
        chosen = recipient_filter(request)
        states = to_states(chosen["opened"], chosen["states"])
        return cls(filter=chosen, states=_ALL if states is None else states)

    @property
    def name(self) -> str:
        """The name of the list, "" where it is none of those that the page offers."""
        return _NAMES.get(self.states, "")

    @property
    def has_unknowable(self) -> bool:
        """Whether the list has recipients of whom it can't be known whether they opened."""
        return RecipientState.PREFETCHED in self.states

    @property
    def searched(self) -> bool:
        """Whether only recipients with some text, or a reference, are listed."""
        return bool(self.filter["search"] or self.filter["ref"])

    @property
    def search_arguments(self) -> dict[str, Any]:
        """The arguments for links that keep the text and the reference, but no states."""
        return {"search": self.filter["search"], "ref": self.filter["ref"]}

    @property
    def state_arguments(self) -> dict[str, Any]:
        """The arguments for links that keep the states only."""
        opened, states = self.filter["opened"], self.filter["states"]
        return {
            "opened": None if opened is None else str(opened).lower(),
            "state": ",".join(states) if states else None,
        }

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments for links that keep the list."""
        return self.state_arguments | self.search_arguments

    def choices(self, pixel: Pixel) -> Iterator[Choice]:
        """Yield the lists of a pixel's recipients that the page offers; all but the first have no recipient twice."""
        opened, unknowable = pixel.opened.counted, pixel.prefetched
        yield Choice("all", "All", pixel.recipients, f"{query(self.search_arguments)}#list")
        yield Choice("opened", "Opened", opened, self._link(_OPENED))
        yield Choice("not opened", "Not opened", pixel.recipients - opened - unknowable, self._link(_NOT_OPENED))
        yield Choice("not known", "Not known", unknowable, self._link(_UNKNOWABLE))

    @property
    def link_with_unknowable(self) -> str:
        """The link to the recipients that have not opened, or of whom it can't be known."""
        return self._link(_NOT_OPENED | _UNKNOWABLE)

    @property
    def link_without_unknowable(self) -> str:
        """The link to the recipients that have not opened."""
        return self._link(_NOT_OPENED)

    def _link(self, states: frozenset[RecipientState]) -> str:
        chosen = ",".join(state for state in RecipientState if state in states)
        return f"{query({'state': chosen}, **self.search_arguments)}#list"
