"""Reads request bodies: complete, within limits and of the declared type, or not at all."""

import io
import json
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast

import attrs
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import (
    BadRequest,
    LengthRequired,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from mailtrack._errors import InvalidImage
from mailtrack._images.check import MAX_BYTES as MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_EMAILS = 10_000
MAX_PROBLEMS = 20  # invalid addresses in one answer
MAX_JSON_BYTES = 8 * 1024 * 1024  # 10,000 addresses of the greatest length, with room for escapes
MAX_TOKENS_BYTES = 24 * 1024 * 1024  # the same, with references and data
MAX_VALUES = 1_000_000  # in a JSON body, which take up to some 100 MB; a hundred for each of 10,000 recipients
MAX_FORM_BYTES = MAX_IMAGE_BYTES + 256 * 1024  # an image, and a name long enough to be refused
MAX_TEXT_BYTES = 256 * 1024
MAX_LIST_BYTES = 4 * 1024 * 1024  # 10,000 addresses of the greatest length, pasted
MAX_RECIPIENTS_BYTES = 8 * 1024 * 1024  # pasted text and a file together
MAX_PARTS = 20
PATIENCE = 20.0
"""Time that a body may take, in seconds, plus one second for each `MIN_RATE` bytes of it."""

MIN_RATE = 4096
_FIRST_PIECE = 16  # bytes; each is twice the preceding one, since servers wait for all bytes of a read

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


@attrs.frozen
class PixelForm:
    """The content of a request to create a pixel."""

    name: str
    image: bytes | None = None


@attrs.frozen
class RecipientsForm:
    """The content of a form to add recipients; its columns are "" if they are not named."""

    emails: str
    file: bytes | None = None
    email_column: str = ""
    ref_column: str = ""


def read_json(environ: "WSGIEnvironment", most: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object in a request's body of at most `most` bytes, which may begin with a byte order mark.

    Raises:
        HTTPException: the body is refused with 400, 408, 411, 413 or 415.
    """
    media_type, options = _media_type(environ)
    if media_type != "application/json" or options.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("The body must be application/json in UTF-8.")
    data = _WholeBody(environ, most).read()
    # Each value but the first of an object or array has a comma before it. 24 MiB of `{}` would take 690 MB.
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise BadRequest(f"The body must have at most {MAX_VALUES:,} values.")
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def read_optional_json(environ: "WSGIEnvironment") -> dict[str, Any]:
    """Return the JSON object in a request's body, an empty one without a body.

    Raises:
        HTTPException: the body is refused with 400, 408, 411, 413 or 415.
    """
    return read_json(environ) if _may_have_body(environ) else {}


def _may_have_body(environ: "WSGIEnvironment") -> bool:
    """Return whether a request may have a body. HTTP/1 declares it by a header; later versions need none for it."""
    length = environ.get("CONTENT_LENGTH")
    if length or "HTTP_TRANSFER_ENCODING" in environ:
        return length != "0"
    is_http_1 = environ.get("SERVER_PROTOCOL", "").startswith("HTTP/1")
    return not is_http_1 and bool(environ.get("CONTENT_TYPE"))


def read_pixel_form(environ: "WSGIEnvironment") -> PixelForm:
    """Return the name and image of a pixel to create, sent as JSON or as a form.

    Raises:
        HTTPException: the body is refused with 400, 408, 411, 413 or 415.
        InvalidImage: the image is not a file, or there are several.
    """
    if _media_type(environ)[0] not in FORM_TYPES:
        name = read_json(environ).get("name")
        return PixelForm(name if isinstance(name, str) else "")
    fields, files = _read_form(environ, most=MAX_FORM_BYTES, most_text=MAX_TEXT_BYTES)
    if "name" in files or len(fields.getlist("name")) > 1:
        raise BadRequest("The form must have one name, as text.")
    uploads = _uploads(files, "image")
    if "image" in fields or len(uploads) > 1:
        raise InvalidImage("The form must have at most one image, as a file.")
    return PixelForm(fields.get("name", ""), uploads[0] if uploads else None)


def read_recipients_form(environ: "WSGIEnvironment") -> RecipientsForm:
    """Return the pasted addresses and the file of a form to add recipients.

    Raises:
        HTTPException: the body is refused with 400, 408, 411, 413 or 415.
    """
    if _media_type(environ)[0] not in FORM_TYPES:
        raise UnsupportedMediaType("The body must be a form.")
    fields, files = _read_form(environ, most=MAX_RECIPIENTS_BYTES, most_text=MAX_LIST_BYTES)
    uploads = _uploads(files, "file")
    texts = _texts(fields, files, "emails", "emailColumn", "refColumn")
    if "file" in fields or len(uploads) > 1:
        raise BadRequest("The form must have at most one file.")
    columns = (texts.get(name, "").strip() for name in ("emailColumn", "refColumn"))
    return RecipientsForm(texts.get("emails", ""), uploads[0] if uploads else None, *columns)


def read_text_form(environ: "WSGIEnvironment", *names: str) -> dict[str, str]:
    """Return those of some fields that a form has; its line breaks, which browsers send as CRLF, become LF.

    Raises:
        HTTPException: the body is refused with 400, 408, 411, 413 or 415.
    """
    if _media_type(environ)[0] not in FORM_TYPES:
        raise UnsupportedMediaType("The body must be a form.")
    fields, files = _read_form(environ, most=MAX_TEXT_BYTES, most_text=MAX_TEXT_BYTES)
    return {name: text.replace("\r\n", "\n") for name, text in _texts(fields, files, *names).items()}


def _read_form(
    environ: "WSGIEnvironment", *, most: int, most_text: int
) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Return the fields and files of a form of at most `most` bytes, of which `most_text` may be text."""
    media_type, options = _media_type(environ)
    body = _WholeBody(environ, most if media_type == FORM_TYPES[0] else most_text)
    parser = FormDataParser(
        stream_factory=lambda *_, **__: io.BytesIO(),  # there may be no folder for temporary files
        silent=False,
        max_form_memory_size=most_text,
        max_form_parts=MAX_PARTS,
    )
    try:
        _, fields, files = parser.parse(io.BufferedReader(body), media_type, body.length, options)
    except ValueError:
        raise BadRequest("The form is malformed.") from None
    body.read()  # bytes behind the form must be complete, too
    return fields, files


def _texts(fields: MultiDict[str, str], files: MultiDict[str, FileStorage], *names: str) -> dict[str, str]:
    """Return those of some fields that a form has."""
    if any(name in files or len(fields.getlist(name)) > 1 for name in names):
        raise BadRequest("The form must have each field once, as text.")
    return {name: fields[name] for name in names if name in fields}


def _uploads(files: MultiDict[str, FileStorage], name: str) -> list[bytes]:
    """Return the files of a field, without the empty one that browsers send if none was chosen."""
    found = [(cast(io.BytesIO, file.stream).getvalue(), file.filename) for file in files.getlist(name)]  # no copy
    return [data for data, file_name in found if data or file_name]


class _WholeBody(io.RawIOBase):
    """A request's body as a stream that raises if it ends before its declared length, or takes too long.

    A body that stops altogether is not noticed here: the application waits in the server's `read` meanwhile.
    """

    def __init__(self, environ: "WSGIEnvironment", limit: int) -> None:
        declared = environ.get("CONTENT_LENGTH") or ""
        if not declared:
            raise LengthRequired("The request needs a Content-Length.")
        if not (declared.isascii() and declared.isdigit()):
            raise BadRequest("The Content-Length is not valid.")
        if len(declared) > 18 or int(declared) > limit:
            raise RequestEntityTooLarge(f"The body must be at most {limit:,} bytes.")
        self.length = int(declared)
        self._left = self.length
        self._stream: IO[bytes] = environ["wsgi.input"]
        self._piece = _FIRST_PIECE
        self._start = monotonic()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left, self._piece)
        try:
            data = self._stream.read(wanted) if wanted else b""
        except OSError as error:
            raise BadRequest("The body could not be read.") from error
        if len(data) == 0 and wanted:
            raise BadRequest("The body is shorter than its Content-Length.")
        buffer[: len(data)] = data
        self._left -= len(data)
        self._piece *= 2
        if self._left and monotonic() - self._start > PATIENCE + (self.length - self._left) / MIN_RATE:
            raise RequestTimeout("The body arrives too slowly.")
        return len(data)


def _media_type(environ: "WSGIEnvironment") -> tuple[str, dict[str, str]]:
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")
    media_type, options = parse_options_header(environ.get("CONTENT_TYPE"))
    return media_type.lower(), options


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")
