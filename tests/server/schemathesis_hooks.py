"""What schemathesis can't know from the document: values that exist, times, and a client for every few requests.

It is loaded by schemathesis, not by the tests.
"""

import io
import itertools
import json
import os
import zoneinfo
from datetime import UTC, datetime

import PIL.Image
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.transport.serialization import Binary

from mailtrack._json_data import check_data
from mailtrack._recipients import to_address

# Ids and names that exist, by the path parameter that takes them, one after the other.
_KNOWN = {name: itertools.cycle(values) for name, values in json.loads(os.environ["MAILTRACK_KNOWN"]).items()}
_DOOMED = itertools.cycle(json.loads(os.environ["MAILTRACK_DOOMED"]))  # ids of pixels to delete by form
_CALLS_OF_ONE_CLIENT = 12  # ten are granted, so the refusal is seen as well

_calls = itertools.count()


def _picture(format_):
    file = io.BytesIO()
    PIL.Image.new("RGB", (3, 2), (200, 30, 30)).save(file, format_)
    return Binary(file.getvalue())


for name, values in {
    "binary": st.sampled_from([_picture(format_) for format_ in ("PNG", "JPEG", "GIF", "WEBP")]),
    "cursor": st.integers(0, 10**18 - 1).map(str),
    "email": st.emails(domains=st.sampled_from(["example.org", "bücher.example", "A.example.com"])),  # none reserved
    "time-zone": st.sampled_from(sorted(zoneinfo.available_timezones())),
}.items():
    schemathesis.openapi.format(name, values)


@schemathesis.hook
def map_case(context, case):  # noqa: ARG001  # how schemathesis calls it
    """Let valid paths name what exists, mails be sent now, and data be of a size that no schema can state."""
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        if case.operation.path in ("/", "/api/v1/recipients"):
            case.query.pop("cursor", None)  # of another form than those within a pixel
        case.query.pop("after", None)  # the same
        names = case.path_parameters.keys() & _KNOWN.keys()
        if case.operation.path != "/logs/{pixel}":  # the others find pixels among those that they made
            names -= {"pixel"}
        case.path_parameters |= {name: next(_KNOWN[name]) for name in names}
        if case.operation.path.endswith("/generate-tokens") and isinstance(case.body, dict):
            for recipient in case.body.get("recipients", ()):
                if not _is_small(recipient.get("data")):
                    recipient["data"] = {"name": "Ann"}
        if case.operation.path.endswith("/sent") and isinstance(case.body, dict) and case.body.get("at"):
            case.body["at"] = datetime.now(UTC).isoformat()  # any other may be before a token, or in the future
    return case


def _name_what_exists(webhook):
    """Let the body of a request about webhooks have a URL, pixels and a time that can be used."""
    if "url" in webhook:
        webhook["url"] = "https://crm.invalid/mailtrack"  # a name that is never at any address (RFC 6761)
    if webhook.get("pixels"):
        webhook["pixels"] = [next(_KNOWN["pixel"])]
    if "since" in webhook:
        webhook["since"] = datetime.now(UTC).isoformat()


def _is_address(text):
    try:
        to_address(text)
    except (TypeError, ValueError):
        return False
    return True


def _is_small(data):
    """Return whether data are as small, as flat and as plain as the words of the document say."""
    try:
        if data is not None:
            check_data(data)
    except ValueError:
        return False
    return True


@schemathesis.hook
def filter_case(context, case):  # noqa: ARG001  # the same
    """Leave out what is meant to be wrong, and is not.

    All is text in a form, so that a name that is not text becomes one. And where schemathesis takes a required argument
    of the query away, values that it has seen before may bring it back. Unknown arguments are passed over.
    """
    violated = {keyword for mutation in case.meta.phase.data.mutations for keyword in mutation.keywords}
    if violated and violated <= {"additionalProperties", "required"} and _is_address(case.query.get("email")):
        return False
    is_form = case.media_type in ("multipart/form-data", "application/x-www-form-urlencoded")
    return not (is_form and isinstance(case.body, dict) and not isinstance(case.body.get("name", ""), str))


@schemathesis.hook
def before_call(context, case, kwargs):  # noqa: ARG001  # the same
    """Send requests for tokens as clients that each have their own limit, and delete by form what nothing else needs.

    Only after DELETE does schemathesis expect that something is gone.
    """
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        if case.operation.path == "/pixels/{pixel}/delete":
            case.path_parameters["pixel"] = next(_DOOMED)
        if case.operation.path.startswith("/api/v1/webhooks") and isinstance(case.body, dict):
            _name_what_exists(case.body)  # also those of the document's examples
    if case.operation.path.endswith("/generate-tokens"):
        high, low = divmod(next(_calls) // _CALLS_OF_ONE_CLIENT, 256)
        case.headers["X-Forwarded-For"] = f"198.18.{high}.{low}"
