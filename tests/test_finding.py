"""Finding pixels by name, opens by verdict and recipient, and days by pixel."""

from datetime import timedelta

import pytest

from mailtrack import InvalidPaging, Verdict, VerdictKind


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


def test_pixels_are_found_by_a_part_of_their_name(tracker, pixel):
    tracker.create_pixel("Autumn")
    assert tracker.list_pixels(search="LAUNCH").items == (pixel,)


@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize("search", ["\x00", "\ud800", "a\nb", "x" * 257, "\u2028"])
def test_what_can_be_in_no_name_finds_nothing(tracker, search):
    assert tracker.list_pixels(search=search).items == ()


def test_a_bad_limit_is_refused_also_with_a_search(tracker):
    with pytest.raises(InvalidPaging):
        tracker.list_pixels(limit=0, search="\x00")


def test_opens_are_found_by_kind_and_recipient(tracker, pixel):
    ann, bob = tracker.generate_tokens(pixel.id, ["ann@example.org", "bob@example.org"])
    for recipient in (ann, bob):
        tracker.record(pixel.id, token=recipient.token)
    kind = tracker.list_opens(pixel.id).items[0].verdict.kind
    others = set(VerdictKind) - {kind}
    assert [one.recipient_id for one in tracker.list_opens(pixel.id, recipient_id=ann.id).items] == [ann.id]
    assert len(tracker.list_opens(pixel.id, kind=kind).items) == 2
    assert all(tracker.list_opens(pixel.id, kind=other).items == () for other in others)


@pytest.mark.parametrize("recipient_id", ["", "x", "0" * 24, "\x00", "' OR 1=1"])
def test_what_is_no_recipient_has_no_opens(tracker, pixel, recipient_id):
    tracker.record(pixel.id)
    assert tracker.list_opens(pixel.id, recipient_id=recipient_id).items == ()


def test_days_are_counted_from_the_day_of_a_time_on(tracker, pixel, clock):
    tracker.record(pixel.id)
    (day,) = tracker.count_by_day([pixel], since=clock())[pixel.id]
    assert (day.opens.raw, day.day) == (1, clock().replace(hour=0, minute=0, second=0, microsecond=0))
    assert tracker.count_by_day([pixel], since=clock() + timedelta(days=1)) == {}


@pytest.mark.parametrize(
    ("reasons", "sentence"),
    [
        (("gmail-image-proxy",), "Gmail's proxy fetches an image when a person views the mail"),
        (("no-rule",), "Nothing is known that speaks for or against a person."),
        ((), "Nothing has judged it."),
        (("of-another-table", "burst"), "of-another-table"),
    ],
)
def test_a_verdict_is_explained_in_plain_words(tracker, reasons, sentence):
    assert tracker.explain(Verdict(reasons=reasons)).startswith(sentence)


def test_the_time_is_that_of_the_clock(tracker, clock):
    assert tracker.now() == clock()
