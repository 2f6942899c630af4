"""The tracker and the application of the project in this process: made when first used, and stopped at exit."""

import atexit
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from mailtrack._errors import InvalidInput, InvalidSetting
from mailtrack._forking import ForkSafeLock
from mailtrack._tracker import Tracker
from mailtrack.storage import open_storage
from mailtrack_wsgi._app import Application, create_app
from mailtrack_wsgi._lifespan import Lifespan, make_spool
from mailtrack_wsgi.django._access import make_authorize
from mailtrack_wsgi.django._pixels import Pixels
from mailtrack_wsgi.django._settings import PREFIX, Settings, read_all
from mailtrack_wsgi.django._signals import Announcer


class Site:
    """One tracker with its storage, spool and application. Thread-safe, and usable in forked children.

    Args:
        settings: the settings of the project.

    Attributes:
        tracker: the tracker.
        pixels: the pixels that settings, mails and templates name.

    Raises:
        StorageError: the storage can't be opened.
        InvalidSetting: the URL of the storage is malformed.
    """

    tracker: Tracker
    pixels: Pixels

    def __init__(self, settings: Settings) -> None:
        self._storage = open_storage(settings.database, read_url=settings.read_url)
        spool = make_spool(self._storage, settings.database, settings.spool)
        self.tracker = Tracker(self._storage, base_url=settings.base_url, spool=spool)
        self._announcer = Announcer(self.tracker, threaded=not settings.database.lower().startswith("memory:"))
        self._lifespan = Lifespan(self.tracker)
        self.pixels = Pixels(self._storage, self.tracker)
        self._settings = settings
        self._app: Application | None = None
        self._making = ForkSafeLock()

    def start(self) -> Application:
        """Return the application, with the spool started in this process.

        Raises:
            django.core.exceptions.ImproperlyConfigured: `MAILTRACK_OPTIONS` can't be used.
        """
        if self._app is None:  # commands need none, and it takes time to load
            with self._making:
                if self._app is None:
                    self._app = self._make_app()
        self._announcer.serve()
        self._lifespan.start()
        return self._app

    def _make_app(self) -> Application:
        options = {"stored_keys": True, **self._settings.options}
        try:
            return create_app(self.tracker, authorize=make_authorize(self._settings.authorize), **options)
        except InvalidInput as error:
            raise ImproperlyConfigured(f"{PREFIX}OPTIONS: {error}") from error

    def close(self) -> None:
        """Store what waits, as far as that is possible in some seconds, and close the storage."""
        self._lifespan.stop()
        self._storage.close()


_lock = ForkSafeLock()
_site: Site | None = None


def get_site() -> Site:
    """Return the site of this process.

    Raises:
        django.core.exceptions.ImproperlyConfigured: a setting is missing, or has a value that can't be used.
        StorageError: the storage can't be opened. The next call tries again.
    """
    global _site
    with _lock:
        if _site is None:
            try:
                _site = Site(read_all())
            except InvalidSetting as error:
                raise ImproperlyConfigured(f"{PREFIX}{error.name.upper()} {error.reason}.") from error
        return _site


def get_tracker() -> Tracker:
    """Return the tracker of this process, on the storage that the settings name, which is opened by the first call.

    Thread-safe. Do not close or stop it: that happens when the process ends.

    Raises:
        django.core.exceptions.ImproperlyConfigured: a setting is missing, or has a value that can't be used.
        StorageError: the storage can't be opened. The next call tries again.
    """
    return get_site().tracker


@atexit.register
def _close() -> None:
    global _site
    with _lock:
        site, _site = _site, None
    if site is not None:
        site.close()


def _follow(*, setting: str, **_: Any) -> None:
    """Begin anew when a test overrides a setting."""
    if setting.startswith(PREFIX):
        _close()


setting_changed.connect(_follow)
