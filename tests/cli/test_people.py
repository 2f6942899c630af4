"""`mailtrack recipients find` and `erase`: one person over all pixels."""

import itertools
import json
from datetime import timedelta

import pytest

from mailtrack import NewRecipient, Tracker, open_storage
from mailtrack import _wire as wire

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def mails(pixel):
    """Three recipients of Ann's in two pixels, made a second apart, the newest first, among others."""
    seconds = itertools.count()
    with open_storage("sqlite:///mailtrack.db") as storage:
        tracker = Tracker(storage, clock=lambda: pixel.created_at + timedelta(seconds=next(seconds)))
        found = tracker.generate_tokens(pixel, [NewRecipient(ANN, "INV-1", {"n": 1}), NewRecipient(BOB)])[:1]
        found += tracker.generate_tokens(tracker.create_pixel("Autumn"), [BOB, ANN])[1:]
        found += tracker.generate_tokens(pixel, [NewRecipient(ANN, "INV-2")])
    return found[::-1]


@pytest.fixture
def find(run):
    """Runs the command; what it prints, line by line."""
    return lambda *arguments, **options: run("recipients", "find", *arguments, **options).stdout.splitlines()


class TestFinding:
    @pytest.mark.parametrize("email", [ANN, "ANN@EXAMPLE.ORG"])
    def test_a_person_is_found_in_all_pixels_the_newest_first(self, find, mails, email):
        heads, *rows = find(email)
        assert heads.split() == ["ID", "CREATED", "STATE", "OPENS", "COUNTED", "PIXEL", "REFERENCE"]
        assert [row.split()[0] for row in rows] == [one.id for one in mails]
        assert [row.split()[5:] for row in rows] == [
            ["Spring", "launch", "INV-2"],
            ["Autumn"],
            ["Spring", "launch", "INV-1"],
        ]

    def test_json_is_as_the_api_answers_one_recipient_a_line(self, find, tracker, mails):
        found = [json.loads(line) for line in find(ANN, "--json")]
        pixels = {one.id: one for one in tracker.iter_pixels()}
        assert found == [wire.found_recipient(one, pixels[one.pixel_id], tracker.urls) for one in mails]

    def test_a_list_can_be_printed_in_parts(self, run, find, mails):
        first = run("recipients", "find", ANN, "--json", "--limit", 2)
        cursor = first.stderr.splitlines()[-1].split()[-1]
        rest = find(ANN, "--json", "--cursor", cursor)
        assert [json.loads(one)["id"] for one in first.stdout.splitlines() + rest] == [one.id for one in mails]

    def test_everything_has_the_opens_of_each_recipient_as_json(self, find, tracker, pixel, mails):
        tracker.record(pixel, token=mails[0].token, ip="192.0.2.1", user_agent="Thunderbird")
        tracker.record(pixel, token=mails[0].token, ip="192.0.2.2")
        tracker.record(pixel, ip="192.0.2.3")
        found = [json.loads(line) for line in find(ANN, "--everything")]
        opens = tracker.list_opens(pixel, recipient_id=mails[0]).items
        assert [one["log"] for one in found] == [[wire.open_(one) for one in opens], [], []]
        assert [one["ip"] for one in found[0]["log"]] == ["192.0.2.2", "192.0.2.1"]
        assert (found[0]["opens"]["number"], found[2]["data"]) == (2, {"n": 1})

    @pytest.mark.usefixtures("mails")
    def test_an_address_that_is_not_there_is_no_failure(self, find):
        assert find("cem@example.org", "--json") == []

    @pytest.mark.usefixtures("mails")
    @pytest.mark.parametrize("email", ["ann", "", "ann@"])
    def test_what_is_no_address_is_refused(self, run, email):
        result = run("recipients", "find", email, exits=1)
        assert (result.stdout, result.stderr.startswith("Error: ")) == ("", True)

    def test_a_reader_that_ends_early_is_no_error_message(self, program, end, tracker):
        for number in range(3):
            tracker.generate_tokens(tracker.create_pixel(f"#{number}"), [ANN])
        process = program("recipients", "find", ANN, "--json", "--base-url", "https://mail.example.com")
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        assert end(process)[2] == ""


class TestErasing:
    def test_it_asks_and_erases_in_all_pixels(self, run, tracker, pixel, mails):
        tracker.record(pixel, token=mails[0].token)
        result = run("recipients", "erase", "ANN@example.org", stdin="y\n")
        assert "Erase 'ANN@example.org', 3 recipients over all pixels, for good?" in result.output
        assert result.stderr.endswith("Erased: 3 recipients, 1 open.\n")
        assert tracker.find_recipients(ANN) == []
        assert len(tracker.find_recipients(BOB)) == 2

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "nothing", "end of input"])
    def test_it_leaves_the_person_where_it_is_not_confirmed(self, run, tracker, mails, answer):
        result = run("recipients", "erase", ANN, stdin=answer, exits=1)
        assert "Aborted!" in result.stderr
        assert tracker.find_recipients(ANN) == mails

    @pytest.mark.usefixtures("mails")
    def test_with_yes_and_json_it_prints_the_numbers_alone(self, run):
        printed = [json.loads(run("recipients", "erase", ANN, "--yes", "--json").stdout) for _ in range(2)]
        assert printed == [{"recipients": 3, "opens": 0}, {"recipients": 0, "opens": 0}]

    @pytest.mark.usefixtures("mails")
    @pytest.mark.parametrize("email", ["ann", "", "ann@"])
    def test_what_is_no_address_is_refused(self, run, tracker, email):
        assert run("recipients", "erase", email, "--yes", exits=1).stderr.startswith("Error: ")
        assert len(tracker.find_recipients(ANN)) == 3
