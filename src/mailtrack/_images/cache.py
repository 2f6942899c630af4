"""The cache of pixels' images, so that serving one does not wait for the storage."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from mailtrack._errors import ImageNotFound, StorageError
from mailtrack._forking import ForkSafeLock
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._model import Image

CACHE_SECONDS = 1.0
"""Seconds until an image is loaded again: a deleted pixel's image disappears within two seconds."""

MAX_BYTES = 32 * 1024 * 1024
"""Maximum size of the cache in bytes; each image counts with `_OVERHEAD`."""

_OVERHEAD = 1024

_logger = logging.getLogger(__name__)


class ImageCache:
    """Caches pixels' images in front of the storage. Thread-safe.

    While the storage fails, it is queried once a second, and cached images stay in use.

    Args:
        load: returns a pixel's image, or raises `ImageNotFound`.
        monotonic: returns the time in seconds.
    """

    def __init__(self, load: Callable[[str], Image], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._monotonic = monotonic
        self._lock = ForkSafeLock()
        self._kept: OrderedDict[str, tuple[float, Image]] = OrderedDict()
        self._bytes = 0
        self._ask_again = 0.0

    def get(self, key: str) -> Image:
        """Return the image of the pixel with this id or short id; the transparent image if it has none."""
        now = self._monotonic()
        kept = self._kept.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        if now < self._ask_again:
            return TRANSPARENT_PNG if kept is None else kept[1]
        try:
            image = self._load(key)
        except ImageNotFound:
            image = TRANSPARENT_PNG
        except StorageError as error:
            self._ask_again = self._monotonic() + CACHE_SECONDS
            _logger.warning("A pixel's image can't be looked up: %s", error)
            return TRANSPARENT_PNG if kept is None else kept[1]
        self._keep(key, now + CACHE_SECONDS, image)
        return image

    def forget(self, key: str) -> None:
        """Drop this pixel's image, so that the next `get` loads it again."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if kept := self._kept.pop(key, None):
            self._bytes -= len(kept[1].data) + _OVERHEAD

    def _keep(self, key: str, until: float, image: Image) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = (until, image)
            self._bytes += len(image.data) + _OVERHEAD
            while self._bytes > MAX_BYTES and len(self._kept) > 1:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._bytes -= len(dropped.data) + _OVERHEAD
