"""The checks of the public URL: access, and the answers of the tracker as mail programs get them."""

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
from mailtrack._urls import TRACKER_PATH, UPLOADS_PATH
from mailtrack.cli._doctor.finding import Finding, failed, ok, skipped, warning
from mailtrack.cli._doctor.http_client import Answer, Unreachable, Web
from mailtrack.cli._doctor.machine import check_server_clock
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._beacon import HEADERS

_UNWANTED = ("ETag", "Last-Modified", "Accept-Ranges")
_CONDITIONS = {"If-None-Match": "*", "Range": "bytes=0-3"}
_CERTIFICATE_DAYS = 14
_PROXY_ADVICE = (
    f"Find out how the proxy or network in between treats {TRACKER_PATH}, and make it forward answers unchanged."
)


def is_public(base: str) -> bool:
    """Return whether the host of a URL looks reachable from the internet."""
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".lan", ".test"))


def check_url(base: str, *, web: Web, clock: Clock) -> Iterator[Finding]:
    """Check the server at a base URL. No open is recorded: the requests name a pixel that does not exist.

    Args:
        base: the public URL at which mailtrack is mounted, without a slash at its end.
        web: sends the requests.
        clock: returns the current time.
    """
    yield _check_scheme(base)
    url = f"{base}{TRACKER_PATH}{new_pixel_id()}.png"
    try:
        first, asked_at = web.get(url), clock()
        second = web.get(url, _CONDITIONS)
    except Unreachable as error:
        yield failed(
            "reachable",
            f"{base} does not answer: {error}.",
            "Check that the server and the proxy before it run, and that host name, port and firewall are right.",
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
            f"{base} is not an address that mail programs elsewhere can reach.",
            "Before you send mail, give the server a public HTTPS URL, and set --base-url to it.",
        )
    if base.startswith("http:"):
        return warning(
            "https",
            "The URL is plain HTTP: some mail programs load no such images, and tokens can be read on the way.",
            "Serve HTTPS by a proxy before the server, and set --base-url to the https URL.",
        )
    return ok("https", "The URL is HTTPS.")


def _check_certificate(answer: Answer, now: datetime) -> Finding:
    if answer.certificate_ends is None:
        return skipped("certificate", "Without HTTPS there is none.")
    days = (answer.certificate_ends - now) // timedelta(days=1)
    if days < _CERTIFICATE_DAYS:
        return warning(
            "certificate", f"The certificate expires in {days} days.", "Find out why it is not renewed automatically."
        )
    return ok("certificate", f"The certificate is trusted, and valid for another {days} days.")


def _check_cookies(answer: Answer) -> Finding:
    if "Set-Cookie" in answer.headers:
        return failed(
            "cookies", "A proxy or network in between sets a cookie.", f"Disable cookies there for {TRACKER_PATH}."
        )
    return ok("cookies", "No cookie is set.")


def _date(answer: Answer) -> datetime | None:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _check_access(base: str, web: Web) -> Finding:
    """Check that the list of pixels needs a key."""
    try:
        answer = web.get(f"{base}{paths.PIXELS}?limit=1")
    except Unreachable as error:
        return skipped("access", f"The list of pixels can't be requested: {error}.")
    if answer.status != 200 or not _is_list(answer.body):
        return ok("access", f"Without a key, the list of pixels is refused (status {answer.status}).")
    advice = f"Run mailtrack keys create and restart the server, or publish only {TRACKER_PATH} and {UPLOADS_PATH}."
    if is_public(base):
        return failed(
            "access", "No key is required: the whole internet can read all addresses and delete all pixels.", advice
        )
    return warning(
        "access", "No key is required: every client that reaches the server can read and delete everything.", advice
    )


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
            "Set --base-url to the target of the redirect, so that mails contain the final URL.",
        )
    if answer.status != 200:
        return failed(
            "tracker",
            f"The tracker answers with status {answer.status}; mailtrack itself always sends 200.",
            f"Check that the URL has the path of the mount point, and that the proxy forwards {TRACKER_PATH}.",
        )
    return ok("tracker", "The tracker answers with status 200 and no redirect.")


def _check_image(answer: Answer) -> Finding:
    media_type = answer.headers.get_content_type()
    if answer.body == TRANSPARENT_PNG.data and media_type == TRANSPARENT_PNG.media_type:
        return ok("image", "The image is the transparent one, byte for byte.")
    try:
        check_upload(answer.body)
    except InvalidImage:
        return failed("image", f"The answer is not an image (its type is {media_type}).", _PROXY_ADVICE)
    if not media_type.startswith("image/"):
        return failed("image", f"The media type of the image is {media_type}.", _PROXY_ADVICE)
    return warning(
        "image",
        "The image is not the one that mailtrack sends: a proxy or network in between rewrites images.",
        _PROXY_ADVICE,
    )


def _check_length(answer: Answer) -> Finding:
    declared = answer.headers.get("Content-Length")
    if declared is None:
        return warning("length", "The answer has no Content-Length.", _PROXY_ADVICE)
    if declared != str(len(answer.body)):
        return failed("length", f"Of {declared} announced bytes, {len(answer.body)} arrive.", _PROXY_ADVICE)
    return ok("length", "The answer is as long as it announces.")


def _check_headers(answer: Answer) -> Finding:
    if "no-store" not in _words(answer.headers.get("Cache-Control", "")):
        return failed("headers", "Cache-Control does not forbid storing the image: opens get lost.", _PROXY_ADVICE)
    other = [name for name, value in HEADERS.items() if _words(answer.headers.get(name, "")) != _words(value)]
    added = [name for name in _UNWANTED if name in answer.headers]
    if other or added:
        differences = " and ".join(
            [f"{', '.join(names)} {verb}" for names, verb in ((other, "changed or missing"), (added, "added")) if names]
        )
        return warning("headers", f"Headers are not as mailtrack sends them: {differences}.", _PROXY_ADVICE)
    return ok("headers", "The headers are as mailtrack sends them.")


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(",")}


def _check_conditions(first: Answer, second: Answer) -> Finding:
    if second.status != 200 or second.body != first.body:
        return failed(
            "conditions",
            f"A request with If-None-Match and Range gets status {second.status} or other bytes.",
            _PROXY_ADVICE,
        )
    return ok("conditions", "Conditional and partial requests get the whole image.")


def _check_cache(first: Answer, second: Answer) -> Finding:
    hit = [header for answer in (first, second) if (header := _cached(answer))]
    if hit:
        return failed("cache", f"A cache answered instead of the server ({hit[0]}): opens get lost.", _PROXY_ADVICE)
    if "X-Cache" in second.headers or "Age" in second.headers:
        return warning(
            "cache", "There is a cache in between; it forwarded both requests.", f"Disable it for {TRACKER_PATH}."
        )
    if via := second.headers.get("Via"):
        return ok("cache", f"A proxy is in between ({via[:80]!r}); no cache was detected.")
    return ok("cache", "No cache was detected.")


def _cached(answer: Answer) -> str | None:
    """Return the header that marks an answer as stored by a cache, with its value."""
    age = answer.headers.get("Age", "0").strip()
    if age.isdigit() and int(age) > 0:
        return f"Age: {age}"
    for name in ("X-Cache", "X-Cache-Status", "CF-Cache-Status", "X-Proxy-Cache"):
        if "hit" in (value := answer.headers.get(name, "")).lower():
            return f"{name}: {value[:80]}"
    return None
