"""The OpenAPI document of a server."""

from typing import Any

from mailtrack._urls import Urls
from mailtrack._version import __version__
from mailtrack_wsgi._openapi.access import LOGIN, with_access
from mailtrack_wsgi._openapi.errors import make_refusals
from mailtrack_wsgi._openapi.examples import make_examples
from mailtrack_wsgi._openapi.operations import TAGS, make_paths
from mailtrack_wsgi._openapi.schemas import SCHEMAS
from mailtrack_wsgi._rate_limit import TokenLimit

_ABOUT = (
    "mailtrack records which mails were opened, by whom and when. Times are UTC. Every path that takes GET takes HEAD, "
    "with the same headers; any other method gets 405 with `Allow`."
)

_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, as `Authorization: Bearer KEY`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key, as `X-API-Key: KEY`."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "For browsers: any user name, and the key as the password.",
    },
}


def make_document(urls: Urls, *, limit: TokenLimit | None, keyed: bool = False, login: bool = False) -> dict[str, Any]:
    """Make the OpenAPI 3.1 document.

    Args:
        urls: the URLs of the server that it describes.
        limit: the server's limit on requests for tokens, `None` without one.
        keyed: whether requests need a key.
        login: whether the application around mailtrack decides about requests without one.
    """
    ways: list[dict[str, list[str]]] = [{name: []} for name in _SECURITY_SCHEMES]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mailtrack",
            "version": __version__,
            "description": f"{_ABOUT} {LOGIN}" if login else _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": urls.base, "description": "This server."}],
        "security": ways if keyed else [{}, *ways],
        "tags": TAGS,
        "paths": with_access(make_paths(make_examples(urls), limit), login=login),
        "components": {"schemas": SCHEMAS, "responses": make_refusals(limit), "securitySchemes": _SECURITY_SCHEMES},
    }
