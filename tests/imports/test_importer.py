"""Imports into both storages: all or nothing, or the valid rows in batches."""

import pytest

from mailtrack import InvalidArgument, InvalidEmails, InvalidImport, PixelNotFound, Tracker, open_storage
from mailtrack._imports import importer

ANN, BOB, CARL = "ann@example.org", "bob@example.org", "carl@example.org"
LIST = f"Email,Name\n{ANN},Ann\nbad,B\nANN@example.org,Ann again\n{BOB},Bob\n,C\n"


@pytest.fixture(params=["memory", "sqlite"])
def tracker(request, tmp_path, new_database, clock):
    url = "memory://" if request.param == "memory" else f"sqlite:///{new_database(tmp_path / 'imports.db')}"
    with open_storage(url) as storage:
        yield Tracker(storage, base_url="https://mail.example.com", clock=clock)


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


def emails(tracker, pixel):
    return [one.email for one in tracker.iter_recipients(pixel)]


def test_there_is_a_recipient_for_each_row_and_none_where_it_was_rejected(tracker, pixel):
    result = tracker.import_recipients(pixel, LIST, on_invalid="skip")
    ann, bob = tracker.iter_recipients(pixel)
    assert result.recipients == (ann, None, ann, bob, None)
    assert (result.added, result.present, result.column) == (2, 0, "Email")
    assert [(row.line, row.value) for row in result.rejected] == [(3, "bad"), (6, ",C")]
    assert result.rejects() == "Email,Name\nbad,B\n,C\n"


def test_rows_and_recipients_can_be_walked_side_by_side(tracker, pixel):
    rows = [{"email": ANN}, {"email": "x"}, {"email": BOB}, {"email": ANN.upper()}]
    result = tracker.import_recipients(pixel, rows, on_invalid="skip")
    pairs = zip(rows, result.recipients, strict=True)
    assert [one and one.email for _, one in pairs] == [ANN, None, BOB, ANN]


def test_a_row_with_several_addresses_counts_as_its_first(tracker, pixel):
    result = tracker.import_recipients(pixel, f'Name,Email\nA,"{ANN}; {BOB}"\nC,{CARL}\n')
    assert [one.email for one in result.recipients] == [ANN, CARL]
    assert (result.added, emails(tracker, pixel)) == (3, [ANN, BOB, CARL])


def test_by_default_nothing_is_stored_where_a_row_can_not_be_taken(tracker, pixel):
    with pytest.raises(InvalidEmails) as caught:
        tracker.import_recipients(pixel, LIST)
    assert [(problem.index, problem.value) for problem in caught.value.problems] == [(2, "bad"), (5, ",C")]
    assert (caught.value.total, emails(tracker, pixel)) == (5, [])
    assert "2 of 5 addresses: line 3: 'bad' (No email address found.); line 6: " in str(caught.value)


def test_who_was_there_keeps_the_token_and_the_spelling(tracker, pixel):
    (ann,) = tracker.generate_tokens(pixel, ["Ann@example.org"])
    result = tracker.import_recipients(pixel, [ANN, BOB, ANN.upper()])
    assert (result.added, result.present, result.recipients[0], result.recipients[2]) == (1, 1, ann, ann)
    again = tracker.import_recipients(pixel, [BOB.title(), ANN])
    assert (again.added, again.present, again.recipients) == (0, 2, (result.recipients[1], ann))
    assert tracker.get_pixel(pixel).recipients == 2


def test_each_step_is_stored_and_reported_before_the_next_is_read(tracker, pixel, monkeypatch):
    monkeypatch.setattr(importer, "BATCH_SIZE", 2)
    seen = []

    def rows():
        for row in (ANN, "bad", BOB, ANN.upper(), "bad again"):
            seen.append((row, len(emails(tracker, pixel))))
            yield row

    steps = []
    monkeypatch.setattr("mailtrack._imports.parsing._SAMPLE_SIZE", 1)
    result = tracker.import_recipients(pixel, rows(), on_invalid="skip", progress=lambda *found: steps.append(found))
    assert steps == [(1, 0, 1), (2, 0, 1), (2, 0, 2)]
    assert seen[2:] == [(BOB, 1), (ANN.upper(), 1), ("bad again", 2)]
    assert [one and one.email for one in result.recipients] == [ANN, None, BOB, ANN, None]
    assert (result.added, result.present) == (2, 0)


def test_steps_that_are_done_stay_where_a_later_one_fails(tracker, pixel, monkeypatch):
    monkeypatch.setattr(importer, "BATCH_SIZE", 2)

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tracker.import_recipients(pixel, [ANN, BOB, CARL], on_invalid="skip", progress=stop)
    assert emails(tracker, pixel) == [ANN, BOB]
    result = tracker.import_recipients(pixel, [ANN, BOB, CARL], on_invalid="skip")
    assert (result.added, result.present) == (1, 2)


def test_progress_is_reported_once_where_all_are_stored_at_once(tracker, pixel):
    steps = []
    tracker.import_recipients(pixel, [ANN, BOB], progress=lambda *found: steps.append(found))
    assert steps == [(2, 0, 0)]


def test_more_than_ten_thousand_are_taken(tracker, pixel):
    given = [f"u{number}@example.org" for number in range(10_001)]
    result = tracker.import_recipients(pixel, "\n".join([*given, "bad"]), on_invalid="skip")
    assert (result.added, [one.email for one in result.recipients[:-1]]) == (10_001, given)
    assert [row.line for row in result.rejected] == [10_002]


def test_the_rejected_rows_once_mended_are_taken(tracker, pixel):
    text = tracker.import_recipients(pixel, LIST, on_invalid="skip").rejects()
    mended = text.replace("bad", CARL).replace("\n,C", "\ndora@example.org,C")
    assert tracker.import_recipients(pixel, mended).added == 2
    assert emails(tracker, pixel) == [ANN, BOB, CARL, "dora@example.org"]


def test_nothing_adds_nothing(tracker, pixel):
    result = tracker.import_recipients(pixel, "")
    assert (result.added, result.present, result.recipients, result.rejects()) == (0, 0, (), "")


def test_what_is_wrong_with_the_call_is_an_error_before_anything_is_read(tracker, pixel):
    def never():
        raise AssertionError
        yield

    with pytest.raises(InvalidArgument, match="on_invalid"):
        tracker.import_recipients(pixel, never(), on_invalid="ignore")
    with pytest.raises(PixelNotFound):
        tracker.import_recipients("a1b2c3d4", never())
    with pytest.raises(InvalidImport):
        tracker.import_recipients(pixel, b"%PDF-1.7")


def test_special_domains_are_taken_where_they_are_allowed(memory):
    allowing = Tracker(memory, allow_special_domains=True)
    result = allowing.import_recipients(allowing.create_pixel("Tests"), "Email\nann@localhost\nbob@shop.test\n")
    assert result.added == 2
