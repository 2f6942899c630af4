"""`/people?email=`: the mails to one address over all pixels, and what was opened of them."""

from datetime import UTC, datetime, timedelta

import pytest

from mailtrack import Client, NewRecipient, Open, Verdict
from mailtrack._everything import everything
from mailtrack_wsgi._html import people

each_storage = pytest.mark.each_storage
PATH = "/people?email=ann@example.org"


@pytest.fixture
def mails(tracker, recipient):
    """Three mails to Ann in two pixels, the newest last, beside one to Bob."""
    invoices = tracker.create_pixel("Invoices")
    found = tracker.generate_tokens(
        invoices, [NewRecipient("Ann@Example.org", "INV-<1>"), "bob@example.com", NewRecipient("ann@example.org", "2")]
    )
    return [recipient, found[0], found[2]]


@pytest.fixture
def add_opens(storage):
    """Stores opens of mails at some hours of a day."""

    def add(*given, counted=True):
        storage.add_opens(
            [
                Open(
                    id=f"{hour:08x}{number:08x}{mail.id[:16]}",
                    pixel_id=mail.pixel_id,
                    recipient_id=mail.id,
                    opened_at=datetime(2025, 11, 7, tzinfo=UTC) + hour * timedelta(hours=1),
                    user_agent="x",
                    client=Client(name="Thunderbird", version="128", os="Linux"),
                    verdict=Verdict(kind="human" if counted else "bot"),
                    counted=counted,
                )
                for number, (mail, hour) in enumerate(given)
            ]
        )

    return add


def timeline(page):
    """The times, of the opens that a page shows, in its order."""
    return [one["datetime"][11:13] for tag, one in page.tags if tag == "time" and one.get("class") == "beside"]


@each_storage
def test_the_mails_of_a_person_are_shown_over_all_pixels_the_newest_first(show, mails, tracker, add_opens):
    first, second, _ = mails
    tracker.mark_sent(first.pixel_id, [first])
    add_opens((first, 1), (second, 2), (second, 3))
    add_opens((second, 4), counted=False)
    page = show(PATH)
    assert page.rows[0] == ["Pixel", "Reference", "Sent", "State", "Opens", "Last open"]
    assert [row[:2] for row in page.rows[1:]] == [["Invoices", "2"], ["Invoices", "INV-<1>"], ["Spring launch", "–"]]
    assert [row[3].split(" first")[0] for row in page.rows[1:]] == ["Not opened", "Opened", "Opened"]
    assert [row[4] for row in page.rows[1:]] == ["0", "2 3 raw", "1"]
    assert [row[2].startswith("added") for row in page.rows[1:]] == [True, True, False]
    assert "Mails 3 Opened 2 Last open" in page.text
    assert "bob@" not in page.text


@each_storage
def test_what_was_opened_is_a_timeline_with_the_program(show, mails, add_opens):
    first, second, _ = mails
    add_opens((first, 1), (second, 2), (first, 3))
    page = show(PATH)
    assert timeline(page) == ["03", "02", "01"]
    shown = page.text[page.text.index("Timeline") :]
    assert shown.count("Thunderbird 128 · Linux") == 3
    assert "Invoices · INV-<1> Person" in shown
    assert sum(link.endswith(f"?recipient={first.id}#opens") for link in page.links) == 3


@each_storage
def test_the_timeline_has_the_newest_opens_of_all_mails(show, mails, add_opens, monkeypatch):
    monkeypatch.setattr("mailtrack_wsgi._html.people.OPENS_ON_PAGE", 3)
    first, second, third = mails
    add_opens((first, 1), (first, 9), (second, 2), (second, 8), (second, 3), (third, 4))
    page = show(PATH)
    assert timeline(page) == ["09", "08", "04"]
    assert "These are the newest 3 opens." in page.text


@each_storage
def test_mails_come_25_a_page(show, tracker, pixel):
    tracker.generate_tokens(pixel, [NewRecipient("ann@example.org", f"{number}") for number in range(60)])
    first = show(PATH)
    assert [row[1] for row in first.rows[1:]] == [f"{number}" for number in range(59, 34, -1)]
    (older,) = [link for link in first.links if "page=" in link]
    assert show("/people" + older).rows[-1][1] == "10"
    last = show(PATH + "&page=3")
    assert [row[1] for row in last.rows[1:]] == [f"{number}" for number in range(9, -1, -1)]
    assert not any("page=4" in link for link in last.links)
    assert "There are no more mails." in show(PATH + "&page=4").text


@pytest.mark.usefixtures("mails")
def test_of_very_many_mails_the_newest_are_looked_at_and_the_page_says_so(show, monkeypatch):
    monkeypatch.setattr("mailtrack_wsgi._html.people.MAX_MAILS", 2)
    page = show(PATH)
    assert len(page.rows) == 3
    assert "Only the newest 2 mails are looked at." in page.text


@each_storage
@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize("email", ["zoe@example.org", "zoe'&amp@example.org", "zoe@münchen.example"])
def test_an_address_of_which_nothing_is_known_gets_a_page_that_says_so(client, show, email):
    page = show("/people", query_string={"email": email})
    assert "Nothing is known of this address" in page.text
    assert email in page.text
    answer = client.get("/people", query_string={"email": email})
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "query", ["", "?email=", "?email=ann", "?email=a@b.org&email=a@b.org", "?email=a@b.org&page=0"]
)
def test_what_is_no_address_gets_a_400_page(client, query):
    answer = client.get("/people" + query)
    assert (answer.status, answer.is_page) == (400, True)


@pytest.mark.parametrize("text", ["ann@example.org", "  ANN@Example.ORG\u200b", "a+b'&c@example.org"])
def test_the_search_for_an_address_leads_to_the_person(client, tracker, pixel, text):
    (mail,) = tracker.generate_tokens(pixel, [text.strip()])
    answer = client.get("/", query_string={"search": text})
    assert answer.status == 303
    page = client.get(answer.headers["Location"].removeprefix("/track"))
    assert (page.status, mail.id in page.text or "Spring launch" in page.text) == (200, True)


def test_the_search_for_other_text_looks_in_names(client):
    assert client.get("/", query_string={"search": "ann@"}).status == 200


@each_storage
def test_the_page_is_small_whatever_is_on_it(client, tracker, storage):
    domain = ".".join(["d" * 60] * 3)
    email = f"{'&' * 60}@{domain}.org"
    for number in range(50):
        pixel = tracker.create_pixel("'" * 256)
        (mail,) = tracker.generate_tokens(pixel, [NewRecipient(email, "'" * 128)])
        storage.add_opens(
            [
                Open(
                    id=f"{number:032x}",
                    pixel_id=pixel.id,
                    recipient_id=mail.id,
                    opened_at=datetime(2025, 11, 10, tzinfo=UTC) + number * timedelta(hours=1),
                    user_agent="'" * 512,
                    verdict=Verdict(kind="bot", vendor="'" * 64),
                    client=Client(name="'" * 64, version="1000", os="'" * 64),
                )
            ]
        )
    assert len(client.get("/people", query_string={"email": email}).data) < 95_000


@each_storage
def test_all_that_is_stored_about_a_person_can_be_downloaded(client, show, mails, tracker, add_opens):
    add_opens((mails[0], 1), (mails[0], 3), (mails[1], 2))
    (link,) = [link for link in show(PATH).links if "/people/export" in link]
    answer = client.get(link.removeprefix("/track"))
    assert (answer.status, answer.headers["Content-Disposition"]) == (200, 'attachment; filename="person.json"')
    assert answer.headers["Cache-Control"] == "no-store"
    found = tracker.find_recipients("ann@example.org")
    assert answer.json == [everything(tracker, one, tracker.urls) for one in found]
    assert [one["id"] for one in answer.json] == [mails[2].id, mails[1].id, mails[0].id]
    assert [[one["openedAt"][11:13] for one in mail["log"]] for mail in answer.json] == [[], ["02"], ["03", "01"]]
    assert "bob@" not in answer.text


def test_a_download_has_each_mail_however_many_there_are(client, tracker, pixel):
    tracker.generate_tokens(pixel, [NewRecipient("ann@example.org", f"{number}") for number in range(1001)])
    refs = [one["ref"] for one in client.get("/people/export?email=ANN@example.org").json]
    assert refs == [f"{number}" for number in range(1000, -1, -1)]


@pytest.mark.usefixtures("mails")
def test_a_download_is_made_mail_by_mail_as_the_client_reads_it(client, monkeypatch):
    made = []
    monkeypatch.setattr(people, "everything", lambda _, one, __: made.append(one) or {})
    body, *_ = client.open("GET", "/people/export?email=ann@example.org")
    assert len(made) == 2
    assert b"".join(body) == b"[\n{},\n{},\n{}\n]\n"
    assert len(made) == 3
    body.close()


def test_a_download_of_an_address_of_which_nothing_is_known_is_empty(client):
    assert client.get("/people/export?email=zoe@example.org").json == []


@pytest.mark.usefixtures("mails")
def test_a_download_leaves_out_mails_of_a_pixel_that_is_deleted_meanwhile(client, tracker, recipient, monkeypatch):
    def delete_first(*given):
        if tracker.get_recipients([recipient]):
            tracker.delete_pixel(recipient.pixel_id)
        return everything(*given)

    monkeypatch.setattr(people, "everything", delete_first)
    assert [one["ref"] for one in client.get("/people/export?email=ann@example.org").json] == ["2", "INV-<1>"]


@pytest.mark.parametrize("query", ["", "?email=", "?email=ann", "?email=a@b.org&email=a@b.org"])
def test_a_download_of_what_is_no_address_gets_a_400_page(client, query):
    answer = client.get("/people/export" + query)
    assert (answer.status, answer.is_page) == (400, True)


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize("path", [PATH, "/people/export?email=ann@example.org"])
def test_the_page_and_its_download_need_the_same_key(make_client, path):
    client = make_client(api_keys=["secret-key-of-ann"])
    assert client.get(path).status == 401
    assert client.get(path, headers={"Authorization": "Bearer secret-key-of-ann"}).status == 200


@each_storage
def test_a_person_is_erased_after_a_confirmation(client, show, mails, tracker, add_opens):
    add_opens((mails[0], 1), (mails[1], 2))
    (link,) = [link for link in show(PATH).links if "erasure" in link]
    page = show(link.removeprefix("/track"))
    assert "Erase Ann@Example.org?" in page.text or "Erase ann@example.org?" in page.text
    assert "in all pixels: 3 recipients" in page.text
    assert "This can’t be undone." in page.text
    assert len(tracker.find_recipients("ann@example.org")) == 3
    (form,) = [one for tag, one in page.tags if tag == "form" and one.get("method") == "post"]
    (field,) = page.fields("email")
    answer = client.post(form["action"].removeprefix("/track"), data={"email": field["value"]})
    assert (answer.status, answer.headers["Location"]) == (303, "/track/people?erased=3&opens=2")
    assert tracker.find_recipients("ann@example.org") == []
    assert "3 recipients erased 2 opens of this person are kept" in show("/people?erased=3&opens=2").text
    assert "Nothing is known of this address" in show(PATH).text
    assert "erased recipient" in show(f"/logs/{mails[0].pixel_id}").text
    assert "Nothing is known of this address" in show(link.removeprefix("/track")).text


def test_erasing_again_says_that_nothing_was_erased(client, show, mails):
    for _ in range(2):
        answer = client.post("/people/erase", data={"email": mails[0].email})
    assert answer.headers["Location"] == "/track/people?erased=0&opens=0"
    assert "Nothing was erased No recipient had this address." in show("/people?erased=0&opens=0").text


@pytest.mark.usefixtures("mails")
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": {"email": "ann"}}, 400),
        ({"data": {"name": "x"}}, 400),
        ({"data": b"{}", "content_type": "application/json"}, 415),
        ({"data": {"email": "ann@example.org"}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"data": {"email": "ann@example.org"}, "headers": {"Origin": "https://evil.example.com"}}, 403),
    ],
)
def test_an_erasure_of_no_address_or_from_another_site_is_refused(client, tracker, options, status):
    answer = client.post("/people/erase", **options)
    assert (answer.status, answer.is_page) == (status, True)
    assert len(tracker.find_recipients("ann@example.org")) == 3
