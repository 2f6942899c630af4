"""What a monitor sees of a spool: the hits that are not stored, in any process that asks."""

from pathlib import Path

import pytest

from mailtrack._spool import backlog, get_backlog, progress
from mailtrack.testing import make_hit
from mailtrack.testing._factories import NOON, to_line

LINE = to_line(make_hit("a1b2c3d4"))


def seen(folder: Path) -> tuple[int, int]:
    found = get_backlog(folder)
    return found.lines, found.bytes


def test_lines_of_every_owner_are_counted_with_the_time_of_the_oldest(make_spool, lines, leave, folder) -> None:
    leave(*lines[:2])
    for line in lines[2:]:
        make_spool().append(line)
    assert seen(folder) == (10, 10 * len(LINE))
    assert get_backlog(folder).oldest == NOON


def test_what_is_stored_is_not_counted_though_its_segment_is_still_written(
    make_spool, make_reader, take, lines, folder
) -> None:
    spool = make_spool()
    for line in lines[:3]:
        spool.append(line)
    reader = make_reader()
    take(reader)
    assert seen(folder) == (0, 0)
    assert get_backlog(folder).waited > 0
    spool.append(lines[3])
    assert seen(folder) == (1, len(LINE))
    take(reader)
    assert seen(folder) == (0, 0)


def test_nothing_is_left_of_it_once_all_segments_are_gone(make_spool, make_reader, take, lines, folder) -> None:
    spool, reader = make_spool(), make_reader()
    spool.append(lines[0])
    take(reader)
    assert (folder / progress.FILE).stat().st_mode & 0o777 == 0o600
    spool.close()
    take(reader)
    assert list(folder.iterdir()) == []
    assert get_backlog(folder).waited == 0


def test_a_process_that_takes_over_goes_on_with_it(make_spool, make_reader, take, lines, folder) -> None:
    make_spool().append(lines[0])
    first = make_reader()
    take(first)
    first.release()
    assert seen(folder) == (0, 0)
    take(make_reader())
    assert seen(folder) == (0, 0)


def test_a_large_backlog_is_estimated(leave, lines, folder, monkeypatch) -> None:
    monkeypatch.setattr(backlog, "_READ_AT_MOST", 3 * len(LINE))
    leave(*lines[:2])
    leave(*lines[2:], name="9.spool")
    assert seen(folder) == (10, 10 * len(LINE))


def test_a_segment_that_was_truncated_waits_as_a_whole(leave, lines, folder) -> None:
    path = leave(lines[0])
    progress.write(folder, progress.Progress({path.name: 9_999}, 1.0))
    assert seen(folder) == (1, len(LINE))


@pytest.mark.parametrize("text", ["", "what?", "1.0\nno number", "1.0\n12", "\x00\xff"])
def test_progress_that_cannot_be_read_is_none(leave, lines, folder, text) -> None:
    leave(lines[0])
    (folder / progress.FILE).write_text(text, encoding="utf-8")
    assert seen(folder) == (1, len(LINE))


def test_progress_that_cannot_be_written_stops_nothing(make_spool, make_reader, take, lines, folder) -> None:
    (folder / f"{progress.FILE}.new").mkdir(parents=True)
    make_spool().append(lines[0])
    assert len(take(make_reader())) == 1
    assert seen(folder) == (1, len(LINE))


def test_lines_without_a_time_are_counted(leave, folder) -> None:
    leave(b"one\ntwo\nthr")
    assert seen(folder) == (2, 11)
    assert get_backlog(folder).oldest is None


def test_dead_letters_are_no_part_of_it(leave, folder) -> None:
    leave(LINE)
    (folder / "set-aside.lines").write_bytes(b"one\ntwo\n")
    assert (seen(folder), get_backlog(folder).dead_letters) == ((1, len(LINE)), 2)


def test_a_folder_that_does_not_exist_is_empty(folder: Path) -> None:
    assert seen(folder) == (0, 0)
    assert (get_backlog(folder).oldest, get_backlog(folder).dead_letters) == (None, 0)


def test_a_segment_that_goes_meanwhile_is_passed_over(leave, folder: Path) -> None:
    leave(LINE, name="2.spool")
    (folder / "1.spool").symlink_to("gone")
    assert seen(folder) == (1, len(LINE))
