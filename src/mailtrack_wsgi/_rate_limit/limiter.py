"""`TokenLimiter`: who may make tokens now, and what the headers of the answer say about it."""

import ipaddress
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError
from limits.errors import StorageError as LimitsError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from mailtrack._errors import InvalidSetting, StorageUnavailable
from mailtrack_wsgi._rate_limit.sqlite import SQLiteWindows

REQUESTS = 10
MINUTES = 15

# Of Redis, in seconds. What a URL says in its query goes before.
_REDIS_OPTIONS = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0}


@attrs.frozen
class Allowance:
    """What a client may still do.

    Attributes:
        granted: whether this request may go on.
        remaining: how many more may, now.
        reset: when one more may, in seconds from now, at least 1.
    """

    granted: bool
    remaining: int
    reset: int

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of draft-ietf-httpapi-ratelimit-headers, and `Retry-After` for a refusal."""
        found = [
            ("RateLimit-Policy", f'"generate-tokens";q={REQUESTS};w={MINUTES * 60}'),
            ("RateLimit", f'"generate-tokens";r={self.remaining};t={self.reset}'),
        ]
        return found if self.granted else [*found, ("Retry-After", str(self.reset))]


class TokenLimiter:
    """Allows each client 10 requests in any 15 minutes.

    Exact over all threads, processes and machines that count in the same place. Thread-safe; it may be made before a
    server forks, since it neither connects nor starts a thread before it is first asked.

    Args:
        url: where it counts: `memory://` (each process for itself), `sqlite:///file` (made where there is none) or
            `redis://host:port` (which needs the package redis).

    Raises:
        InvalidSetting: the URL is none of these, or redis is not installed.
    """

    def __init__(self, url: str = "memory://") -> None:
        self._item = RateLimitItemPerMinute(REQUESTS, MINUTES)
        self._once = RateLimitItemPerMinute(1, MINUTES)
        self._limiter = MovingWindowRateLimiter(_make_storage(url))

    def ask(self, address: str | None, *, key: str | None = None) -> Allowance:
        """Count a request, and tell whether it may go on.

        Args:
            address: the client's IP address, `None` where it can't be known.
            key: the id of the API key that it used; if there is one, the address does not matter.

        Raises:
            StorageUnavailable: it can't be counted just now, so it must not go on.
        """
        client = _client(address, key)
        with _translated():
            granted = self._limiter.hit(self._item, client)
            stats = self._limiter.get_window_stats(self._item, client)
        return Allowance(granted, max(0, stats.remaining), max(1, math.ceil(stats.reset_time - time.time())))

    def remember(self, digest: str, address: str | None, *, key: str | None = None) -> None:
        """Remember for the window's time that a client sent this; only a hash of it is kept.

        Raises:
            StorageUnavailable: it can't be remembered just now.
        """
        with _translated():
            self._limiter.hit(self._once, _client(address, key), digest)

    def remembers(self, digest: str, address: str | None, *, key: str | None = None) -> bool:
        """Return whether this client sent this before.

        Raises:
            StorageUnavailable: it can't be found out just now.
        """
        with _translated():
            return not self._limiter.test(self._once, _client(address, key), digest)


def limits_file(database: Path) -> Path:
    """Return the file beside an SQLite database that counts its requests for tokens."""
    return Path(f"{database}.limits")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except LimitsError as error:
        raise StorageUnavailable(f"Requests for tokens can't be counted: {error}", retry_after=1) from error


def _client(address: str | None, key: str | None) -> str:
    return _network(address) if key is None else f"key {key}"


def _make_storage(url: str) -> Storage:
    scheme, _, place = str(url).partition("://")  # a path is no URL
    scheme = scheme.lower()
    if scheme == "memory" and url.endswith("://"):
        return SQLiteWindows()
    if scheme == "sqlite" and len(place) > 1 and place.startswith("/") and "\0" not in place:
        return SQLiteWindows(Path(place[1:]))
    if scheme in ("redis", "rediss", "redis+unix"):
        try:
            # An async one, which it may be by its type, has another URL.
            return storage_from_string(url, wrap_exceptions=True, **_REDIS_OPTIONS)  # type: ignore[return-value]
        except (ConfigurationError, ValueError) as error:
            raise InvalidSetting("rate_limit_storage", "needs the package redis, and a URL that it takes") from error
    raise InvalidSetting("rate_limit_storage", "must be memory://, sqlite:///FILE or redis://HOST:PORT")


def _network(address: str | None) -> str:
    """Return what stands for a client: its IPv4 address, or the /64 that its IPv6 address lies in."""
    if address is None:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
