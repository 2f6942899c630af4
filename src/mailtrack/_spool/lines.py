"""Hits as lines of text, one each, that standard tools can read.

    1 <id> <time> <pixel> <token> <address> <user agent> <referer> <signals> <CRC-32>

The fields are separated by tabs, `-` stands for none, and the text is UTF-8. No field can hold a tab or a line break:
texts are cleaned when the hit is made. The checksum is over all before it, so that a damaged line is noticed.
"""

from datetime import UTC, datetime
from zlib import crc32

from mailtrack._errors import MailtrackError
from mailtrack._model import Hit
from mailtrack._times import milliseconds_to_text, to_milliseconds

_VERSION = "1"
_NONE = "-"
_ID_LENGTH = 32


class UnreadableRecord(MailtrackError, ValueError):
    """A line is not a hit as this version writes it."""


def make_line(
    hit_id: str,
    at: int,
    pixel: str,
    token: str | None,
    ip: str | None,
    user_agent: str,
    referer: str,
    signals: tuple[str, ...],
) -> bytes:
    """Return the line of a hit from its fields, the time in milliseconds, with its line break."""
    body = (
        f"{_VERSION}\t{hit_id}\t{milliseconds_to_text(at)}\t{pixel}\t{token or _NONE}\t{ip or _NONE}"
        f"\t{user_agent}\t{referer}\t{' '.join(signals) or _NONE}\t"
    ).encode()
    return b"%b%08x\n" % (body, crc32(body))


def to_line(hit: Hit) -> bytes:
    """Return the line of a hit, with its line break."""
    at = to_milliseconds(hit.at)
    return make_line(hit.id, at, hit.pixel, hit.token, hit.ip, hit.user_agent, hit.referer, hit.signals)


def from_line(line: bytes) -> Hit:
    """Return the hit of a line, given with or without its line break.

    The checksum vouches for the fields: they were checked when the line was made.

    Raises:
        UnreadableRecord: it is damaged, or none of ours.
    """
    body, separator, checksum = line.rstrip(b"\n").rpartition(b"\t")
    if checksum != b"%08x" % crc32(separator, crc32(body)):
        raise UnreadableRecord("the checksum is wrong")
    try:
        version, hit_id, at, pixel, token, ip, user_agent, referer, signals = body.decode().split("\t")
        arrived = datetime.fromisoformat(at)
        if version != _VERSION or arrived.tzinfo is not UTC:
            raise UnreadableRecord("not a record of this version")
        return Hit(
            id=hit_id,
            pixel=pixel,
            token=None if token == _NONE else token,
            at=arrived,
            ip=None if ip == _NONE else ip,
            user_agent=user_agent,
            referer=referer,
            signals=() if signals == _NONE else tuple(signals.split(" ")),
        )
    except ValueError as error:
        raise UnreadableRecord("not a record of this version") from error


def order_of(line: bytes) -> bytes:
    """Return what lines sort by in their order of arrival, the id of the hit; nothing where a line is none of ours."""
    hit_id = line[:64].partition(b"\t")[2].partition(b"\t")[0]
    return hit_id if len(hit_id) == _ID_LENGTH else b""
