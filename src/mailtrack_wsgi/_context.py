"""`Context`: the parts of an application, as every endpoint gets them."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
from werkzeug import exceptions

from mailtrack._errors import InvalidArgument, PixelNotFound, StorageError
from mailtrack._model import Erased
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls
from mailtrack._webhook import Webhook
from mailtrack_wsgi._auth import KEY
from mailtrack_wsgi._concurrency import ConcurrencyLimit
from mailtrack_wsgi._proxies import Proxies
from mailtrack_wsgi._rate_limit import Allowance, TokenLimit, TokenLimiter

if TYPE_CHECKING:
    from collections.abc import Collection

    from _typeshed.wsgi import WSGIEnvironment

    from mailtrack.webhooks import Webhooks

MAX_PIXELS = 1_000
"""Number of pixels that a webhook may name."""

_DELETION_SECONDS = 0.5  # after which most pixels and people are wholly removed


@attrs.frozen(kw_only=True)
class Context:
    """The parts of an application.

    Attributes:
        tracker: does the work.
        proxies: reads the client's address and the URLs of a request.
        limiter: counts requests for tokens, `None` if they are not limited.
        changes: limits the requests that change something.
        downloads: limits the requests that stream a file.
        keyed: whether requests need a key.
        login: whether the host application decides about requests without one.
    """

    tracker: Tracker
    proxies: Proxies
    limiter: TokenLimiter | None
    changes: ConcurrencyLimit
    downloads: ConcurrencyLimit
    keyed: bool
    login: bool

    @property
    def lag(self) -> int:
        """How old figures and lists are, in whole seconds; 0 where that is not worth a word."""
        state = self.tracker._get_replica_state()
        return int(state.lag or 0) if state else 0

    def delete_pixel(self, pixel: str) -> None:
        """Delete a pixel. What takes longer than a request may is left to a background thread."""
        self.tracker.delete_pixel(pixel, timeout=_DELETION_SECONDS)

    def erase(self, email: str) -> Erased:
        """Erase a person. What takes longer than a request may is left to a background thread, as in `delete_pixel`."""
        return self.tracker.erase(email, timeout=_DELETION_SECONDS)

    @property
    def webhooks(self) -> "Webhooks":
        """The webhooks of the tracker.

        Raises:
            NotImplemented: the storage does not support any.
        """
        try:
            return self.tracker.webhooks
        except StorageError as error:
            raise exceptions.NotImplemented(str(error)) from error

    def troubled_webhooks(self) -> list[Webhook]:
        """Return the webhooks that failures have disabled, or whose deliveries fail."""
        try:
            found = self.webhooks.list()
        except exceptions.NotImplemented:
            return []
        return [one for one in found if one.disabled_reason or (one.enabled and one.failing_since)]

    def find_pixels(self, keys: "Collection[str]") -> list[str]:
        """Return the ids of the pixels with some ids or short ids.

        Raises:
            InvalidArgument: one of them is of no pixel, or there are too many.
        """
        if len(keys) > MAX_PIXELS:
            raise InvalidArgument("pixels", f"must be at most {MAX_PIXELS:,}.")
        try:
            return [self.tracker.get_pixel(key).id for key in keys]
        except PixelNotFound as error:
            raise InvalidArgument("pixels", "must be ids of pixels; one is of none.") from error

    def urls(self, environ: "WSGIEnvironment") -> Urls:
        """Return the URLs to print: below the tracker's base URL, else as the request was addressed."""
        return self.tracker.urls or self.proxies.urls(environ)

    def root(self, environ: "WSGIEnvironment") -> str:
        """Return the path at which clients see this application, for links; "" at the top of a host."""
        return urlsplit(self.urls(environ).base).path

    @property
    def token_limit(self) -> TokenLimit | None:
        """The limit on requests for tokens, `None` if there is none."""
        return self.limiter.limit if self.limiter else None

    def ask_limiter(self, environ: "WSGIEnvironment") -> Allowance | None:
        """Count a request for tokens by its key, else by its address; return the decision, `None` without a limit."""
        return self.limiter.ask(self.proxies.address(environ), key=environ.get(KEY)) if self.limiter else None

    def remember(self, environ: "WSGIEnvironment", digest: str) -> None:
        """Remember for the length of the limit's window that the client of a request sent this."""
        if self.limiter:
            self.limiter.remember(digest, self.proxies.address(environ), key=environ.get(KEY))

    def remembers(self, environ: "WSGIEnvironment", digest: str) -> bool:
        """Return whether the client of a request sent this within the length of the limit's window."""
        return self.limiter is not None and self.limiter.remembers(
            digest, self.proxies.address(environ), key=environ.get(KEY)
        )
