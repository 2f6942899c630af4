"""`mailtrack spool`: what an operator sees of the spool, and storing what is left."""

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailtrack import open_storage
from mailtrack._spool import Reader
from mailtrack.cli import main
from mailtrack.testing import make_hit
from mailtrack.testing._contract.helpers import add_pixel, all_opens
from mailtrack.testing._factories import to_line


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The storage whose spool is the folder, by default."""
    return f"sqlite:///{tmp_path}/mail"


@pytest.fixture
def pixel(database):
    with open_storage(database) as storage:
        return add_pixel(storage)


@pytest.fixture
def run(database):
    """Runs a command on the storage, or on another one."""

    def run(*arguments: str, database: str = database):
        environment = {name: None for name in os.environ if name.startswith("MAILTRACK_")}
        return CliRunner(env=environment).invoke(main, ["spool", *arguments, "--database", database])

    return run


@pytest.fixture
def left(make_spool, pixel) -> list:
    """Three hits that an ended process left, with a damaged line between them."""
    spool = make_spool()
    hits = [make_hit(pixel) for _ in range(3)]
    for hit in hits:
        spool.append(to_line(hit))
    spool.close()
    (path,) = spool.folder.glob("*.spool")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"damaged\n", *lines[1:], b"torn"]))
    return hits


class TestStatus:
    def test_it_prints_how_much_waits(self, run, left, folder) -> None:
        size = next(folder.glob("*.spool")).stat().st_size
        done = run("status")
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == f"Segments:      1\nHits:          4 ({size:,} bytes)\nDead letters:  0\n"
        assert len(left) == 3

    @pytest.mark.usefixtures("left")
    def test_as_json_it_is_one_object(self, run, folder) -> None:
        size = next(folder.glob("*.spool")).stat().st_size
        done = run("status", "--json")
        assert json.loads(done.stdout) == {"segments": 1, "hits": 4, "bytes": size, "deadLetters": 0}

    @pytest.mark.usefixtures("pixel")
    def test_where_nothing_was_ever_spooled_it_prints_zeros(self, run, folder) -> None:
        done = run("status", "--json")
        assert json.loads(done.stdout) == {"segments": 0, "hits": 0, "bytes": 0, "deadLetters": 0}
        assert not folder.exists()

    @pytest.mark.usefixtures("left")
    def test_it_prints_what_became_a_dead_letter(self, run) -> None:
        run("drain")
        assert json.loads(run("status", "--json").stdout)["deadLetters"] == 1

    def test_another_folder_can_be_named(self, run, tmp_path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        (other / "1.spool").write_bytes(b"line\n")
        done = run("status", "--json", "--spool", str(other), database="memory://")
        assert json.loads(done.stdout)["hits"] == 1


class TestDrain:
    def test_it_stores_what_ended_processes_left(self, run, left, database, pixel, folder) -> None:
        done = run("drain")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "Stored 3 hits.\n")
        with open_storage(database) as storage:
            assert [one.id for one in reversed(all_opens(storage, pixel))] == [hit.id for hit in left]
        assert [path.name for path in folder.iterdir()] == ["set-aside.lines"]

    @pytest.mark.usefixtures("left")
    def test_doing_it_again_stores_nothing(self, run) -> None:
        run("drain")
        assert run("drain").stderr == "Stored 0 hits.\n"

    @pytest.mark.usefixtures("pixel")
    def test_a_spool_that_never_was_is_drained(self, run, folder) -> None:
        assert run("drain").stderr == "Stored 0 hits.\n"
        assert not folder.exists()

    def test_it_stores_what_a_running_process_has_taken_where_none_drains(self, run, make_spool, pixel, folder) -> None:
        make_spool().append(to_line(make_hit(pixel)))
        assert run("drain").stderr == "Stored 1 hit.\n"
        assert len(list(folder.glob("*.spool"))) == 1

    @pytest.mark.usefixtures("left")
    def test_it_leaves_everything_to_a_running_process_that_drains(self, run, folder, neighbour) -> None:
        def task(talk) -> None:
            reader = Reader(folder)
            talk.tell(reader.lead())

        assert neighbour(task).hear() is True
        done = run("drain")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "Error: A running process drains this spool.\n"
        assert json.loads(run("status", "--json").stdout)["hits"] == 4

    @pytest.mark.usefixtures("left")
    def test_it_lets_others_drain_when_it_is_done(self, run, make_reader) -> None:
        run("drain")
        assert make_reader(leads=False).lead()

    def test_a_line_that_can_not_become_a_dead_letter_is_reported(self, run, left, folder) -> None:
        (folder / "set-aside.lines").mkdir()
        done = run("drain")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"Error: The spool can't be used: {folder}/set-aside.lines: Is a directory.\n"
        assert len(run("inspect").stdout.splitlines()) == 1 + len(left)

    def test_a_storage_that_is_locked_leaves_everything_there(self, run, left, database, take, monkeypatch):
        from mailtrack.storage._sqlite import connections

        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.01)
        with open_storage(database) as storage, storage._connections.writing():
            done = run("drain")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "locked" in done.stderr
        assert "Traceback" not in done.output
        assert take() == left


class TestInspect:
    def test_it_prints_the_lines_that_wait_as_they_are(self, run, left) -> None:
        done = run("inspect")
        lines = [to_line(hit) for hit in left]
        assert done.stdout_bytes == b"".join([lines[0], b"damaged\n", *lines[1:]])

    @pytest.mark.usefixtures("pixel")
    def test_of_nothing_it_prints_nothing(self, run) -> None:
        done = run("inspect")
        assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize("command", ["status", "drain", "inspect"])
@pytest.mark.parametrize(
    ("database", "options"), [("memory://", []), ("sqlite:///x.db", ["--spool", "off"])], ids=["memory", "off"]
)
def test_a_storage_without_a_spool_is_reported(run, command, database, options) -> None:
    done = run(command, *options, database=database)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--spool: this storage has none by default; name its folder" in done.stderr


class TestOptionsBeforeTheCommand:
    @pytest.mark.parametrize("order", [1, -1])
    def test_each_reaches_a_command_of_the_program(self, tmp_path, order) -> None:
        options = [["--database", f"sqlite:///{tmp_path}/mail"], ["--spool", f"{tmp_path}/other"]][::order]
        before = [part for pair in options for part in pair]
        printed = CliRunner().invoke(main, [*before, "doctor"]).output
        assert f"There is no {tmp_path}/other yet" in printed
        assert f"There is no {tmp_path}/mail." in printed

    def test_the_spool_is_beside_the_database_that_is_named_before_the_command(self, tmp_path) -> None:
        printed = CliRunner().invoke(main, ["--database", f"sqlite:///{tmp_path}/mail", "doctor"]).output
        assert f"There is no {tmp_path}/mail.spool yet" in printed

    @pytest.mark.parametrize("order", [1, -1])
    def test_each_reaches_a_command_of_a_group(self, tmp_path, order) -> None:
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "1.spool").write_bytes(b"line\n")
        options = [["--database", f"sqlite:///{tmp_path}/mail"], ["--spool", f"{tmp_path}/other"]][::order]
        before = [part for pair in options for part in pair]
        assert json.loads(CliRunner().invoke(main, [*before, "spool", "status", "--json"]).stdout)["hits"] == 1


class TestDrainOfAnotherMachine:
    def test_its_folder_is_named(self, run, left, tmp_path, database, pixel, folder) -> None:
        moved = folder.rename(tmp_path / "node3")
        done = run("drain", str(moved))
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "Stored 3 hits.\n")
        with open_storage(database) as storage:
            assert [one.id for one in reversed(all_opens(storage, pixel))] == [hit.id for hit in left]
        assert [path.name for path in moved.iterdir()] == ["set-aside.lines"]

    def test_a_copy_of_it_adds_nothing_twice(self, run, left, tmp_path, database, pixel, folder) -> None:
        copy = shutil.copytree(folder, tmp_path / "copy")
        assert [run("drain", str(path)).stderr for path in (folder, copy)] == ["Stored 3 hits.\n"] * 2
        with open_storage(database) as storage:
            assert len(all_opens(storage, pixel)) == len(left)

    def test_a_folder_that_is_not_there_is_wrong_usage(self, run, tmp_path) -> None:
        assert run("drain", str(tmp_path / "nowhere")).exit_code == 2
