"""The rate limit on making tokens: exact within a process, whatever number of threads."""

import ipaddress
import math
import threading
import time

import attrs
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

REQUESTS = 10
MINUTES = 15


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
    """Allows each client 10 requests in any 15 minutes. Thread-safe; each process counts for itself."""

    def __init__(self) -> None:
        self._item = RateLimitItemPerMinute(REQUESTS, MINUTES)
        self._lock = threading.Lock()
        self._limiter: MovingWindowRateLimiter | None = None

    def ask(self, address: str | None) -> Allowance:
        """Count a request of the client at this IP address, and tell whether it may go on."""
        client = _client(address)
        with self._lock:  # the storage's own lock for a client is not made atomically
            if self._limiter is None:  # it starts a thread, so it begins in the process that serves
                self._limiter = MovingWindowRateLimiter(MemoryStorage())
            granted = self._limiter.hit(self._item, client)
            stats = self._limiter.get_window_stats(self._item, client)
        return Allowance(granted, stats.remaining, max(1, math.ceil(stats.reset_time - time.time())))


def _client(address: str | None) -> str:
    """Return what stands for a client: its IPv4 address, or the /64 that its IPv6 address lies in."""
    if address is None:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
