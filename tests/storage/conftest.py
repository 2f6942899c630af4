"""SQLite connections that can be watched, made to fail, and made to kill their process."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from mailtrack.storage._sqlite import SQLiteStorage


class SpyConnection(sqlite3.Connection):
    """Remembers its users; fails, or kills its process, on request."""

    made: ClassVar[list[Self]] = []
    fail_statement: ClassVar[int] = 0  # the how manieth statement from now fails; 0 for none
    kill_at: ClassVar[str] = ""  # "before COMMIT" or "after COMMIT"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pid = os.getpid()
        self.users: set[tuple[int, int]] = set()
        self.made.append(self)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self._do(super().execute, sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self._do(super().executemany, sql, *args)

    def _do(self, method: Any, sql: str, *args: Any) -> Any:
        self.users.add((os.getpid(), threading.get_ident()))
        if type(self).fail_statement:
            type(self).fail_statement -= 1
            if not type(self).fail_statement:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
        if self.kill_at == f"before {sql}":
            os.kill(os.getpid(), signal.SIGKILL)
        found = method(sql, *args)
        if self.kill_at == f"after {sql}":
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    def interrupt_after(self, steps: int) -> None:
        """Interrupt, once, whatever SQLite does after so many steps of 20 instructions."""
        left = iter(range(steps))
        interrupted = False

        def step() -> bool:
            nonlocal interrupted
            if next(left, None) is None and not interrupted:
                interrupted = True
                return True
            return False

        self.set_progress_handler(step, 20)

    def kill_after(self, steps: int) -> None:
        """Kill the process after so many steps of 1,000 instructions."""
        left = iter(range(steps))
        self.set_progress_handler(lambda: next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL), 1000)

    def count_instructions(self, call: Any) -> int:
        """Return how many instructions of SQLite a call takes."""
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        self.set_progress_handler(step, 1)
        try:
            call()
        finally:
            self.set_progress_handler(None, 0)
        return count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mail.db"


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch) -> type[SpyConnection]:
    """From now on every connection is a spy."""

    class Spy(SpyConnection):
        made: ClassVar[list[SpyConnection]] = []

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Spy))
    return Spy


@pytest.fixture
def storage(path: Path, spies: type[SpyConnection]) -> Iterator[SQLiteStorage]:
    with SQLiteStorage(path) as storage:
        spies.made.clear()  # those that prepared the file
        yield storage
