"""The OpenAPI document of a server."""

from typing import Any

from mailtrack._urls import Urls
from mailtrack._version import __version__
from mailtrack_wsgi._openapi.errors import REFUSALS
from mailtrack_wsgi._openapi.examples import make_examples
from mailtrack_wsgi._openapi.operations import TAGS, make_paths
from mailtrack_wsgi._openapi.schemas import SCHEMAS

_ABOUT = (
    "mailtrack records whether mail was opened, by whom and when. Times are UTC. HEAD is answered wherever GET is, "
    "with the same headers; a method that is not listed here is answered with 405 and `Allow`."
)

_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, as `Authorization: Bearer KEY`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, as `X-API-Key: KEY`."},
    "basic": {"type": "http", "scheme": "basic", "description": "For browsers: any user name, the key as password."},
}


def make_document(urls: Urls, *, keyed: bool = False) -> dict[str, Any]:
    """Make the OpenAPI 3.1 document.

    Args:
        urls: the URLs of the server that it tells of.
        keyed: whether it asks for keys.
    """
    ways: list[dict[str, list[str]]] = [{name: []} for name in _SECURITY_SCHEMES]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mailtrack",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": urls.base, "description": "This server."}],
        "security": ways if keyed else [{}, *ways],
        "tags": TAGS,
        "paths": make_paths(make_examples(urls)),
        "components": {"schemas": SCHEMAS, "responses": REFUSALS, "securitySchemes": _SECURITY_SCHEMES},
    }
