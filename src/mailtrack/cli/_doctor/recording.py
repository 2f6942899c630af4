"""The checks of what becomes of an open: with a pixel that exists for a moment."""

import ipaddress
import time
from collections.abc import Sequence

from mailtrack._errors import StorageError
from mailtrack._model import Open, Pixel
from mailtrack._tracker import Tracker
from mailtrack.cli._doctor.finding import Finding, failed, ok, reason, skipped, warning
from mailtrack.cli._doctor.http_client import Answer, Unreachable, Web

SECONDS = 5.0
"""How long an open may take to the database; half a second is usual."""

NAME = "mailtrack doctor (may be deleted)"
"""What the pixel is called while it is there."""

_PLAIN = "mailtrack-doctor"
_FORGED = "mailtrack-doctor (forged address)"
_FORGED_ADDRESS = "203.0.113.77"  # from a network that exists in documents only
_FETCHES = 3
_PAUSE = 0.05  # seconds
_FORGED_START = "203.0.113."  # as a server stores it that shortens addresses


def check_recording(tracker: Tracker, base: str, *, web: Web, seconds: float = SECONDS) -> list[Finding]:
    """Check that opens arrive in the database, each one, and from where they are said to come.

    A pixel is made, fetched three times and deleted with its opens, so that nothing stays.

    Args:
        tracker: works on the server's database.
        base: where mailtrack is mounted, as the world sees it, without a slash at its end.
        web: asks.
        seconds: how long opens may take to the database.
    """
    try:
        pixel = tracker.create_pixel(NAME)
        try:
            return _probe(tracker, pixel, f"{base}/tracker/{pixel.short_id}.png", web, seconds)
        finally:
            tracker.delete_pixel(pixel.id)
    except Unreachable as error:
        return [failed("recording", f"{base} stopped answering: {error}.", "Run this again, and see the server's log.")]
    except StorageError as error:
        return [
            failed(
                "recording",
                f"The database fails: {reason(error)}.",
                f"See the other checks, and whether a pixel {NAME!r} is left to be deleted.",
            )
        ]


def _probe(tracker: Tracker, pixel: Pixel, url: str, web: Web, seconds: float) -> list[Finding]:
    # Two that are alike, which a cache would make one; and one that no cache knows, from an invented address.
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
            "See that --database is the server's, that the URL leads to that server, and what its spool and log say.",
        )
    if len(plain) < 2:
        return failed(
            "recording",
            f"Of two fetches of the same image {len(plain)} arrived: a cache answers in the server's place.",
            "Switch the cache off for /tracker/.",
        )
    if not forged:
        return failed(
            "recording",
            "A fetch with a query did not arrive.",
            "See what the proxy does with queries: tokens are in them.",
        )
    return ok("recording", "Each fetch of a new pixel is an open in the database; the pixel is deleted again.")


def _check_address(plain: Sequence[Open], answer: Answer) -> Finding:
    if not plain:
        return skipped("address", "No open arrived that could tell.")
    recorded = plain[0].ip
    if recorded is None:
        return warning(
            "address",
            "Opens are recorded without an address.",
            "Set --trusted-proxies to the number of proxies, if unwanted.",
        )
    sent = answer.local_address
    if recorded == sent or ipaddress.ip_address(recorded).is_global:
        return ok("address", f"The open is recorded as from {recorded}.")
    return warning(
        "address",
        f"The open is recorded as from {recorded}, and was sent from {sent}: the former may be a proxy's address.",
        "Set --trusted-proxies to the number of proxies before the server, and let each add to X-Forwarded-For.",
    )


def _check_forged(forged: Sequence[Open]) -> Finding:
    if not forged:
        return skipped("forged-address", "No open arrived that could tell.")
    if any((one.ip or "").startswith(_FORGED_START) for one in forged):
        return failed(
            "forged-address",
            "An invented X-Forwarded-For is recorded: anybody can appear under any address, and pass the rate limit.",
            "Set --trusted-proxies to the number of proxies that are there, and let each add to X-Forwarded-For.",
        )
    return ok("forged-address", "An invented X-Forwarded-For is not believed.")
