"""`mailtrack report`."""

import json
import sys
from datetime import timedelta

import attrs
import pytest

from mailtrack import Tracker, open_storage
from mailtrack import _wire as wire
from mailtrack._rate_text import MEANINGS
from mailtrack.cli import main
from mailtrack.cli._report_text import _time
from mailtrack.testing import FakeClock, make_hit

BLOCKS = set("█▉▊▋▌▍▎▏░")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def tracker(clock):
    with open_storage("sqlite:///mailtrack.db") as storage:
        yield Tracker(storage, base_url="http://127.0.0.1:8000", clock=clock)


@pytest.fixture
def opened(tracker, clock, pixel, thunderbird, robot):
    """Of four recipients, one opened five times on two days, and two were fetched by a machine."""
    people = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem", "dee")])
    clock.advance(hours=1)
    for person in people[1:3]:
        tracker.record(pixel.id, token=person.token, user_agent=robot)
    for _ in range(5):
        tracker.record(pixel.id, token=people[0].token, ip="192.0.2.1", user_agent=thunderbird)
        clock.advance(hours=4)
    return pixel


def sections(text):
    """The lines of each part of a report by its title."""
    found = {}
    for part in text.strip().split("\n\n"):
        title, *lines = part.splitlines()
        found[title] = lines
    return found


def cells(line):
    """The cells of a line, without its bar."""
    return [cell for cell in (part.strip() for part in line.split("  ")) if cell and not set(cell) <= BLOCKS]


@pytest.fixture
def report(run, opened):
    """The parts of the report that is shown."""
    return lambda *options: sections(run("report", opened.short_id, *options).stdout)


def test_it_begins_with_the_name_of_the_pixel(report):
    assert next(iter(report())) == "Spring launch"


def test_it_tells_the_numbers_that_count_beside_the_raw_ones(report):
    head, lines = next((title, lines) for title, lines in report().items() if "COUNTED" in title)
    summary = [cells(line) for line in lines]
    assert cells(head) == ["4 recipients", "COUNTED", "RAW"]
    assert summary == [
        ["Opened", "1", "3"],
        ["Open rate", "25.0%", "75.0%"],
        ["Not opened", "3", "1"],
        ["Of these only prefetched: not known", "0"],
        ["Median time to the first open", summary[4][1], summary[4][2]],
        ["Fetches of the image", "5", "7"],
        ["Views (without repeats)", "5", "7"],
        ["First open (UTC)", "2025-11-06 13:00", "2025-11-06 13:00"],
        ["Last open (UTC)", "2025-11-07 05:00", "2025-11-07 05:00"],
    ]
    assert summary[4][1].startswith(("58 min", "59 min", "1 h"))


def test_days_and_hours_are_those_of_the_zone(report):
    utc, tokyo = report(), report("--time-zone", "Asia/Tokyo")
    assert [cells(line) for line in utc["Opens by day (UTC)"]] == [
        ["Thu 2025-11-06", "3", "5"],
        ["Fri 2025-11-07", "2", "2"],
    ]
    assert [cells(line) for line in tokyo["Opens by day (Asia/Tokyo)"]] == [
        ["Thu 2025-11-06", "1", "3"],
        ["Fri 2025-11-07", "4", "4"],
    ]
    assert [cells(line) for line in tokyo["Opens by hour of the day (Asia/Tokyo)"]][22] == ["22:00", "1", "3"]
    assert len(tokyo["Opens by hour of the day (Asia/Tokyo)"]) == 24


def test_bars_show_what_counts_and_what_does_not(report):
    lines = report()["Opens by verdict"]
    assert [line.split() for line in lines] == [
        ["human", "5", "5", "█" * 24],
        ["bot", "0", "2", "░" * 10],
    ]


def test_the_largest_bar_is_24_wide_and_numbers_are_in_columns(report):
    lines = report()["Opens by hour of the day (UTC)"]
    bars = [line[len("13:00  1  3  ") :] for line in lines]
    assert max(map(len, bars)) == 24
    assert bars[13] == "█" * 8 + "░" * 16


@pytest.mark.parametrize(("encoding", "marks"), [("utf-8", BLOCKS), ("latin-1", {"#", "."})])
def test_what_is_little_is_seen_all_the_same(run, tracker, pixel, thunderbird, robot, encoding, marks):
    hit = attrs.evolve(make_hit(pixel, at=tracker.now()), user_agent=thunderbird)
    tracker.store(attrs.evolve(hit, id=f"{number:032x}") for number in range(1000))
    tracker.record(pixel.id, user_agent=robot)
    tracker.record(pixel.id, user_agent="Mozilla/4.0 (compatible; MSIE 7.0; ms-office; MSOffice 16)")
    printed = run("report", pixel.id, encoding=encoding).stdout_bytes.decode(encoding)
    assert all(set(line[-1]) <= marks for line in sections(printed)["Opens by verdict"])


def test_an_hour_without_opens_has_no_bar(report):
    empty = [line for line in report()["Opens by hour of the day (UTC)"] if cells(line)[1:] == ["0", "0"]]
    assert [line[-1] for line in empty] == ["0"] * 19


def test_breakdowns_have_the_names(report):
    found = report()
    assert [cells(line)[0] for line in found["Opens by client"]] == ["Thunderbird", "python-requests"]
    assert [cells(line)[0] for line in found["Opens by vendor, where one is known"]] == ["Mozilla"]
    assert [cells(line)[0] for line in found["Opens by system"]] == ["Linux", "unknown"]
    assert [cells(line)[0] for line in found["Opens by device"]] == ["desktop", "unknown"]


def test_recipients_are_told_by_the_time_to_their_first_open(report):
    lines = [cells(line) for line in report()["Recipients by time to the first open"]]
    assert [sum(int(line[column]) for line in lines) for column in (1, 2)] == [1, 3]
    assert all(line[0].startswith("up to ") for line in lines)


def test_who_opened_most_is_told(report):
    assert [cells(line) for line in report()["Recipients with the most opens that count"]] == [["ann@example.org", "5"]]


def test_top_limits_what_is_told(report):
    assert [cells(line)[0] for line in report("--top", 1)["Opens by client"]] == ["Thunderbird"]


def test_of_many_days_the_first_and_the_last_are_shown_and_none_is_lost(run, tracker, clock, pixel, thunderbird):
    for _ in range(40):
        tracker.record(pixel.id, user_agent=thunderbird)
        clock.advance(days=1)
    lines = [cells(line) for line in sections(run("report", pixel.id).stdout)["Opens by day (UTC)"]]
    assert (len(lines), lines[7]) == (15, ["... 26 days", "26", "26"])
    assert [lines[0][0], lines[14][0]] == ["Thu 2025-11-06", "Mon 2025-12-15"]
    assert sum(int(line[2]) for line in lines) == 40


def test_no_line_ends_with_blanks_and_none_is_wider_than_80(run, opened):
    for line in run("report", opened.id).stdout.splitlines():
        assert (line, len(line) <= 80) == (line.rstrip(), True)


def test_a_pixel_that_nobody_opened_says_so(run, pixel):
    lines = run("report", pixel.id).stdout.splitlines()
    assert lines[0] == "Spring launch"
    assert cells(lines[4]) == ["Open rate", "not known", "not known"]
    assert lines[-1] == "No opens yet."


def test_recipients_without_opens_have_a_rate_of_none_of_them(run, recipient):
    assert cells(run("report", recipient.pixel_id).stdout.splitlines()[4]) == ["Open rate", "0.0%", "0.0%"]


def test_the_rate_is_shown_with_its_bounds_and_what_each_figure_is(run, tracker, pixel, thunderbird):
    recipients = tracker.generate_tokens(pixel, [f"r{number}@example.org" for number in range(10)])
    for number, one in enumerate(recipients[:7]):
        agent = "Mozilla/5.0" if number < 4 else thunderbird
        tracker.record(pixel, token=one.token, ip=f"192.0.2.{number}", user_agent=agent)
    lines = sections(run("report", pixel.id).stdout)["Open rate"]
    text = " ".join(" ".join(lines).split())
    values = ("Counted 30.0%", "Raw 70.0%", "Measurable 50.0%", "True rate 30.0% to 70.0%")
    assert text == " ".join(f"{value} {one}" for value, one in zip(values, MEANINGS.values(), strict=True))


def test_the_rate_of_a_pixel_without_recipients_is_not_known(run, pixel):
    lines = sections(run("report", pixel.id).stdout)["Open rate"]
    values = [" ".join(line.split()[:-1]) for line in lines if not line.startswith(" ")]
    assert [value.count("not known") for value in values] == [1] * 4


def test_json_is_what_the_api_answers(run, tracker, opened):
    (line,) = run("report", opened.id, "--json", "--time-zone", "Europe/Berlin").stdout.splitlines()
    assert json.loads(line) == wire.report(tracker.report(opened.id, time_zone="Europe/Berlin"), tracker.urls)


def test_json_has_the_urls_of_the_settings(run, opened):
    found = json.loads(run("report", opened.id, "--json", "--base-url", "https://m.example.com").stdout)
    assert found["pixel"]["logsUrl"] == f"https://m.example.com/logs/{opened.short_id}"


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("zone", ["", "Nowhere/City", "../etc/passwd", "x" * 10_240])
def test_a_bad_time_zone_fails_with_one_clear_line(run, pixel, options, zone):
    result = run("report", pixel.id, "--time-zone", zone, *options, exits=1)
    assert result.stdout == ""
    assert result.stderr == "Error: The time zone is not known; give one such as UTC or Europe/Berlin.\n"


@pytest.mark.parametrize("top", ["0", "101", "x"])
def test_a_bad_top_is_wrong_usage(run, pixel, top):
    assert "--top" in run("report", pixel.id, "--top", top, exits=2).stderr


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(run, key, options):
    result = run("report", key, *options, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")


def test_control_characters_do_not_reach_the_terminal(run, tracker, pixel):
    tracker.record(pixel.id, user_agent="\x1b[2J\x07/1")
    assert not any(char in run("report", pixel.id).stdout for char in "\x1b\x07\r")


def test_a_terminal_without_blocks_gets_bars_of_ascii(opened, monkeypatch, capsysbinary):
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    sys.stdout.reconfigure(encoding="latin-1")
    main(["report", opened.id], standalone_mode=False)
    text = capsysbinary.readouterr().out.decode("latin-1")
    assert [line.split()[-1] for line in sections(text)["Opens by verdict"]] == ["#" * 24, "." * 10]


@pytest.mark.parametrize(
    ("delay", "text"),
    [
        (None, "none"),
        (timedelta(0), "0 s"),
        (timedelta(seconds=59.4), "59 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(seconds=61), "1 min 1 s"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=1, minutes=11, seconds=59), "1 h 11 min"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=2, hours=5, minutes=59), "2 d 5 h"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_a_span_of_time_is_shown_in_its_two_largest_units(delay, text):
    assert _time(delay) == text
