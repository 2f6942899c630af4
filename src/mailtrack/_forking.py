"""Keep locks, files and connections usable when their process forks."""

import _thread
import os
import threading
import weakref
from typing import Protocol


class Forkable(Protocol):
    """An object that must be idle while its process forks."""

    def before_fork(self) -> None:
        """Finish the work in progress, and start none until `after_fork`."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Resume work, in the parent or in the child."""
        ...


_watched: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_idle: list[Forkable] = []
_forking = threading.Lock()  # guards `_idle`: two threads may fork at once


def watch(forkable: Forkable) -> None:
    """Call the methods of an object around each `os.fork`, for as long as the object lives."""
    _watched.add(forkable)


class ForkSafeLock(_thread.RLock):  # type: ignore[misc]  # final for type checkers only, and `threading.RLock` is a function
    """A lock that is free in a forked child, with its data intact, even if another thread held it in the parent.

    Entering it is one step of C. An `__enter__` in Python could be interrupted by the exception of a signal, and leave
    the lock held for ever.
    """

    def __init__(self) -> None:
        watch(self)

    def before_fork(self) -> None:
        """Acquire the lock."""
        self.acquire()

    def after_fork(self, *, child: bool) -> None:  # noqa: ARG002  # it is free again in both
        """Release the lock."""
        self.release()


def _before() -> None:
    _forking.acquire()
    # Locks first: a thread that holds one may be waiting for another object, and never the other way round.
    for forkable in sorted(_watched, key=lambda one: not isinstance(one, ForkSafeLock)):
        forkable.before_fork()
        _idle.append(forkable)


def _after(*, child: bool) -> None:
    while _idle:
        _idle.pop().after_fork(child=child)
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
