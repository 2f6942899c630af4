"""Faults of disk and database under a running server: images go out, the API says when to come back, and all heals."""

import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mailtrack._images.check import TRANSPARENT_PNG

PIXELS, TOKENS = "/api/v1/pixels", "/api/v1/pixels/{id}/generate-tokens"
BODY = {"name": "Next", "emails": ["ann@example.org"]}


def post(running, pixel, path):
    return running("POST", path.format_map(pixel), json_body=BODY)


def is_tracking(running, pixel, user_agent):
    answer = running("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": user_agent})
    return (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)


@contextmanager
def full_disk(running):
    """Let no file of the server grow: neither database, nor spool, nor log."""
    processes = [running.process.pid, *running.workers()]
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def locked_database(running):
    with closing(sqlite3.connect(running.folder / "mailtrack.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs a limit that is set from outside")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find the workers")
@pytest.mark.parametrize(
    ("fault", "kept", "refused"),
    [
        pytest.param(full_disk, False, [PIXELS, TOKENS], id="full disk"),
        pytest.param(locked_database, True, [PIXELS], id="database locked by another process"),
    ],
)
def test_the_server_goes_on_as_far_as_it_can_and_heals_by_itself(start, fault, kept, refused):
    running = start()
    pixel = running.create_pixel()
    with fault(running), ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(post, running, pixel, path) for path in refused]  # they wait for a lock
        assert all(is_tracking(running, pixel, f"during {number}") for number in range(20))
        for answer in (each.result() for each in asked):
            assert (answer.status, list(answer.json), answer.headers["Retry-After"].isdigit()) == (503, ["error"], True)
        assert running("GET", f"/api/v1/pixels/{pixel['id']}").json["recipients"] == 0
        assert running("GET", f"/logs/{pixel['id']}").status == 200
        assert is_tracking(running, pixel, "at the end")
    assert [post(running, pixel, path).status for path in (PIXELS, TOKENS)] == [201, 201]
    assert is_tracking(running, pixel, "after")
    assert running.stop() == 0
    during = [f"during {number}" for number in range(20)] + ["at the end"] if kept else []
    assert running.opens(pixel) == [*during, "after"]
