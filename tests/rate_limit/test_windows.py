"""The moving windows of the rate limit, in a file and in memory."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from limits.errors import StorageError

from mailtrack import StorageUnavailable, open_storage
from mailtrack_wsgi._rate_limit import TokenLimiter, sqlite
from mailtrack_wsgi._rate_limit.sqlite import SQLiteWindows

HOUR, YEAR = 3600.0, 365 * 86_400.0


class Clock:
    """Tells the seconds it was set to."""

    def __init__(self) -> None:
        self.now = 2 * YEAR

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits"


@pytest.fixture(params=["file", "memory"])
def windows(request: pytest.FixtureRequest, path: Path, clock: Clock) -> SQLiteWindows:
    return SQLiteWindows(path if request.param == "file" else None, clock=clock)


def ask(windows: SQLiteWindows, times: int = 1, client: str = "ann") -> list[bool]:
    """Ask for 2 requests in 60 seconds."""
    return [windows.acquire_entry(client, 2, 60) for _ in range(times)]


class TestWindow:
    def test_it_takes_so_many_and_no_more(self, windows: SQLiteWindows) -> None:
        assert ask(windows, 3) == [True, True, False]

    def test_each_client_has_one(self, windows: SQLiteWindows) -> None:
        ask(windows, 2)
        assert ask(windows, 3, "bob") == [True, True, False]

    def test_it_takes_another_when_the_oldest_is_out_of_it(self, windows: SQLiteWindows, clock: Clock) -> None:
        ask(windows)
        clock.now += 30
        ask(windows)
        clock.now += 30.1
        assert ask(windows, 2) == [True, False]

    def test_a_refused_request_does_not_prolong_it(self, windows: SQLiteWindows, clock: Clock) -> None:
        ask(windows, 2)
        clock.now += 59
        ask(windows, 5)
        clock.now += 1.1
        assert ask(windows) == [True]

    def test_several_are_taken_all_or_none(self, windows: SQLiteWindows) -> None:
        taken = [windows.acquire_entry("ann", 2, 60, amount=amount) for amount in (3, 1, 2, 1)]
        assert taken == [False, True, False, True]

    def test_it_tells_its_start_by_the_wall_clock_and_how_many_there_are(
        self, windows: SQLiteWindows, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite.time, "time", lambda: 5000.0)
        empty = windows.get_moving_window("ann", 2, 60)
        ask(windows)
        clock.now += 30
        ask(windows)
        assert (empty, windows.get_moving_window("ann", 2, 60)) == ((5000.0, 0), (4970.0, 2))

    def test_it_is_forgotten_when_told(self, windows: SQLiteWindows) -> None:
        ask(windows, 2)
        ask(windows, 2, "bob")
        windows.clear("ann")
        assert ask(windows) + ask(windows, 1, "bob") == [True, False]

    def test_all_are_forgotten_when_told(self, windows: SQLiteWindows) -> None:
        ask(windows, 2)
        ask(windows, 1, "bob")
        assert (windows.reset(), ask(windows, 2)) == (3, [True, True])

    def test_other_kinds_of_windows_are_refused(self, windows: SQLiteWindows) -> None:
        for call in (lambda: windows.incr("ann", 60), lambda: windows.get("ann"), lambda: windows.get_expiry("ann")):
            with pytest.raises(NotImplementedError):
                call()


class TestClock:
    @pytest.mark.parametrize("jump", [-HOUR, -YEAR])
    def test_when_it_jumps_back_nothing_is_let_through_and_nobody_waits_longer_than_the_window(
        self, windows: SQLiteWindows, clock: Clock, jump: float
    ) -> None:
        ask(windows, 2)
        clock.now += jump
        before = ask(windows)
        start, found = windows.get_moving_window("ann", 2, 60)
        assert (before, found, start <= sqlite.time.time()) == ([False], 2, True)
        clock.now += 60.1
        assert ask(windows) == [True]

    def test_it_is_one_that_nobody_can_set(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        windows = SQLiteWindows(path)
        found = ask(windows, 2)
        for jump in (-HOUR, YEAR):
            monkeypatch.setattr(sqlite.time, "time", lambda jump=jump: 1.7e9 + jump)
            found += ask(windows)
        assert found == [True, True, False, False]


class TestFile:
    def test_counts_outlive_their_process(self, path: Path) -> None:
        ask(SQLiteWindows(path), 2)
        assert ask(SQLiteWindows(path)) == [False]

    def test_it_is_for_its_owner_only(self, path: Path) -> None:
        ask(SQLiteWindows(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_no_client_can_be_read_in_it(self, path: Path) -> None:
        ask(SQLiteWindows(path), client="192.0.2.77")
        assert b"192.0.2.77" not in path.read_bytes()

    def test_what_is_over_leaves_no_bytes(self, path: Path, clock: Clock) -> None:
        windows = SQLiteWindows(path, clock=clock)
        for number in range(20):
            ask(windows, client=str(number))
        with closing(sqlite3.connect(path)) as db:
            clients = [client for (client,) in db.execute("SELECT client FROM requests")]
        before = [client in path.read_bytes() for client in clients]
        clock.now += 60.1
        ask(windows, client="ann")
        assert (before, [client in path.read_bytes() for client in clients]) == ([True] * 20, [False] * 20)

    def test_nothing_else_is_left_beside_it(self, path: Path) -> None:
        ask(SQLiteWindows(path), 3)
        assert [file.name for file in path.parent.iterdir()] == ["limits"]

    def test_its_place_is_that_of_the_start(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        windows = SQLiteWindows(Path("limits"))
        monkeypatch.chdir("/")
        assert (ask(windows), path.exists()) == ([True], True)

    def test_it_comes_back_when_it_was_deleted(self, path: Path) -> None:
        windows = SQLiteWindows(path)
        ask(windows, 2)
        path.unlink()
        assert ask(windows) == [True]

    def test_an_empty_file_is_used(self, path: Path) -> None:
        path.touch()
        assert ask(SQLiteWindows(path), 3) == [True, True, False]


class TestFaults:
    def refused(self, path: Path) -> bool:
        """Tell whether a request that can't be counted is refused, with a reason."""
        windows = SQLiteWindows(path)
        with pytest.raises(StorageError):
            ask(windows)
        with pytest.raises(StorageUnavailable, match="can't be counted"):
            TokenLimiter(f"sqlite:///{path}").ask("192.0.2.1")
        return True

    def test_a_folder_that_is_not_there(self, path: Path) -> None:
        assert self.refused(path / "limits")

    def test_a_folder_in_its_place(self, path: Path) -> None:
        path.mkdir()
        assert self.refused(path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_file_that_can_not_be_written(self, path: Path) -> None:
        ask(SQLiteWindows(path))
        path.chmod(0o400)
        assert self.refused(path)

    def test_a_foreign_file_is_left_as_it_is(self, path: Path) -> None:
        path.write_bytes(b"no database at all\n" * 100)
        assert self.refused(path)
        assert path.read_bytes() == b"no database at all\n" * 100

    def test_a_database_with_pixels_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "mailtrack.db"
        open_storage(f"sqlite:///{path}").close()
        before = path.read_bytes()
        assert self.refused(path)
        assert path.read_bytes() == before

    def test_a_foreign_database_is_left_as_it_is(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE theirs (a)")
        before = path.read_bytes()
        assert self.refused(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("place", [0, 4096, 8192])
    def test_a_damaged_file(self, path: Path, place: int) -> None:
        ask(SQLiteWindows(path))
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"\xff" * 4096)
        assert self.refused(path)

    def test_a_locked_file_and_it_heals(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.01)
        ask(SQLiteWindows(path))
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            assert self.refused(path)
            db.execute("ROLLBACK")
        assert ask(SQLiteWindows(path), 2) == [True, False]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_child_goes_on_counting_with_its_parent(path: Path) -> None:
    windows = SQLiteWindows(path)
    ask(windows)
    child = os.fork()
    if child == 0:
        os._exit(0 if ask(windows, 2) == [True, False] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(windows) == [False]


@pytest.mark.parametrize("place", ["memory://", "sqlite:///{}"])
def test_what_a_client_sent_is_remembered_for_that_client_and_uses_up_nothing(path: Path, place: str) -> None:
    limiter = TokenLimiter(place.format(path))
    limiter.remember("digest", "192.0.2.1")
    assert [limiter.remembers("digest", "192.0.2.1"), limiter.remembers("digest", "192.0.2.2")] == [True, False]
    assert [limiter.remembers("other", "192.0.2.1"), limiter.remembers("digest", "192.0.2.1", key="a")] == [False] * 2
    assert [limiter.ask("192.0.2.1").granted for _ in range(11)] == [True] * 10 + [False]


def test_what_a_client_sent_is_remembered_in_every_process_and_can_not_be_read(path: Path) -> None:
    TokenLimiter(f"sqlite:///{path}").remember("digest", "192.0.2.1")
    assert TokenLimiter(f"sqlite:///{path}").remembers("digest", "192.0.2.1")
    assert b"digest" not in path.read_bytes()
