"""What each operation needs: nothing, a key, or the login of the application around mailtrack."""

from collections.abc import Mapping
from typing import Any

from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi._openapi.errors import component, refusal_page

_TO_LOGIN = {
    "description": "The application around mailtrack wants a login first.",
    "headers": {"Location": {"description": "Where to log in.", "required": True, "schema": {"type": "string"}}},
}

_PUBLIC = ", ".join(f"`{one}`" for one in paths.PUBLIC)

LOGIN = (
    f"Except for {_PUBLIC}, the application around mailtrack decides by its own login: other requests are redirected "
    "to it, or get 403."
)
"""Added to the description of a server with a login."""


def with_access(operations: Mapping[str, Any], *, login: bool) -> dict[str, Any]:
    """Return paths with what their operations need: nothing if they are public, else a key or the login.

    Args:
        operations: the paths with their operations, described as if a key was needed.
        login: whether the application around mailtrack decides about requests without a key.
    """
    return {
        path: {name: _with_access(path, one, login) for name, one in item.items()} for path, item in operations.items()
    }


def _with_access(path: str, operation: Any, login: bool) -> Any:
    if isinstance(operation, list):  # the parameters of all operations of the path
        return operation
    if paths.is_public(path):
        return {**operation, "security": []}
    if not login:
        return operation
    responses = dict(operation["responses"])
    is_json = "$ref" in responses.pop("401")
    refused = {"$ref": f"#/components/responses/{component(403)}"} if is_json else refusal_page(403)
    return {**operation, "responses": dict(sorted((responses | {"302": _TO_LOGIN, "403": refused}).items()))}
