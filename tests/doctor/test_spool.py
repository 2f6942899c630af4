"""What can be seen of a spool from outside."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from mailtrack import Spool
from mailtrack._spool import Reader, dead_letters
from mailtrack.cli._doctor.spool import check_spool
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line

GOOD = {"spool": "ok", "dead-letters": "ok"}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "mailtrack.db.spool"
    path.mkdir()
    return path


@pytest.fixture
def left(folder):
    """A spool in which a hit waits."""
    spool = Spool(folder)
    spool.open()
    spool.append(to_line(make_hit("a1b2c3d4")))
    spool.close()


@pytest.fixture
def drained(folder):
    """Lets another process lead."""

    @contextmanager
    def lead():
        reader = Reader(folder)
        assert reader.lead()
        yield reader
        reader.release()

    return lead


@pytest.fixture
def check(folder, outcomes):
    """Looks at the spool, as if so much time had passed."""
    return lambda after=timedelta(): outcomes(check_spool(folder, datetime.now(UTC) + after))


def test_a_spool_that_was_never_used_is_skipped(check, folder):
    folder.rmdir()
    assert check() == {"spool": "skipped"}
    assert not folder.exists()


def test_an_empty_one_is_fine_with_and_without_a_server(check, drained):
    assert check() == GOOD
    with drained():
        assert check() == GOOD


@pytest.mark.usefixtures("left")
def test_what_waits_for_nobody_fails(check):
    assert check() == {**GOOD, "spool": "failed"}


@pytest.mark.usefixtures("left")
def test_what_waits_for_a_moment_is_fine(check, drained):
    with drained():
        assert check() == GOOD


@pytest.mark.usefixtures("left")
def test_what_waits_for_minutes_fails(check, drained):
    with drained():
        assert check(timedelta(minutes=5)) == {**GOOD, "spool": "failed"}


def test_an_empty_file_of_a_running_server_may_be_old(check, folder, drained):
    spool = Spool(folder)
    spool.open()
    with drained():
        assert check(timedelta(days=1)) == GOOD
    spool.close()


def test_to_look_takes_the_lead_from_nobody_and_keeps_it_from_nobody(check, drained):
    with drained() as reader:
        check()
        assert reader.leads
    check()
    with drained():
        pass


def test_dead_letters_are_a_warning(check, folder):
    dead_letters.keep(folder, [b"damaged"])
    assert check() == {**GOOD, "dead-letters": "warning"}


def test_a_folder_that_can_not_be_read_fails(check, folder):
    folder.rmdir()
    folder.touch()
    assert check()["spool"] == "failed"
