"""`mailtrack spool`."""

import json

import attrs
import pytest

from mailtrack import Spool
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line

EMPTY = {"segments": 0, "bytes": 0, "hits": 0, "deadLetters": 0}


@pytest.fixture
def left(tmp_path, pixel):
    """What a process that ended left in the spool beside the default database: three hits of a pixel."""
    spool = Spool(tmp_path / "mailtrack.db.spool")
    spool.open()
    for number in range(3):
        spool.append(to_line(attrs.evolve(make_hit(pixel), user_agent=f"#{number}")))
    spool.close()
    return spool


def stored(tracker, pixel):
    return sorted(found.user_agent for found in tracker.list_opens(pixel.id).items)


def test_status_tells_how_much_waits(run, left):
    told = json.loads(run("spool", "status", "--json").stdout)
    size = sum(path.stat().st_size for path in left.folder.iterdir())
    assert told == {"segments": 1, "bytes": size, "hits": 3, "deadLetters": 0}


@pytest.mark.usefixtures("left")
def test_status_is_a_table_without_json(run):
    lines = run("spool", "status").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Segments", "Hits", "Dead letters"]


@pytest.mark.usefixtures("tracker")
def test_status_of_a_spool_that_was_never_used_is_all_zero(run):
    assert json.loads(run("spool", "status", "--json").stdout) == EMPTY


@pytest.mark.usefixtures("left")
def test_inspect_prints_the_lines_that_wait(run):
    lines = run("spool", "inspect").stdout.splitlines()
    assert [line.split("\t")[7] for line in lines] == ["#0", "#1", "#2"]


@pytest.mark.usefixtures("left")
def test_drain_stores_what_waits(run, tracker, pixel):
    result = run("spool", "drain")
    assert result.output == "Stored 3 hits.\n"
    assert stored(tracker, pixel) == ["#0", "#1", "#2"]


@pytest.mark.usefixtures("left")
def test_drain_leaves_nothing_in_the_spool(run):
    run("spool", "drain")
    assert json.loads(run("spool", "status", "--json").stdout) == EMPTY


@pytest.mark.usefixtures("left")
def test_drain_twice_stores_once(run, tracker, pixel):
    run("spool", "drain")
    assert run("spool", "drain").output == "Stored 0 hits.\n"
    assert len(stored(tracker, pixel)) == 3


@pytest.mark.parametrize("way", ["option", "environment"])
def test_the_folder_is_named_by_the_settings(run, left, tmp_path, way):
    left.folder.rename(tmp_path / "elsewhere")
    options = ["--spool", "elsewhere"] if way == "option" else []
    environment = {"MAILTRACK_SPOOL": "elsewhere"} if way == "environment" else {}
    assert json.loads(run("spool", "status", "--json", *options, environment=environment).stdout)["hits"] == 3


@pytest.mark.parametrize("command", ["status", "inspect", "drain"])
@pytest.mark.parametrize("options", [["--spool", "off"], ["--database", "memory://"]], ids=["off", "no folder"])
def test_a_storage_without_a_spool_is_wrong_usage(run, command, options):
    result = run("spool", command, *options, exits=2)
    assert result.stderr.splitlines()[-1] == "Error: --spool: this storage has none by default; name its folder"
