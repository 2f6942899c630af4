"""The row of an open, and the small forms in which it holds the id and the address.

Whatever does not have the form that mailtrack makes is stored as the text that it is.
"""

import socket
from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias

_TIME = 6  # bytes
_REST = 10  # of which the first are those of the process
_PROCESS = 6
_V6 = 16


PLACES = ", ".join("?" * 12)
"""The placeholders of the row of an open, with all its columns that `compacting` fills."""


PackedId: TypeAlias = tuple[int, bytes | str]
"""The id of an open: shift and rest.

The shift are the milliseconds from the time that the id begins with to the time of the open: 0 for the ids that
mailtrack makes. For another text, it is the time of the open. The rest is what comes after the time, in 10 bytes, or
another text.
"""


def pack_id(open_id: str, at: int) -> PackedId:
    """Pack the id of an open at a time in milliseconds."""
    try:
        packed = bytes.fromhex(open_id)
    except ValueError:
        return (at, open_id)
    if len(packed) != _TIME + _REST or packed.hex() != open_id:  # upper case and blanks are read as well
        return (at, open_id)
    return (at - int.from_bytes(packed[:_TIME], "big"), packed[_TIME:])


def by_process(ids: Iterable[PackedId]) -> dict[bytes | str, list[bytes | str]]:
    """Return what ids have besides their times, grouped by the process that made the ids."""
    found: defaultdict[bytes | str, list[bytes | str]] = defaultdict(list)
    for _, rest in ids:
        found[rest[:_PROCESS]].append(rest)
    return found


def unpack_id(at: int, shift: int, rest: bytes | str) -> str:
    """Return the id of an open at a time in milliseconds."""
    return rest if isinstance(rest, str) else ((at - shift).to_bytes(_TIME, "big") + rest).hex()


def pack_ip(ip: str | None) -> bytes | str | None:
    """Return the 4 or 16 bytes of an address."""
    if ip is None:
        return None
    try:
        if ":" not in ip:
            return socket.inet_pton(socket.AF_INET, ip)  # which reads one form only
        packed = socket.inet_pton(socket.AF_INET6, ip)
    except (OSError, ValueError):
        return ip
    return packed if unpack_ip(packed) == ip else ip


def unpack_ip(packed: bytes | str | None) -> str | None:
    """Return an address as text."""
    if packed is None or isinstance(packed, str):
        return packed
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == _V6 else socket.AF_INET, packed)
