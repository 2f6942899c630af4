"""The formats of published lists of networks, and the checks of a new list."""

import gzip
import io
import ipaddress
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.verdicts import Networks
from mailtrack.verdicts._networks import Network, iter_ranges

_SHORTEST_PREFIX = {4: 8, 6: 16}  # a wider network is a slip: no owner of a list has one
_MAX_UNPACKED = 128 * 1024 * 1024  # bytes; Apple's list takes 12 MB
_GZIP = b"\x1f\x8b"
_PROTECTION = ".protection.outlook.com"  # Microsoft's servers that check mail; people use its others


def parse(data: bytes, *, format: str | None = None) -> list[Network]:  # noqa: A002  # the word of `networks.toml`
    """Return the networks in a list, in its order.

    Args:
        data: the list, in UTF-8, also packed by gzip.
        format: `lines`, `google` or `microsoft`; `None` to detect it.

    Raises:
        UpdateFailed: it is not a whole list in this format, an item is not a network, or a network is wider than /8
            (IPv4) or /16 (IPv6).
    """
    try:
        text = (_unpack(data) if data.startswith(_GZIP) else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UpdateFailed("it is not text in UTF-8") from error
    begin = text.lstrip()[:1]
    if begin == "<":
        raise UpdateFailed("it is a page in HTML or XML, not a list")
    read = _FORMATS[format or {"{": "google", "[": "microsoft"}.get(begin, "lines")]
    return [_to_network(place, prefix) for place, prefix in read(text)]


def subtract(networks: Iterable[Network], holes: Iterable[Network]) -> list[Network]:
    """Return networks without the addresses of others."""
    left = list(networks)
    for hole in holes:
        left = [part for network in left for part in _without(network, hole)]
    return left


def count(networks: Networks) -> int:
    """Return the number of separate ranges."""
    return sum(1 for width in (4, 16) for _ in iter_ranges(networks, width))


def to_lines(networks: Networks) -> Iterator[str]:
    """Yield the fewest prefixes with the same addresses, in order."""
    for width in (4, 16):
        for first, last in iter_ranges(networks, width):
            ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
            yield from map(str, ipaddress.summarize_address_range(*ends))


def _unpack(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(_MAX_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UpdateFailed(f"it can't be unpacked: {error}") from None
    if len(found) > _MAX_UNPACKED:
        raise UpdateFailed(f"it is larger than {_MAX_UNPACKED:,} bytes when unpacked")
    return found


def _to_network(place: str, prefix: object) -> Network:
    if not isinstance(prefix, str):
        raise UpdateFailed(f"{place} is not a network")
    try:
        network = ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        raise UpdateFailed(f"{place} is not a network: {prefix[:64]!r}") from None
    shortest = _SHORTEST_PREFIX[network.version]
    if network.prefixlen < shortest:
        raise UpdateFailed(f"{place} is wider than /{shortest}: {prefix}")
    return network


def _without(network: Network, hole: Network) -> Iterable[Network]:
    if network.version != hole.version or not network.overlaps(hole):
        return (network,)
    if network.prefixlen >= hole.prefixlen:
        return ()
    return network.address_exclude(hole)  # type: ignore[arg-type]  # of one version


def _read_lines(text: str) -> Iterator[tuple[str, object]]:
    lines = ((number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1))
    rows = [(number, line) for number, line in lines if line]
    if rows and not text.endswith("\n") and rows[-1][1].count(",") < rows[0][1].count(","):
        raise UpdateFailed("its last line is cut")
    yield from ((f"line {number}", line.partition(",")[0].strip().strip('"')) for number, line in rows)


def _read_google(text: str) -> Iterator[tuple[str, object]]:
    data = _load(text)
    entries = data.get("prefixes") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise UpdateFailed("it has no list of prefixes")
    for number, entry in enumerate(entries, 1):
        found = entry if isinstance(entry, dict) else {}
        yield f"prefix {number}", found.get("ipv4Prefix", found.get("ipv6Prefix"))


def _read_microsoft(text: str) -> Iterator[tuple[str, object]]:
    entries = _load(text)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UpdateFailed("it is not a list of endpoints")
    for number, entry in enumerate(entries, 1):
        urls, ips = entry.get("urls", []), entry.get("ips", [])
        if not isinstance(urls, list) or not isinstance(ips, list):
            raise UpdateFailed(f"endpoint {number} is not in the form of Microsoft's list")
        if any(str(url).endswith(_PROTECTION) for url in urls):
            yield from ((f"endpoint {number}", ip) for ip in ips)


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UpdateFailed(f"it is not JSON: {error}") from None


_FORMATS: dict[str, Callable[[str], Iterator[tuple[str, object]]]] = {
    "lines": _read_lines,
    "google": _read_google,
    "microsoft": _read_microsoft,
}
