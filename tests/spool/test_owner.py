"""A spool says whose it is, and another database neither uses nor stores what waits in it."""

import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtrack import InvalidSetting, Spool, StorageUnavailable, Tracker, open_storage
from mailtrack._spool.owner import FILE, Owner, SpoolOfAnother, check_owner, claim, read_owner
from mailtrack._spool.segment import Segment
from mailtrack.cli import main

OURS, OTHERS = Owner("1" * 32, "/srv/ours.db"), Owner("2" * 32, "postgresql://db.example.org/mail")
SECONDS = 30


class TestClaim:
    def test_a_folder_that_is_new_or_has_no_note_gets_one(self, folder: Path) -> None:
        claim(folder, OURS)
        assert read_owner(folder) == OURS
        assert (folder / FILE).stat().st_mode & 0o777 == 0o600
        (folder / FILE).unlink()
        (folder / "1.spool").write_bytes(b"a line\n")  # from an earlier version
        claim(folder, OURS)
        assert read_owner(folder) == OURS
        assert sorted(path.name for path in folder.iterdir()) == ["1.spool", FILE]

    def test_its_owner_may_move(self, folder: Path) -> None:
        claim(folder, OURS)
        moved = Owner(OURS.id, "/elsewhere/ours.db")
        (folder / "1.spool").write_bytes(b"a line\n")
        claim(folder, moved)
        assert read_owner(folder) == moved

    def test_lines_of_another_are_left_to_it_and_the_error_names_both(self, folder: Path) -> None:
        claim(folder, OTHERS)
        (folder / "1.spool").write_bytes(b"a line\n")
        with pytest.raises(SpoolOfAnother) as raised:
            claim(folder, OURS)
        assert raised.value.name == "spool"
        for part in (str(folder), OURS.name, OTHERS.name, "--spool", "mailtrack spool drain"):
            assert part in str(raised.value)
        with pytest.raises(SpoolOfAnother):
            check_owner(folder, OURS)
        assert read_owner(folder) == OTHERS

    def test_one_without_lines_is_free_unless_a_process_writes_into_it(self, folder: Path) -> None:
        claim(folder, OTHERS)
        segment = Segment.create(folder)
        with pytest.raises(SpoolOfAnother):
            claim(folder, OURS)
        segment.close()
        claim(folder, OURS)
        assert read_owner(folder) == OURS

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "1"}', "\xff"])
    def test_a_damaged_note_is_written_again(self, folder: Path, text: str) -> None:
        folder.mkdir()
        (folder / FILE).write_bytes(text.encode("latin-1"))
        assert read_owner(folder) is None
        claim(folder, OURS)
        assert read_owner(folder) == OURS


class Databases:
    """Two databases, and one spool."""

    def __init__(self, folder: Path) -> None:
        self.urls = [f"sqlite:///{folder}/{name}.db" for name in ("first", "second")]
        self.spool = folder / "mailtrack.spool"

    def leave_hit(self) -> str:
        """Leave a hit of a pixel of the first in the spool, and return its id."""
        with open_storage(self.urls[0]) as storage:
            spool = Spool(self.spool)
            tracker = Tracker(storage, spool=spool)
            pixel = tracker.create_pixel("Spring")
            tracker._recorder._claim(spool)
            spool.open()
            tracker.record(pixel.id)
            spool.close()
        return pixel.id

    def run(self, number: int, *arguments: str) -> object:
        return CliRunner().invoke(main, ["--database", self.urls[number], "--spool", str(self.spool), *arguments])


@pytest.fixture
def databases(tmp_path: Path) -> Databases:
    return Databases(tmp_path)


def test_two_storages_have_ids_of_their_own_which_a_copy_of_the_file_keeps(databases: Databases) -> None:
    ids = []
    for url in databases.urls:
        with open_storage(url) as storage:
            ids.append(storage.get_setting("id"))
    assert len(set(ids)) == 2
    assert {len(one) for one in ids} == {32}


def test_a_tracker_of_another_database_does_not_start_with_it(databases: Databases) -> None:
    pixel = databases.leave_hit()
    with open_storage(databases.urls[1]) as storage:
        tracker = Tracker(storage, spool=Spool(databases.spool))
        with pytest.raises(InvalidSetting, match=r"first\.db.*second\.db"):
            tracker.start()
        tracker.stop(timeout=SECONDS)
    with open_storage(databases.urls[0]) as storage:
        tracker = Tracker(storage, spool=Spool(databases.spool))
        tracker.start()
        assert tracker.stop(timeout=SECONDS)
        assert tracker.get_pixel(pixel).opens.raw.number == 1


def test_where_the_storage_does_not_answer_at_the_start_hits_are_taken_and_wait_for_theirs(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wait_until
) -> None:
    pixel = databases.leave_hit()

    def fail(_: str) -> None:
        raise StorageUnavailable("locked")

    with open_storage(databases.urls[1]) as storage, caplog.at_level(logging.WARNING):
        with monkeypatch.context() as patched:
            patched.setattr(storage, "get_setting", fail)
            tracker = Tracker(storage, spool=Spool(databases.spool))
            tracker.start()
            tracker.record(pixel)
        wait_until(lambda: "of another database" in caplog.text)
        assert not tracker.stop(timeout=0.1)
    wait_until(lambda: databases.run(0, "spool", "drain").exit_code == 0)
    with open_storage(databases.urls[0]) as storage:
        assert storage.get_pixel(pixel).opens.raw.number == 2


def test_the_server_does_not_start_with_it(databases: Databases) -> None:
    databases.leave_hit()
    done = databases.run(1, "serve", "--port", "1")  # which it would not come to
    assert done.exit_code == 2
    assert "has opens of another database" in done.output
    assert not list(databases.spool.glob("*-*.spool"))[1:]


def test_the_doctor_sees_it(databases: Databases) -> None:
    databases.leave_hit()
    open_storage(databases.urls[1]).close()
    assert "spool-owner" in databases.run(1, "doctor").output
    assert "spool-owner" not in databases.run(0, "doctor").output


def test_draining_into_another_database_is_refused_unless_that_is_a_copy(databases: Databases) -> None:
    pixel = databases.leave_hit()
    assert CliRunner().invoke(main, ["copy", *databases.urls]).exit_code == 0
    refused = databases.run(1, "spool", "drain")
    assert refused.exit_code == 2
    assert "first.db" in refused.output
    refused = CliRunner().invoke(main, ["--database", databases.urls[1], "spool", "drain", str(databases.spool)])
    assert refused.exit_code == 2
    assert databases.run(1, "spool", "drain", "--force").output == "Stored 1 hit.\n"
    with open_storage(databases.urls[1]) as storage:
        assert storage.get_pixel(pixel).opens.raw.number == 1
        tracker = Tracker(storage, spool=Spool(databases.spool))
        tracker.start()  # it is empty, so it goes over
        assert tracker.stop(timeout=SECONDS)
        assert json.loads((databases.spool / FILE).read_text())["id"] == storage.get_setting("id")
