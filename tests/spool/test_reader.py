"""What waits in a folder: read while it is written, by one process at a time, and removed when it is acknowledged."""

import errno
import logging
import os
import signal
import threading
from pathlib import Path

import pytest

from mailtrack._ingest.drain import drain
from mailtrack._spool import Reader, Spool, get_status
from mailtrack._spool import reader as module
from mailtrack._spool.segment import Segment
from mailtrack.testing import make_hit
from mailtrack.testing._contract.forks import in_child
from mailtrack.testing._factories import to_line

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))
KILLED = f"the child ended with status {signal.SIGKILL.value}"


def sizes(reader: Reader) -> list[int]:
    """Acknowledge all that waits, and tell how many hits came together."""
    found = []
    for batch in reader.batches():
        found.append(len(batch.lines))
        reader.acknowledge(batch)
    return found


@pytest.fixture
def leave_by_death(folder: Path):
    """Lets a process append and be killed."""

    def leave(lines, **options) -> None:
        def task() -> None:
            spool = Spool(folder, **options)
            spool.open()
            for line in lines:
                spool.append(line)
            os.kill(os.getpid(), signal.SIGKILL)

        assert in_child(task) == KILLED

    return leave


class TestLeading:
    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path) -> None:
        folder.mkdir()

    def test_one_leads(self, make_reader) -> None:
        first, second = make_reader(), make_reader(leads=False)
        assert (second.lead(), first.lead(), second.lead()) == (False, True, False)
        assert (first.leads, second.leads) == (True, False)

    def test_another_one_does_when_it_is_released(self, make_reader) -> None:
        first, second = make_reader(), make_reader(leads=False)
        first.release()
        assert (second.lead(), first.lead()) == (True, False)

    def test_leading_twice_is_leading_once(self, make_reader) -> None:
        first, second = make_reader(), make_reader(leads=False)
        assert first.lead()
        first.release()
        assert second.lead()

    def test_releasing_what_does_not_lead_is_harmless(self, make_reader) -> None:
        first, second = make_reader(), make_reader(leads=False)
        second.release()
        assert (first.leads, second.lead()) == (True, False)

    def test_what_was_not_acknowledged_is_handed_over(self, make_reader, take, leave, lines, hits) -> None:
        leave(*lines)
        first = make_reader(batch_bytes=3 * ONE_LINE)
        batches = first.batches()
        first.acknowledge(next(batches))
        next(batches)
        first.release()
        assert take()[3:] == hits[3:]

    def test_another_folder_has_another_leader(self, make_reader, tmp_path) -> None:
        make_reader()
        other = Reader(tmp_path)
        assert other.lead()
        other.release()

    def test_a_folder_that_does_not_exist_is_an_error(self, folder, make_reader) -> None:
        folder.rmdir()
        with pytest.raises(FileNotFoundError):
            make_reader(leads=False).lead()

    @pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks available"), MemoryError()])
    def test_a_lock_that_fails_leaves_no_file_open(self, make_reader, monkeypatch, error) -> None:
        def fail(_: int) -> None:
            raise error

        monkeypatch.setattr(module, "try_lock", fail)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # the descriptor that lists is there both times
        with pytest.raises(type(error)):
            make_reader(leads=False).lead()
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    def test_when_the_process_that_leads_is_killed_another_leads(self, make_reader, folder, neighbour) -> None:
        leader = neighbour(lambda talk: talk.tell(Reader(folder).lead()))
        standing_by = make_reader(leads=False)
        assert leader.hear() is True
        assert not standing_by.lead()
        leader.kill()
        assert standing_by.lead()

    def test_of_processes_that_try_at_once_one_leads(self, folder, neighbour) -> None:
        def task(talk) -> None:
            reader = Reader(folder)
            while talk.hear() == "lead":
                talk.tell(reader.lead())
                talk.hear()
                reader.release()
                talk.tell()

        all_of_them = [neighbour(task) for _ in range(3)]
        for _ in range(50):
            for one in all_of_them:
                one.tell("lead")
            assert sorted(one.hear() for one in all_of_them) == [False, False, True]
            for one in all_of_them:
                one.tell("release")
            for one in all_of_them:
                one.hear()

    def test_its_repr_shows_the_name_of_the_folder(self, make_reader) -> None:
        assert repr(make_reader()) == "<Reader mail.spool>"


class TestForking:
    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path) -> None:
        folder.mkdir()

    def test_a_child_does_not_lead_and_its_parent_still_does(self, make_reader) -> None:
        reader = make_reader()

        def task() -> None:
            assert not reader.leads
            assert not reader.lead()

        assert in_child(task) == ""
        assert not make_reader(leads=False).lead()

    def test_a_child_leads_when_its_parent_is_killed(self, make_reader, folder, neighbour) -> None:
        def task(talk) -> None:
            reader = Reader(folder)
            assert reader.lead()
            if os.fork() == 0:
                signal.alarm(60)
                talk.tell(os.getpid())
                talk.hear()
                talk.tell(reader.lead())
                signal.pause()

        parent = neighbour(task)
        child = parent.hear()
        try:
            outside = make_reader(leads=False)
            assert not outside.lead()
            os.kill(parent._pid, signal.SIGKILL)
            os.waitpid(parent._pid, 0)
            parent._pid = 0
            parent.tell("lead")
            assert parent.hear() is True
            assert not outside.lead()
        finally:
            os.kill(child, signal.SIGKILL)
            parent._talk.close()

    def test_the_lead_ends_with_the_parent_though_a_child_lives_on(self, make_reader, folder, neighbour) -> None:
        def task(talk) -> None:
            reader = Reader(folder)
            assert reader.lead()
            if os.fork() == 0:
                signal.alarm(60)
                talk.tell(os.getpid())
                signal.pause()

        parent = neighbour(task)
        child = parent.hear()
        try:
            parent.kill()
            assert make_reader(leads=False).lead()
        finally:
            os.kill(child, signal.SIGKILL)

    def test_a_child_begins_with_nothing_done(self, make_reader, take, folder, lines, hits) -> None:
        segment = Segment.create(folder)
        segment.append(lines[0])
        reader = make_reader()
        assert take(reader) == hits[:1]

        def task() -> None:
            assert [batch.lines for batch in reader.batches()] == [[lines[0][:-1]]]

        assert in_child(task) == ""
        assert take(reader) == []
        segment.close()

    @pytest.mark.parametrize("name", ["try_lock", "is_at", "_read_lines", "segments"])
    def test_no_fork_comes_between_opening_a_file_and_closing_it(
        self, make_reader, take, leave, lines, monkeypatch, name
    ):
        leave(lines[0])
        reader = make_reader(leads=False)
        held, real = [], getattr(module, name)

        def watched(*arguments):
            held.append(reader._files.locked())
            return real(*arguments)

        monkeypatch.setattr(module, name, watched)
        assert reader.lead()
        take(reader)
        assert set(held) == {True}

    def test_no_fork_comes_while_dead_letters_are_written(self, make_reader, take, leave, monkeypatch) -> None:
        leave(b"damaged\n")
        reader, held = make_reader(), []
        monkeypatch.setattr(module.dead_letters, "keep", lambda *_: held.append(reader._files.locked()))
        take(reader)
        assert held == [True]

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
    def test_children_forked_while_the_lead_comes_and_goes_do_not_keep_it(self, make_reader, neighbour) -> None:
        reader = make_reader()
        enough = threading.Event()

        def come_and_go() -> None:
            while not enough.is_set():
                reader.release()
                reader.lead()

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            children = [neighbour(lambda talk: talk.tell("alive")) for _ in range(30)]
            assert {child.hear() for child in children} == {"alive"}
        finally:
            enough.set()
            thread.join(30)
        reader.release()
        assert make_reader(leads=False).lead()


class TestReading:
    def test_all_that_waits_is_read_the_oldest_segment_first(self, make_spool, make_reader, take, lines, hits) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for line in lines:
            spool.append(line)
        assert take(make_reader()) == hits

    def test_what_is_acknowledged_is_not_read_again(self, make_spool, make_reader, take, lines, hits) -> None:
        spool, reader = make_spool(), make_reader(leads=False)
        for number, line in enumerate(lines):
            spool.append(line)
            assert take(reader) == hits[number : number + 1]
        assert take(reader) == []

    def test_what_is_not_acknowledged_is_read_again(self, make_spool, make_reader, take, lines, hits) -> None:
        spool, reader = make_spool(), make_reader(leads=False)
        for line in lines:
            spool.append(line)
        for _ in range(3):
            assert next(reader.batches()).lines == [line[:-1] for line in lines]
        assert take(reader) == hits

    def test_one_batch_goes_over_many_segments_and_owners(self, make_spool, make_reader, leave_by_death, lines):
        leave_by_death(lines[:5], segment_bytes=2 * ONE_LINE)
        spool = make_spool(segment_bytes=2 * ONE_LINE)
        for line in lines[5:]:
            spool.append(line)
        assert [batch.lines for batch in make_reader().batches()] == [[line[:-1] for line in lines]]

    def test_batches_have_about_the_size_that_is_asked_for(self, leave, make_reader, lines) -> None:
        leave(*lines[:7])
        leave(*lines[7:], name="2.spool")
        assert sizes(make_reader(batch_bytes=3 * ONE_LINE)) == [3, 3, 3, 1]

    def test_a_line_longer_than_a_batch_is_read_whole(self, leave, make_reader, lines, folder) -> None:
        leave(b"x" * 10_000 + b"\n", lines[0])
        assert drain(make_reader(batch_bytes=10), list) == 1
        assert (folder / "set-aside.lines").read_bytes() == b"x" * 10_000 + b"\n"

    def test_a_round_ends_though_another_process_appends_on(self, make_spool, make_reader, lines) -> None:
        spool, reader = make_spool(), make_reader(leads=False)
        spool.append(lines[0])
        number = 0
        for batch in reader.batches():
            reader.acknowledge(batch)
            spool.append(lines[0])
            number += 1
        assert number == 1

    def test_it_goes_on_with_what_has_become_a_whole_batch(self, make_spool, make_reader, lines) -> None:
        spool, reader = make_spool(), make_reader(leads=False, batch_bytes=2 * ONE_LINE)
        for line in lines:
            spool.append(line)
        assert sizes(reader) == [2] * 5

    def test_an_empty_folder_has_nothing(self, folder, make_reader) -> None:
        folder.mkdir()
        assert list(make_reader().batches()) == []

    def test_other_files_are_left_alone(self, take, leave) -> None:
        path = leave(b"garbage\n", name="notes.txt")
        assert take() == []
        assert path.read_bytes() == b"garbage\n"


class TestWhileOthersWrite:
    def test_half_a_line_is_not_read_until_it_is_whole(self, folder, take, lines, hits, neighbour) -> None:
        def task(talk) -> None:
            folder.mkdir()
            segment = Segment.create(folder)
            for start, end in [(0, 1), (1, ONE_LINE - 1), (ONE_LINE - 1, ONE_LINE)]:
                os.write(segment._descriptor, lines[0][start:end])
                talk.tell("written")
                talk.hear()

        writer = neighbour(task)
        found = []
        for _ in range(3):
            writer.hear()
            found.append(take())
            writer.tell()
        assert found == [[], [], hits[:1]]

    def test_whole_lines_before_half_a_one_are_read(self, make_spool, make_reader, take, lines, hits) -> None:
        spool, reader = make_spool(), make_reader(leads=False)
        spool.append(lines[0])
        os.write(spool._active._descriptor, lines[1][:10])
        assert take(reader) == hits[:1]
        os.write(spool._active._descriptor, lines[1][10:])
        assert take(reader) == hits[1:2]

    def test_every_line_comes_once_while_another_process_appends(self, folder, make_reader, take, neighbour) -> None:
        def task(talk) -> None:
            spool = Spool(folder, segment_bytes=10 * ONE_LINE)
            spool.open()
            talk.tell("open")
            for _ in range(20):
                appended = [make_hit("a1b2c3d4") for _ in range(25)]
                for hit in appended:
                    spool.append(to_line(hit))
                spool.sync()
                talk.tell([hit.id for hit in appended])
            talk.tell(None)

        writer = neighbour(task)
        assert writer.hear() == "open"
        reader, appended, found = make_reader(), [], []
        while (told := writer.hear()) is not None:
            appended += told
            found += take(reader)
            assert set(appended) <= {hit.id for hit in found}
        assert sorted(appended) == sorted(hit.id for hit in found)

    def test_a_segment_stays_as_long_as_its_owner_may_write_it(self, make_spool, make_reader, take, lines, files):
        spool, reader = make_spool(), make_reader(leads=False)
        before = files()
        spool.append(lines[0])
        take(reader)
        assert files() == before
        spool.close()
        take(reader)
        assert files() == []

    def test_a_new_segment_is_not_taken_for_left_behind(self, make_spool, take, files) -> None:
        make_spool()
        take()
        assert len(files()) == 1

    def test_an_owner_that_begins_segments_while_others_look_loses_none(self, folder, make_reader, take, neighbour):
        def task(talk) -> None:
            spool = Spool(folder, segment_bytes=1)
            spool.open()
            talk.tell("open")
            for _ in range(200):
                hit = make_hit("a1b2c3d4")
                spool.append(to_line(hit))
                talk.tell(hit.id)
                spool.sync()
            talk.tell(None)

        writer = neighbour(task)
        assert writer.hear() == "open"
        reader, enough, found = make_reader(), threading.Event(), []

        def look() -> None:
            while not enough.is_set():
                found.extend(take(reader))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            appended = []
            while (told := writer.hear()) is not None:
                appended.append(told)
        finally:
            enough.set()
            thread.join(30)
        found += take(reader)
        assert appended == [hit.id for hit in found]


class TestDeadOwners:
    def test_what_a_killed_process_left_is_read_and_removed(self, leave_by_death, take, lines, hits, files) -> None:
        leave_by_death(lines, segment_bytes=3 * ONE_LINE)
        assert len(files()) == 4
        assert (take(), files()) == (hits, [])

    def test_what_it_wrote_after_the_last_look_is_read_before_its_segment_is_removed(
        self, make_reader, take, folder, lines, hits, neighbour, files, monkeypatch
    ) -> None:
        def task(talk) -> None:
            spool = Spool(folder)
            spool.open()
            spool.append(lines[0])
            talk.tell()
            talk.hear()
            spool.append(lines[1])
            talk.tell()

        owner = neighbour(task)
        owner.hear()
        reader, real = make_reader(), module.try_lock
        assert take(reader) == hits[:1]

        def append_and_die(descriptor: int) -> bool:
            if owner._pid:
                owner.tell("append")
                owner.hear()
                owner.kill()
            return real(descriptor)

        monkeypatch.setattr(module, "try_lock", append_and_die)
        assert (take(reader), files()) == (hits[1:2], [])

    def test_a_torn_last_line_is_not_an_open_and_goes_with_the_segment(
        self, leave_by_death, take, lines, hits, files, folder
    ) -> None:
        leave_by_death(lines)
        with files()[0].open("ab") as file:
            file.write(to_line(make_hit("a1b2c3d4"))[:-1])
        assert take() == hits
        assert list(folder.iterdir()) == []

    @pytest.mark.parametrize("length", [1, 65_536, 2_000_000])
    def test_a_segment_without_a_whole_line_goes(self, leave, take, folder, length) -> None:
        leave(b"x" * length)
        assert take() == []
        assert list(folder.iterdir()) == []

    def test_a_torn_line_of_a_living_owner_stays(self, make_spool, take, lines, files) -> None:
        spool = make_spool()
        os.write(spool._active._descriptor, lines[0][:10])
        take()
        assert [path.read_bytes() for path in files()] == [lines[0][:10]]

    def test_empty_segments_are_removed(self, leave_by_death, take, files) -> None:
        leave_by_death([])
        leave_by_death([])
        assert (take(), files()) == ([], [])

    def test_nothing_is_removed_before_it_is_acknowledged(self, leave, make_reader, lines, files) -> None:
        leave(*lines)
        reader = make_reader()
        for _ in range(3):
            next(reader.batches())
        assert len(files()) == 1

    def test_what_comes_to_the_same_path_is_not_removed_in_its_stead(
        self, leave, make_reader, take, lines, hits, monkeypatch
    ) -> None:
        path, real = leave(), module.try_lock
        reader = make_reader()

        def replace(descriptor: int) -> bool:
            path.unlink(missing_ok=True)
            path.write_bytes(lines[0])
            return real(descriptor)

        with monkeypatch.context() as context:
            context.setattr(module, "try_lock", replace)
            assert take(reader) == []
        assert take(reader) == hits[:1]


class TestWhatCanNotBeUsed:
    """Such a segment keeps no other back."""

    def test_it_is_passed_over_and_logged_once(self, leave, make_reader, take, lines, hits, folder, caplog) -> None:
        leave(*lines[:5])
        (folder / "0.spool").mkdir()
        leave(*lines[5:], name="2.spool")
        reader = make_reader()
        assert (take(reader), take(reader)) == (hits, [])
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert told == ["0.spool in the spool can't be read: Is a directory."]

    def test_it_is_used_when_that_is_over(self, leave, make_reader, take, lines, hits, monkeypatch) -> None:
        leave(*lines)
        reader = make_reader()

        def fail(*_: object) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as context:
            context.setattr(module, "_read_lines", fail)
            assert take(reader) == []
        assert take(reader) == hits

    def test_one_that_can_not_be_removed_is_not_stored_again(self, leave, make_reader, take, lines, hits, monkeypatch):
        leave(*lines)
        reader = make_reader()

        def fail(_: Path) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        with monkeypatch.context() as context:
            context.setattr(Path, "unlink", fail)
            assert (take(reader), take(reader)) == (hits, [])
        assert (take(reader), list(reader._folder.iterdir())) == ([], [])

    def test_one_that_is_gone_is_passed_over_in_silence(self, leave, take, lines, hits, folder, caplog):
        leave(*lines)
        (folder / "0.spool").symlink_to("gone")
        assert take() == hits
        assert caplog.messages == []

    def test_what_comes_to_one_that_somebody_has_emptied_is_read(self, make_spool, make_reader, take, lines, hits):
        spool, reader = make_spool(), make_reader(leads=False)
        for line in lines[:5]:
            spool.append(line)
        take(reader)
        os.truncate(spool._active.path, 0)
        for line in lines[5:7]:
            spool.append(line)
        assert take(reader) == hits[5:7]


class TestDamage:
    """A line that can't be read is set aside as it was, once, and reported."""

    @pytest.fixture
    def damaged(self, lines, leave) -> bytes:
        """Ten hits, of which the fourth is damaged; the damaged line."""
        damaged = lines[3].replace(b"Mozilla", b"Mozzarella")
        leave(*lines[:3], damaged, *lines[4:])
        return damaged

    def test_the_others_are_read(self, take, hits, damaged, folder) -> None:
        assert take() == hits[:3] + hits[4:]
        assert (folder / "set-aside.lines").read_bytes() == damaged

    @pytest.mark.usefixtures("damaged")
    def test_it_is_reported(self, take, folder, caplog) -> None:
        take()
        assert get_status(folder).dead_letters == 1
        assert "A line of the spool was moved to set-aside.lines: the checksum is wrong." in caplog.messages

    def test_what_it_says_is_not_in_the_log(self, take, damaged, caplog) -> None:
        take()
        assert not set(damaged.decode().split("\t")[1:8]) & set(" ".join(caplog.messages).split())

    @pytest.mark.usefixtures("damaged")
    def test_it_becomes_no_dead_letter_before_the_others_are_stored(self, make_reader, folder) -> None:
        reader = make_reader()
        for _ in range(5):
            next(reader.batches())  # stored by nobody
        assert get_status(folder).dead_letters == 0

    def test_it_becomes_a_dead_letter_once_though_its_segment_is_read_again(
        self, make_reader, take, damaged, folder
    ) -> None:
        first = make_reader()
        batch = next(first.batches())
        batch.dead_letters.append((damaged[:-1], "the checksum is wrong"))
        first.acknowledge(batch)
        first.release()  # as it would when it is killed before it removes the segment
        take()
        assert (folder / "set-aside.lines").read_bytes() == damaged

    def test_content_of_other_programs_becomes_a_dead_letter_line_by_line(self, take, leave, folder) -> None:
        foreign = [b"garbage\tof another program", b"", b"\x00\xff" * 100, b"x" * 10**6, b"carriage return\r"]
        path = leave(*(line + b"\n" for line in foreign))
        assert take() == []
        assert (folder / "set-aside.lines").read_bytes().split(b"\n")[:-1] == foreign
        assert not path.exists()

    @pytest.mark.usefixtures("damaged")
    def test_it_stays_in_its_segment_while_it_can_not_be_kept_elsewhere(self, make_reader, folder) -> None:
        (folder / "set-aside.lines").mkdir()
        reader = make_reader()
        with pytest.raises(OSError, match="directory"):
            drain(reader, list)
        (folder / "set-aside.lines").rmdir()
        drain(reader, list)
        assert get_status(folder).dead_letters == 1
