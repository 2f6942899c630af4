"""Where lists of networks come from: the sources in `verdicts/networks.toml`, and those on the command line."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import attrs

from mailtrack._errors import InvalidSetting
from mailtrack.verdicts._rule import is_name


@attrs.frozen(kw_only=True)
class Source:
    """Where a network's list comes from.

    Attributes:
        name: the network.
        url: a URL or a file; `None` if the network is only known by its autonomous systems.
        without: a URL or a file with networks to take out of the list.
        format: the format of both, see `formats.parse`; `None` to detect it.
        systems: the numbers of its autonomous systems.
    """

    name: str
    url: str | None = None
    without: str | None = None
    format: str | None = None
    systems: tuple[int, ...] = attrs.field(default=(), converter=tuple)

    def __str__(self) -> str:
        if self.url is None:
            return ", ".join(f"AS{number}" for number in self.systems)
        return f"{self.url} without {self.without}" if self.without else self.url


@cache
def bundled_sources() -> dict[str, Source]:
    """Return the bundled sources by the names of their networks."""
    data = tomllib.loads((files("mailtrack.verdicts") / "networks.toml").read_text(encoding="utf-8"))
    return {name: Source(name=name, **values) for name, values in data.items()}


def all_sources(lists: Iterable[str], without: Iterable[str]) -> dict[str, Source]:
    """Return the bundled sources, changed and extended by texts such as `apple-relay=FILE`.

    Args:
        lists: the lists that replace the bundled ones, in any format. What is taken out of them stays.
        without: what is taken out; nothing for an empty one.

    Raises:
        InvalidSetting: a text can't be used.
    """
    found = dict(bundled_sources())
    for name, place in _pairs(lists, "from", required=True):
        found[name] = attrs.evolve(found.get(name, Source(name=name)), url=place, format=None)
    for name, place in _pairs(without, "without", required=False):
        if name not in found or found[name].url is None:
            raise InvalidSetting("without", f"{name} has no list; name it with --from")
        found[name] = attrs.evolve(found[name], without=place or None, format=None)
    return found


def _pairs(texts: Iterable[str], option: str, *, required: bool) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, equals, place = text.partition("=")
        if not (is_name(name) and equals and (place or not required)):
            raise InvalidSetting(option, "must be NAME=URL or NAME=FILE")
        yield name, place
