"""A reference server on PostgreSQL: it reads from a replica, and goes on through what happens to the servers."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailtrack import Tracker, open_storage
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.storage._postgres import PostgresStorage

SECONDS = 60
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1 mail/{}"


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def read(running: Any, pixel: dict[str, Any], number: int) -> None:
    """Load the image of a pixel, as a mail program does; it comes whatever happens."""
    began = time.monotonic()
    agent = {"User-Agent": THUNDERBIRD.format(number)}
    answer = running("GET", f"/tracker/{pixel['id'][:8]}.png", headers=agent)
    assert (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)
    assert time.monotonic() - began < 5  # far less than the database would be waited for


def create(running: Any) -> Any:
    return running("POST", "/api/v1/pixels", json_body={"name": "Next"})


def count(url: str, pixel: dict[str, Any]) -> int:
    with open_storage(url) as storage:
        return storage.get_pixel(pixel["id"]).opens.raw.number


def assert_comes_back(answer: Any) -> None:
    assert (answer.status, list(answer.json), answer.headers["Retry-After"].isdigit()) == (503, ["error"], True)


@contextlib.contextmanager
def unanswering(database: Any) -> Iterator[None]:
    """Stop a server and its backends, as a machine that hangs does: connections stay open, and nothing answers."""
    stopped = [*database.backends(), database.process.pid]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


@contextlib.contextmanager
def exhausted(database: Any) -> Iterator[None]:
    """Let no one of the role connect any more, and end the connections that there are."""
    with database.connect() as db:
        db.execute("ALTER ROLE app CONNECTION LIMIT 0")
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
    try:
        yield
    finally:
        with database.connect() as db:
            db.execute("ALTER ROLE app CONNECTION LIMIT -1")


@contextlib.contextmanager
def restarted(database: Any) -> Iterator[None]:
    """Crash a server, and start it again."""
    database.stop(signal.SIGQUIT)
    try:
        yield
    finally:
        database.start()


@pytest.fixture
def url(postgres: Any, request: pytest.FixtureRequest) -> str:
    """The URL of tables of its own, for a role that is no superuser."""
    with postgres.connect() as db:
        if not db.execute("SELECT 1 FROM pg_roles WHERE rolname = 'app'").fetchone():
            db.execute("CREATE ROLE app LOGIN PASSWORD 'secret'")
            db.execute("GRANT CREATE ON DATABASE mail TO app")
    schema = f"faults_{abs(hash(request.node.name))}"
    return str(postgres.url(schema=schema)).replace("mailtrack:", "app:")


@pytest.mark.parametrize("fault", [unanswering, exhausted, restarted])
def test_while_the_database_fails_images_go_out_and_all_heals_by_itself(
    fault: Any, postgres: Any, url: str, run_server: Any, tmp_path: Path
) -> None:
    with run_server(tmp_path, "--database", url) as running:
        pixel = running.create_pixel()
        read(running, pixel, 0)
        until(lambda: count(url, pixel) == 1)
        with fault(postgres):
            for number in range(1, 11):
                read(running, pixel, number)
            assert_comes_back(create(running))
            assert_comes_back(running("GET", "/readyz"))
            read(running, pixel, 11)
        until(lambda: create(running).status == 201)
        until(lambda: count(url, pixel) == 12)
        assert running.stop() == 0
        assert "secret" not in running.printed()


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk that 16 MiB fill."""
    folder = tmp_path_factory.mktemp("disk")
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system of its own can't be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def full_url(small_disk: Path, postgres: Any) -> Iterator[str]:
    """The URL of a database on that disk."""
    place = small_disk / "tables"
    place.mkdir()
    for folder in (small_disk, *list(small_disk.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    if os.geteuid() == 0:
        shutil.chown(place, "nobody", "nogroup")
    with postgres.connect("postgres") as db:
        db.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        db.execute("CREATE DATABASE small TABLESPACE small")
        try:
            yield postgres.url("small")
        finally:
            db.execute("DROP DATABASE small WITH (FORCE)")
            db.execute("DROP TABLESPACE small")


def test_a_full_disk_of_the_database_delays_opens_and_heals(
    small_disk: Path, full_url: str, run_server: Any, tmp_path: Path
) -> None:
    with run_server(tmp_path, "--database", full_url) as running:
        pixel = running.create_pixel()
        with (small_disk / "ballast").open("wb") as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"x" * 2**16)
                ballast.flush()
        body = {"emails": [f"r{number}@example.org" for number in range(5000)]}
        path = f"/api/v1/pixels/{pixel['id']}/generate-tokens"
        assert_comes_back(running("POST", path, json_body=body))
        for number in range(10):
            read(running, pixel, number)
        assert running("GET", f"/api/v1/pixels/{pixel['id']}").json["recipients"] == 0
        (small_disk / "ballast").unlink()
        assert running("POST", path, json_body=body).status == 201
        until(lambda: count(full_url, pixel) == 10)
        assert running.stop() == 0


def test_a_standby_as_database_is_read_and_written_once_it_is_promoted(
    replicated: Any, run_server: Any, tmp_path: Path
) -> None:
    primary, standby = replicated
    with PostgresStorage(primary.url()) as storage:
        pixel = {"id": Tracker(storage).create_pixel("Spring").id}
    with type(standby)(primary) as second, run_server(tmp_path, "--database", second.url()) as running:
        assert running("GET", f"/logs/{pixel['id']}").status == 200
        assert running("GET", "/readyz").status == 200
        assert_comes_back(create(running))
        for number in range(5):
            read(running, pixel, number)
        second.promote()
        until(lambda: create(running).status == 201)
        until(lambda: count(second.url(), pixel) == 5)
        assert running.stop() == 0


def test_pages_and_the_api_read_from_a_replica_and_say_how_old_it_is(
    replicated: Any, run_server: Any, tmp_path: Path
) -> None:
    primary, standby = replicated
    with run_server(tmp_path, "--database", primary.url(), "--read-url", standby.url(), "--workers", "2") as running:
        pixel = running.create_pixel()
        log = f"/logs/{pixel['id']}"
        for _ in range(4):  # whichever worker answers, it shows what another has changed
            assert running("GET", log).status == 200
        read(running, pixel, 0)
        until(lambda: "mail/0" in running("GET", log).data.decode())
        assert b'id="lag"' not in running("GET", log).data
        assert running("GET", "/readyz").json["replicaLag"] is not None
        standby.pause()
        try:
            read(running, pixel, 1)
            until(lambda: count(primary.url(), pixel) == 2)
            said = until(lambda: b'id="lag"' in (page := running("GET", log).data) and page).decode()
            assert "the replica that they are read from is behind" in said
            assert "mail/1" not in said
            metrics = running("GET", "/metrics").data.decode()
            assert "mailtrack_replica_up 1.0" in metrics
            assert until(lambda: running("GET", "/readyz").json["replicaLag"] > 1)
        finally:
            standby.resume()
        until(lambda: "mail/1" in running("GET", log).data.decode())
        standby.stop(signal.SIGQUIT)
        try:
            read(running, pixel, 2)
            until(lambda: "mail/2" in running("GET", log).data.decode())
            until(lambda: running("GET", "/readyz").json == {"status": "ok", "replicaLag": None})  # of each worker
        finally:
            standby.start()
        until(lambda: running("GET", "/readyz").json["replicaLag"] is not None)
        assert running.stop() == 0
        assert "secret" not in running.printed()
