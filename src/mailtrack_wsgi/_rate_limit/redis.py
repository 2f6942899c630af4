"""`RedisWindows`: moving windows in Redis, through the library `limits`; and what a server says about itself."""

import time
from typing import NamedTuple

from limits.errors import ConfigurationError
from limits.storage import RedisStorage

from mailtrack._errors import InvalidSetting, StorageUnavailable
from mailtrack._redacting import redact
from mailtrack_wsgi._rate_limit.windows import Window

_NAMES = ("redis", "valkey")
_TIMEOUT = 1.0  # seconds; options in the query of the URL override it

SCHEMES = {scheme.replace("redis", name): scheme for scheme in ("redis", "rediss", "redis+unix") for name in _NAMES}
"""The schemes of URLs, each with the one that the package redis takes: Valkey speaks the same protocol."""


class RedisWindows:
    """`Windows` in Redis or Valkey, for several machines. Nothing connects before the first request.

    Time is the wall clock of the machine that asks. Keys are kept as they are, until their window is over.

    Args:
        url: `redis://`, `rediss://` or `redis+unix://`, as `limits` takes it.

    Raises:
        InvalidSetting: the package redis is not installed, or does not take the URL.
    """

    def __init__(self, url: str) -> None:
        self._storage = _connect(url)

    def ask(self, key: str, *, limit: int, seconds: int, cost: int = 1) -> Window:
        """Run the two scripts of `limits`, which count and look, in one transaction."""
        storage, now = self._storage, time.time()
        keys = [storage.prefixed_key(key)]
        try:
            with storage.storage.pipeline(transaction=True) as transaction:
                storage.lua_acquire_moving_window(keys, [now, limit, seconds, cost], client=transaction)
                storage.lua_moving_window(keys, [now - seconds, limit], client=transaction)
                granted, found = transaction.execute()
        except storage.base_exceptions as error:
            raise StorageUnavailable(
                f"Requests for tokens can't be counted: {redact(str(error))}", retry_after=1
            ) from error
        oldest, number = (float(found[0]), int(found[1])) if found else (now, 0)
        return Window(bool(granted), max(limit - number, 0), seconds - max(now - oldest, 0.0))  # it rounds to 0.1 ms


class Server(NamedTuple):
    """What a server says about itself.

    Attributes:
        name: `Redis` or `Valkey`, with the version.
        policy: the keys that it deletes when its memory is full.
        limited: whether its memory is limited, so that this may happen.
        ahead: the seconds that its clock is ahead of this machine's.
    """

    name: str
    policy: str
    limited: bool
    ahead: float


def ask_server(url: str) -> Server:
    """Ask a server about itself.

    Args:
        url: with a scheme of `SCHEMES`.

    Raises:
        InvalidSetting: as for `RedisWindows`.
        StorageUnavailable: it does not answer.
    """
    scheme, _, place = url.partition("://")
    storage = _connect(f"{SCHEMES[scheme.lower()]}://{place}")
    try:
        found = storage.storage.info()
        seconds, microseconds = storage.storage.time()
    except storage.base_exceptions as error:
        raise StorageUnavailable(redact(str(error))) from error
    finally:
        storage.storage.close()
    version = found.get("valkey_version")
    return Server(
        name=f"Valkey {version}" if version else f"Redis {found.get('redis_version')}",
        policy=str(found.get("maxmemory_policy")),
        limited=bool(found.get("maxmemory")),
        ahead=seconds + microseconds / 1e6 - time.time(),
    )


def _connect(url: str) -> RedisStorage:
    try:
        return RedisStorage(url, socket_connect_timeout=_TIMEOUT, socket_timeout=_TIMEOUT)
    except (ConfigurationError, ValueError):
        # Not `from error`: its message may hold a part of the URL, and so of the password.
        raise InvalidSetting("rate_limit_storage", "needs the package redis, and a URL that it takes") from None
