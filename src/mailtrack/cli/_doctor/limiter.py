"""The checks of the server that counts requests for tokens."""

from collections.abc import Iterator

from mailtrack._errors import InvalidSetting, StorageUnavailable
from mailtrack.cli._doctor.finding import Finding, failed, ok, reason, warning
from mailtrack_wsgi._rate_limit import SCHEMES, ask_server

_MOST_SKEW = 2.0  # seconds


def check_limits(url: str | None) -> Iterator[Finding]:
    """Check a Redis or Valkey, given by its URL; other places need no check.

    Args:
        url: the setting `rate_limit_storage`.
    """
    if url is None or url.partition("://")[0].lower() not in SCHEMES:
        return
    try:
        server = ask_server(url)
    except (InvalidSetting, StorageUnavailable) as error:
        yield failed(
            "limits",
            f"Requests for tokens can't be counted: {reason(error)}.",
            "Check that Redis or Valkey runs, and that its URL is right. Until then these requests are refused.",
        )
        return
    if abs(server.ahead) > _MOST_SKEW:
        yield warning(
            "limits",
            f"The clock of {server.name} differs from this machine's by {abs(server.ahead):,.0f} seconds.",
            "Set the clocks of all machines by NTP: the limit is counted by the clock of the one that asks.",
        )
    elif server.limited and server.policy != "noeviction":
        yield warning(
            "limits",
            f"{server.name} may forget counts when its memory is full: its policy is {server.policy}.",
            "Set maxmemory-policy to noeviction.",
        )
    else:
        yield ok("limits", f"{server.name} counts requests for tokens, and forgets none. They need no backup.")
