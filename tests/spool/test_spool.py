"""A folder of segments: what is appended is kept, through the end of any process, until it is acknowledged."""

import errno
import logging
import os
import signal
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from mailtrack import StorageUnavailable
from mailtrack.spool import Durability, Spool, SpoolClosed, SpoolFull, drain, get_status, inspect
from mailtrack.spool import segment as segment_module
from mailtrack.spool.records import to_line
from mailtrack.testing import make_hit
from mailtrack.testing.contract.helpers import at_once
from mailtrack.testing.contract.lifecycle import in_child

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))
KILLED = f"the child ended with status {signal.SIGKILL.value}"


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def open_files() -> list[str]:
    """Return the names of the files that this process holds."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            names.append(str(descriptor.readlink()))
    return names


def take(spool: Spool) -> list:
    """Return all hits that a spool holds, and acknowledge them."""
    found = []
    for batch in spool.batches():
        found += batch.hits
        spool.acknowledge(batch)
    return found


@pytest.fixture
def left_behind(folder: Path):
    """Lets a process append hits and die: by its own end without a goodbye, or killed."""

    def leave(hits, *, end=kill_myself, **options) -> None:
        def task() -> None:
            spool = Spool(folder, **options)
            spool.open()
            for hit in hits:
                spool.append(hit)
            end()

        assert in_child(task) in (KILLED, "")

    return leave


class TestOpening:
    def test_making_one_touches_nothing(self, make_spool, folder: Path) -> None:
        spool = make_spool(opened=False)
        assert (spool.is_open, folder.exists()) == (False, False)

    def test_opening_makes_the_folder_for_its_owner_only(self, make_spool, folder: Path) -> None:
        make_spool()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_missing_parents_are_made(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path / "a" / "b")
        spool.open()
        assert spool.is_open
        spool.close()

    def test_opening_twice_changes_nothing(self, make_spool, files) -> None:
        spool = make_spool()
        before = files()
        spool.open()
        assert files() == before

    def test_a_folder_that_is_a_file_is_an_error(self, folder: Path, make_spool) -> None:
        folder.write_bytes(b"")
        with pytest.raises(OSError, match="exists"):
            make_spool()

    def test_an_unknown_durability_is_an_error(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="sometimes"):
            Spool(folder, durability="sometimes")

    def test_its_repr_shows_its_name(self, make_spool) -> None:
        assert repr(make_spool(opened=False)) == "<Spool mail.spool>"


class TestAppending:
    def test_what_was_appended_lies_in_the_folder(self, make_spool, hits, waiting) -> None:
        spool = make_spool()
        for hit in hits:
            spool.append(hit)
        assert waiting() == hits

    def test_segments_are_for_their_owner_only(self, make_spool, hits, files) -> None:
        make_spool().append(hits[0])
        assert [stat.S_IMODE(path.stat().st_mode) for path in files()] == [0o600]

    def test_one_that_is_not_open_takes_nothing(self, make_spool, hits) -> None:
        spool = make_spool(opened=False)
        with pytest.raises(SpoolClosed, match="not open"):
            spool.append(hits[0])
        assert spool.refused == 0

    def test_records_of_threads_that_begin_at_once_are_whole_and_all_there(self, make_spool, waiting) -> None:
        spool = make_spool(segment_bytes=20 * ONE_LINE)
        batches = [[make_hit("a1b2c3d4") for _ in range(100)] for _ in range(8)]

        def append(hits) -> None:
            for hit in hits:
                spool.append(hit)

        at_once([lambda batch=batch: append(batch) for batch in batches])
        assert sorted(hit.id for hit in waiting()) == sorted(hit.id for batch in batches for hit in batch)

    def test_nothing_is_lost_or_doubled_while_another_thread_drains(self, make_spool) -> None:
        spool = make_spool(segment_bytes=20 * ONE_LINE)
        batches = [[make_hit("a1b2c3d4") for _ in range(200)] for _ in range(4)]
        done = threading.Event()
        taken = []

        def append(hits) -> None:
            for hit in hits:
                spool.append(hit)

        def take_on() -> None:
            while not done.is_set():
                taken.extend(take(spool))

        draining = threading.Thread(target=take_on)
        draining.start()
        try:
            at_once([lambda batch=batch: append(batch) for batch in batches])
        finally:
            done.set()
            draining.join(30)
        taken += take(spool)
        assert sorted(hit.id for hit in taken) == sorted(hit.id for batch in batches for hit in batch)


class TestDurability:
    @pytest.fixture
    def synced(self, monkeypatch) -> list[int]:
        """Tells how large the file was at each sync."""
        sizes, real = [], os.fdatasync

        def fdatasync(descriptor: int) -> None:
            sizes.append(os.fstat(descriptor).st_size)
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", fdatasync)
        return sizes

    def test_with_always_a_hit_is_on_disk_when_append_returns(self, make_spool, hits, synced) -> None:
        spool = make_spool(durability=Durability.ALWAYS)
        for number, hit in enumerate(hits, 1):
            spool.append(hit)
            assert synced[-1] == number * ONE_LINE

    def test_with_always_hits_that_arrive_together_are_synced_together(
        self, make_spool, hits, files, wait_until, monkeypatch
    ) -> None:
        spool = make_spool(durability="always")
        begun, may_end, calls = threading.Event(), threading.Event(), []

        def fdatasync(_: int) -> None:
            calls.append(files()[0].stat().st_size)
            begun.set()
            assert may_end.wait(30)

        monkeypatch.setattr(os, "fdatasync", fdatasync)
        threads = [threading.Thread(target=spool.append, args=(hit,)) for hit in hits]
        threads[0].start()
        assert begun.wait(30)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: files()[0].stat().st_size == len(hits) * ONE_LINE)  # all are written, and wait for the disk
        may_end.set()
        for thread in threads:
            thread.join(30)
        assert calls == [ONE_LINE, len(hits) * ONE_LINE]

    def test_with_everysec_appending_does_not_wait_for_the_disk(self, make_spool, hits, synced) -> None:
        spool = make_spool()
        for hit in hits:
            spool.append(hit)
        assert synced == []

    def test_sync_brings_all_segments_to_disk(self, make_spool, hits, synced) -> None:
        spool = make_spool(segment_bytes=5 * ONE_LINE)
        for hit in hits[:7]:
            spool.append(hit)
        spool.sync()
        assert synced == [5 * ONE_LINE, 2 * ONE_LINE]

    def test_closing_brings_what_stays_to_disk(self, make_spool, hits, synced) -> None:
        spool = make_spool()
        spool.append(hits[0])
        spool.close()
        assert synced == [ONE_LINE]

    def test_a_segment_that_can_not_be_synced_does_not_keep_others_from_it(self, make_spool, hits, monkeypatch) -> None:
        spool = make_spool(segment_bytes=1)
        for hit in hits[:2]:
            spool.append(hit)
        calls = []

        def fdatasync(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) == 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fdatasync", fdatasync)
        with pytest.raises(OSError, match="error"):
            spool.sync()
        assert len(calls) == 2


class TestRotating:
    def test_a_segment_that_has_grown_is_followed_by_a_new_one(self, make_spool, hits, files) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for hit in hits:
            spool.append(hit)
        assert [path.stat().st_size // ONE_LINE for path in files()] == [3, 3, 3, 1]

    def test_so_is_one_that_is_old_when_it_is_drained(self, make_spool, hits, files) -> None:
        spool = make_spool(segment_seconds=0)
        spool.append(hits[0])
        before = files()
        assert take(spool) == hits[:1]
        assert len(files()) == 1
        assert files() != before

    def test_an_old_one_that_is_empty_stays(self, make_spool, files) -> None:
        spool = make_spool(segment_seconds=0)
        before = files()
        assert take(spool) == []
        assert files() == before

    def test_where_no_new_one_can_be_made_the_old_one_grows_on(self, make_spool, hits, files, monkeypatch) -> None:
        spool = make_spool(segment_bytes=1)

        def refuse(_: Path) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(segment_module.Segment, "create", refuse)
        for hit in hits:
            spool.append(hit)
        assert len(files()) == 1
        assert take(spool) == hits

    def test_hits_come_out_in_the_order_of_their_arrival(self, make_spool, hits) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for hit in hits:
            spool.append(hit)
        assert take(spool) == hits


class TestLimits:
    def test_beyond_its_limit_it_refuses_and_counts(self, make_spool, hits, waiting) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for hit in hits[:4]:
            spool.append(hit)
        for hit in hits[4:6]:
            with pytest.raises(SpoolFull, match="limit"):
                spool.append(hit)
        assert (waiting(), spool.refused) == (hits[:4], 2)

    def test_what_it_refuses_may_be_tried_again_later(self) -> None:
        assert issubclass(SpoolFull, StorageUnavailable)

    def test_it_takes_hits_again_after_draining(self, make_spool, hits) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE)
        for hit in hits[:4]:
            spool.append(hit)
        assert take(spool) == hits[:4]
        for hit in hits[4:8]:
            spool.append(hit)
        with pytest.raises(SpoolFull):
            spool.append(hits[8])
        assert take(spool) == hits[4:8]

    def test_the_limit_counts_all_segments(self, make_spool, hits) -> None:
        spool = make_spool(max_bytes=4 * ONE_LINE, segment_bytes=1)
        for hit in hits[:4]:
            spool.append(hit)
        with pytest.raises(SpoolFull, match="limit"):
            spool.append(hits[4])

    def test_the_limit_counts_what_was_taken_over(self, make_spool, hits, left_behind) -> None:
        left_behind(hits[:4])
        spool = make_spool(max_bytes=4 * ONE_LINE)
        with pytest.raises(SpoolFull, match="limit"):
            spool.append(hits[4])
        take(spool)
        spool.append(hits[4])


class TestRecovering:
    @pytest.mark.parametrize("end", [kill_myself, lambda: os._exit(0)], ids=["killed", "ended"])
    def test_what_a_dead_process_left_is_taken_over(self, make_spool, hits, left_behind, waiting, end) -> None:
        left_behind(hits, end=end)
        assert waiting() == hits
        assert take(make_spool()) == hits

    def test_the_segment_of_a_living_process_is_not_taken(self, make_spool, folder, hits, neighbour) -> None:
        def task(talk) -> None:
            spool = Spool(folder)
            spool.open()
            spool.append(hits[0])
            talk.tell("appended")

        owner = neighbour(task)
        assert owner.hear() == "appended"
        spool = make_spool()
        assert take(spool) == []
        owner.kill()
        spool.recover()
        assert take(spool) == hits[:1]

    def test_a_living_process_goes_on_while_others_recover(self, make_spool, folder, hits, neighbour) -> None:
        def task(talk) -> None:
            spool = Spool(folder)
            spool.open()
            for hit in hits:
                talk.tell("ready")
                talk.hear()
                spool.append(hit)
            talk.tell("done")

        owner = neighbour(task)
        spool = make_spool()
        while owner.hear() == "ready":
            spool.recover()
            assert take(spool) == []
            owner.tell()
        owner.kill()
        spool.recover()
        assert take(spool) == hits

    def test_exactly_one_of_two_processes_that_recover_at_once_gets_it(self, folder, hits, left_behind, neighbour):
        def task(talk) -> None:
            spool = Spool(folder)
            while talk.hear() == "recover":
                spool.recover()
                talk.tell([hit.id for batch in list_batches(spool) for hit in batch.hits])
                talk.hear()
                for batch in list_batches(spool):
                    spool.acknowledge(batch)
                talk.tell("acknowledged")

        def list_batches(spool: Spool) -> list:
            return [next(iter(spool.batches()))] if spool._segments() else []

        both = [neighbour(task), neighbour(task)]
        for _ in range(20):
            left_behind(hits)
            for one in both:
                one.tell("recover")
            assert sorted([one.hear() for one in both]) == [[], [hit.id for hit in hits]]
            for one in both:
                one.tell()
                assert one.hear() == "acknowledged"
        assert get_status(folder).segments == 0

    def test_two_spools_of_one_process_leave_each_other_alone(self, make_spool, hits) -> None:
        first, second = make_spool(), make_spool()
        first.append(hits[0])
        second.append(hits[1])
        first.recover()
        second.recover()
        assert (take(first), take(second)) == (hits[:1], hits[1:2])

    def test_a_torn_last_line_is_not_an_open(self, make_spool, hits, left_behind, files, folder) -> None:
        left_behind(hits)
        with files()[0].open("ab") as file:
            file.write(to_line(make_hit("a1b2c3d4"))[:-1])
        assert take(make_spool()) == hits
        assert get_status(folder).set_aside == 0

    def test_empty_segments_are_removed(self, make_spool, left_behind, files) -> None:
        left_behind([])
        left_behind([])
        assert len(files()) == 2
        spool = make_spool()
        assert take(spool) == []
        assert len(files()) == 1  # its own

    def test_segments_are_taken_over_the_oldest_first(self, make_spool, hits, left_behind) -> None:
        for hit in hits:
            left_behind([hit])
        assert take(make_spool()) == hits

    def test_it_comes_before_what_arrives_here(self, make_spool, hits, left_behind) -> None:
        spool = make_spool()
        left_behind(hits[:5])
        for hit in hits[5:]:
            spool.append(hit)
        spool.recover()
        assert take(spool) == hits

    def test_recovering_twice_gives_nothing_twice(self, make_spool, hits, left_behind) -> None:
        left_behind(hits)
        spool = make_spool()
        spool.recover()
        assert take(spool) == hits

    def test_a_segment_that_can_not_be_used_does_not_keep_others_back(
        self, make_spool, hits, left_behind, folder, caplog
    ) -> None:
        left_behind(hits[:5])
        (folder / "0.spool").mkdir()
        left_behind(hits[5:])
        spool = make_spool()
        spool.recover()
        assert take(spool) == hits
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert told == ["0.spool in the spool can't be recovered: Is a directory."]  # once

    def test_a_segment_that_can_not_be_read_does_not_keep_others_back(self, make_spool, hits, left_behind, files):
        left_behind(hits[:5])
        left_behind(hits[5:])
        spool = make_spool()
        os.truncate(files()[0], 10)
        found = []
        with pytest.raises(OSError, match="cut"):
            drain(spool, found.extend)
        assert found == hits[5:]


class TestDamage:
    """A line that can't be read is set aside as it was, once, and reported."""

    GARBAGE = b"garbage\tof another program"

    @pytest.fixture
    def damaged(self, hits, left_behind, files) -> bytes:
        """Ten hits, of which the fourth is damaged; the damaged line."""
        left_behind(hits)
        lines = files()[0].read_bytes().split(b"\n")
        lines[3] = lines[3].replace(b"Mozilla", b"Mozzarella")
        files()[0].write_bytes(b"\n".join(lines))
        return lines[3]

    def test_the_others_are_recovered(self, make_spool, hits, damaged, folder) -> None:
        assert take(make_spool()) == hits[:3] + hits[4:]
        assert (folder / "set-aside.lines").read_bytes() == damaged + b"\n"

    def test_it_is_reported(self, make_spool, damaged, folder, caplog) -> None:
        assert damaged
        take(make_spool())
        assert get_status(folder).set_aside == 1
        assert "A line of the spool is set aside in set-aside.lines: the checksum is wrong." in caplog.messages

    def test_what_it_says_is_not_in_the_log(self, make_spool, damaged, caplog) -> None:
        take(make_spool())
        assert not set(damaged.decode().split("\t")[1:8]) & set(" ".join(caplog.messages).split())

    def test_it_is_for_the_owner_only(self, make_spool, damaged, folder) -> None:
        assert damaged
        take(make_spool())
        assert stat.S_IMODE((folder / "set-aside.lines").stat().st_mode) == 0o600

    def test_it_is_set_aside_once_however_often_storing_the_others_fails(self, make_spool, hits, damaged, folder):
        assert damaged
        spool = make_spool()
        for _ in range(5):
            next(iter(spool.batches()))  # stored by nobody
        assert get_status(folder).set_aside == 0
        assert take(spool) == hits[:3] + hits[4:]
        assert get_status(folder).set_aside == 1

    def test_content_of_other_programs_is_set_aside_line_by_line(self, make_spool, folder) -> None:
        folder.mkdir()
        lines = [self.GARBAGE, b"", b"\x00\xff" * 100, b"x" * 10**6]
        (folder / "1.spool").write_bytes(b"".join(line + b"\n" for line in lines))
        assert take(make_spool()) == []
        assert (folder / "set-aside.lines").read_bytes().split(b"\n")[:-1] == lines
        assert not (folder / "1.spool").exists()

    def test_other_files_are_left_alone(self, make_spool, folder) -> None:
        folder.mkdir()
        (folder / "notes.txt").write_bytes(self.GARBAGE)
        take(make_spool())
        assert (folder / "notes.txt").read_bytes() == self.GARBAGE

    def test_it_stays_in_its_segment_while_it_can_not_be_kept_elsewhere(self, make_spool, damaged, folder) -> None:
        assert damaged
        (folder / "set-aside.lines").mkdir()
        spool = make_spool()
        with pytest.raises(OSError, match="directory"):
            take(spool)
        (folder / "set-aside.lines").rmdir()
        take(spool)
        assert get_status(folder).set_aside == 1

    def test_lines_of_two_processes_do_not_mix(self, folder, neighbour) -> None:
        from mailtrack.spool import aside

        folder.mkdir()

        def task(talk) -> None:
            talk.hear()
            for number in range(100):
                aside.keep(folder, [b"%d" % number * 500] * 3)
            talk.tell("done")

        both = [neighbour(task), neighbour(task)]
        for one in both:
            one.tell("go")
        assert [one.hear() for one in both] == ["done", "done"]
        lines = (folder / "set-aside.lines").read_bytes().split(b"\n")[:-1]
        assert sorted(lines) == sorted([b"%d" % number * 500 for number in range(100)] * 6)


class TestClosing:
    def test_what_is_not_acknowledged_stays_for_the_next_one(self, make_spool, hits, waiting) -> None:
        spool = make_spool()
        for hit in hits:
            spool.append(hit)
        assert spool.close() is False
        assert waiting() == hits
        assert take(make_spool()) == hits

    def test_where_all_is_acknowledged_nothing_stays(self, make_spool, hits, folder) -> None:
        spool = make_spool()
        spool.append(hits[0])
        take(spool)
        assert spool.close() is True
        assert list(folder.iterdir()) == []

    def test_a_closed_one_takes_nothing(self, make_spool, hits) -> None:
        spool = make_spool()
        spool.close()
        with pytest.raises(SpoolClosed, match="not open"):
            spool.append(hits[0])
        assert not spool.is_open

    def test_closing_twice_is_harmless(self, make_spool) -> None:
        spool = make_spool()
        spool.close()
        assert spool.close() is True

    def test_a_closed_one_can_be_opened_again(self, make_spool, hits) -> None:
        spool = make_spool()
        spool.append(hits[0])
        spool.close()
        spool.open()
        spool.append(hits[1])
        assert take(spool) == hits[:2]

    def test_hits_that_come_while_it_closes_are_refused_or_kept(self, make_spool, waiting) -> None:
        for _ in range(20):
            spool = make_spool()
            before = {hit.id for hit in waiting()}

            def append(hit, spool=spool) -> str:
                try:
                    spool.append(hit)
                except (SpoolClosed, SpoolFull):
                    return ""
                return hit.id

            new = [make_hit("a1b2c3d4") for _ in range(4)]
            taken = at_once([*(lambda hit=hit: append(hit) for hit in new), lambda spool=spool: spool.close() and ""])
            assert {hit.id for hit in waiting()} - before == set(taken) - {"", False}


class TestForking:
    def test_a_child_does_not_use_the_spool_of_its_parent(self, make_spool, hits) -> None:
        spool = make_spool()
        spool.append(hits[0])

        def task() -> None:
            assert not spool.is_open
            assert take(spool) == []
            with pytest.raises(SpoolClosed):
                spool.append(hits[1])

        assert in_child(task) == ""
        spool.append(hits[2])
        assert take(spool) == [hits[0], hits[2]]

    def test_a_child_can_open_its_own(self, make_spool, hits) -> None:
        spool = make_spool()
        spool.append(hits[0])

        def task() -> None:
            spool.open()
            spool.append(hits[1])

        assert in_child(task) == ""
        spool.recover()
        assert take(spool) == [hits[1], hits[0]]

    def test_the_lock_ends_with_the_parent_though_a_child_lives_on(self, make_spool, folder, hits, neighbour) -> None:
        def task(talk) -> None:
            spool = Spool(folder, segment_bytes=1)
            spool.open()
            for hit in hits[:2]:
                spool.append(hit)
            if os.fork() == 0:
                signal.alarm(60)
                talk.tell(os.getpid())
                signal.pause()

        owner = neighbour(task)
        child = owner.hear()
        try:
            owner.kill()
            assert take(make_spool()) == hits[:2]
        finally:
            os.kill(child, signal.SIGKILL)

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
    def test_children_forked_while_segments_come_and_go_hold_none(self, make_spool, hits) -> None:
        spool = make_spool(segment_bytes=1)
        enough = threading.Event()

        def come_and_go() -> None:
            while not enough.is_set():
                spool.append(hits[0])
                take(spool)

        def task() -> None:
            assert [name for name in open_files() if ".spool/" in name] == []
            spool.open()
            spool.append(hits[1])

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            told = [in_child(task) for _ in range(20)]
        finally:
            enough.set()
            thread.join(30)
        assert told == [""] * 20
        spool.recover()
        assert [hit for hit in take(spool) if hit == hits[1]] == [hits[1]] * 20


class TestLookingIn:
    def test_lines_are_shown_whoever_owns_them(self, make_spool, hits, left_behind, folder) -> None:
        left_behind(hits[:5])
        spool = make_spool()
        assert take(spool) == hits[:5]
        left_behind(hits[5:7])
        spool.append(hits[7])
        assert sorted(inspect(folder)) == sorted(to_line(hit) for hit in hits[5:8])

    def test_half_a_line_is_not_shown(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "1.spool").write_bytes(b"one\ntw")
        assert list(inspect(folder)) == [b"one\n"]

    def test_its_status_tells_what_lies_there(self, make_spool, hits, folder) -> None:
        spool = make_spool(segment_bytes=3 * ONE_LINE)
        for hit in hits:
            spool.append(hit)
        status = get_status(folder)
        assert (status.segments, status.hits, status.bytes, status.set_aside) == (4, 10, 10 * ONE_LINE, 0)

    def test_a_folder_that_does_not_exist_is_empty(self, folder: Path) -> None:
        status = get_status(folder)
        assert (status.segments, status.hits, status.bytes, status.set_aside) == (0, 0, 0, 0)

    def test_a_segment_that_goes_meanwhile_is_passed_over(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "1.spool").symlink_to("gone")
        (folder / "2.spool").write_bytes(b"one\n")
        status = get_status(folder)
        assert (status.segments, status.hits) == (1, 1)
