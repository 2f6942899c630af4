"""The API as an OpenAPI 3.1 document (`document` and the data that it is made of), and as a page (`page`)."""

from mailtrack_wsgi._openapi.document import make_document

__all__ = ["make_document"]
