"""Code samples for the operations of the API: with curl, and with Python's standard library."""

import json
import shlex
from typing import Any

import attrs

KEY = "KEY"
"""Stands for a key in a sample."""

_JSON, _FORM = "application/json", "multipart/form-data"
_IMAGE_FILE = "image.png"


@attrs.frozen(kw_only=True)
class Request:
    """A request to write a sample for.

    Attributes:
        method: the HTTP method.
        url: the whole URL.
        body: the JSON to send, if any.
        form: the text fields of the same request as a form with an image, if it can be sent as one.
        keyed: whether it needs a key.
        media_type: the media type of the answer without its parameters, "" without a body.
    """

    method: str
    url: str
    body: Any = None
    form: dict[str, str] | None = None
    keyed: bool = False
    media_type: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that it needs."""
        key = {"Authorization": f"Bearer {KEY}"} if self.keyed else {}
        return key if self.body is None else {**key, "Content-Type": _JSON}


def to_curl(request: Request) -> str:
    """Return commands that send a request, a second one with an image if it can have one."""
    words = ["curl"]
    if request.method == "HEAD":
        words.append("-I")
    elif request.method != ("GET" if request.body is None else "POST"):
        words += ["-X", request.method]
    if request.media_type == "text/csv":
        words.append("-OJ")
    elif request.media_type.startswith("image/"):
        words += ["-o", _IMAGE_FILE]
    lines = [shlex.join([*words, request.url])]
    key = [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    sent = [] if request.body is None else [f"-d {shlex.quote(json.dumps(request.body))}"]
    commands = [" \\\n  ".join([*lines, *key, *sent])]
    if request.form is not None:
        fields = [f"-F {shlex.quote(f'{name}={value}')}" for name, value in request.form.items()]
        commands.append(" \\\n  ".join([*lines, *key[: request.keyed], *fields, f"-F image=@{_IMAGE_FILE}"]))
    return "\n\n".join(commands)


def to_python(request: Request) -> str:
    """Return a program that sends a request and prints the answer."""
    arguments = [json.dumps(request.url)]
    if request.body is not None:
        arguments.append(f"data=json.dumps({request.body!r}).encode()")
    if request.headers:
        arguments.append(f"headers={json.dumps(request.headers)}")
    if request.method != ("GET" if request.body is None else "POST"):
        arguments.append(f'method="{request.method}"')
    is_json = request.media_type == _JSON
    reading = {"": "answer.headers", _JSON: "json.load(answer)", "text/csv": "answer.read().decode()"}
    plain = len(arguments) == 1
    return "\n".join(
        [
            *(["import json"] if is_json or request.body is not None else []),
            f"from urllib.request import {'urlopen' if plain else 'Request, urlopen'}",
            "",
            *([] if plain else ["request = Request(", *(f"    {argument}," for argument in arguments), ")"]),
            f"with urlopen({arguments[0] if plain else 'request'}) as answer:",
            f"    print({reading.get(request.media_type, 'len(answer.read())')})",
        ]
    )
