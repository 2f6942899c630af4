"""`Networks`: a set of IP networks, which may have hundreds of thousands of prefixes.

`NetworkTable` looks an address up in many of them at once.
"""

import ipaddress
import socket
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from operator import itemgetter
from os import PathLike
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

from mailtrack._arguments import to_items
from mailtrack._errors import InvalidRules, RuleProblem

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_IP_LENGTH = 64  # longer texts are no addresses, and must not fill the cache
_COMMENT = "#"


class Networks:
    """A set of IPv4 and IPv6 networks: `"17.58.97.10" in networks`. Immutable and thread-safe.

    It stores sorted ranges of packed addresses: an IPv6 network takes 32 bytes, and a lookup takes a few microseconds,
    regardless of their number.

    Args:
        networks: networks such as `17.0.0.0/8`, or single addresses. They may overlap.

    Raises:
        InvalidRules: some items are not networks; the error lists each by its position, counted from 1.
        InvalidArgument: `networks` is a string instead of a list.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        given = to_items(networks, "networks")
        self._fill(_parse_all((f"network {number}", text) for number, text in enumerate(given, 1)))

    def __contains__(self, ip: object) -> bool:
        """Return whether one of the networks contains an address; false for an invalid address.

        IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is looked up as IPv4; a zone (`fe80::1%eth0`) is ignored.
        """
        if not isinstance(ip, str) or len(ip) > _MAX_IP_LENGTH:
            return False
        packed = _packed(ip)
        return packed is not None and self._ranges[len(packed)].contains(packed)

    def __repr__(self) -> str:
        return f"<Networks of {sum(map(len, self._ranges.values()))} ranges>"

    def _fill(self, ranges: Iterable[tuple[bytes, bytes]]) -> None:
        by_width: dict[int, list[tuple[bytes, bytes]]] = {4: [], 16: []}
        for first, last in ranges:
            by_width[len(first)].append((first, last))
        self._ranges = {width: _Ranges(width, ranges) for width, ranges in by_width.items()}


class _Ranges:
    """Ranges of addresses of one width in bytes, merged, sorted and packed."""

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
        index = bisect_right(range(len(self)), packed, key=self._first) - 1
        start = index * self._width
        return index >= 0 and packed <= self.lasts[start : start + self._width]

    def _first(self, index: int) -> bytes:
        start = index * self._width
        return self.firsts[start : start + self._width]


def _merge(ranges: list[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield ranges in order, merged where they overlap or touch, so that the same addresses are the same ranges."""
    ranges.sort()
    if not ranges:
        return
    first, last = ranges[0]
    for next_first, next_last in ranges:
        if next_first > last and int.from_bytes(next_first, "big") != int.from_bytes(last, "big") + 1:
            yield first, last
            first, last = next_first, next_last
        else:
            last = max(last, next_last)
    yield first, last


def load_networks(path: str | PathLike[str]) -> Networks:
    """Load networks from a file: a list of prefixes, or a CSV file such as Apple's list of its relays.

    Raises:
        InvalidRules: some lines are invalid; the error lists each by its number.
        OSError: the file can't be read.
    """
    with Path(path).open(encoding="utf-8-sig", errors="replace") as lines:
        return parse_networks(lines)


def parse_networks(lines: Iterable[str]) -> Networks:
    """Parse lines with one network each, or the first column of a CSV file; `#` begins a comment.

    Raises:
        InvalidRules: some lines are invalid; the error lists each by its number.
    """
    found = Networks()
    found._fill(_parse_all(_numbered_prefixes(to_items(lines, "lines"))))
    return found


def _numbered_prefixes(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        prefix = line.partition(_COMMENT)[0].partition(",")[0].strip().strip('"')
        if prefix:
            yield f"line {number}", prefix


def _parse_all(texts: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    found, problems = [], []
    for place, text in texts:
        try:
            found.append(_quick_range(text) or _to_range(text))
        except ValueError:
            problems.append(RuleProblem(place, "is not a network"))
    if problems:
        raise InvalidRules(problems)
    return found


def _to_range(text: str) -> tuple[bytes, bytes]:
    network = ipaddress.ip_network(text, strict=False)
    return network.network_address.packed, network.broadcast_address.packed


def _quick_range(text: str) -> tuple[bytes, bytes] | None:
    """Return the range of an address with the length of its prefix, `None` for other forms; 4 times as fast."""
    address, _, length = text.partition("/")
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        host = (1 << len(packed) * 8 - int(length)) - 1 if length.isdecimal() else -1
    except (OSError, ValueError):
        return None
    if host < 0 or not length.isascii():
        return None
    last = int.from_bytes(packed, "big") | host
    return (last ^ host).to_bytes(len(packed), "big"), last.to_bytes(len(packed), "big")


class NetworkTable:
    """Finds the networks that contain an address: `table.names_of("17.58.97.10")`. Immutable and thread-safe.

    A lookup is one binary search in a sorted list of the addresses where the result changes, regardless of the number
    of networks; it takes one to two microseconds.

    Args:
        networks: the networks by name.
    """

    def __init__(self, networks: Mapping[str, Networks]) -> None:
        self._tables = {width: _Changes(width, networks) for width in (4, 16)}

    def names_of(self, ip: str) -> frozenset[str]:
        """Return the names of the networks that contain an address; none for an invalid address."""
        packed = _packed(ip) if len(ip) <= _MAX_IP_LENGTH else None
        return _NO_NAMES if packed is None else self._tables[len(packed)].names_of(packed)


class _Changes:
    """The addresses of one width where the set of containing networks changes, with those sets."""

    def __init__(self, width: int, networks: Mapping[str, Networks]) -> None:
        high, low = _TYPES[width]
        self._highs = array(high)  # numbers of at most 64 bits: searching packed addresses takes four times as long
        self._lows = array(low)
        self._kind_at = array("I")  # indexes into `_kinds`; few different sets occur
        numbers: dict[frozenset[str], int] = {}
        for start, names in _sweep(merge(*(_edges(width, name, found) for name, found in networks.items()))):
            self._highs.append(int.from_bytes(start[:8], "big"))
            self._lows.append(int.from_bytes(start[8:], "big"))
            self._kind_at.append(numbers.setdefault(names, len(numbers)))
        self._kinds = list(numbers)

    def names_of(self, packed: bytes) -> frozenset[str]:
        high = int.from_bytes(packed[:8], "big")
        after = bisect_right(self._highs, high)
        if after and self._highs[after - 1] == high:  # the low half decides
            after = bisect_right(self._lows, int.from_bytes(packed[8:], "big"), bisect_left(self._highs, high), after)
        return self._kinds[self._kind_at[after - 1]] if after else _NO_NAMES


def _edges(width: int, name: str, networks: Networks) -> Iterator[tuple[bytes, str, bool]]:
    """Yield in order the addresses where a network begins (`True`) and the ones after its ranges."""
    for first, last in iter_ranges(networks, width):
        yield first, name, True
        after = int.from_bytes(last, "big") + 1
        if after < 1 << (width * 8):
            yield after.to_bytes(width, "big"), name, False


def _sweep(edges: Iterable[tuple[bytes, str, bool]]) -> Iterator[tuple[bytes, frozenset[str]]]:
    """Yield each address where the set of networks changes, with their names."""
    names: set[str] = set()
    for start, together in groupby(edges, key=itemgetter(0)):
        for _, name, begins in together:  # within one network, an end precedes a beginning
            (names.add if begins else names.discard)(name)
        yield start, frozenset(names)


_TYPES = {4: ("I", "B"), 16: ("Q", "Q")}  # of arrays for the first eight bytes and the rest, by width
_V6 = 16  # bytes
_MAPPED = bytes(10) + b"\xff\xff"  # the prefix of IPv4-mapped IPv6
_NO_NAMES: frozenset[str] = frozenset()


def _packed(ip: str) -> bytes | None:
    """Return an address as 4 or 16 bytes, without a zone, IPv4-mapped IPv6 as IPv4; `None` if invalid."""
    text = ip.partition("%")[0]
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if len(packed) == _V6 and packed.startswith(_MAPPED) else packed


def fingerprint(networks: Networks) -> int:
    """Return a 32-bit number that depends only on the addresses, the same in every process."""
    all_ranges = networks._ranges.values()
    return crc32(b"".join(part for ranges in all_ranges for part in (ranges.firsts, ranges.lasts)))


def iter_ranges(networks: Networks, width: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the first and last address of each range of one width (4 or 16 bytes), packed and in order."""
    ranges = networks._ranges[width]
    for start in range(0, len(ranges.firsts), width):
        yield ranges.firsts[start : start + width], ranges.lasts[start : start + width]
