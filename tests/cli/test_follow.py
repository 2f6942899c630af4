"""`mailtrack opens --follow` as a process of its own: it prints opens as they come, and ends with its reader."""

import json
import os
import queue
import signal
import threading
import time
from pathlib import Path

import pytest

from mailtrack import _wire as wire

SECONDS = 30


class Followed:
    """A process that follows: the lines of its standard output and of its standard error, as they come."""

    def __init__(self, process):
        self.process = process
        self._output, self._errors = (self._read(stream) for stream in (process.stdout, process.stderr))

    def _read(self, stream):
        lines = queue.Queue()

        def read():
            for line in stream:
                lines.put(line.decode().rstrip("\n"))

        threading.Thread(target=read, daemon=True).start()
        return lines

    def line(self):
        return self._output.get(timeout=SECONDS)

    def error(self):
        return self._errors.get(timeout=SECONDS)

    def begin(self, open_):
        """Open mails until the process has printed one: it has begun to follow. Then take what else is of these."""
        deadline, number = time.monotonic() + SECONDS, 0
        while self._output.empty():
            assert time.monotonic() < deadline
            open_()
            number += 1
            time.sleep(0.05)
        last = open_("last/1.0")
        while "last/1.0" not in self.line():
            pass
        return last


@pytest.fixture
def follow(program):
    return lambda *arguments, **options: Followed(program("opens", *arguments, "--follow", **options))


@pytest.fixture
def open_(tracker, pixel, recipient):
    """Opens the mail to Ann."""

    def record(user_agent="Thunderbird/128.3", pixel=pixel, token=recipient.token):
        tracker.record(pixel.id, token=token, user_agent=user_agent, ip="192.0.2.1")
        return tracker.list_opens(pixel, limit=1).items[0]

    return record


def test_json_is_one_open_a_line_of_the_pixel_alone(follow, tracker, pixel, open_):
    other = tracker.create_pixel("Autumn")
    followed = follow(pixel.short_id, "--json")
    followed.begin(open_)
    open_(pixel=other, token=None)
    for _ in range(3):
        stored = open_()
        assert json.loads(followed.line()) == wire.open_(stored)


def test_without_a_pixel_it_prints_those_of_all_each_with_its_pixel(follow, tracker, pixel, open_):
    followed = follow("--json")
    followed.begin(open_)
    other = tracker.create_pixel("Autumn")
    for one in (other, pixel):
        stored = open_(pixel=one, token=None)
        assert json.loads(followed.line()) == wire.open_(stored) | {"pixelId": one.id, "pixelName": one.name}


def test_a_table_has_heads_once_and_the_rows_of_opens(follow, pixel, open_):
    followed = follow(pixel.id)
    followed.begin(open_)
    open_()
    assert followed.line().split()[1:5] == ["human", "ann@example.org", "Thunderbird", "128"]
    open_(token=None)
    assert followed.line().split()[1:5] == ["human", "not", "known", "Thunderbird"]


def test_a_table_of_all_pixels_names_them(follow, pixel, open_):
    followed = follow()
    deadline = time.monotonic() + SECONDS
    while followed._output.empty():
        assert time.monotonic() < deadline
        open_()
        time.sleep(0.05)
    assert followed.line().split()[:3] == ["PIXEL", "TIME", "VERDICT"]
    assert followed.line().startswith(pixel.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_quietly(follow, pixel, open_, number):
    followed = follow(pixel.id, "--json")
    followed.begin(open_)
    followed.process.send_signal(number)
    assert followed.process.wait(SECONDS) == 0
    assert followed._errors.empty()


def test_a_closed_pipe_ends_it_though_no_open_comes(program, pixel, open_):
    reading, writing = os.pipe()
    process = program("opens", pixel.id, "--follow", "--json", stdout=writing)
    os.close(writing)
    with os.fdopen(reading) as output:
        deadline = time.monotonic() + SECONDS
        threading.Thread(target=output.readline).start()
        while threading.active_count() > 1:
            assert time.monotonic() < deadline
            open_()
            time.sleep(0.05)
    assert process.wait(SECONDS) == 1
    assert process.stderr.read() == b""


def test_it_waits_for_a_storage_that_is_away(follow, pixel, open_):
    followed = follow(pixel.id, "--json")
    followed.begin(open_)
    Path("mailtrack.db").rename("away.db")
    assert followed.error().startswith("Waiting for the storage: ")
    Path("away.db").rename("mailtrack.db")
    stored = open_()
    assert json.loads(followed.line())["id"] == stored.id


@pytest.mark.parametrize("options", [["--csv"], ["--limit", "5"], ["--cursor", "1"]])
def test_what_lists_old_opens_does_not_go_with_it(run, pixel, options):
    assert "--follow prints opens to come" in run("opens", pixel.id, "--follow", *options, exits=2).stderr


def test_without_it_a_pixel_is_needed(run):
    assert "Missing argument 'PIXEL'" in run("opens", exits=2).stderr


@pytest.mark.usefixtures("pixel")
def test_an_unknown_pixel_and_a_missing_database_are_errors(run):
    assert run("opens", "00000000", "--follow", exits=1).stderr == "Error: Pixel not found\n"
    assert run("opens", "--follow", "--database", "sqlite:///none.db", exits=1).stderr.startswith("Error: ")
