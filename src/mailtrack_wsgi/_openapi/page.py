"""`GET /docs`: renders the API reference as a page."""

from werkzeug.wrappers import Request, Response

from mailtrack_wsgi._context import Context
from mailtrack_wsgi._html.templating import page_response
from mailtrack_wsgi._openapi.document import make_document
from mailtrack_wsgi._openapi.reference import make_reference


def docs(context: Context, request: Request) -> Response:
    """`GET /docs`."""
    document = make_document(
        context.urls(request.environ), keyed=context.keyed, login=context.login, limit=context.token_limit
    )
    return page_response("docs.html", root=context.root(request.environ), api=make_reference(document))
