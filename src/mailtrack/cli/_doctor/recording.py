"""The checks of the way of an open into the database, with a temporary pixel."""

import ipaddress
import time
from collections.abc import Sequence

from mailtrack._errors import StorageError
from mailtrack._model import Open, Pixel
from mailtrack._tracker import Tracker
from mailtrack._urls import TRACKER_PATH, Urls
from mailtrack.cli._doctor.finding import Finding, failed, ok, reason, skipped, warning
from mailtrack.cli._doctor.http_client import Answer, Unreachable, Web

SECONDS = 5.0
"""Default limit for opens to reach the database; half a second is usual."""

NAME = "mailtrack doctor (may be deleted)"
"""The name of the temporary pixel."""

_PLAIN = "mailtrack-doctor"
_FORGED = "mailtrack-doctor (forged address)"
_FORGED_ADDRESS = "203.0.113.77"  # from a network that exists in documents only
_FETCHES = 3
_PAUSE = 0.05  # seconds
_FORGED_START = "203.0.113."  # as a server stores it that shortens addresses


def check_recording(tracker: Tracker, base: str, *, web: Web, seconds: float = SECONDS) -> list[Finding]:
    """Check that every open reaches the database, under the right address.

    A pixel is created, fetched three times and deleted with its opens, so that nothing remains.

    Args:
        tracker: a tracker on the server's database.
        base: the public URL at which mailtrack is mounted, without a slash at its end.
        web: sends the requests.
        seconds: the limit for opens to reach the database.
    """
    try:
        pixel = tracker.create_pixel(NAME)
        try:
            return _probe(tracker, pixel, Urls(base).tracking(pixel), web, seconds)
        finally:
            tracker.delete_pixel(pixel.id, timeout=1)  # a server may be sweeping a large one
    except Unreachable as error:
        return [
            failed("recording", f"{base} stopped answering: {error}.", "Run this again, and read the server's log.")
        ]
    except StorageError as error:
        return [
            failed(
                "recording",
                f"The database fails: {reason(error)}.",
                f"See the other checks, and delete the pixel {NAME!r} if it is left.",
            )
        ]


def _probe(tracker: Tracker, pixel: Pixel, url: str, web: Web, seconds: float) -> list[Finding]:
    # Two equal ones, of which a cache would answer the second; and one that no cache has, from a forged address.
    answer = web.get(url, {"User-Agent": _PLAIN})
    web.get(url, {"User-Agent": _PLAIN})
    web.get(f"{url}?doctor=1", {"User-Agent": _FORGED, "X-Forwarded-For": _FORGED_ADDRESS})
    opens = _wait_for_opens(tracker, pixel, seconds)
    plain = [one for one in opens if one.user_agent == _PLAIN]
    forged = [one for one in opens if one.user_agent == _FORGED]
    return [_check_recorded(plain, forged, seconds), _check_address(plain, answer), _check_forged(forged)]


def _wait_for_opens(tracker: Tracker, pixel: Pixel, seconds: float) -> Sequence[Open]:
    until = time.monotonic() + seconds
    while True:
        opens = tracker.list_opens(pixel.id).items
        if len(opens) >= _FETCHES or time.monotonic() > until:
            return opens
        time.sleep(_PAUSE)


def _check_recorded(plain: Sequence[Open], forged: Sequence[Open], seconds: float) -> Finding:
    if not plain and not forged:
        return failed(
            "recording",
            f"Three images were fetched, and no open is in the database after {seconds:g} seconds.",
            "Check that --database is the server's, that the URL leads to that server, and read its log.",
        )
    if len(plain) < 2:
        return failed(
            "recording",
            f"Of two fetches of the same image, {len(plain)} arrived: a cache answers instead of the server.",
            f"Disable the cache for {TRACKER_PATH}.",
        )
    if not forged:
        return failed(
            "recording",
            "A fetch with a query did not arrive.",
            "Make the proxy forward query strings: tokens are in them.",
        )
    return ok("recording", "Each fetch of a temporary pixel became an open in the database.")


def _check_address(plain: Sequence[Open], answer: Answer) -> Finding:
    if not plain:
        return skipped("address", "No open arrived to compare.")
    recorded = plain[0].ip
    if recorded is None:
        return warning(
            "address",
            "Opens are recorded without an address.",
            "If that is not intended, set --trusted-proxies to the number of proxies.",
        )
    sent = answer.local_address
    if recorded == sent or ipaddress.ip_address(recorded).is_global:
        return ok("address", f"The open is recorded as from {recorded}.")
    return warning(
        "address",
        f"The open is recorded as from {recorded}, but was sent from {sent}: {recorded} may be a proxy.",
        "Set --trusted-proxies to the number of proxies before the server; each must add to X-Forwarded-For.",
    )


def _check_forged(forged: Sequence[Open]) -> Finding:
    if not forged:
        return skipped("forged-address", "No open arrived to compare.")
    if any((one.ip or "").startswith(_FORGED_START) for one in forged):
        return failed(
            "forged-address",
            "A forged X-Forwarded-For is recorded: any client can appear under any address, and evade the rate limit.",
            "Set --trusted-proxies to the actual number of proxies; each must add to X-Forwarded-For.",
        )
    return ok("forged-address", "A forged X-Forwarded-For is ignored.")
