"""What lies in a spool is read without touching it, even if it is drained meanwhile."""

from datetime import timedelta
from pathlib import Path

import pytest

from mailtrack._ingest.pending import oldest_hit, pending_hits
from mailtrack._spool import Snapshot
from mailtrack.testing import make_hit
from mailtrack.testing._factories import NOON, to_line

HITS = [make_hit("a1b2c3d4", at=NOON + timedelta(seconds=n)) for n in range(40)]


def _append(spool, hits) -> None:
    for hit in hits:
        spool.append(to_line(hit))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestSnapshot:
    def test_hits_of_several_processes_come_in_the_order_of_their_arrival(self, make_spool, folder) -> None:
        spools = [make_spool(), make_spool(), make_spool()]
        for number, spool in enumerate(spools):
            _append(spool, HITS[number::3])
        before = _contents(folder)
        with Snapshot(folder) as snapshot:
            assert list(pending_hits(snapshot)) == HITS
        assert _contents(folder) == before

    def test_hits_that_are_drained_meanwhile_are_still_read(self, make_spool, take, folder) -> None:
        spool = make_spool()
        _append(spool, HITS)
        with Snapshot(folder) as snapshot:
            spool.close()
            assert take() == HITS
            assert take() == []  # which removes what is drained
            assert _contents(folder) == {}
            assert list(pending_hits(snapshot)) == HITS

    def test_hits_that_come_meanwhile_are_not_read(self, make_spool, folder) -> None:
        spool = make_spool()
        _append(spool, HITS[:5])
        with Snapshot(folder) as snapshot:
            _append(spool, HITS[5:])
            _append(make_spool(), HITS[20:])
            assert list(pending_hits(snapshot)) == HITS[:5]

    def test_a_drainer_is_not_held_up(self, make_spool, make_reader, take, folder) -> None:
        _append(spool := make_spool(), HITS)
        with Snapshot(folder) as snapshot:
            reader = make_reader()
            assert take(reader) == HITS
            spool.close()
            take(reader)
            assert _contents(folder) == {}
            assert len(list(pending_hits(snapshot))) == len(HITS)

    @pytest.mark.parametrize("missing", [1, 9])
    def test_a_line_that_was_being_written_is_not_answered_and_not_read(self, leave, folder, caplog, missing) -> None:
        lines = [to_line(hit) for hit in HITS[:3]]
        leave(*lines[:2], lines[2][:-missing])
        with Snapshot(folder) as snapshot:
            assert list(pending_hits(snapshot)) == HITS[:2]
        assert caplog.records == []

    def test_damaged_lines_are_passed_over_and_logged(self, leave, folder, caplog) -> None:
        leave(to_line(HITS[0]), b"damaged\n", b"\n", to_line(HITS[1]))
        with Snapshot(folder) as snapshot:
            assert list(pending_hits(snapshot)) == HITS[:2]
        assert [record.getMessage() for record in caplog.records] == ["2 lines in the spool can't be read."]

    def test_a_folder_that_does_not_exist_holds_nothing(self, folder) -> None:
        with Snapshot(folder) as snapshot:
            assert list(pending_hits(snapshot)) == []

    def test_what_is_no_folder_is_an_error(self, folder) -> None:
        folder.write_bytes(b"")
        with pytest.raises(NotADirectoryError):
            Snapshot(folder)

    def test_a_segment_that_cannot_be_read_is_an_error(self, leave, folder) -> None:
        leave(to_line(HITS[0]))
        (folder / "0-0-0.spool").symlink_to(folder / "0-0-0.spool")
        with pytest.raises(OSError, match="symbolic links"):
            Snapshot(folder)


class TestOldestHit:
    def test_it_is_the_earliest_of_all_segments(self, make_spool, folder) -> None:
        _append(make_spool(), HITS[7:])
        _append(make_spool(), HITS[3:])
        make_spool()
        assert oldest_hit(folder) == HITS[3].at

    def test_a_damaged_first_line_is_passed_over(self, leave, folder) -> None:
        leave(b"damaged\n", to_line(HITS[5]))
        assert oldest_hit(folder) == HITS[5].at

    def test_an_empty_spool_has_none(self, make_spool, folder) -> None:
        assert oldest_hit(folder) is None
        make_spool()
        assert oldest_hit(folder) is None
