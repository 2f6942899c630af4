"""`BackgroundThread`: a thread that leaves signals to the main thread."""

import signal
import threading
from collections.abc import Callable

# All but those that a thread causes by what it does.
_SIGNALS = signal.valid_signals() - {
    getattr(signal, name, None) for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")
}


class BackgroundThread(threading.Thread):
    """A daemon thread that the system never hands a signal of its process to.

    Python calls handlers in the main thread. A signal that another thread gets does not wake the main one up where it
    waits for a lock without a limit, so a server would not end at SIGTERM. A thread that starts others, as one that
    sends does, now and then gets a signal that was on its way to the main thread.

    A process that this thread starts has all these signals blocked, so it must not run the code of users.

    Args:
        target: what it runs.
        name: its name.
    """

    def __init__(self, target: Callable[[], object], *, name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, which inherits what is blocked here meanwhile."""
        if not hasattr(signal, "pthread_sigmask"):  # Windows has no such signals
            super().start()
            return
        former = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
