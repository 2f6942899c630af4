"""What the tests of the spool share: a folder, spools that are closed, and other processes that use the folder too."""

import json
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailtrack import Storage, open_storage
from mailtrack._ingest.drain import drain
from mailtrack._ingest.lines import from_line
from mailtrack._model import Hit
from mailtrack._spool import Reader, Spool, inspect
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line

_SECONDS = 30  # that something which must happen may take
_CHILD_SECONDS = 60  # a child that hangs is ended by its alarm


class Talk:
    """One end of a conversation between two processes."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = os.fdopen(reading)
        self._writing = os.fdopen(writing, "w")

    def tell(self, message: Any = None) -> None:
        self._writing.write(json.dumps(message) + "\n")
        self._writing.flush()

    def hear(self) -> Any:
        line = self._reading.readline()
        assert line, "the other process is gone"
        return json.loads(line)

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


class Neighbour:
    """Another process: it does a task, with a `Talk` to this one, and lives on until it is killed."""

    def __init__(self, task: Callable[[Talk], None]) -> None:
        down, up = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._live(task, Talk(down[0], up[1]))
        os.close(down[0])
        os.close(up[1])
        self._talk = Talk(up[0], down[1])
        self.tell, self.hear = self._talk.tell, self._talk.hear

    @staticmethod
    def _live(task: Callable[[Talk], None], talk: Talk) -> None:
        try:
            signal.alarm(_CHILD_SECONDS)
            try:
                task(talk)
            except BaseException:  # noqa: BLE001  # the parent reads it
                talk.tell(traceback.format_exc())
            while True:
                signal.pause()
        finally:
            os._exit(1)

    def kill(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
            self._talk.close()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for something that must happen."""

    def wait_until(condition: Callable[[], object]) -> None:
        pause = threading.Event()
        for _ in range(_SECONDS * 100):
            if condition():
                return
            pause.wait(0.01)
        raise AssertionError("it did not happen")

    return wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mail.spool"


@pytest.fixture
def make_spool(folder: Path) -> Iterator[Callable[..., Spool]]:
    """Makes spools on the folder, open by default."""
    made: list[Spool] = []

    def make(*, opened: bool = True, **options: Any) -> Spool:
        made.append(Spool(folder, **options))
        if opened:
            made[-1].open()
        return made[-1]

    yield make
    for spool in made:
        spool.close()


@pytest.fixture
def make_reader(folder: Path) -> Iterator[Callable[..., Reader]]:
    """Makes readers of the folder, which lead unless told otherwise."""
    made: list[Reader] = []

    def make(*, leads: bool = True, **options: Any) -> Reader:
        made.append(Reader(folder, **options))
        if leads:
            assert made[-1].lead()
        return made[-1]

    yield make
    for reader in made:
        reader.release()


@pytest.fixture
def take(make_reader: Callable[..., Reader]) -> Callable[..., list[Hit]]:
    """Acknowledges all that waits, and returns its hits; by a new reader where none is given."""

    def take(reader: Reader | None = None) -> list[Hit]:
        used = reader or make_reader()
        found: list[Hit] = []
        drain(used, found.extend)
        if reader is None:
            used.release()
        return found

    return take


@pytest.fixture
def leave(folder: Path) -> Callable[..., Path]:
    """Writes a segment as a dead process leaves it."""

    def leave(*lines: bytes, name: str = "1.spool") -> Path:
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"".join(lines))
        return folder / name

    return leave


@pytest.fixture
def neighbour() -> Iterator[Callable[[Callable[[Talk], None]], Neighbour]]:
    """Starts other processes."""
    started: list[Neighbour] = []

    def start(task: Callable[[Talk], None]) -> Neighbour:
        started.append(Neighbour(task))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def hits() -> list[Hit]:
    return [make_hit("a1b2c3d4") for _ in range(10)]


@pytest.fixture
def lines(hits: list[Hit]) -> list[bytes]:
    """The lines of the hits."""
    return [to_line(hit) for hit in hits]


@pytest.fixture
def waiting(folder: Path) -> Callable[[], list[Hit]]:
    """Returns the hits in the folder, of all owners."""
    return lambda: [from_line(line) for line in inspect(folder)]


@pytest.fixture
def files(folder: Path) -> Callable[[], list[Path]]:
    """Returns the segments in the folder."""
    return lambda: sorted(folder.glob("*.spool"))


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/mail.db"}
    with open_storage(urls[request.param]) as storage:
        yield storage
