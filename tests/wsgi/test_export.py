"""`GET /api/v1/pixels/<pixel>/generate-tokens/csv`."""

import csv
import io

import pytest

pytestmark = pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)


@pytest.fixture
def export(client, pixel):
    """Exports the pixel's recipients."""
    return lambda query="", key=pixel.id: client.get(f"/api/v1/pixels/{key}/generate-tokens/csv{query}")


def rows(answer):
    return list(csv.reader(io.StringIO(answer.text, newline=""), strict=True))


def test_the_file_is_offered_for_download_under_the_pixels_uuid(export, pixel):
    answer = export(key=pixel.short_id)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="recipients-{pixel.id}.csv"'


def test_a_pixel_without_recipients_gives_the_header_row_alone(export):
    assert export().data == b"Email,Token,Tracking URL,Created At\r\n"


def test_a_row_holds_a_recipient(export, recipient, pixel):
    url = f"http://mail.example.com/track/tracker/{pixel.short_id}.png?token={recipient.token}"
    row = f"ann@example.org,{recipient.token},{url},2025-11-06T12:00:01.000Z\r\n"
    assert export().text == "Email,Token,Tracking URL,Created At\r\n" + row


def test_rows_come_in_order_of_creation(export, tracker, pixel):
    for email in ("c@example.org", "a@example.org", "b@example.org"):
        tracker.generate_tokens(pixel.id, [email])
    assert [row[0] for row in rows(export())[1:]] == ["c@example.org", "a@example.org", "b@example.org"]


def test_a_deleted_recipient_has_no_row(export, tracker, recipient):
    tracker.delete_recipient(recipient.id)
    assert len(rows(export())) == 1


FORMULAS = ["=1+1@b.com", "+a@b.com", "-a@b.com"]


def test_what_a_spreadsheet_would_take_for_a_formula_is_guarded(export, tracker, pixel):
    tracker.generate_tokens(pixel.id, FORMULAS)
    assert [row[0] for row in rows(export())[1:]] == ["'" + email for email in FORMULAS]


def test_raw_leaves_cells_as_they_are(export, tracker, pixel):
    tracker.generate_tokens(pixel.id, FORMULAS)
    assert [row[0] for row in rows(export("?raw=1"))[1:]] == FORMULAS


@pytest.mark.parametrize("query", ["?raw=0", "?raw=", "?raw=true", "?RAW=1"])
def test_cells_are_guarded_unless_raw_is_1(export, tracker, pixel, query):
    tracker.generate_tokens(pixel.id, FORMULAS)
    assert all(row[0].startswith("'") for row in rows(export(query))[1:])


def test_raw_given_twice_is_refused(export):
    answer = export("?raw=1&raw=0")
    assert (answer.status, list(answer.json)) == (400, ["error"])


def test_addresses_are_in_utf_8(export, tracker, pixel):
    tracker.generate_tokens(pixel.id, ["änn@bücher.example"])
    assert rows(export())[1][0] == "änn@bücher.example"


@pytest.fixture
def opened(tracker, pixel, thunderbird, robot):
    """Ann has opened; a machine has fetched Bob's image; nobody has fetched Cem's."""
    ann, bob, _ = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem")])
    tracker.record(pixel.id, token=ann.token, user_agent=thunderbird)
    tracker.record(pixel.id, token=bob.token, user_agent=robot)


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    ("query", "names"),
    [("", "ann bob cem"), ("?opened=true", "ann"), ("?opened=false", "bob cem"), ("?opened=false&raw=1", "bob cem")],
)
def test_recipients_can_be_asked_for_by_whether_they_opened(export, query, names):
    assert [row[0] for row in rows(export(query))[1:]] == [f"{name}@example.org" for name in names.split()]


@pytest.mark.parametrize("opened", ["", "True", "1", "yes", "no", "true&opened=false"])
def test_opened_is_true_or_false(export, opened):
    answer = export(f"?opened={opened}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(export, key):
    answer = export(key=key)
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


def test_head_has_the_headers_and_no_body(client, pixel, recipient):
    answer = client.head(f"/api/v1/pixels/{pixel.id}/generate-tokens/csv")
    assert (answer.status, answer.headers["Content-Type"], answer.data) == (200, "text/csv; charset=utf-8", b"")
    assert recipient.email not in str(answer.headers)


MANY = 5_000


@pytest.fixture
def many(tracker, pixel):
    tracker.generate_tokens(pixel.id, [f"reader{number}@example.org" for number in range(MANY)])


@pytest.mark.usefixtures("many")
def test_every_one_of_many_recipients_has_a_row(export):
    assert [row[0] for row in rows(export())[1:]] == [f"reader{number}@example.org" for number in range(MANY)]


@pytest.fixture
def reading(client, pixel):
    """The body of an export that is read piece by piece."""
    body, _, _ = client.open("GET", f"/api/v1/pixels/{pixel.id}/generate-tokens/csv")
    yield body
    body.close()


@pytest.mark.usefixtures("many")
def test_the_file_is_streamed(reading):
    sizes = [len(piece) for piece in reading]
    assert max(sizes) < sum(sizes) / 4


@pytest.mark.usefixtures("many")
def test_the_recipients_are_read_while_the_file_is_sent(reading, storage, monkeypatch):
    pages = []
    list_recipients = storage.list_recipients
    monkeypatch.setattr(
        storage, "list_recipients", lambda *args, **named: pages.append(1) or list_recipients(*args, **named)
    )
    pieces = [len(pages) for _ in reading]
    assert pieces == sorted(pieces)
    assert pieces[0] < pieces[-1]


@pytest.mark.usefixtures("many")
def test_the_last_line_is_whole_where_the_pixel_is_deleted_meanwhile(reading, tracker, pixel):
    start = next(reading) + next(reading)
    tracker.delete_pixel(pixel.id)
    data = start + b"".join(reading)
    assert data.endswith(b".000Z\r\n")
    assert all(len(row) == 4 for row in csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


@pytest.mark.usefixtures("many")
def test_a_reader_that_stops_holds_nothing_up(reading, tracker, pixel):
    next(reading)
    next(reading)
    reading.close()
    tracker.delete_pixel(pixel.id)
    assert list(tracker.iter_pixels()) == []
