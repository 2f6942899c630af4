"""Forks of the process: everything with a lock or a connection comes to rest before, and goes on after."""

import os
import threading
import weakref
from typing import Protocol


class Forkable(Protocol):
    """An object that must come to rest before its process forks."""

    def before_fork(self) -> None:
        """Come to rest: nothing is half done when this returns, and nothing begins until `after_fork`."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Go on, in the parent or in the child."""
        ...


_watched: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_resting: list[Forkable] = []
_forking = threading.Lock()  # guards `_resting`: two threads may fork at once


def watch(forkable: Forkable) -> None:
    """Call an object back, as long as it lives, around each `os.fork`. Harmless where it is done already."""
    _watched.add(forkable)


class ForkSafeLock:
    """A lock that is free, with whole data behind it, in a forked child, whatever other threads were doing."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        watch(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Wait for the lock, and take it."""
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:  # noqa: ARG002  # it is free again in both
        """Release the lock."""
        self._lock.release()


def _before() -> None:
    _forking.acquire()
    # The locks first: a thread that has one may be about to use the other objects, and none that uses those waits for
    # such a lock.
    for forkable in sorted(_watched, key=lambda one: not isinstance(one, ForkSafeLock)):
        forkable.before_fork()
        _resting.append(forkable)


def _after(*, child: bool) -> None:
    while _resting:
        _resting.pop().after_fork(child=child)
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
