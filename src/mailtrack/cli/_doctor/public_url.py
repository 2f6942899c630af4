"""The checks of what the world gets from the server."""

import ipaddress
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mailtrack._errors import InvalidImage
from mailtrack._ids import new_pixel_id
from mailtrack._images.check import TRANSPARENT_PNG, check_upload
from mailtrack._times import Clock
from mailtrack.cli._doctor.finding import Finding, failed, ok, skipped, warning
from mailtrack.cli._doctor.http_client import Answer, Unreachable, Web
from mailtrack.cli._doctor.machine import check_server_clock

_HEADERS = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0, private",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""What each answer of the tracker has."""

_UNWANTED = ("ETag", "Last-Modified", "Accept-Ranges")
_CONDITIONS = {"If-None-Match": "*", "Range": "bytes=0-3"}
_CERTIFICATE_DAYS = 14
_PROXY_ADVICE = "See what the proxy or network in between does with /tracker/, and let it pass answers on as they are."


def is_public(base: str) -> bool:
    """Tell whether a URL looks like one that the world can reach."""
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".lan", ".test"))


def check_url(base: str, *, web: Web, clock: Clock) -> Iterator[Finding]:
    """Check what is below a base URL. No open is recorded: the pixel that is asked for does not exist.

    Args:
        base: where mailtrack is mounted, as the world sees it, without a slash at its end.
        web: asks.
        clock: tells the time here.
    """
    yield _check_scheme(base)
    url = f"{base}/tracker/{new_pixel_id()}.png"
    try:
        first, asked_at = web.get(url), clock()
        second = web.get(url, _CONDITIONS)
    except Unreachable as error:
        yield failed(
            "reachable",
            f"{base} does not answer: {error}.",
            "See that the server and the proxy before it run, and that name, port and firewall are right.",
        )
        return
    yield ok("reachable", f"{base} answers.")
    yield _check_certificate(first, asked_at)
    yield _check_cookies(first)
    yield check_server_clock(asked_at, _date(first))
    yield _check_access(base, web)
    yield _check_status(first)
    if first.status == 200:
        yield _check_image(first)
        yield _check_length(first)
        yield _check_headers(first)
        yield _check_conditions(first, second)
        yield _check_cache(first, second)


def _check_scheme(base: str) -> Finding:
    if not is_public(base):
        return warning(
            "https",
            f"{base} is no address that mail programs elsewhere can reach.",
            "Before you send mail, give the server a public HTTPS URL, and set --base-url to it.",
        )
    if base.startswith("http:"):
        return warning(
            "https",
            "The URL is plain HTTP: some mail programs load no such images, and anybody on the way can read tokens.",
            "Let a proxy speak HTTPS for the server, and set --base-url to the https URL.",
        )
    return ok("https", "The URL is HTTPS.")


def _check_certificate(answer: Answer, now: datetime) -> Finding:
    if answer.certificate_ends is None:
        return skipped("certificate", "There is none without HTTPS.")
    days = (answer.certificate_ends - now) // timedelta(days=1)
    if days < _CERTIFICATE_DAYS:
        return warning("certificate", f"The certificate ends in {days} days.", "See why it is not renewed by itself.")
    return ok("certificate", f"The certificate is trusted, and good for {days} days.")


def _check_cookies(answer: Answer) -> Finding:
    if "Set-Cookie" in answer.headers:
        return failed("cookies", "Something in between sets a cookie.", "Switch cookies off there for /tracker/.")
    return ok("cookies", "No cookie is set.")


def _date(answer: Answer) -> datetime | None:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _check_access(base: str, web: Web) -> Finding:
    """Ask for the list of pixels without a key."""
    try:
        answer = web.get(f"{base}/api/v1/pixels?limit=1")
    except Unreachable as error:
        return skipped("access", f"The list of pixels can't be asked for: {error}.")
    if answer.status != 200 or not _is_list(answer.body):
        return ok("access", f"The list of pixels is not given without a key (status {answer.status}).")
    advice = "Run mailtrack keys create, and restart the server; or let only /tracker/ and /uploads/ out to the world."
    if is_public(base):
        return failed("access", "Everybody can read all addresses and delete all pixels: no key is asked for.", advice)
    return warning("access", "Whoever reaches the server can read and delete all: no key is asked for.", advice)


def _is_list(body: bytes) -> bool:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "items" in found


def _check_status(answer: Answer) -> Finding:
    if 300 <= answer.status < 400:
        return failed(
            "tracker",
            f"The tracker's URL redirects (status {answer.status}), which not every mail program follows.",
            "Set --base-url to where it leads, so that mails have the last URL at once.",
        )
    if answer.status != 200:
        return failed(
            "tracker",
            f"The tracker answers with status {answer.status}, where mailtrack always says 200.",
            "See that the URL has the path at which mailtrack is mounted, and that the proxy passes /tracker/ on.",
        )
    return ok("tracker", "The tracker answers with status 200 and no redirect.")


def _check_image(answer: Answer) -> Finding:
    media_type = answer.headers.get_content_type()
    if answer.body == TRANSPARENT_PNG.data and media_type == TRANSPARENT_PNG.media_type:
        return ok("image", "The image is the transparent one, byte for byte.")
    try:
        check_upload(answer.body)
    except InvalidImage:
        return failed("image", f"What comes is no image (it is called {media_type}).", _PROXY_ADVICE)
    if not media_type.startswith("image/"):
        return failed("image", f"The image is called {media_type}.", _PROXY_ADVICE)
    return warning("image", "The image is not the one that mailtrack sends: something rewrites images.", _PROXY_ADVICE)


def _check_length(answer: Answer) -> Finding:
    declared = answer.headers.get("Content-Length")
    if declared is None:
        return warning("length", "The answer has no Content-Length.", _PROXY_ADVICE)
    if declared != str(len(answer.body)):
        return failed("length", f"{len(answer.body)} of {declared} announced bytes come.", _PROXY_ADVICE)
    return ok("length", "The answer is as long as it announces.")


def _check_headers(answer: Answer) -> Finding:
    if "no-store" not in _words(answer.headers.get("Cache-Control", "")):
        return failed("headers", "Cache-Control does not forbid to store the image: opens get lost.", _PROXY_ADVICE)
    other = [name for name, value in _HEADERS.items() if _words(answer.headers.get(name, "")) != _words(value)]
    added = [name for name in _UNWANTED if name in answer.headers]
    if other or added:
        told = " and ".join(
            [f"{', '.join(names)} {verb}" for names, verb in ((other, "changed or missing"), (added, "added")) if names]
        )
        return warning("headers", f"Headers are not as mailtrack sends them: {told}.", _PROXY_ADVICE)
    return ok("headers", "The headers are as mailtrack sends them.")


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


def _check_conditions(first: Answer, second: Answer) -> Finding:
    if second.status != 200 or second.body != first.body:
        return failed(
            "conditions",
            f"A request with If-None-Match and Range gets status {second.status}, or other bytes.",
            _PROXY_ADVICE,
        )
    return ok("conditions", "Conditional and partial requests get the whole image.")


def _check_cache(first: Answer, second: Answer) -> Finding:
    hit = [told for answer in (first, second) if (told := _cached(answer))]
    if hit:
        return failed("cache", f"A cache answered in the server's place ({hit[0]}): opens get lost.", _PROXY_ADVICE)
    if "X-Cache" in second.headers or "Age" in second.headers:
        return warning(
            "cache", "There is a cache in between; it passed both requests on.", "Switch it off for /tracker/."
        )
    if via := second.headers.get("Via"):
        return ok("cache", f"A proxy is in between ({via[:80]!r}), and no cache is to be seen.")
    return ok("cache", "No cache in between is to be seen.")


def _cached(answer: Answer) -> str | None:
    """Return the header that tells of a stored answer."""
    age = answer.headers.get("Age", "0").strip()
    if age.isdigit() and int(age) > 0:
        return f"Age: {age}"
    for name in ("X-Cache", "X-Cache-Status", "CF-Cache-Status", "X-Proxy-Cache"):
        if "hit" in (value := answer.headers.get(name, "")).lower():
            return f"{name}: {value[:80]}"
    return None
