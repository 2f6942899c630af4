"""`update`: brings a network's stored list up to date, or leaves it as it is."""

from pathlib import Path
from uuid import uuid4

import attrs

from mailtrack._errors import InvalidRules
from mailtrack._times import Clock, now, to_text
from mailtrack.cli._networks import fetch as http
from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.cli._networks.folder import Folder, State
from mailtrack.cli._networks.formats import count, parse, subtract, to_lines
from mailtrack.cli._networks.sources import Source
from mailtrack.verdicts import Networks
from mailtrack.verdicts._networks import Network


@attrs.frozen
class Updated:
    """The result of an update.

    Attributes:
        ranges: the number of ranges in the list; `None` if its source has not changed.
    """

    ranges: int | None


def update(
    source: Source,
    folder: Folder,
    *,
    prefixes: list[str] | None = None,
    force: bool = False,
    timeout: float = http.TIMEOUT,
    clock: Clock = now,
) -> Updated:
    """Fetch a network's list, check it, and replace the stored one.

    Args:
        source: where the list comes from.
        folder: where it is stored.
        prefixes: the list, if the source is a database and not a URL.
        force: whether to fetch an unchanged list again, and to accept a list that is much shorter than the stored one.
        timeout: the limit for each URL, in seconds.
        clock: returns the current time.

    Raises:
        UpdateFailed: the list can't be had, or failed a check. The stored one is unchanged.
        OSError: the folder can't be written.
    """
    with folder.locked():
        state = folder.read_state(source.name)
        tags = {} if force or state.source != str(source) else state.tags
        checked = to_text(clock())
        if prefixes is None:
            reader = _Reader(source, tags, timeout)
            found = reader.read()
            if found is None:
                folder.write_state(source.name, attrs.evolve(state, checked=checked))
                return Updated(None)
            tags = reader.tags
        else:
            found = parse("\n".join(prefixes).encode(), format="lines")
        networks = Networks(map(str, found))
        ranges = _check_length(networks, folder, source.name, force=force)
        heading = f"# {source}, {checked}. Written by mailtrack networks update."
        text = "\n".join([heading, *to_lines(networks), ""])
        folder.write_list(source.name, text, State(source=str(source), checked=checked, tags=tags))
        return Updated(ranges)


class _Reader:
    """Reads the lists of a source, and collects the tags of the answers."""

    def __init__(self, source: Source, tags: dict[str, dict[str, str]], timeout: float) -> None:
        self._source = source
        self._before = tags
        self._timeout = timeout
        self.tags: dict[str, dict[str, str]] = {}

    def read(self) -> list[Network] | None:
        """Return the networks; `None` if nothing has changed since the tags were given."""
        places = [place for place in (self._source.url, self._source.without) if place is not None]
        read = [self._read(place, self._before.get(place)) for place in places]
        if all(data is None for data in read):
            return None
        # A list that has not changed is needed if the other one has.
        lists = [self._read(place, None) if data is None else data for place, data in zip(places, read, strict=True)]
        found, *holes = (self._parse(place, data) for place, data in zip(places, lists, strict=True))
        return subtract(found, holes[0]) if holes else found

    def _read(self, place: str, tags: dict[str, str] | None) -> bytes | None:
        try:
            if "://" not in place:
                return _read_file(place)
            url = place.replace("{uuid}", str(uuid4()))
            answer = http.fetch(url, tags=tags, timeout=self._timeout)
        except UpdateFailed as error:
            raise UpdateFailed(f"{place}: {error}") from error
        self.tags[place] = answer.tags
        return answer.data

    def _parse(self, place: str, data: bytes | None) -> list[Network]:
        try:
            return parse(data or b"", format=self._source.format)
        except UpdateFailed as error:
            raise UpdateFailed(f"{place}: {error}") from error


def _read_file(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            data = file.read(http.MAX_BYTES + 1)
    except OSError as error:
        raise UpdateFailed(f"it can't be read: {error.strerror}") from error
    if len(data) > http.MAX_BYTES:
        raise UpdateFailed(f"it is larger than {http.MAX_BYTES:,} bytes")
    return data


def _check_length(networks: Networks, folder: Folder, name: str, *, force: bool) -> int:
    """Return the number of ranges in a new list, after a comparison with the stored one."""
    ranges = count(networks)
    if not ranges:
        raise UpdateFailed("the list is empty")
    try:
        before = 0 if force else sum(map(count, folder.load([name]).values()))
    except InvalidRules:
        before = 0  # a damaged list is no measure
    if 2 * ranges < before:
        raise UpdateFailed(
            f"the list has {ranges:,} ranges, less than half of the {before:,} in the stored one; --force accepts it"
        )
    return ranges
