"""Lines that can't become an open: none is lost, none is there twice."""

import errno
import os
import stat

import pytest

from mailtrack._spool import dead_letters


@pytest.fixture
def folder(folder):
    folder.mkdir()
    return folder


@pytest.fixture
def kept(folder):
    """Returns the file's contents."""
    return lambda: (folder / "set-aside.lines").read_bytes()


def test_lines_are_kept_as_they_are(folder, kept) -> None:
    dead_letters.keep(folder, [b"one", b"\x00\xff"])
    dead_letters.keep(folder, [b"three"])
    assert kept() == b"one\n\x00\xff\nthree\n"


def test_what_is_there_is_not_kept_again(folder, kept) -> None:
    for _ in range(3):
        dead_letters.keep(folder, [b"one", b"two"])
    dead_letters.keep(folder, [b"two", b"three"])
    assert kept() == b"one\ntwo\nthree\n"


def test_twins_that_come_together_are_kept_once(folder, kept) -> None:
    dead_letters.keep(folder, [b"one", b"one"])
    assert kept() == b"one\n"


@pytest.mark.parametrize("line", [b"", b"\r", b"one\r", b"one\rtwo", b"\x0b\x0c\x1c\x85"])
def test_any_line_is_kept_and_kept_once(folder, kept, line) -> None:
    for _ in range(2):
        dead_letters.keep(folder, [line])
    assert kept() == line + b"\n"


def test_a_part_of_a_line_that_is_there_is_another_line(folder, kept) -> None:
    dead_letters.keep(folder, [b"one\rtwo"])
    dead_letters.keep(folder, [b"one", b"two"])
    assert kept() == b"one\rtwo\none\ntwo\n"


def test_half_a_line_of_one_that_died_is_taken_away(folder, kept) -> None:
    (folder / "set-aside.lines").write_bytes(b"one\ntw")
    dead_letters.keep(folder, [b"two"])
    assert kept() == b"one\ntwo\n"


def test_the_file_is_for_its_owner_only(folder) -> None:
    dead_letters.keep(folder, [b"one"])
    assert stat.S_IMODE((folder / "set-aside.lines").stat().st_mode) == 0o600


def test_lines_that_can_not_be_brought_to_disk_are_not_kept(folder, kept, monkeypatch) -> None:
    dead_letters.keep(folder, [b"one"])

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="error"):
            dead_letters.keep(folder, [b"two"])
    assert kept() == b"one\n"


def test_where_there_are_none_none_are_counted(folder) -> None:
    assert dead_letters.count(folder) == 0


def test_lines_of_two_processes_do_not_mix(folder, neighbour, kept) -> None:
    def begin(letter: bytes):
        def task(talk) -> None:
            talk.hear()
            for number in range(100):
                dead_letters.keep(folder, [letter + b"%d" % number * 500, b"%d" % number * 500])
            talk.tell("done")

        return neighbour(task)

    both = [begin(b"a"), begin(b"b")]
    for one in both:
        one.tell("go")
    assert [one.hear() for one in both] == ["done", "done"]
    expected = {start + b"%d" % number * 500 for number in range(100) for start in (b"a", b"b", b"")}
    lines = kept().split(b"\n")[:-1]
    assert (len(lines), set(lines)) == (300, expected)
