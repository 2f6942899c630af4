"""Workers of the server end when its main process is gone."""

import os
import signal

from mailtrack._spool import PeriodicThread

_LOOK_SECONDS = 0.25  # a supervisor may start the next server at once
_STOP_SECONDS = 4  # about as long as a running parent would wait


def end_with_parent(parent: int) -> None:
    """End this process when its parent is gone: by SIGTERM, and by SIGALRM if it still runs 4 seconds later.

    An orphaned worker would keep the port from the next server. The alarm works without the interpreter, which slow
    clients may keep busy.

    Args:
        parent: the process id of the parent, taken in the parent: it may be gone already.
    """
    PeriodicThread("mailtrack-parent", _Watch(parent), first_wait=_LOOK_SECONDS).start()


class _Watch:
    """Ends this process if its parent is gone."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __call__(self, *, last: bool) -> float:  # noqa: ARG002  # it is never stopped
        if os.getppid() == self._parent:
            return _LOOK_SECONDS
        signal.alarm(_STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        return 2 * _STOP_SECONDS
