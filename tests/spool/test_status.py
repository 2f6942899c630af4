"""What an operator sees of a spool."""

from pathlib import Path

from mailtrack._spool import get_status, inspect
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))


def test_lines_are_shown_of_every_owner(make_spool, lines, leave, folder) -> None:
    leave(*lines[:2])
    for line in lines[2:4]:
        make_spool().append(line)
    assert list(inspect(folder)) == lines[:4]


def test_half_a_line_is_not_shown(leave, folder: Path) -> None:
    leave(b"one\ntw")
    assert list(inspect(folder)) == [b"one\n"]


def test_the_status_counts_what_lies_there(make_spool, lines, folder) -> None:
    spool = make_spool(segment_bytes=3 * ONE_LINE)
    for line in lines:
        spool.append(line)
    status = get_status(folder)
    assert (status.segments, status.lines, status.bytes, status.dead_letters) == (4, 10, 10 * ONE_LINE, 0)


def test_what_is_stored_and_its_segment_still_written_is_counted(make_spool, make_reader, take, lines, folder) -> None:
    spool = make_spool()
    spool.append(lines[0])
    take(make_reader())
    assert (get_status(folder).segments, get_status(folder).lines) == (1, 1)


def test_a_folder_that_does_not_exist_is_empty(folder: Path) -> None:
    status = get_status(folder)
    assert (status.segments, status.lines, status.bytes, status.dead_letters) == (0, 0, 0, 0)


def test_a_segment_that_goes_meanwhile_is_passed_over(leave, folder: Path) -> None:
    leave(b"one\n", name="2.spool")
    (folder / "1.spool").symlink_to("gone")
    assert (get_status(folder).segments, get_status(folder).lines) == (1, 1)
