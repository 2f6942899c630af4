"""Builds JSON Schemas, and has those of values that occur in several objects."""

from typing import Any

from mailtrack._model import MAX_NAME_LENGTH, MAX_NOTE_LENGTH

Schema = dict[str, Any]

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PIXEL_KEY_PATTERN = f"^({_UUID.replace('a-f', 'A-Fa-f')}|[0-9A-Fa-f]{{8}})$"
RECIPIENT_ID_PATTERN = "^[0-9a-f]{24}$"
WEBHOOK_ID_PATTERN = "^[0-9a-f]{16}$"
IMAGE_PATTERN = rf"^{_UUID}\.(gif|jpg|png|webp)$"

# Blanks around a name are cut off, so control characters may be among those only.
_BLANK = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_IN_NAME, _AT_ENDS = f"[^{_CONTROL}]", f"[^{_CONTROL}{_BLANK}]"
NAME_PATTERN = f"^[{_BLANK}]*{_AT_ENDS}({_IN_NAME}{{0,{MAX_NAME_LENGTH - 2}}}{_AT_ENDS})?[{_BLANK}]*$"

REF_PATTERN = f"^{_IN_NAME}*$"
_IN_NOTE = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]"
NOTE_PATTERN = f"^[{_BLANK}]*{_IN_NOTE}{{0,{MAX_NOTE_LENGTH}}}[{_BLANK}]*$"


def text(description: str, **more: Any) -> Schema:
    """Return the schema of a string."""
    return {"type": "string", "description": description, **more}


def ref(name: str, description: str = "") -> Schema:
    """Return a reference to the schema of this name, with a description if it is a property."""
    found = {"$ref": f"#/components/schemas/{name}"}
    return found | {"description": description} if description else found


def number(description: str) -> Schema:
    """Return the schema of a number of things."""
    return {"type": "integer", "minimum": 0, "description": description}


def flag(description: str, **more: Any) -> Schema:
    """Return the schema of a flag."""
    return {"type": "boolean", "description": description, **more}


def array(of: Schema, description: str, **more: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": of, "description": description, **more}


def or_null(schema: Schema) -> Schema:
    """Return a schema that also allows `null`."""
    return {**schema, "type": [schema["type"], "null"]}


def object_(about: str, **properties: Schema) -> Schema:
    """Return the schema of an object in an answer, which has exactly these properties, all of them required."""
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def page_of(of: str, what: str) -> Schema:
    """Return the schema of a page of a list, given the schema of its items and what they are."""
    return object_(
        f"A page of a list of {what}.",
        items=array(ref(of), f"The {what} on it."),
        next=or_null(text("The value of `cursor` for the following page; `null` on the last.")),
    )


def seconds(description: str) -> Schema:
    """Return the schema of a span of time in seconds, or `null`."""
    return {"type": ["number", "null"], "minimum": 0, "description": description}


def share(description: str) -> Schema:
    """Return the schema of a share, 0 to 1, or `null`."""
    return {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": description}


def time(description: str) -> Schema:
    """Return the schema of a time in UTC."""
    return text(description, format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def url(description: str) -> Schema:
    """Return the schema of a URL."""
    return text(description, format="uri")


PIXEL_ID = text("The pixel's UUID. Its first eight digits are the short id.", format="uuid", pattern=f"^{_UUID}$")
RECIPIENT_ID = text("The recipient's id, 24 hex digits.", pattern=RECIPIENT_ID_PATTERN)
EMAIL = text("The address: its domain in lower case and Unicode, its local part as first given.")
TOKEN = text("The secret that identifies the recipient.", pattern="^tok_[0-9a-f]{32}$")
DONE = {"type": "boolean", "const": True, "description": "Always `true`."}
NAME = text(
    f"The name of the mailing, 1 to {MAX_NAME_LENGTH} characters. Blanks around it are cut off; control characters are "
    "refused.",
    minLength=1,
    pattern=NAME_PATTERN,
)
