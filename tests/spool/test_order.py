"""Hits come out of a spool in the order in which they arrived, over segments and processes."""

import itertools
import random
from contextlib import suppress
from datetime import timedelta

import pytest

from mailtrack._ingest.lines import UnreadableLine, from_line
from mailtrack._spool import Reader, Spool
from mailtrack.testing import make_hit
from mailtrack.testing._factories import NOON, to_line

ONE_LINE = len(to_line(make_hit("a1b2c3d4")))
HITS = 60


@pytest.fixture
def arrivals():
    """Hits that arrived one after the other, a second apart."""
    return [make_hit("a1b2c3d4", at=NOON + timedelta(seconds=number)) for number in range(HITS)]


@pytest.fixture
def write(folder):
    """Writes segments as processes leave them: each hit by a process that chance picks, so many lines to a segment."""

    def write(hits, *, processes, lines, chance):
        parts = {}
        for hit in hits:
            process = chance.randrange(processes)
            segments = parts.setdefault(process, [])
            if not segments or len(segments[-1]) == lines:
                segments.append([])
            segments[-1].append(hit)
        folder.mkdir(exist_ok=True)
        for process, segments in parts.items():
            for hits_in_segment in segments:
                begun = round(hits_in_segment[0].at.timestamp() * 1e9)
                path = folder / f"{begun:019d}-{process + 100}-{chance.getrandbits(32):08x}.spool"
                path.write_bytes(b"".join(map(to_line, hits_in_segment)))

    return write


def read(line):
    with suppress(UnreadableLine):
        return from_line(line)
    return None


def taken(folder, **options):
    reader = Reader(folder, **options)
    assert reader.lead()
    batches = []
    for batch in reader.batches():
        batches.append([hit for hit in map(read, batch.lines) if hit])
        reader.acknowledge(batch)
    reader.release()
    return batches


@pytest.mark.parametrize("lines", [1, 2, 3, 7, HITS])
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_they_come_in_order_whatever_the_size_of_batches_and_segments(folder, write, arrivals, processes, lines):
    for batch_lines in (1, 2, 2.5, 3, 5, 11.5, 30, 2 * HITS):
        chance = random.Random(f"{processes} {lines} {batch_lines}")
        write(arrivals, processes=processes, lines=lines, chance=chance)
        batches = taken(folder, batch_bytes=round(batch_lines * ONE_LINE))
        assert [hit.id for hit in itertools.chain(*batches)] == [hit.id for hit in arrivals]
        assert max(map(len, batches)) <= max(processes, batch_lines) + 1
        assert list(folder.iterdir()) == []


def test_one_process_over_many_segments_of_its_own(folder, arrivals):
    spool = Spool(folder, segment_bytes=3 * ONE_LINE)
    spool.open()
    for hit in arrivals:
        spool.append(to_line(hit))
    spool.close()
    assert list(itertools.chain(*taken(folder, batch_bytes=round(2.5 * ONE_LINE)))) == arrivals


def test_what_old_processes_left_comes_before_what_came_later(folder, write, arrivals):
    for number, start in enumerate(range(0, HITS, 6)):
        write(arrivals[start : start + 6], processes=2, lines=3, chance=random.Random(number))
    assert list(itertools.chain(*taken(folder, batch_bytes=4 * ONE_LINE))) == arrivals


@pytest.mark.parametrize("batch_lines", [1, 3, 100])
def test_each_comes_once_though_clocks_jumped(folder, write, arrivals, batch_lines):
    """A process whose clock was an hour ahead, and one whose clock went back while it wrote."""
    ahead = [make_hit("a1b2c3d4", at=NOON + timedelta(hours=1, seconds=number)) for number in range(20)]
    back = [make_hit("a1b2c3d4", at=NOON - timedelta(hours=number)) for number in range(20)]
    for number, hits in enumerate((ahead, arrivals, back)):
        write(hits, processes=1, lines=7, chance=random.Random(number))
    for path in folder.iterdir():  # three processes
        begun, process, rest = path.name.split("-")
        path.rename(folder / f"{begun}-{process}{rest[0]}-{rest}")
    found = list(itertools.chain(*taken(folder, batch_bytes=batch_lines * ONE_LINE)))
    assert sorted(hit.id for hit in found) == sorted(hit.id for hit in (*ahead, *arrivals, *back))


def test_damaged_lines_keep_none_back(folder, write, arrivals):
    write(arrivals, processes=3, lines=10, chance=random.Random(1))
    for path in folder.iterdir():
        path.write_bytes(b"1\t" + b"z" * 32 + b"\tdamaged\n" + path.read_bytes() + b"\n\xff\n")
    found = list(itertools.chain(*taken(folder, batch_bytes=3 * ONE_LINE)))
    assert sorted(hit.id for hit in found) == [hit.id for hit in arrivals]
