"""`TokenLimit`: how many requests a client may make in which time, as text, as headers and as a key to count under."""

import attrs
from limits import RateLimitItem, parse_many

from mailtrack._errors import InvalidSetting
from mailtrack._text import plural

POLICY_NAME = '"generate-tokens"'
"""Name of the limit in headers, quoted as they need it."""

_MAX_REQUESTS = 1_000_000
_MAX_SECONDS = 366 * 86_400


@attrs.frozen
class TokenLimit:
    """A number of requests in any window of a length, as the library `limits` reads it."""

    _item: RateLimitItem

    @property
    def requests(self) -> int:
        """Number of requests in a window."""
        return self._item.amount

    @property
    def seconds(self) -> int:
        """Length of the window, in seconds."""
        return self._item.get_expiry()

    @property
    def period(self) -> str:
        """The window in words, to follow "per": `15 minutes`, or `minute` for a single one."""
        number, unit = self._item.multiples, self._item.GRANULARITY.name
        return unit if number == 1 else f"{number:,} {unit}s"

    @property
    def text(self) -> str:
        """The limit in words: `10 requests per 15 minutes`."""
        return f"{plural(self.requests, 'request')} per {self.period}"

    @property
    def policy(self) -> str:
        """The value of the header `RateLimit-Policy`."""
        return f"{POLICY_NAME};q={self.requests};w={self.seconds}"

    def key_for(self, client: str) -> str:
        """Return the key that a client's requests are counted under; each limit counts for itself."""
        return self._item.key_for(client)


def parse_limit(text: str) -> TokenLimit:
    """Return a limit from text such as `10/15minutes` or `100 per hour`.

    Raises:
        InvalidSetting: it is not one limit of 1 to 1,000,000 requests in at most 366 days.
    """
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) == 1:
        item = items[0]
        if 1 <= item.amount <= _MAX_REQUESTS and item.get_expiry() <= _MAX_SECONDS:
            return TokenLimit(item)
    raise InvalidSetting("token_limit", "must be a number of requests and a time of at most a year, as 10/15minutes")


DEFAULT_LIMIT = "10/15minutes"
"""The limit that applications have unless another one is given."""
