"""`Networks`: which IP addresses belong together, even where hundreds of thousands of prefixes say so."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from os import PathLike
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from mailtrack.arguments import to_items
from mailtrack.errors import InvalidRules, RuleProblem

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_IP_LENGTH = 64  # longer ones are none, and must not fill the cache
_COMMENT = "#"


class Networks:
    """A set of IPv4 and IPv6 networks: `"17.58.97.10" in networks`. Immutable, so threads may share it.

    It keeps sorted ranges of packed addresses, which takes 32 bytes for an IPv6 network and a few microseconds for a
    look, however many there are.

    Args:
        networks: in the usual spelling (`17.0.0.0/8`); an address is a network of one. They may overlap.

    Raises:
        InvalidRules: some are no networks; each is told by its place, counted from 1.
        InvalidArgument: `networks` is one text instead of a list.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        given = to_items(networks, "networks")
        self._fill(_parse_all((f"network {number}", text) for number, text in enumerate(given, 1)))

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> "Networks":
        """Read one network a line, or the first column of a CSV file; `#` begins a comment.

        Raises:
            InvalidRules: some lines are neither; each is told by its number.
        """
        found = cls()
        found._fill(_parse_all(_numbered_prefixes(to_items(lines, "lines"))))
        return found

    def __contains__(self, ip: object) -> bool:
        """Tell whether an address is in one of the networks; what is not an address is in none.

        IPv4 in IPv6 (`::ffff:192.0.2.1`) is looked up as IPv4; a zone (`fe80::1%eth0`) does not count.
        """
        if not isinstance(ip, str) or len(ip) > _MAX_IP_LENGTH:
            return False
        packed = _packed(ip)
        return packed is not None and self._ranges[len(packed)].contains(packed)

    def __repr__(self) -> str:
        return f"<Networks of {sum(map(len, self._ranges.values()))} ranges>"

    @property
    def fingerprint(self) -> int:
        """A number of 32 bits that is the same for the same addresses, in every process."""
        return crc32(b"".join(part for ranges in self._ranges.values() for part in (ranges.firsts, ranges.lasts)))

    def _fill(self, networks: Iterable[Network]) -> None:
        by_width: dict[int, list[tuple[bytes, bytes]]] = {4: [], 16: []}
        for network in networks:
            first, last = network.network_address.packed, network.broadcast_address.packed
            by_width[len(first)].append((first, last))
        self._ranges = {width: _Ranges(width, ranges) for width, ranges in by_width.items()}


class _Ranges:
    """Ranges of addresses of one width in bytes, merged, sorted, and packed one after the other."""

    def __init__(self, width: int, ranges: list[tuple[bytes, bytes]]) -> None:
        merged = list(_merge(ranges))
        self._width = width
        self.firsts = b"".join(map(itemgetter(0), merged))
        self.lasts = b"".join(map(itemgetter(1), merged))

    def __len__(self) -> int:
        return len(self.firsts) // self._width

    def contains(self, packed: bytes) -> bool:
        if not self.firsts[: self._width] <= packed <= self.lasts[-self._width :]:
            return False
        place = bisect_right(range(len(self)), packed, key=self._first) - 1
        start = place * self._width
        return place >= 0 and packed <= self.lasts[start : start + self._width]

    def _first(self, place: int) -> bytes:
        start = place * self._width
        return self.firsts[start : start + self._width]


def _merge(ranges: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Return ranges in order, those that overlap as one."""
    ranges.sort()
    if not ranges:
        return
    first, last = ranges[0]
    for next_first, next_last in ranges:
        if next_first > last:
            yield first, last
            first, last = next_first, next_last
        else:
            last = max(last, next_last)
    yield first, last


def load_networks(path: str | PathLike[str]) -> Networks:
    """Read a file as `Networks.from_lines` does: a list of prefixes, or a CSV file such as Apple's list of its relays.

    Raises:
        InvalidRules: some lines are neither; each is told by its number.
        OSError: the file can't be read.
    """
    with Path(path).open(encoding="utf-8-sig", errors="replace") as lines:
        return Networks.from_lines(lines)


def _numbered_prefixes(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        prefix = line.partition(_COMMENT)[0].partition(",")[0].strip().strip('"')
        if prefix:
            yield f"line {number}", prefix


def _parse_all(texts: Iterable[tuple[str, str]]) -> list[Network]:
    found, problems = [], []
    for place, text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            problems.append(RuleProblem(place, "is not a network"))
    if problems:
        raise InvalidRules(problems)
    return found


@lru_cache(maxsize=4096)
def _packed(ip: str) -> bytes | None:
    try:
        address: _Address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.packed
