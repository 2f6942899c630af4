"""The operations of images: the tracker's, and pixels' own."""

from mailtrack._urls import TRACKER_PATH, UPLOADS_PATH
from mailtrack_wsgi._beacon import HEADERS
from mailtrack_wsgi._openapi.errors import refusal_page
from mailtrack_wsgi._openapi.examples import ANN, PIXEL
from mailtrack_wsgi._openapi.parts import Data, in_path, in_query, operation
from mailtrack_wsgi._openapi.schema_types import IMAGE_PATTERN

IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")

_IMAGE = {media_type: {"schema": {"type": "string", "contentMediaType": media_type}} for media_type in IMAGE_TYPES}

_REASONS = {
    "Cache-Control": "Nothing may cache the image.",
    "Pragma": "The same for old caches.",
    "Expires": "The same for old caches.",
    "X-Content-Type-Options": "It is an image and nothing else.",
    "Cross-Origin-Resource-Policy": "Every page may show it.",
    "Referrer-Policy": "No address is passed on.",
    "X-Robots-Tag": "There is nothing to index.",
}
_TRACKER_HEADERS = {
    **{
        name: {"description": _REASONS[name], "required": True, "schema": {"type": "string", "const": value}}
        for name, value in HEADERS.items()
    },
    "Content-Length": {"description": "Its size in bytes.", "required": True, "schema": {"type": "integer"}},
}


def make_image_paths() -> dict[str, Data]:
    """Return the paths of images with their operations."""
    return {f"{TRACKER_PATH}{{pixel}}.png": _tracker(), f"{UPLOADS_PATH}{{image}}": _upload()}


def _tracker() -> Data:
    return {
        "parameters": [
            in_path("pixel", "The pixel's short id or UUID; any other text names no pixel.", PIXEL.short_id),
            in_query(
                "token",
                "The recipient's token. One that is not of this pixel counts as none.",
                {"type": "string", "examples": [ANN.token]},
            ),
        ],
        "get": operation(
            "Tracker",
            "track",
            "Track an open",
            "Always answers with an image, so that no mail shows a broken one: the pixel's own, or a transparent one "
            "of 1×1 pixels, also if there is no such pixel. A GET of a known pixel is recorded as an open, of the "
            "recipient whose token it has. Anything behind the id in the path is ignored. The token is also found in "
            "a query that a mail program has mangled. Other methods get 405 with `Allow`.",
            answers={200: {"description": "The image.", "headers": _TRACKER_HEADERS, "content": _IMAGE}},
        ),
        "head": operation(
            "Tracker",
            "peek",
            "Get an image's headers",
            "The same headers without the image. It is never an open.",
            answers={200: {"description": "The headers of the image.", "headers": _TRACKER_HEADERS}},
        ),
    }


def _upload() -> Data:
    return {
        "parameters": [in_path("image", "The file name in `imagePath`.", f"{PIXEL.id}.png", pattern=IMAGE_PATTERN)],
        "get": operation(
            "Tracker",
            "getUpload",
            "Get a pixel's own image",
            "The image as mails show it, for pages. It is never an open. Errors are pages.",
            answers={
                200: {"description": "The image.", "content": _IMAGE},
                **{status: refusal_page(status) for status in (400, 404, 500, 503)},
            },
        ),
    }
