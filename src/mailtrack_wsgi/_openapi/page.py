"""The API's document as its page shows it."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import attrs
from markupsafe import Markup, escape

from mailtrack_wsgi._openapi.errors import component
from mailtrack_wsgi._openapi.samples import Request, to_curl, to_python

_Data = dict[str, Any]

_METHODS = ("get", "head", "post", "delete")
_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_FORMATS = {"date-time": "time", "uuid": "UUID", "uri": "URL", "email": "address", "binary": "file"}


@attrs.frozen(kw_only=True)
class Field:
    """A parameter, a field of a body or of an object.

    Attributes:
        name: what it is called.
        kind: what it holds.
        about: what it means.
        required: whether it must be given.
    """

    name: str
    kind: Markup
    about: Markup
    required: bool


@attrs.frozen(kw_only=True)
class Answer:
    """What an operation answers where it does what was asked.

    Attributes:
        status: the HTTP status.
        about: what it means.
        media_types: what it can be; "" for nothing.
        kind: what it holds, where it is JSON.
        headers: what its headers tell.
        example: the body of one, "" for none.
    """

    status: str
    about: Markup
    media_types: str
    kind: Markup
    headers: tuple[Field, ...]
    example: str


@attrs.frozen(kw_only=True)
class Operation:
    """What can be asked.

    Attributes:
        name: where it is on the page, and how the document calls it.
        method: the HTTP method.
        path: below the base URL.
        summary: what it does, in a few words.
        about: what it does.
        parameters: what can be given in the URL.
        body: what can be given in the body.
        media_types: how.
        answer: what it answers where all is well.
        refusals: the statuses of what else it answers.
        curl: how to ask with curl.
        python: how to ask with Python.
    """

    name: str
    method: str
    path: str
    summary: str
    about: Markup
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    media_types: str
    answer: Answer
    refusals: tuple[str, ...]
    curl: str
    python: str


@attrs.frozen(kw_only=True)
class Group:
    """Operations that belong together."""

    name: str
    about: Markup
    operations: tuple[Operation, ...]


@attrs.frozen(kw_only=True)
class Shape:
    """An object in requests and answers."""

    name: str
    about: Markup
    fields: tuple[Field, ...]


@attrs.frozen(kw_only=True)
class Refusal:
    """What is answered where something is wrong."""

    status: str
    about: Markup
    headers: str
    example: str


@attrs.frozen(kw_only=True)
class Reference:
    """All that the page shows.

    Attributes:
        base: the base URL.
        version: of mailtrack.
        about: the API as a whole.
        keyed: whether keys are needed.
        keys: the ways to give one.
        groups: the operations.
        shapes: the objects that they take and answer.
        refusals: what they answer where something is wrong.
    """

    base: str
    version: str
    about: Markup
    keyed: bool
    keys: tuple[Markup, ...]
    groups: tuple[Group, ...]
    shapes: tuple[Shape, ...]
    refusals: tuple[Refusal, ...]


def make_reference(document: _Data) -> Reference:
    """Return what the page shows of a document that `make_document` made."""
    components = document["components"]
    operations = list(_operations(document))
    return Reference(
        base=document["servers"][0]["url"],
        version=document["info"]["version"],
        about=words(document["info"]["description"]),
        keyed={} not in document["security"],
        keys=tuple(words(one["description"]) for one in components["securitySchemes"].values()),
        groups=tuple(
            Group(
                name=tag["name"],
                about=words(tag["description"]),
                operations=tuple(operation for tags, operation in operations if tag["name"] in tags),
            )
            for tag in document["tags"]
        ),
        shapes=tuple(
            Shape(name=name, about=words(schema["description"]), fields=_fields(schema))
            for name, schema in components["schemas"].items()
        ),
        refusals=tuple(
            Refusal(
                status=status,
                about=words(answer["description"]),
                headers=", ".join(answer["headers"]),
                example=answer["content"]["application/json"]["example"]["error"],
            )
            for status, answer in _statuses(components["responses"])
        ),
    )


def words(text: str) -> Markup:
    """Return a text in which what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts)
    )


def _operations(document: _Data) -> Iterator[tuple[list[str], Operation]]:
    base, keyed = document["servers"][0]["url"], {} not in document["security"]
    for path, item in document["paths"].items():
        for method in (method for method in _METHODS if method in item):
            operation = item[method]
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            content = operation.get("requestBody", {}).get("content", {})
            (status, answer), *_ = operation["responses"].items()
            request = Request(
                method=method.upper(),
                url=base + _fill(path, parameters),
                body=content.get("application/json", {}).get("example"),
                form=content.get("multipart/form-data", {}).get("example"),
                keyed=keyed and operation.get("security") != [],
                media_type=next(iter(answer.get("content", {})), "").partition(";")[0],
            )
            yield (
                operation["tags"],
                Operation(
                    name=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation["summary"],
                    about=words(operation["description"]),
                    parameters=tuple(_parameter(one) for one in parameters),
                    body=_body(document, content),
                    media_types=", ".join(content),
                    answer=_answer(status, answer),
                    refusals=tuple(other for other in operation["responses"] if other != status),
                    curl=to_curl(request),
                    python=to_python(request),
                ),
            )


def _fill(path: str, parameters: list[_Data]) -> str:
    """Return a path with an example in place of each of its parameters."""
    examples = {one["name"]: one.get("example", "") for one in parameters}
    return re.sub(r"{(\w+)}", lambda found: str(examples[found[1]]), path)


def _parameter(one: _Data) -> Field:
    kind = _kind(one["schema"])
    if "default" in one["schema"]:
        kind += Markup(", {} if not given").format(one["schema"]["default"])
    return Field(name=one["name"], kind=kind, about=words(one["description"]), required=one.get("required", False))


def _body(document: _Data, content: _Data) -> tuple[Field, ...]:
    """Return all that a body can have, whatever media types it can be of."""
    found: dict[str, Field] = {}
    for one in content.values():
        schema = document["components"]["schemas"][one["schema"]["$ref"].rpartition("/")[2]]
        found |= {field.name: field for field in _fields(schema)}
    return tuple(found.values())


def _answer(status: str, answer: _Data) -> Answer:
    content = answer.get("content", {})
    one: _Data = next(iter(content.values()), {})
    example = one.get("example", "")
    return Answer(
        status=status,
        about=words(answer["description"]),
        media_types=", ".join(content),
        kind=_kind(one["schema"]) if "application/json" in content else Markup(""),
        headers=tuple(
            Field(name=name, kind=Markup(""), about=words(header["description"]), required=True)
            for name, header in answer.get("headers", {}).items()
        ),
        example=example if isinstance(example, str) else json.dumps(example, indent=1, ensure_ascii=False),
    )


def _statuses(responses: _Data) -> Iterator[tuple[str, _Data]]:
    for status in HTTPStatus:
        if answer := responses.get(component(status)):
            yield str(status.value), answer


def _fields(schema: _Data) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=name,
            kind=_kind(one),
            about=words(one.get("description", "")),
            required=name in schema.get("required", ()),
        )
        for name, one in schema.get("properties", {}).items()
    )


def _kind(schema: _Data) -> Markup:
    """Return what a schema lets in, in words; a link where that is told elsewhere on the page."""
    if "$ref" in schema:
        return Markup('<a href="#{0}">{0}</a>').format(schema["$ref"].rpartition("/")[2])
    kinds: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "array" in kinds:
        return Markup("list of {}").format(_kind(schema["items"]))
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(json.dumps(value)) for value in schema["enum"])
    names = [
        _FORMATS.get(schema.get("format", ""), _KINDS.get(kind, kind)) if kind != "null" else kind for kind in kinds
    ]
    return Markup(" or ").join(names)
