"""`mailtrack recipients add` as a process of its own: it takes what shells, other programs and people give it."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

ANN, BOB = "ann@example.org", "bob@example.org"
BOTH = f"{ANN}\n{BOB}\n".encode()


@pytest.fixture
def emails(tracker, pixel):
    """The addresses of the pixel's recipients, in order of creation."""
    return lambda: [recipient.email for recipient in tracker.iter_recipients(pixel.id)]


@pytest.fixture
def add(program, pixel):
    """Starts the command with a real pipe as standard input."""

    def start(*arguments, **options):
        return program("recipients", "add", pixel.short_id, *arguments, **{"stdin": subprocess.PIPE} | options)

    return start


@pytest.mark.parametrize("arguments", [[], ["-"], ["/dev/stdin"], ["/dev/fd/0"]])
def test_a_pipe_is_taken(add, end, emails, arguments):
    code, output, errors = end(add(*arguments), BOTH)
    assert (code, output, "Traceback" in errors) == (0, "", False)
    assert emails() == [ANN, BOB]


def test_a_pipe_that_is_filled_piece_by_piece_is_taken(add, end, emails):
    process = add()
    for piece in (b"ann@exa", b"mple.org", b"\nbob@", b"example.org"):
        process.stdin.write(piece)
        process.stdin.flush()
    assert end(process)[0] == 0
    assert emails() == [ANN, BOB]


def test_a_named_pipe_is_taken(add, end, emails, tmp_path):
    os.mkfifo(tmp_path / "addresses")
    process = add("addresses", stdin=subprocess.DEVNULL)
    (tmp_path / "addresses").write_bytes(BOTH)  # it waits for the reader
    assert end(process)[0] == 0
    assert emails() == [ANN, BOB]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_process_substitution_of_the_shell_is_taken(pixel, emails):
    script = f"'{sys.executable}' -m mailtrack recipients add {pixel.short_id} <(printf '{ANN}\\n{BOB}\\n')"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert emails() == [ANN, BOB]


def test_a_file_that_is_redirected_is_taken(add, end, emails, tmp_path):
    (tmp_path / "addresses.txt").write_bytes(BOTH)
    with (tmp_path / "addresses.txt").open("rb") as file:
        assert end(add(stdin=file))[0] == 0
    assert emails() == [ANN, BOB]


@pytest.mark.parametrize("given", [b"", b"\n"])
def test_an_empty_pipe_is_nothing(add, end, emails, given):
    assert end(add(), given)[0] == 0
    assert emails() == []


def test_what_is_typed_is_taken_when_ctrl_d_is_pressed_once(add, end, emails, make_terminal):
    terminal = make_terminal(80)
    process = add(stdin=terminal.end)
    terminal.type(f"{ANN}\n{BOB}\n\x04")
    assert end(process)[0] == 0
    assert emails() == [ANN, BOB]


def test_on_a_terminal_it_says_what_to_do(add, end, make_terminal):
    terminal = make_terminal(80)
    process = add(stdin=terminal.end)
    terminal.type("\x04")
    assert "Ctrl-D" in end(process)[2]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_standard_input_that_is_closed_is_wrong_usage(pixel, emails):
    script = f"'{sys.executable}' -m mailtrack recipients add {pixel.short_id} <&-"
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60, check=False, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Standard input is closed.\n")
    assert emails() == []


class TestCtrlC:
    def test_what_is_in_is_reported(self, pixel, end, emails):
        script = "import mailtrack._imports.importer as it; it.BATCH_SIZE = 50; from mailtrack.cli import main; main()"
        command = [sys.executable, "-c", script, "recipients", "add", pixel.id, "--skip-invalid"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as process:
            process.stdin.write(b"".join(b"r%d@example.org\n" % number for number in range(30_000)))
            process.stdin.close()
            while not emails():  # the first of 600 steps is stored
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.stdin = None
            code, output, errors = end(process)
        added = len(emails())
        assert (code, output, 0 < added < 30_000, added % 50) == (1, "", True, 0)
        assert errors.splitlines()[-1] == f"Error: Interrupted. Added: {added:,}. Run it again to add the rest."
        assert "Traceback" not in errors

    def test_while_it_reads_nothing_is_in(self, add, end, emails):
        process = add()
        process.stdin.write(b"r@example.org\n" * 20_000)  # more than a pipe holds: it is reading
        process.send_signal(signal.SIGINT)
        code, output, errors = end(process)  # this ends its input, too: it may not have begun to wait for that
        assert (code, output, errors) == (1, "", "Error: Interrupted. Added: 0. Run it again to add the rest.\n")
        assert emails() == []
