"""`TokenLimiter`: whether a client may generate tokens now, and what the headers of the answer report."""

import ipaddress
import math
from pathlib import Path

import attrs

from mailtrack._errors import InvalidSetting
from mailtrack_wsgi._rate_limit.limit import DEFAULT_LIMIT, POLICY_NAME, TokenLimit, parse_limit
from mailtrack_wsgi._rate_limit.redis import SCHEMES, RedisWindows
from mailtrack_wsgi._rate_limit.sqlite import SQLiteWindows
from mailtrack_wsgi._rate_limit.windows import Windows


@attrs.frozen
class Allowance:
    """The decision on a request, with the state of its client's window at the same moment.

    Attributes:
        limit: the limit that it was measured by.
        granted: whether this request may proceed.
        remaining: number of requests left.
        reset: seconds until one more is granted, at least 1.
    """

    limit: TokenLimit
    granted: bool
    remaining: int
    reset: int

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of draft-ietf-httpapi-ratelimit-headers, and `Retry-After` for a refusal."""
        found = [
            ("RateLimit-Policy", self.limit.policy),
            ("RateLimit", f"{POLICY_NAME};r={self.remaining};t={self.reset}"),
        ]
        return found if self.granted else [*found, ("Retry-After", str(self.reset))]


class TokenLimiter:
    """Limits how often each client may ask for tokens.

    Exact over every thread, process and machine that counts in the same place. Thread-safe; it may be made before a
    server forks, since it neither connects nor starts a thread before its first request.

    Args:
        url: where requests are counted: `memory://` (each process for itself), `sqlite:///file` (created if missing)
            or `redis://host:port`, also as `valkey://` (needs the package redis).
        limit: the number of requests in any window of a length.

    Raises:
        InvalidSetting: the URL is none of these, redis is not installed, or the limit can't be read.
    """

    def __init__(self, url: str = "memory://", limit: str = DEFAULT_LIMIT) -> None:
        self.limit = parse_limit(limit)
        self._windows = _make_windows(url)

    def ask(self, address: str | None, *, key: str | None = None) -> Allowance:
        """Count a request and decide whether it may proceed.

        Args:
            address: the client's IP address, `None` if it can't be known.
            key: the id of the API key that it used; with one, the address does not matter.

        Raises:
            StorageUnavailable: the request can't be counted now, so it must not proceed.
        """
        window = self._windows.ask(
            self.limit.key_for(_client(address, key)), limit=self.limit.requests, seconds=self.limit.seconds
        )
        return Allowance(self.limit, window.granted, window.remaining, max(1, math.ceil(window.reset)))

    def remember(self, digest: str, address: str | None, *, key: str | None = None) -> None:
        """Remember for the length of the window that a client sent this; only a hash of it is kept.

        Raises:
            StorageUnavailable: it can't be remembered now.
        """
        self._windows.ask(self._submission(digest, address, key), limit=1, seconds=self.limit.seconds)

    def remembers(self, digest: str, address: str | None, *, key: str | None = None) -> bool:
        """Return whether this client sent this within the length of the window.

        Raises:
            StorageUnavailable: it can't be looked up now.
        """
        submission = self._submission(digest, address, key)
        return not self._windows.ask(submission, limit=1, seconds=self.limit.seconds, cost=0).remaining

    def _submission(self, digest: str, address: str | None, key: str | None) -> str:
        return self.limit.key_for(f"{_client(address, key)}/{digest}")


def limits_file(neighbour: Path) -> Path:
    """Return the file in which requests are counted by default: the one beside an SQLite database, or a spool."""
    return Path(f"{neighbour}.limits")


def _make_windows(url: str) -> Windows:
    scheme, _, place = str(url).partition("://")  # a path is not a URL
    scheme = scheme.lower()
    if scheme == "memory" and url.endswith("://"):
        return SQLiteWindows()
    if scheme == "sqlite" and len(place) > 1 and place.startswith("/") and "\0" not in place:
        return SQLiteWindows(Path(place[1:]))
    if scheme in SCHEMES:
        return RedisWindows(f"{SCHEMES[scheme]}://{place}")
    raise InvalidSetting(
        "rate_limit_storage", "must be memory://, sqlite:///FILE, redis://HOST:PORT or valkey://HOST:PORT"
    )


def _client(address: str | None, key: str | None) -> str:
    """Return the name that a client is counted under: its key, its IPv4 address, or the /64 of its IPv6 address."""
    if key is not None:
        return f"key {key}"
    if address is None:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
