"""The small forms in which rows hold ids and addresses: bytes. What has another form is held as its text, marked."""

import socket

_TIME = 6  # bytes that an id begins with
_ID = 16
_V6 = 16
_SIZES = (4, _V6)

_TEXT, _PADDED = b"=", b"~"


def pack_id(open_id: str) -> bytes:
    """Pack the id of an open: what comes after its time first, which begins with the process that made it.

    So ids that a process makes follow each other in an index, and few pages of it are written.
    """
    try:
        packed = bytes.fromhex(open_id)
    except ValueError:
        return _pack_text(open_id)
    if len(packed) != _ID or packed.hex() != open_id:  # upper case and blanks are read as well
        return _pack_text(open_id)
    return packed[_TIME:] + packed[:_TIME]


def unpack_id(packed: bytes) -> str:
    """Return an id as text."""
    if len(packed) != _ID:
        return _unpack_text(packed)
    return (packed[-_TIME:] + packed[:-_TIME]).hex()


def pack_ip(ip: str | None) -> bytes | None:
    """Return the 4 or 16 bytes of an address."""
    if ip is None:
        return None
    try:
        if ":" not in ip:
            return socket.inet_pton(socket.AF_INET, ip)  # which reads one form only
        packed = socket.inet_pton(socket.AF_INET6, ip)
    except (OSError, ValueError):
        return _pack_text(ip)
    return packed if unpack_ip(packed) == ip else _pack_text(ip)


def unpack_ip(packed: bytes | None) -> str | None:
    """Return an address as text."""
    if packed is None:
        return None
    if len(packed) not in _SIZES:
        return _unpack_text(packed)
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == _V6 else socket.AF_INET, packed)


def _pack_text(text: str) -> bytes:
    """Mark a text, so that it has none of the lengths of what is packed."""
    packed = _TEXT + text.encode()
    return _PADDED + packed if len(packed) in (_ID, *_SIZES) else packed


def _unpack_text(packed: bytes) -> str:
    return packed.removeprefix(_PADDED)[1:].decode() if packed.startswith(_PADDED + _TEXT) else packed[1:].decode()
