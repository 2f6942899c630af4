"""The format of the lines in the spool: text, one hit a line, readable by standard tools.

Version 2, the one that is written:

    2 <id> <time> <kind> <pixel> <token> <address> <user agent> <referer> <signals> <CRC-32>

Version 1, which is still read, has no kind:

    1 <id> <time> <pixel> <token> <address> <user agent> <referer> <signals> <CRC-32>

Fields are separated by tabs, `-` stands for none, and the text is UTF-8. No field contains a tab or a line break:
texts are cleaned before. The checksum covers everything before it, so that damage is noticed.

Every version begins with the version, the id and the time; the spool sorts by the id, which begins with the time. The
kind says which fields follow. There is one, `o` for an open. A later release may **append** fields to a kind, in front
of the checksum: a reader ignores the fields that it does not know. Anything that a reader must not ignore needs a new
kind or version. A line of an unknown kind or version is unreadable, and goes to the dead letters until a newer release
reads it.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zlib import crc32

from mailtrack._columns import HitRow, Hits
from mailtrack._errors import MailtrackError
from mailtrack._ingest.request import Request
from mailtrack._model import Hit
from mailtrack._times import milliseconds_to_text, to_milliseconds

_VERSION = "2"
_VERSION_WITHOUT_KIND = "1"
_OPEN = "o"
_FIELDS = 10  # of an open, without the checksum
_NONE = "-"


class UnreadableLine(MailtrackError, ValueError):
    """A line is damaged, or of an unknown kind or version."""


def make_line(hit_id: str, at: int, request: Request) -> bytes:
    """Return the line of an open, with its line break.

    Args:
        hit_id: a new id, as `new_open_id` returns it.
        at: the time of its arrival, in milliseconds since 1970.
        request: the parts of the request.
    """
    pixel, token, ip, user_agent, referer, signals = request
    body = (
        f"{_VERSION}\t{hit_id}\t{milliseconds_to_text(at)}\t{_OPEN}\t{pixel}\t{token or _NONE}\t{ip or _NONE}"
        f"\t{user_agent}\t{referer}\t{' '.join(signals) or _NONE}\t"
    ).encode()
    return b"%b%08x\n" % (body, crc32(body))


def from_line(line: bytes) -> Hit:
    """Return the hit of a line, given with or without its line break.

    Raises:
        UnreadableLine: the line is damaged, or of an unknown kind or version.
    """
    return Hits.of_rows([parse_line(line)])[0]


def parse_line(line: bytes) -> HitRow:
    """Return the hit of a line as a row of `Hits`, given with or without its line break.

    The checksum vouches for the fields, which were checked before the line was made.

    Raises:
        UnreadableLine: the line is damaged, or of an unknown kind or version.
    """
    line = line.rstrip(b"\n")
    body = line[:-8]
    if line[-8:] != b"%08x" % crc32(body):
        raise UnreadableLine("the checksum is wrong")
    try:
        fields = body.decode().split("\t", _FIELDS)
        if fields[0] == _VERSION_WITHOUT_KIND:
            fields.insert(3, _OPEN)
        elif fields[0] != _VERSION:
            raise UnreadableLine("its version is unknown")
        if fields[3] != _OPEN:
            raise UnreadableLine("its kind is unknown")
        _, hit_id, at, _, pixel, token, ip, user_agent, referer, signals, _ = fields  # and those of a later release
        arrived = datetime.fromisoformat(at)
    except UnreadableLine:
        raise
    except (ValueError, IndexError) as error:
        raise UnreadableLine("its fields are malformed") from error
    if arrived.tzinfo is not UTC:
        raise UnreadableLine("its time is not in UTC")
    return (
        hit_id,
        pixel,
        None if token == _NONE else token,
        to_milliseconds(arrived),
        None if ip == _NONE else ip,
        user_agent,
        referer,
        _to_signals(signals),
    )


@lru_cache(maxsize=1024)  # there are few combinations
def _to_signals(text: str) -> tuple[str, ...]:
    return () if text == _NONE else tuple(text.split())
