"""`mailtrack rejudge`."""

import pytest

from mailtrack import Tracker, open_storage
from mailtrack._model import OpenSpan
from mailtrack.verdicts import Judge, RuleTable


@pytest.fixture
def careless():
    """A tracker on the default database that takes everybody for a person."""
    with open_storage("sqlite:///mailtrack.db") as storage:
        yield Tracker(storage, judge=Judge(RuleTable(version=1, rules=())))


@pytest.fixture
def judged_badly(careless, tracker, robot):
    """Two pixels with a recipient each, whose opens by a robot count, and one that nobody opened."""
    found = [tracker.create_pixel(name) for name in ("One", "Two")]
    for pixel in found:
        (recipient,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        for _ in range(3):
            careless.record(pixel.id, token=recipient.token, user_agent=robot)
    tracker.create_pixel("Empty")
    assert [tracker.get_pixel(pixel.id).opened for pixel in found] == [1, 1]
    return found


def told(result):
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def test_all_pixels_are_judged_again_and_their_counts_corrected(run, tracker, judged_badly):
    assert told(run("rejudge")) == "Judged 6 opens again. Verdicts that changed: 6."
    for pixel in judged_badly:
        found = tracker.get_pixel(pixel.id)
        assert (found.opens.number, found.counted, found.opened, found.opened_raw) == (3, OpenSpan(), 0, 1)
        assert {one.verdict.kind for one in tracker.iter_opens(pixel.id)} == {"bot"}
        assert [one.email for one in tracker.iter_recipients(pixel.id, opened=False)] == ["ann@example.org"]


def test_some_pixels_are_judged_again_and_the_others_left(run, tracker, judged_badly):
    one, other = judged_badly
    assert told(run("rejudge", one.short_id)) == "Judged 3 opens again. Verdicts that changed: 3."
    assert [tracker.get_pixel(pixel.id).opened for pixel in (one, other)] == [0, 1]


def test_several_pixels_can_be_named(run, tracker, judged_badly):
    run("rejudge", *(pixel.id for pixel in judged_badly))
    assert [tracker.get_pixel(pixel.id).opened for pixel in judged_badly] == [0, 0]


@pytest.mark.usefixtures("judged_badly")
def test_a_second_time_changes_nothing(run):
    run("rejudge")
    assert told(run("rejudge")) == "Judged 6 opens again. Verdicts that changed: 0."


@pytest.mark.usefixtures("judged_badly")
def test_progress_is_told_on_standard_error(run):
    result = run("rejudge")
    assert (result.stdout, "Judging opens again" in result.stderr) == ("", True)


@pytest.mark.usefixtures("tracker")
def test_without_pixels_there_is_nothing_to_do(run):
    assert told(run("rejudge")) == "Judged 0 opens again. Verdicts that changed: 0."


def test_opens_that_are_judged_right_are_left(run, tracker, pixel, recipient, thunderbird):
    tracker.record(pixel.id, token=recipient.token, user_agent=thunderbird)
    before = tracker.report(pixel.id), list(tracker.iter_opens(pixel.id))
    assert told(run("rejudge")) == "Judged 1 open again. Verdicts that changed: 0."
    assert (tracker.report(pixel.id), list(tracker.iter_opens(pixel.id))) == before


@pytest.mark.parametrize("key", ["00000000", "x"])
def test_an_unknown_pixel_is_not_found_and_nothing_is_changed(run, tracker, judged_badly, key):
    result = run("rejudge", judged_badly[0].id, key, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")
    assert [tracker.get_pixel(pixel.id).opened for pixel in judged_badly] == [1, 1]
