"""`GET /api/v1/pixels/<pixel>/generate-tokens/csv` and `GET /api/v1/pixels/<pixel>/opens/csv`."""

import csv
import io

import attrs
import pytest

from mailtrack._errors import StorageUnavailable
from mailtrack._export import OPEN_COLUMNS, RECIPIENT_COLUMNS
from mailtrack.testing import make_hit

pytestmark = pytest.mark.each_storage

MANY = 5_000


@attrs.frozen
class File:
    """One of the two files.

    Attributes:
        path: where it is, below the pixel.
        name: what its name begins with.
        header: its first row.
        listed: the method of a storage that it is made with.
    """

    path: str
    name: str
    header: tuple[str, ...]
    listed: str


RECIPIENTS = File("generate-tokens/csv", "recipients", RECIPIENT_COLUMNS, "list_recipients")
OPENS = File("opens/csv", "opens", OPEN_COLUMNS, "list_opens")
both = pytest.mark.parametrize("file", [RECIPIENTS, OPENS], ids=lambda file: file.name)
recipients, opens = (pytest.mark.parametrize("file", [file], ids=[file.name]) for file in (RECIPIENTS, OPENS))


@pytest.fixture
def export(client, pixel, file):
    """Exports the file of the pixel."""
    return lambda query="", key=pixel.id: client.get(f"/api/v1/pixels/{key}/{file.path}{query}")


@pytest.fixture
def reading(client, pixel, file):
    """The body of an export that is read piece by piece."""
    body, _, _ = client.open("GET", f"/api/v1/pixels/{pixel.id}/{file.path}")
    yield body
    body.close()


@pytest.fixture
def many(tracker, pixel, file):
    """Enough to read in pieces: the address or the referer that each row has, in the order of rows."""
    if file is RECIPIENTS:
        emails = [f"reader{number}@example.org" for number in range(MANY)]
        tracker.generate_tokens(pixel.id, emails)
        return emails
    (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
    hits = [make_hit(pixel, token=ann.token, at=tracker.now()) for _ in range(MANY)]
    tracker.store(attrs.evolve(hit, referer=f"#{n}") for n, hit in enumerate(hits))
    return [f"#{n}" for n in reversed(range(MANY))]


def table(data):
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


@both
def test_the_file_is_offered_for_download_under_the_pixels_uuid(export, pixel, file):
    answer = export(key=pixel.short_id)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{file.name}-{pixel.id}.csv"'


HEADERS = {
    "recipients": "Email,Token,Tracking URL,Created At",
    "opens": "Time,Email,Recipient,Verdict,Vendor,Reasons,Certainty,Counted,Client,Version,System,Device,Address,"
    "User Agent,Referer",
}


@both
def test_a_pixel_without_any_gives_the_header_row_alone(export, file):
    assert export().text == f"{HEADERS[file.name]}\r\n"


@both
def test_raw_given_twice_is_refused(export):
    answer = export("?raw=1&raw=0")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@both
@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(export, key):
    answer = export(key=key)
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


@both
def test_head_has_the_headers_and_no_body(client, tracker, pixel, recipient, file):
    tracker.record(pixel.id, token=recipient.token)
    answer = client.head(f"/api/v1/pixels/{pixel.id}/{file.path}")
    assert (answer.status, answer.headers["Content-Type"], answer.data) == (200, "text/csv; charset=utf-8", b"")
    assert recipient.email not in str(answer.headers)


@both
def test_other_methods_are_refused(client, pixel, file):
    answer = client.post(f"/api/v1/pixels/{pixel.id}/{file.path}")
    assert (answer.status, {*answer.headers["Allow"].split(", ")}) == (405, {"GET", "HEAD"})


FORMULAS = ["=1+1@b.com", "+a@b.com", "-a@b.com"]
every_guard = pytest.mark.parametrize(
    ("query", "guard"),
    [("", "'"), ("?raw=0", "'"), ("?raw=", "'"), ("?raw=true", "'"), ("?RAW=1", "'"), ("?raw=1", "")],
)


@both
@every_guard
def test_an_address_that_a_spreadsheet_would_take_for_a_formula_is_guarded_unless_raw(
    export, tracker, pixel, query, guard
):
    for recipient in reversed(tracker.generate_tokens(pixel.id, FORMULAS)):
        tracker.record(pixel.id, token=recipient.token)
    assert [row["Email"] for row in rows(export(query))] == [guard + email for email in FORMULAS]


@opens
@every_guard
@pytest.mark.parametrize("column", ["User Agent", "Referer"])
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_is_guarded_unless_raw(
    export, tracker, pixel, column, query, guard
):
    formulas = ["=HYPERLINK(A1)", "+1", "-1", "@SUM(1)"]
    for formula in formulas:
        tracker.record(pixel.id, **{column.lower().replace(" ", "_"): formula})
    assert [row[column] for row in reversed(rows(export(query)))] == [guard + formula for formula in formulas]


@recipients
def test_a_row_holds_a_recipient(export, recipient, pixel):
    url = f"http://mail.example.com/track/tracker/{pixel.short_id}.png?token={recipient.token}"
    row = f"ann@example.org,{recipient.token},{url},2025-11-06T12:00:01.000Z\r\n"
    assert export().text == "Email,Token,Tracking URL,Created At\r\n" + row


@opens
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


@recipients
def test_recipients_come_in_order_of_creation(export, tracker, pixel):
    for email in ("c@example.org", "a@example.org", "b@example.org"):
        tracker.generate_tokens(pixel.id, [email])
    assert [row["Email"] for row in rows(export())] == ["c@example.org", "a@example.org", "b@example.org"]


@opens
def test_opens_come_the_last_arrived_first(export, tracker, pixel):
    for number in range(3):
        tracker.record(pixel.id, user_agent=f"#{number}")
    assert [row["User Agent"] for row in rows(export())] == ["#2", "#1", "#0"]


@recipients
def test_a_deleted_recipient_has_no_row(export, tracker, recipient):
    tracker.delete_recipient(recipient.id)
    assert rows(export()) == []


@opens
def test_a_deleted_recipients_opens_are_there_without_the_address(export, tracker, pixel, recipient):
    tracker.record(pixel.id, token=recipient.token)
    tracker.delete_recipient(recipient.id)
    answer = export()
    assert [(row["Email"], row["Recipient"]) for row in rows(answer)] == [("", recipient.id)]
    assert recipient.email not in answer.text
    assert recipient.token not in answer.text


@recipients
def test_addresses_are_in_utf_8(export, tracker, pixel):
    tracker.generate_tokens(pixel.id, ["änn@bücher.example"])
    assert rows(export())[0]["Email"] == "änn@bücher.example"


@pytest.fixture
def opened(tracker, pixel, thunderbird, robot):
    """Ann has opened; a machine has fetched Bob's image; Cem's was never fetched."""
    ann, bob, _ = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem")])
    tracker.record(pixel.id, token=ann.token, user_agent=thunderbird)
    tracker.record(pixel.id, token=bob.token, user_agent=robot)


@recipients
@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "ann bob cem"),
        ("?opened=true", "ann"),
        ("?opened=false", "bob cem"),
        ("?opened=false&raw=1", "bob cem"),
        ("?state=scanned", "bob"),
        ("?state=none,opened", "ann cem"),
        ("?state=opened&opened=false", ""),
    ],
)
def test_recipients_can_be_asked_for_by_whether_they_opened(export, query, names):
    assert [row["Email"] for row in rows(export(query))] == [f"{name}@example.org" for name in names.split()]


@pytest.mark.usefixtures("opened")
@recipients
def test_further_columns_come_only_where_they_are_asked_for(export, tracker, pixel):
    header, *found = table(export("?columns=all").data)
    assert header == ["Email", "Token", "Tracking URL", "Created At", "Reference", "Recipient ID", "State"]
    assert [row[5] for row in found] == [one.id for one in tracker.iter_recipients(pixel.id)]
    assert [row[-1] for row in found] == ["opened", "scanned", "none"]
    assert [row[:4] for row in found] == table(export().data)[1:]
    assert table(export().data)[0] == header[:4]


@recipients
@pytest.mark.parametrize("columns", ["", "State", "ALL", "all,", "all&columns=all"])
def test_columns_are_all_or_not_given(export, columns):
    assert export(f"?columns={columns}").status == 400


@recipients
@pytest.mark.parametrize("opened", ["", "True", "1", "yes", "no", "true&opened=false"])
def test_opened_is_true_or_false(export, opened):
    answer = export(f"?opened={opened}")
    assert (answer.status, list(answer.json)) == (400, ["error"])


@opens
def test_an_open_of_nobody_known_leaves_cells_empty(export, tracker, pixel):
    tracker.record(pixel.id)
    (row,) = rows(export())
    assert [row[name] for name in ("Email", "Recipient", "Vendor", "Version", "Address", "User Agent")] == [""] * 6


@opens
def test_an_open_by_a_machine_is_there_and_not_counted(export, tracker, pixel, robot):
    tracker.record(pixel.id, user_agent=robot)
    assert [(row["Verdict"], row["Counted"]) for row in rows(export())] == [("bot", "no")]


@opens
def test_whatever_strangers_say_stays_in_its_cell(export, tracker, pixel):
    texts = ['say "hi", ok', "a,b", '""', "line\r\nbreak", "\x00\x1b[0m", "ünï→", "x" * 600, "'"]
    for text in texts:
        tracker.record(pixel.id, user_agent=text, referer=text)
    answer = export("?raw=1")
    found = rows(answer)
    stored = [one.user_agent for one in tracker.iter_opens(pixel.id)]
    assert [row["User Agent"] for row in found] == [row["Referer"] for row in found] == stored
    assert answer.text.count("\r\n") == len(texts) + 1


@both
def test_every_one_of_many_has_a_row(export, many, file):
    found = rows(export())
    assert [row["Email" if file is RECIPIENTS else "Referer"] for row in found] == many
    assert all(row["Email"] for row in found)


@both
@pytest.mark.usefixtures("many")
def test_it_is_read_while_the_file_is_sent(reading, storage, monkeypatch, file):
    pages = []
    listed = getattr(storage, file.listed)
    monkeypatch.setattr(storage, file.listed, lambda *args, **named: pages.append(1) or listed(*args, **named))
    sizes, read = zip(*[(len(piece), len(pages)) for piece in reading], strict=True)
    assert max(sizes) < sum(sizes) / 4
    assert list(read) == sorted(read)
    assert read[0] < read[-1]


@both
@pytest.mark.usefixtures("many")
def test_the_last_line_is_whole_where_the_pixel_is_deleted_meanwhile(reading, tracker, pixel, file):
    start = next(reading) + next(reading)
    tracker.delete_pixel(pixel.id)
    data = start + b"".join(reading)
    assert data.endswith(b"\r\n")
    assert {len(row) for row in table(data)} == {len(file.header)}


@opens
@pytest.mark.usefixtures("many")
def test_an_address_deleted_meanwhile_is_in_no_later_row(reading, tracker, pixel):
    start = next(reading) + next(reading)
    (ann,) = tracker.iter_recipients(pixel.id)
    tracker.delete_recipient(ann.id)
    rest = b"".join(reading)
    assert ann.email.encode() in start
    assert ann.email.encode() not in rest[len(rest) // 2 :]


@both
@pytest.mark.usefixtures("many")
def test_a_reader_that_stops_holds_nothing_up(reading, tracker, pixel):
    next(reading)
    next(reading)
    reading.close()
    tracker.delete_pixel(pixel.id)
    assert list(tracker.iter_pixels()) == []


@opens
@pytest.mark.usefixtures("many")
def test_a_reader_that_stops_lets_go_of_the_opens(client, pixel, tracker, monkeypatch, file):
    closed = []
    iter_opens = type(tracker).iter_opens

    def watched(*args):
        try:
            yield from iter_opens(*args)
        finally:
            closed.append(True)

    monkeypatch.setattr(type(tracker), "iter_opens", watched)
    body, _, _ = client.open("GET", f"/api/v1/pixels/{pixel.id}/{file.path}")
    next(body)
    next(body)
    assert closed == []
    body.close()
    del body
    assert closed == [True]


@pytest.fixture
def fail_after(storage, monkeypatch, file):
    """Has the storage fail after so many pages of the list."""

    def arrange(pages):
        listed, left = getattr(storage, file.listed), iter(range(pages))

        def failing(*args, **named):
            if next(left, None) is None:
                raise StorageUnavailable("The disk does not answer.")
            return listed(*args, **named)

        monkeypatch.setattr(storage, file.listed, failing)

    return arrange


@both
@pytest.mark.usefixtures("many")
def test_an_error_before_the_first_row_is_answered_as_one(export, fail_after, monkeypatch):
    for _ in range(3):  # it keeps no turn, else Retry-After were 1
        fail_after(0)
        answer = export()
        assert (answer.status, list(answer.json), answer.headers["Retry-After"]) == (503, ["error"], "5")
    monkeypatch.undo()
    assert export().status == 200


@both
@pytest.mark.usefixtures("many")
def test_an_error_in_the_middle_is_raised_to_the_server(reading, fail_after):
    fail_after(1)
    with pytest.raises(StorageUnavailable):
        list(reading)
