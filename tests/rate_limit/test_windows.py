"""The moving windows of the rate limit, in a file and in memory."""

import os
import sqlite3
import stat
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mailtrack import StorageUnavailable, open_storage
from mailtrack_wsgi._rate_limit import TokenLimiter, sqlite
from mailtrack_wsgi._rate_limit.sqlite import SQLiteWindows

HOUR, YEAR = 3600.0, 365 * 86_400.0


class Clock:
    """Returns the seconds it was set to."""

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
    return [windows.ask(client, limit=2, seconds=60).granted for _ in range(times)]


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
        taken = [windows.ask("ann", limit=2, seconds=60, cost=cost).granted for cost in (3, 1, 2, 1)]
        assert taken == [False, True, False, True]

    def test_a_decision_comes_with_the_window_of_its_own_moment(self, windows: SQLiteWindows, clock: Clock) -> None:
        found = [windows.ask("ann", limit=2, seconds=60)]
        clock.now += 30
        found += [windows.ask("ann", limit=2, seconds=60) for _ in range(2)]
        assert found == [(True, 1, 60.0), (True, 0, 30.0), (False, 0, 30.0)]

    def test_to_look_counts_nothing(self, windows: SQLiteWindows, clock: Clock) -> None:
        found = [windows.ask("ann", limit=2, seconds=60, cost=0) for _ in range(3)]
        ask(windows, 2)
        clock.now += 10
        found.append(windows.ask("ann", limit=2, seconds=60, cost=0))
        assert found == [(True, 2, 60.0)] * 3 + [(True, 0, 50.0)]

    def test_windows_of_different_lengths_do_not_shorten_each_other(self, windows: SQLiteWindows, clock: Clock) -> None:
        windows.ask("hour", limit=1, seconds=3600)
        clock.now += 61
        ask(windows, client="minute")
        assert not windows.ask("hour", limit=1, seconds=3600).granted

    def test_each_call_is_one_transaction(self, windows: SQLiteWindows, monkeypatch: pytest.MonkeyPatch) -> None:
        statements: list[str] = []
        connect = sqlite.sqlite3.connect

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **options)
            connection.set_trace_callback(statements.append)
            return connection

        monkeypatch.setattr(sqlite.sqlite3, "connect", traced)
        ask(windows, 2)
        assert [statements.count(text) for text in ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")] == [2, 2, 0]


class TestClock:
    @pytest.mark.parametrize("jump", [-HOUR, -YEAR])
    def test_when_it_jumps_back_nothing_is_let_through_and_nobody_waits_longer_than_the_window(
        self, windows: SQLiteWindows, clock: Clock, jump: float
    ) -> None:
        ask(windows, 2)
        clock.now += jump
        before = windows.ask("ann", limit=2, seconds=60)
        assert before == (False, 0, 60.0)
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

    def test_one_of_before_windows_had_lengths_goes_on_counting(self, path: Path, clock: Clock) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                f"""PRAGMA application_id = {0x6D746C31};
                CREATE TABLE requests (client BLOB NOT NULL, at REAL NOT NULL);
                CREATE INDEX requests_of_client ON requests (client, at);
                CREATE INDEX requests_by_time ON requests (at)"""
            )
            db.execute("INSERT INTO requests VALUES (?, ?)", (sha256(b"ann").digest(), clock.now))
            db.commit()
        clock.now += 899
        assert SQLiteWindows(path, clock=clock).ask("ann", limit=1, seconds=900) == (False, 0, 1.0)
        clock.now += 1.1
        assert SQLiteWindows(path, clock=clock).ask("ann", limit=1, seconds=900).granted


class TestFaults:
    def refused(self, path: Path) -> bool:
        """Return whether a request that can't be counted is refused, with a reason."""
        with pytest.raises(StorageUnavailable, match="can't be counted"):
            ask(SQLiteWindows(path))
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
