"""The API as an OpenAPI 3.1 document: data, and what puts it together."""

from mailtrack_wsgi._openapi.document import make_document

__all__ = ["make_document"]
