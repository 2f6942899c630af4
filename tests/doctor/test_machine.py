"""Files, disk space and time."""

from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest

from mailtrack.cli._doctor import machine
from mailtrack.cli._doctor.machine import check_clock, check_permissions, check_server_clock, check_space, times_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MEBIBYTE = 1024 * 1024


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mailtrack.db"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [(0o600, "ok"), (0o660, "ok"), (0o604, "warning"), (0o644, "warning"), (0o602, "failed"), (0o666, "failed")],
)
def test_what_others_may_do_with_a_file(file, outcomes, mode, outcome):
    file.chmod(mode)
    found = check_permissions([file])
    assert outcomes([found]) == {"permissions": outcome}
    assert outcome == "ok" or str(file) in found.found


def test_a_folder_that_others_may_enter_is_a_warning(tmp_path, outcomes):
    tmp_path.chmod(0o711)
    assert outcomes([check_permissions([tmp_path])]) == {"permissions": "warning"}


def test_files_that_are_not_there_are_passed_over(file, tmp_path, outcomes):
    file.chmod(0o600)
    assert outcomes([check_permissions([file, tmp_path / "mailtrack.db-wal"])]) == {"permissions": "ok"}
    assert outcomes([check_permissions([tmp_path / "mailtrack.db-wal"])]) == {"permissions": "skipped"}


@pytest.mark.parametrize(("free", "outcome"), [(10, "failed"), (100, "warning"), (1023, "warning"), (1024, "ok")])
def test_free_space(tmp_path, monkeypatch, outcomes, free, outcome):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage(free * MEBIBYTE))
    assert outcomes([check_space("disk", tmp_path, wanted=1024 * MEBIBYTE)]) == {"disk": outcome}


def test_the_space_for_a_folder_that_is_still_to_be_made_is_that_of_its_disk(tmp_path, monkeypatch):
    asked = []
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: asked.append(path) or usage(1024 * MEBIBYTE))
    check_space("spool-disk", tmp_path / "to" / "come", wanted=1)
    assert asked == [tmp_path]


def test_a_disk_that_can_not_be_looked_at_fails(tmp_path, monkeypatch, outcomes):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.shutil, "disk_usage", refuse)
    assert outcomes([check_space("disk", tmp_path, wanted=1)]) == {"disk": "failed"}


@pytest.mark.parametrize(
    ("now", "stored", "outcome"),
    [
        pytest.param(NOW, [NOW - timedelta(days=1), NOW + timedelta(seconds=30)], "ok", id="fine"),
        pytest.param(NOW, [], "ok", id="nothing stored"),
        pytest.param(NOW, [NOW, NOW + timedelta(hours=1)], "warning", id="set back by an hour"),
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), [], "failed", id="never set"),
    ],
)
def test_the_time_here(outcomes, now, stored, outcome):
    assert outcomes([check_clock(now, [("The newest open", at) for at in stored])]) == {"clock": outcome}


@pytest.mark.parametrize(
    ("difference", "outcome"),
    [
        (timedelta(0), "ok"),
        (timedelta(seconds=59), "ok"),
        (timedelta(hours=1), "warning"),
        (timedelta(days=-1), "warning"),
    ],
)
def test_the_time_there(outcomes, difference, outcome):
    found = check_server_clock(NOW, NOW + difference)
    assert outcomes([found]) == {"server-clock": outcome}
    assert outcome == "ok" or ("ahead of" in found.found) == (difference > timedelta(0))


def test_the_last_changes_of_files_are_told(file, tmp_path):
    ((what, at),) = times_of([file, tmp_path / "none"])
    assert what == f"The last change of {file}"
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)
