"""The rate limit on making tokens, exact over all that count in the same place.

A `TokenLimiter` asks the moving window of the library `limits`. What was counted lies in an SQLite file (`sqlite`), in
memory, or in Redis.
"""

from mailtrack_wsgi._rate_limit.limiter import MINUTES, REQUESTS, Allowance, TokenLimiter, limits_file

__all__ = ["MINUTES", "REQUESTS", "Allowance", "TokenLimiter", "limits_file"]
