"""Hits as lines of text, one each, that standard tools can read.

    1 <id> <time> <pixel> <token> <address> <user agent> <referer> <CRC-32>

The fields are separated by tabs, `-` stands for none, and the text is UTF-8. No field can hold a tab or a line break:
texts are cleaned when the hit is made. The checksum is over all before it, so that a damaged line is noticed.
"""

from datetime import datetime
from zlib import crc32

from mailtrack.errors import MailtrackError
from mailtrack.model import Hit
from mailtrack.times import to_text
from mailtrack.tokens import parse_pixel_key, parse_token

_VERSION = "1"


class UnreadableRecord(MailtrackError, ValueError):
    """A line is not a hit as this version writes it."""


def to_line(hit: Hit) -> bytes:
    """Return the line of a hit, with its line break."""
    body = (
        f"{_VERSION}\t{hit.id}\t{to_text(hit.at)}\t{hit.pixel}\t{hit.token or '-'}\t{hit.ip or '-'}"
        f"\t{hit.user_agent}\t{hit.referer}\t"
    ).encode()
    return b"%b%08x\n" % (body, crc32(body))


def from_line(line: bytes) -> Hit:
    """Return the hit of a line, given with or without its line break.

    Raises:
        UnreadableRecord: it is damaged, or none of ours.
    """
    line = line.rstrip(b"\n")
    body, checksum = line[:-8], line[-8:]
    if checksum != b"%08x" % crc32(body):
        raise UnreadableRecord("the checksum is wrong")
    try:
        version, hit_id, at, pixel, token, ip, user_agent, referer, _ = body.decode().split("\t")
        if version != _VERSION or parse_pixel_key(pixel) != pixel:
            raise UnreadableRecord("not a record of this version")
        return Hit(
            id=hit_id,
            pixel=pixel,
            token=parse_token(token),
            at=datetime.fromisoformat(at),
            ip=None if ip == "-" else ip,
            user_agent=user_agent,
            referer=referer,
        )
    except (ValueError, OverflowError) as error:
        raise UnreadableRecord("not a record of this version") from error
