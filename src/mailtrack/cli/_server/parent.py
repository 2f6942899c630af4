"""Worker processes that end when the process that started them is gone."""

import os
import signal

from mailtrack._spool import PeriodicThread

_LOOK_SECONDS = 0.25  # a supervisor may start the next server at once
_STOP_SECONDS = 4  # as long as a worker has that its parent ends


def end_with_parent(parent: int) -> None:
    """End this process when its parent is gone: by SIGTERM, or by SIGALRM if that does not do in 4 seconds.

    A worker that went on alone would hold the port, so that the next server could not have it. The alarm is the
    system's: a worker that slow clients keep from ending may hold the interpreter.

    Args:
        parent: the process id of the parent, as the parent knew it: it may be gone already.
    """
    PeriodicThread("mailtrack-parent", _Watch(parent), first_wait=_LOOK_SECONDS).start()


class _Watch:
    """Looks for the parent, and ends this process where it is gone."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __call__(self, *, last: bool) -> float:  # noqa: ARG002  # it is never stopped
        if os.getppid() == self._parent:
            return _LOOK_SECONDS
        signal.alarm(_STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        return 2 * _STOP_SECONDS
