"""`mailtrack opens`."""

import csv
import io
import json

import attrs
import pytest

from mailtrack import _wire as wire
from mailtrack._export import OPEN_COLUMNS, opens_csv
from mailtrack.testing import make_hit


@pytest.fixture
def visited(tracker, pixel, recipient, thunderbird):
    """A pixel that was opened by its recipient, and then by nobody known."""
    tracker.record(pixel.id, token=recipient.token, ip="192.0.2.1", user_agent=thunderbird)
    tracker.record(pixel.id, ip="192.0.2.2")
    return pixel


def rows(result):
    """The words of the table's rows without the times."""
    return [line.split()[1:] for line in result.stdout.splitlines()[1:]]


def test_opens_are_shown_newest_first(run, visited):
    newest, oldest = rows(run("opens", visited.short_id))
    assert newest[1:3] == ["not", "known"]
    assert oldest[:5] == ["human", "ann@example.org", "Thunderbird", "128", "192.0.2.1"]
    assert oldest[5] == "Mozilla/5.0"


def test_the_table_has_heads(run, pixel):
    assert run("opens", pixel.id).stdout.split() == [
        "TIME",
        "VERDICT",
        "RECIPIENT",
        "CLIENT",
        "ADDRESS",
        "USER",
        "AGENT",
    ]


def test_a_deleted_recipients_open_is_shown_without_the_address(run, tracker, visited, recipient):
    tracker.delete_recipient(recipient.id)
    result = run("opens", visited.id)
    assert rows(result)[1][:3] == ["human", "deleted", "recipient"]
    assert recipient.email not in result.output


def test_json_is_one_open_a_line_as_the_api_answers(run, tracker, visited):
    found = [json.loads(line) for line in run("opens", visited.id, "--json").stdout.splitlines()]
    assert found == [wire.open_(one) for one in tracker.list_opens(visited.id).items]


def test_json_of_no_opens_is_nothing(run, pixel):
    assert run("opens", pixel.id, "--json").output == ""


def test_a_limit_cuts_the_list_and_tells_how_to_go_on(run, visited):
    first = run("opens", visited.id, "--limit", 1)
    hint, cursor = first.stderr.rsplit(maxsplit=1)
    rest = run("opens", visited.id, "--limit", 1, "--cursor", cursor)
    assert hint == "There is more: --cursor"
    assert rows(first) + rows(rest) == rows(run("opens", visited.id))
    assert rest.stderr == ""


def test_json_that_is_cut_says_on_standard_error_how_to_go_on(run, visited):
    first = run("opens", visited.id, "--limit", 1, "--json")
    hint, cursor = first.stderr.rsplit(maxsplit=1)
    rest = run("opens", visited.id, "--cursor", cursor, "--json")
    assert (hint, rest.stderr) == ("There is more: --cursor", "")
    assert first.stdout + rest.stdout == run("opens", visited.id, "--json").stdout


def test_50_opens_are_shown_where_no_limit_is_given(run, tracker, pixel):
    tracker.store([make_hit(pixel) for _ in range(51)])
    assert len(rows(run("opens", pixel.id))) == 50


def test_control_characters_do_not_reach_the_terminal(run, tracker, pixel):
    tracker.record(pixel.id, user_agent="\x1b[2J\x07\r\n")
    assert not any(char in run("opens", pixel.id).stdout for char in "\x1b\x07\r")


@pytest.mark.parametrize("cursor", ["x", "", "-1", "１２", "1" * 100])
def test_a_bad_cursor_fails(run, pixel, cursor):
    result = run("opens", pixel.id, "--cursor", cursor, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: The cursor is not valid.\n")


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(run, key):
    result = run("opens", key, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")


def test_csv_holds_all_opens_the_newest_first(run, tracker, visited, recipient):
    hits = [make_hit(visited, at=tracker.now()) for _ in range(60)]
    tracker.store(attrs.evolve(hit, user_agent=f"#{number}") for number, hit in enumerate(hits))
    data = run("opens", visited.short_id, "--csv").stdout_bytes
    header, *found = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    assert header == list(OPEN_COLUMNS)
    assert [row[header.index("User Agent")] for row in found[:60]] == [f"#{number}" for number in reversed(range(60))]
    assert (len(found), found[-1][1]) == (62, recipient.email)
    assert data.count(b"\r\n") == data.count(b"\n") == 63


def test_csv_is_what_the_api_answers(run, tracker, visited):
    pieces = opens_csv(tracker.iter_opens(visited.id), get_recipients=tracker.get_recipients)
    assert run("opens", visited.id, "--csv").stdout_bytes == b"".join(pieces)


@pytest.mark.parametrize(("options", "cell"), [([], b",'=1+1,"), (["--raw"], b",=1+1,")])
def test_csv_guards_formulas_unless_raw(run, tracker, pixel, options, cell):
    tracker.record(pixel.id, user_agent="=1+1")
    assert cell in run("opens", pixel.id, "--csv", *options).stdout_bytes


@pytest.mark.parametrize("options", [["--json"], ["--limit", "50"], ["--cursor", "1"]])
def test_csv_does_not_go_with_what_shows_a_part(run, pixel, options):
    result = run("opens", pixel.id, "--csv", *options, exits=2)
    assert (result.stdout, "--csv writes all opens" in result.stderr) == ("", True)


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("key", ["00000000", "x"])
def test_csv_of_an_unknown_pixel_is_not_found(run, key):
    result = run("opens", key, "--csv", exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")
