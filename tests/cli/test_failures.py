"""A command that fails says so in one line, without a stack trace, whatever the reason."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrack._times import now
from mailtrack.testing import make_hit

needs_shell = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
WITH_OUTPUT = [["pixels", "list"], ["pixels", "list", "--json"], ["recipients", "list", "PIXEL"],
               ["recipients", "export", "PIXEL"], ["opens", "PIXEL", "--csv"], ["keys", "list"]]  # fmt: skip


@pytest.fixture
def shell(pixel):
    """Runs a line of shell, where `mailtrack` is the program and PIXEL a pixel; what it printed on standard error."""

    def run(line, exits=0):
        line = line.replace("mailtrack", f"'{sys.executable}' -W error -m mailtrack").replace("PIXEL", pixel.id)
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (exits, False), done.stderr
        return done

    return run


@needs_shell
class TestOutput:
    @pytest.mark.parametrize("arguments", WITH_OUTPUT, ids=" ".join)
    def test_a_reader_that_has_gone_is_no_reason_for_a_message(self, shell, arguments):
        command = " ".join(["mailtrack", "--base-url", "https://t.example", *arguments])
        done = shell(f"({command}; echo $? >&2) | true")
        assert done.stderr in ("1\n", "0\n")  # it may have printed all before the reader had gone

    def test_a_reader_that_goes_ends_the_command(self, shell, tracker, pixel):
        tracker.generate_tokens(pixel.id, [f"r{number}@example.org" for number in range(3000)])
        done = shell("(mailtrack --base-url https://t.example recipients export PIXEL; echo $? >&2) | head -1")
        assert done.stdout.startswith("Email,")
        assert done.stderr == "1\n"

    @needs_full_disk
    @pytest.mark.parametrize("arguments", WITH_OUTPUT, ids=" ".join)
    def test_a_full_disk_fails(self, shell, arguments):
        command = " ".join(["mailtrack", "--base-url", "https://t.example", *arguments])
        assert shell(f"{command} > /dev/full", exits=1).stderr == "Error: No space left on device\n"

    @pytest.mark.parametrize("arguments", ["pixels list", "recipients export PIXEL --base-url https://t.example"])
    def test_a_closed_output_is_no_error(self, shell, arguments):
        done = shell(f"mailtrack {arguments} >&-")
        assert (done.stdout, done.stderr) == ("", "")

    @pytest.mark.parametrize("arguments", ["pixels show PIXEL", "pixels shw"])
    def test_a_closed_standard_error_takes_no_message_to_standard_output(self, shell, arguments):
        done = shell(f"mailtrack {arguments} 2>&-", exits=2 if "shw" in arguments else 0)
        assert not any(word in done.stdout for word in ("Warning", "Error"))

    @pytest.mark.parametrize("redirection", ["<&-", "</dev/null", ">&- </dev/zero"])
    def test_a_question_that_can_not_be_answered_leaves_all_as_it_is(self, shell, tracker, pixel, redirection):
        assert shell(f"mailtrack pixels delete PIXEL {redirection}", exits=1).stderr.endswith("Aborted!\n")
        assert [left.id for left in tracker.iter_pixels()] == [pixel.id]

    @pytest.mark.parametrize("redirection", ["<&-", "</dev/null"])
    def test_a_purge_that_can_not_ask_deletes_nothing(self, shell, tracker, pixel, redirection):
        tracker.store([make_hit(pixel, at=now() - timedelta(days=2))])
        done = shell(f"mailtrack purge --older-than 1d {redirection}", exits=2)
        assert done.stderr.endswith("Nothing was deleted; --yes deletes without asking.\n")
        assert tracker.get_pixel(pixel).kept == 1


class TestFiles:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["recipients", "add", "PIXEL", "missing.txt"], 2),
            (["recipients", "add", "PIXEL", "."], 2),
            (["pixels", "create", "x", "--image", "missing.png"], 2),
            (["pixels", "create", "x", "--image", "."], 2),
            (["recipients", "export", "PIXEL", "--output", "."], 1),
            (["recipients", "export", "PIXEL", "--output", "missing/x.csv"], 1),
            (["rejudge", "--rules", "."], 2),
            (["rejudge", "--rules", "binary"], 1),
            (["rejudge", "--networks", "office=missing"], 2),
            (["rejudge", "--networks", "office=binary"], 1),
            (["spool", "status", "--spool", "binary"], 2),
            (["spool", "inspect", "--spool", "binary"], 2),
            (["spool", "drain", "--spool", "binary"], 2),
            (["pixels", "list", "--database", "sqlite:///."], 1),
            (["pixels", "list", "--database", "sqlite:///binary"], 1),
            (["pixels", "list", "--database", "sqlite:///binary/x.db"], 1),
            (["pixels", "create", "x", "--database", "sqlite:///binary/x.db"], 1),
            (["serve", "--spool", "binary"], 1),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else None,
    )
    def test_what_can_not_be_used_is_named_in_one_line(self, run, tmp_path, pixel, arguments, code):
        (tmp_path / "binary").write_bytes(bytes(range(256)))
        arguments = [pixel.id if argument == "PIXEL" else argument for argument in arguments]
        result = run(*arguments, exits=code)
        assert result.stdout == ""
        assert [line for line in result.stderr.splitlines() if line.startswith("Error: ")] == [
            result.stderr.splitlines()[-1]
        ]

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
    def test_an_image_without_end_is_refused_in_bounded_memory(self, run):
        assert run("pixels", "create", "x", "--image", "/dev/zero", exits=1).stderr == (
            "Error: The image must be at most 5,242,880 bytes.\n"
        )

    @pytest.mark.parametrize("way", ["name", "pixel", "database", "file", "command"])
    def test_bytes_that_are_no_text_are_no_reason_for_a_trace(self, pixel, way):
        arguments = {
            "name": ["pixels", "create", b"\xff\xfe"],
            "pixel": ["opens", b"\xff\xfe"],
            "database": ["pixels", "list", "--database", b"sqlite:///\xff.db"],
            "file": ["recipients", "add", pixel.id, b"\xff"],
            "command": [b"\xff"],
        }[way]
        command = [sys.executable, "-W", "error", "-m", "mailtrack", *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode in (1, 2)
        assert done.stderr.decode().splitlines()[-1].startswith("Error: ")


class TestInterruptions:
    def test_a_locked_database_fails(self, run, pixel, monkeypatch):
        monkeypatch.setattr("mailtrack.storage._sqlite.connections.BUSY_TIMEOUT", 0.01)
        with closing(sqlite3.connect("mailtrack.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            result = run("pixels", "delete", pixel.id, "--yes", exits=1)
        assert (result.stdout, result.stderr) == ("", "Error: SQLite: database is locked\n")

    def test_ctrl_c_aborts_without_a_trace(self, program, end, tracker, pixel):
        process = program("pixels", "delete", pixel.id, stdin=subprocess.PIPE)
        while not (asked := process.stdout.read(1)).endswith(b"?"):
            assert asked
        process.send_signal(signal.SIGINT)
        code, _, errors = end(process)  # this ends its input, too: it may not have begun to wait for that
        assert (code, errors.strip()) == (1, "Aborted!")
        assert [left.id for left in tracker.iter_pixels()] == [pixel.id]
