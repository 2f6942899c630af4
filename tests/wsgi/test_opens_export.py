"""`GET /api/v1/pixels/<pixel>/opens/csv`."""

import csv
import io

import pytest

from mailtrack.export import OPEN_COLUMNS

pytestmark = pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)


@pytest.fixture
def export(client, pixel):
    """Exports the pixel's opens."""
    return lambda query="", key=pixel.id: client.get(f"/api/v1/pixels/{key}/opens/csv{query}")


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def test_the_file_is_offered_for_download_under_the_pixels_uuid(export, pixel):
    answer = export(key=pixel.short_id)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="opens-{pixel.id}.csv"'


def test_a_pixel_without_opens_gives_the_header_row_alone(export):
    assert export().text == (
        "Time,Email,Recipient,Verdict,Vendor,Reasons,Certainty,Counted,Client,Version,System,Device,Address,User Agent,"
        "Referer\r\n"
    )


def test_a_row_holds_an_open(export, tracker, pixel, recipient, thunderbird):
    tracker.record(
        pixel.id, token=recipient.token, ip="203.0.113.9", user_agent=thunderbird, referer="https://example.org/"
    )
    assert rows(export()) == [
        {
            "Time": "2025-11-06T12:00:02.000Z",
            "Email": "ann@example.org",
            "Recipient": recipient.id,
            "Verdict": "human",
            "Vendor": "Mozilla",
            "Reasons": "thunderbird",
            "Certainty": "certain",
            "Counted": "yes",
            "Client": "Thunderbird",
            "Version": "128",
            "System": "Linux",
            "Device": "desktop",
            "Address": "203.0.113.9",
            "User Agent": thunderbird,
            "Referer": "https://example.org/",
        }
    ]


def test_an_open_of_nobody_known_leaves_cells_empty(export, tracker, pixel):
    tracker.record(pixel.id)
    (row,) = rows(export())
    assert [row[name] for name in ("Email", "Recipient", "Vendor", "Version", "Address", "User Agent")] == [""] * 6


def test_an_open_by_a_machine_is_there_and_not_counted(export, tracker, pixel, robot):
    tracker.record(pixel.id, user_agent=robot)
    assert [(row["Verdict"], row["Counted"]) for row in rows(export())] == [("bot", "no")]


def test_rows_come_the_last_arrived_first(export, tracker, pixel):
    for number in range(3):
        tracker.record(pixel.id, user_agent=f"#{number}")
    assert [row["User Agent"] for row in rows(export())] == ["#2", "#1", "#0"]


def test_a_deleted_recipients_opens_are_there_without_the_address(export, tracker, pixel, recipient):
    tracker.record(pixel.id, token=recipient.token)
    tracker.delete_recipient(recipient.id)
    answer = export()
    assert [(row["Email"], row["Recipient"]) for row in rows(answer)] == [("", recipient.id)]
    assert recipient.email not in answer.text
    assert recipient.token not in answer.text


FORMULAS = ["=HYPERLINK(A1)", "+1", "-1", "@SUM(1)"]


@pytest.mark.parametrize("column", ["User Agent", "Referer"])
@pytest.mark.parametrize(("query", "guard"), [("", "'"), ("?raw=0", "'"), ("?raw=", "'"), ("?raw=1", "")])
def test_what_a_spreadsheet_would_take_for_a_formula_is_guarded_unless_raw(
    export, tracker, pixel, column, query, guard
):
    for formula in FORMULAS:
        tracker.record(pixel.id, **{column.lower().replace(" ", "_"): formula})
    assert [row[column] for row in reversed(rows(export(query)))] == [guard + formula for formula in FORMULAS]


def test_an_address_that_a_spreadsheet_would_take_for_a_formula_is_guarded(export, tracker, pixel):
    (recipient,) = tracker.generate_tokens(pixel.id, ["=1+1@b.com"])
    tracker.record(pixel.id, token=recipient.token)
    assert [row["Email"] for query in ("", "?raw=1") for row in rows(export(query))] == ["'=1+1@b.com", "=1+1@b.com"]


def test_whatever_strangers_say_stays_in_its_cell(export, tracker, pixel):
    texts = ['say "hi", ok', "a,b", '""', "line\r\nbreak", "\x00\x1b[0m", "ünï→", "x" * 600, "'"]
    for text in texts:
        tracker.record(pixel.id, user_agent=text, referer=text)
    answer = export("?raw=1")
    found = rows(answer)
    stored = [one.user_agent for one in tracker.iter_opens(pixel.id)]
    assert [row["User Agent"] for row in found] == [row["Referer"] for row in found] == stored
    assert answer.text.count("\r\n") == len(texts) + 1


def test_raw_given_twice_is_refused(export):
    answer = export("?raw=1&raw=0")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(export, key):
    answer = export(key=key)
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


def test_head_has_the_headers_and_no_body(client, tracker, pixel):
    tracker.record(pixel.id)
    answer = client.head(f"/api/v1/pixels/{pixel.id}/opens/csv")
    assert (answer.status, answer.headers["Content-Type"], answer.data) == (200, "text/csv; charset=utf-8", b"")


def test_other_methods_are_refused(client, pixel):
    answer = client.post(f"/api/v1/pixels/{pixel.id}/opens/csv")
    assert (answer.status, {*answer.headers["Allow"].split(", ")}) == (405, {"GET", "HEAD"})


MANY = 5_000


@pytest.fixture
def many(tracker, pixel, recipient):
    tracker.store([tracker.new_hit(pixel.id, token=recipient.token, user_agent=f"#{n}") for n in range(MANY)])


@pytest.mark.usefixtures("many")
def test_every_one_of_many_opens_has_a_row(export):
    found = rows(export())
    assert [row["User Agent"] for row in found] == [f"#{n}" for n in reversed(range(MANY))]
    assert {row["Email"] for row in found} == {"ann@example.org"}


@pytest.fixture
def reading(client, pixel):
    """The body of an export that is read piece by piece."""
    body, _, _ = client.open("GET", f"/api/v1/pixels/{pixel.id}/opens/csv")
    yield body
    body.close()


@pytest.mark.usefixtures("many")
def test_the_opens_are_read_while_the_file_is_sent(reading, storage, monkeypatch):
    pages = []
    list_opens = storage.list_opens
    monkeypatch.setattr(storage, "list_opens", lambda *args, **named: pages.append(1) or list_opens(*args, **named))
    sizes, read = zip(*[(len(piece), len(pages)) for piece in reading], strict=True)
    assert max(sizes) < sum(sizes) / 4
    assert list(read) == sorted(read)
    assert read[0] < read[-1]


@pytest.mark.usefixtures("many")
def test_the_last_line_is_whole_where_the_pixel_is_deleted_meanwhile(reading, tracker, pixel):
    start = next(reading) + next(reading)
    tracker.delete_pixel(pixel.id)
    data = start + b"".join(reading)
    assert data.endswith(b"\r\n")
    found = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    assert {len(row) for row in found} == {len(OPEN_COLUMNS)}


@pytest.mark.usefixtures("many")
def test_an_address_deleted_meanwhile_is_in_no_later_row(reading, tracker, recipient):
    start = next(reading) + next(reading)
    tracker.delete_recipient(recipient.id)
    rest = b"".join(reading)
    assert recipient.email.encode() in start
    assert recipient.email.encode() not in rest[len(rest) // 2 :]


@pytest.mark.usefixtures("many")
def test_a_reader_that_stops_holds_nothing_up(reading, tracker, pixel):
    next(reading)
    next(reading)
    reading.close()
    tracker.delete_pixel(pixel.id)
    assert list(tracker.iter_pixels()) == []


@pytest.mark.usefixtures("many")
def test_a_reader_that_stops_lets_go_of_the_opens(client, pixel, tracker, monkeypatch):
    closed = []
    iter_pages = type(tracker).iter_opens_with_recipients

    def watched(*args):
        try:
            yield from iter_pages(*args)
        finally:
            closed.append(True)

    monkeypatch.setattr(type(tracker), "iter_opens_with_recipients", watched)
    body, _, _ = client.open("GET", f"/api/v1/pixels/{pixel.id}/opens/csv")
    next(body)
    next(body)
    assert closed == []
    body.close()
    del body
    assert closed == [True]
