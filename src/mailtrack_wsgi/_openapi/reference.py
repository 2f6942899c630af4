"""`Reference`: the OpenAPI document in the form that the reference page shows."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import attrs
from markupsafe import Markup

from mailtrack_wsgi._html.filters import plain_text
from mailtrack_wsgi._openapi.code_samples import Request, to_curl, to_python
from mailtrack_wsgi._openapi.errors import component

_Data = dict[str, Any]

_LINE = 100  # characters of a line in an example
_LEAST_OF_BASE = 5  # fields of an object that others refer to
_METHODS = ("get", "head", "post", "patch", "delete")
_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_FORMATS = {"date-time": "time", "uuid": "UUID", "uri": "URL", "email": "address", "binary": "file"}


@attrs.frozen(kw_only=True)
class Field:
    """A parameter, a field of a body or of an object.

    Attributes:
        name: its name.
        kind: its type in words.
        about: its description.
        required: whether it must be given.
    """

    name: str
    kind: Markup
    about: Markup
    required: bool


@attrs.frozen(kw_only=True)
class Answer:
    """The response of an operation that succeeds.

    Attributes:
        status: the HTTP status.
        about: its description.
        media_types: the media types that it can have; "" without a body.
        kind: the type of its JSON; "" for other bodies.
        headers: its headers.
        example: an example of its body, "" without one.
    """

    status: str
    about: Markup
    media_types: str
    kind: Markup
    headers: tuple[Field, ...]
    example: str


@attrs.frozen(kw_only=True)
class Operation:
    """An operation of the API.

    Attributes:
        name: its anchor on the page, and its id in the document.
        method: the HTTP method.
        path: below the base URL.
        summary: its title.
        about: its description.
        parameters: the parameters in its URL.
        body: the fields of its body.
        media_types: the media types that the body can have.
        answer: the response if it succeeds.
        refusals: the statuses of its error responses.
        curl: a sample for curl.
        python: a sample in Python.
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
    """An object in requests and answers.

    Attributes:
        name: its name.
        about: its description.
        base: the name of an object of which it has all fields; "" if there is none.
        fields: its fields, without those of `base`.
    """

    name: str
    about: Markup
    base: str
    fields: tuple[Field, ...]


@attrs.frozen(kw_only=True)
class Refusal:
    """An error response."""

    status: str
    about: Markup
    headers: str
    example: str


@attrs.frozen(kw_only=True)
class Reference:
    """The content of the page.

    Attributes:
        base: the base URL.
        version: of mailtrack.
        about: the description of the API.
        keyed: whether requests need a key.
        keys: the ways to give one.
        groups: the operations.
        shapes: the objects in requests and answers.
        refusals: the error responses.
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
    """Return the content of the page from a document that `make_document` made."""
    components = document["components"]
    return Reference(
        base=document["servers"][0]["url"],
        version=document["info"]["version"],
        about=words(document["info"]["description"]),
        keyed=_is_keyed(document),
        keys=tuple(words(one["description"]) for one in components["securitySchemes"].values()),
        groups=_groups(document),
        shapes=tuple(_shapes(document)),
        refusals=tuple(_refusal(status, answer) for status, answer in _statuses(components["responses"])),
    )


def words(text: str) -> Markup:
    """Return a text as HTML, with the parts between backticks as code."""
    parts = [plain_text(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts)
    )


def _is_keyed(document: _Data) -> bool:
    return {} not in document["security"]


def _shapes(document: _Data) -> Iterator[Shape]:
    """Yield the objects but for whole bodies of requests, whose fields are shown with the operation."""
    schemas = document["components"]["schemas"]
    bodies = {
        one["schema"]["$ref"].rpartition("/")[2]
        for item in document["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
        for one in operation["requestBody"]["content"].values()
    }
    for name, schema in schemas.items():
        if name not in bodies:
            base = _find_base(schema, schemas)
            fields = _fields({**schema, "properties": _added(schema, schemas[base])} if base else schema)
            yield Shape(name=name, about=words(schema["description"]), base=base, fields=fields)


def _find_base(schema: _Data, schemas: _Data) -> str:
    """Return the name of another object, not a small one, of which an object has all fields; "" if there is none."""
    return next(
        (
            name
            for name, other in schemas.items()
            if len(schema["properties"]) > len(other["properties"]) >= _LEAST_OF_BASE
            and all(schema["properties"].get(key) == field for key, field in other["properties"].items())
        ),
        "",
    )


def _added(schema: _Data, base: _Data) -> _Data:
    return {name: field for name, field in schema["properties"].items() if name not in base["properties"]}


def _groups(document: _Data) -> tuple[Group, ...]:
    operations: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in (method for method in _METHODS if method in item):
            operations[item[method]["tags"][0]].append(_operation(document, path, item, method))
    return tuple(
        Group(name=tag["name"], about=words(tag["description"]), operations=tuple(operations[tag["name"]]))
        for tag in document["tags"]
    )


def _operation(document: _Data, path: str, item: _Data, method: str) -> Operation:
    operation = item[method]
    parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
    content = operation.get("requestBody", {}).get("content", {})
    (status, answer), *_ = operation["responses"].items()
    request = Request(
        method=method.upper(),
        url=document["servers"][0]["url"] + _fill(path, parameters) + _query(parameters),
        body=content.get("application/json", {}).get("example"),
        form=content.get("multipart/form-data", {}).get("example"),
        keyed=_is_keyed(document) and operation.get("security") != [],
        media_type=next(iter(answer.get("content", {})), "").partition(";")[0],
    )
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        about=words(operation["description"]),
        parameters=tuple(_parameter(one) for one in parameters),
        body=_body(document, content),
        media_types=", ".join(content),
        answer=_answer(status, answer),
        refusals=tuple(other for other in operation["responses"] if other >= "400"),
        curl=to_curl(request),
        python=to_python(request),
    )


def _fill(path: str, parameters: list[_Data]) -> str:
    """Return a path with an example in place of each of its parameters."""
    examples = {one["name"]: one.get("example", "") for one in parameters}
    return re.sub(r"{(\w+)}", lambda found: str(examples[found[1]]), path)


def _query(parameters: list[_Data]) -> str:
    """Return the query of a URL that has an example of each parameter that is required in it."""
    needed = {one["name"]: one["example"] for one in parameters if one["in"] == "query" and one.get("required")}
    return f"?{urlencode(needed)}" if needed else ""


def _parameter(one: _Data) -> Field:
    kind = _kind(one["schema"])
    if "default" in one["schema"]:
        kind += Markup(", {} if not given").format(one["schema"]["default"])
    return Field(name=one["name"], kind=kind, about=words(one["description"]), required=one.get("required", False))


def _body(document: _Data, content: _Data) -> tuple[Field, ...]:
    """Return the fields that a body can have, over all of its media types."""
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
        example=example if isinstance(example, str) else _layout(example),
    )


def _layout(value: Any, indent: str = "") -> str:
    """Return a value as JSON. What fits into a line is on one, even if it is a list or an object."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + len(indent) <= _LINE or not isinstance(value, dict | list):
        return line
    deeper = indent + " "
    if isinstance(value, list):
        parts, ends = [_layout(one, deeper) for one in value], "[]"
    else:
        parts, ends = [f"{json.dumps(name)}: {_layout(one, deeper)}" for name, one in value.items()], "{}"
    return f"{ends[0]}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{ends[1]}"


def _refusal(status: str, answer: _Data) -> Refusal:
    return Refusal(
        status=status,
        about=words(answer["description"]),
        headers=", ".join(answer["headers"]),
        example=answer["content"]["application/json"]["example"]["error"],
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
    """Return the type of a schema in words, or a link to the object on the page."""
    if "$ref" in schema:
        return Markup('<a href="#{0}">{0}</a>').format(schema["$ref"].rpartition("/")[2])
    if "oneOf" in schema:
        return Markup(" or ").join(map(_kind, schema["oneOf"]))
    kinds: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "array" in kinds:
        return Markup("list ({})").format(_kind(schema["items"]))
    if "enum" in schema:
        values = Markup(" | ").join(plain_text(json.dumps(value)) for value in schema["enum"])
        return Markup("<code>{}</code>").format(values)
    names = [
        _FORMATS.get(schema.get("format", ""), _KINDS.get(kind, kind)) if kind != "null" else kind for kind in kinds
    ]
    return Markup(" or ").join(names)
