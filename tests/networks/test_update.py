"""A stored list is replaced by a good one only, as a whole."""

import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.cli._networks.folder import Folder, State
from mailtrack.cli._networks.sources import Source
from mailtrack.cli._networks.update import update
from mailtrack.verdicts._networks import iter_ranges

THEN = datetime(2026, 11, 26, 10, tzinfo=UTC)
GOOD = "".join(f"192.0.2.{2 * number}\n" for number in range(10)).encode()


def stored(folder, name="ours"):
    (networks,) = folder.load([name]).values()
    return networks


@pytest.fixture
def before(site, source, folder):
    """The files of a list of ten ranges that was fetched before."""
    site.publish(GOOD)
    update(source, folder, clock=lambda: THEN)
    return contents(folder)


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.path.iterdir()}


def test_the_first_list_is_stored(site, source, folder):
    site.send(GOOD)
    assert update(source, folder, clock=lambda: THEN).ranges == 10
    assert "192.0.2.18" in stored(folder)
    assert folder.read_state("ours") == State(
        source=site.url(), checked="2026-11-26T10:00:00.000Z", tags={site.url(): {}}
    )
    assert folder.list_file("ours").read_text().startswith(f"# {site.url()}, 2026-11-26T10:00:00.000Z.")


def test_other_users_can_read_the_list(site, source, folder):
    site.send(GOOD)
    umask = os.umask(0o022)
    try:
        update(source, folder)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.list_file("ours").stat().st_mode) == 0o644


@pytest.mark.usefixtures("before")
def test_a_new_list_replaces_the_stored_one(site, source, folder):
    site.publish(b"198.51.100.0/24\n" + GOOD, tag='"2"')
    assert update(source, folder).ranges == 11
    assert "198.51.100.7" in stored(folder)


@pytest.mark.parametrize("names", [("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")])
def test_an_unchanged_list_is_kept_and_counts_as_checked(site, source, folder, names):
    site.publish(GOOD, name=names[0], condition=names[1], tag="Thu, 26 Nov 2026 10:00:00 GMT")
    update(source, folder, clock=lambda: THEN)
    written = folder.list_file("ours").stat()
    later = THEN + timedelta(days=40)
    assert update(source, folder, clock=lambda: later).ranges is None
    assert folder.read_state("ours").checked_at == later
    assert folder.list_file("ours").stat() == written
    assert [names[1] in headers for _, headers in site.requests] == [False, True]


@pytest.mark.usefixtures("before")
def test_a_list_that_is_gone_is_fetched_again(source, folder):
    folder.list_file("ours").unlink()
    assert update(source, folder).ranges == 10


@pytest.mark.usefixtures("before")
def test_the_list_of_another_source_is_fetched_whatever_its_tags(site, folder):
    site.publish(GOOD + b"198.51.100.1\n", path="/other")
    assert update(Source(name="ours", url=site.url("/other")), folder).ranges == 11


@pytest.mark.usefixtures("before")
def test_force_fetches_an_unchanged_list_again(source, folder):
    assert update(source, folder, force=True).ranges == 10


BAD = {
    "html": {"body": b"<html>Sign in</html>"},
    "half": {"body": GOOD, "length": 2 * len(GOOD)},
    "cut": {"body": GOOD[:-4]},
    "empty": {"body": b"# none\n"},
    "short": {"body": b"192.0.2.0\n192.0.2.2\n192.0.2.4\n192.0.2.6\n"},
    "wide": {"body": GOOD + b"0.0.0.0/1\n"},
    "missing": {"status": 404},
    "broken": {"status": 500},
    "elsewhere": {"status": 302, "Location": "http://192.0.2.1/"},
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_a_bad_answer_leaves_all_as_it_was(site, source, folder, before, answer):
    site.send(**({"body": b""} | answer))
    with pytest.raises(UpdateFailed):
        update(source, folder)
    assert contents(folder) == before


def test_a_late_answer_leaves_all_as_it_was(site, source, folder, before):
    site.answers["/list"] = lambda _: site.closing.wait()
    with pytest.raises(UpdateFailed, match="in time"):
        update(source, folder, timeout=0.2)
    assert contents(folder) == before


@pytest.mark.usefixtures("before")
def test_half_as_many_ranges_are_enough_and_force_takes_fewer(site, source, folder):
    site.send(b"\n".join(GOOD.splitlines()[:5]))
    assert update(source, folder).ranges == 5
    site.send(b"192.0.2.0\n192.0.2.9\n")
    with pytest.raises(UpdateFailed, match="2 ranges, less than half of the 5"):
        update(source, folder)
    assert update(source, folder, force=True).ranges == 2


@pytest.mark.usefixtures("before")
def test_a_damaged_list_is_replaced(site, source, folder):
    folder.list_file("ours").write_text("rubbish")
    site.publish(b"192.0.2.1\n", tag='"2"')
    assert update(source, folder).ranges == 1
    assert "192.0.2.1" in stored(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"source": 1}', '{"more": 1}', "\xff"])
@pytest.mark.usefixtures("before")
def test_a_damaged_record_costs_one_more_fetch(source, folder, text):
    (folder.path / "ours.json").write_text(text, encoding="latin-1")
    assert folder.read_state("ours") == State()
    assert update(source, folder).ranges == 10


class TestWithout:
    @pytest.fixture
    def both(self, site):
        site.publish(b'{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]}', path="/all")
        site.publish(b'{"prefixes": [{"ipv4Prefix": "192.0.2.0/26"}]}', path="/customers")
        return Source(name="ours", url=site.url("/all"), without=site.url("/customers"), format="google")

    def test_a_list_is_stored_without_another(self, folder, both):
        update(both, folder)
        assert "192.0.2.63" not in stored(folder)
        assert "192.0.2.64" in stored(folder)

    def test_it_is_unchanged_if_both_are(self, folder, both):
        update(both, folder)
        assert update(both, folder).ranges is None

    @pytest.mark.parametrize("path", ["/all", "/customers"])
    def test_a_change_of_either_makes_a_new_list(self, site, folder, both, path):
        update(both, folder)
        site.publish(b'{"prefixes": [{"ipv4Prefix": "192.0.2.0/25"}]}', path=path, tag='"2"')
        assert update(both, folder).ranges == 1
        assert ("192.0.2.100" in stored(folder)) == (path == "/all")
        assert ("192.0.2.200" in stored(folder)) == (path == "/customers")
        assert update(both, folder).ranges is None

    def test_what_is_taken_out_no_longer_comes_back(self, folder, both):
        update(both, folder)
        assert update(attrs.evolve(both, without=None), folder).ranges == 1
        assert "192.0.2.63" in stored(folder)

    def test_all_taken_out_is_an_empty_list(self, folder, both):
        with pytest.raises(UpdateFailed, match="empty"):
            update(attrs.evolve(both, without=both.url), folder)
        assert not folder.list_file("ours").exists()


def test_a_file_is_a_source(tmp_path, folder):
    file = tmp_path / "relays.csv"
    file.write_bytes(b"192.0.2.0/24,GB,,,\n")
    assert update(Source(name="ours", url=str(file)), folder).ranges == 1
    assert update(Source(name="ours", url=str(file)), folder).ranges == 1


def test_a_file_that_is_not_there_is_reported(tmp_path, folder):
    with pytest.raises(UpdateFailed, match="none: it can't be read: No such file"):
        update(Source(name="ours", url=f"{tmp_path}/none"), folder)


def test_each_request_has_an_id_of_its_own(site, folder):
    source = Source(name="ours", url=site.url("/list?id={uuid}"))
    asked = []

    class Answers(dict):
        def __missing__(self, path):
            asked.append(path.partition("id=")[2])
            site.send(GOOD, path=path)
            return self[path]

    site.answers = Answers()
    update(source, folder)
    update(source, folder)
    assert [len(one) for one in asked] == [36, 36]
    assert asked[0] != asked[1]


KILLED = """
import os, pathlib, signal
replace = pathlib.Path.replace
def killed(self, target):
    if pathlib.Path(target).name == {name!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = killed
from mailtrack.cli._networks.folder import Folder
from mailtrack.cli._networks.sources import Source
from mailtrack.cli._networks.update import update
update(Source(name="ours", url={url!r}), Folder(pathlib.Path({folder!r})))
"""


@pytest.mark.parametrize(("name", "after"), [("ours.txt", 10), ("ours.json", 11)])
@pytest.mark.usefixtures("before")
def test_a_killed_update_leaves_a_whole_list_and_the_next_one_mends_it(site, source, folder, name, after):
    site.publish(GOOD + b"198.51.100.1\n", tag='"2"')
    program = KILLED.format(name=name, url=site.url(), folder=str(folder.path))
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == -9
    assert len(list(iter_ranges(stored(folder), 4))) == after
    assert update(source, folder).ranges == 11
    assert sorted(contents(folder)) == [".lock", "ours.json", "ours.txt"]


def test_two_updates_at_once_fetch_one_after_the_other(site, source, folder):
    site.publish(GOOD)
    barrier = threading.Barrier(4)
    found = []

    def run():
        barrier.wait()
        found.append(update(source, Folder(folder.path)).ranges)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [10, None, None, None]
    assert sorted(contents(folder)) == [".lock", "ours.json", "ours.txt"]
