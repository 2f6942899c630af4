"""The rate limit on generating tokens: exact over every thread, process and machine that counts in the same place.

`limit` reads what is allowed, `TokenLimiter` asks for each request. The counts are kept by a `Windows`: in an SQLite
file or in memory (`sqlite`), or in Redis (`redis`).
"""

from mailtrack_wsgi._rate_limit.limit import DEFAULT_LIMIT, TokenLimit, parse_limit
from mailtrack_wsgi._rate_limit.limiter import Allowance, TokenLimiter, limits_file
from mailtrack_wsgi._rate_limit.redis import SCHEMES, Server, ask_server

__all__ = [
    "DEFAULT_LIMIT",
    "SCHEMES",
    "Allowance",
    "Server",
    "TokenLimit",
    "TokenLimiter",
    "ask_server",
    "limits_file",
    "parse_limit",
]
