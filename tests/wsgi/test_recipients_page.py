"""`/pixels/<pixel>/recipients`: who gets the mail, adding more of them, and what to put into mails."""

import codecs
import io
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from mailtrack import NewRecipient, Tracker

each_storage = pytest.mark.each_storage


@pytest.fixture
def path(pixel):
    return f"/pixels/{pixel.short_id}/recipients"


@pytest.fixture
def add(client, path):
    """Submits the form, with pasted text, a file, or both."""

    def submit(emails="", file=None, *, columns=None, **request):
        data = {"emails": emails} | (columns or {})
        if file is not None:
            data["file"] = (io.BytesIO(file), "list.csv")
        return client.post(path, data=data, content_type="multipart/form-data", **request)

    return submit


@pytest.fixture
def added(add, show):
    """Submits the form and shows the page that the answer leads to."""

    def submit(emails="", file=None):
        answer = add(emails, file)
        assert answer.status == 303
        return show(answer.headers["Location"].removeprefix("/track"))

    return submit


@pytest.fixture
def emails(tracker, pixel):
    """Returns the addresses of the pixel's recipients."""
    return lambda: [one.email for one in tracker.iter_recipients(pixel.id)]


def addresses(page):
    return [row[0] for row in page.rows[1:]]


def test_a_pixel_without_recipients_says_what_to_do(show, path):
    page = show(path)
    assert (page.rows, "No recipients yet." in page.text) == ([], True)


@each_storage
def test_the_tag_and_the_url_are_there_to_copy(show, path, pixel, tracker, make_picture):
    url = f"http://mail.example.com/track/tracker/{pixel.short_id}.png"
    values = [attributes["value"] for tag, attributes in show(path).tags if "readonly" in attributes]
    assert values == [f'<img src="{url}?token=TOKEN" width="1" height="1" border="0" alt="">', url]
    pictured = tracker.create_pixel("With our logo", image=make_picture())
    values = [
        attributes["value"]
        for tag, attributes in show(f"/pixels/{pictured.id}/recipients").tags
        if "readonly" in attributes
    ]
    assert values[0].endswith('?token=TOKEN" alt="">')


@each_storage
def test_recipients_are_shown_with_what_they_opened_and_their_link(client, show, path, pixel, recipient, tracker):
    tracker.generate_tokens(pixel.id, ["bob@example.com"])
    client.get(
        f"/tracker/{pixel.short_id}.png?token={recipient.token}",
        headers={"User-Agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"},
    )
    page = show(path)
    (head, ann, bob) = page.rows
    assert head == ["Address", "State", "Opens", "Added", "Link", "Delete"]
    assert (ann[0], ann[1].startswith("Opened first "), ann[2]) == ("ann@example.org", True, "1")
    assert (bob[0], bob[1], bob[2]) == ("bob@example.com", "Not opened", "0")
    assert f"/track/logs/{pixel.short_id}?recipient={recipient.id}#opens" in page.links
    values = [attributes.get("value", "") for _, attributes in page.tags]
    assert any(value.endswith(f"/tracker/{pixel.short_id}.png?token={recipient.token}") for value in values)


@each_storage
def test_who_was_opened_by_machines_only_has_not_opened(client, show, path, pixel, recipient):
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}", headers={"User-Agent": "Googlebot/2.1"})
    assert show(path).rows[1][1:3] == ["Machines only", "0 1 raw"]
    assert addresses(show(path + "?opened=true")) == []
    assert addresses(show(path + "?opened=false")) == ["ann@example.org"]


@pytest.fixture
def states(tracker, pixel, thunderbird, robot):
    """Four recipients, one in each state."""
    names = ("ann", "bob", "cem", "dee")
    recipients = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in names])
    for one, user_agent in zip(recipients, (thunderbird, "Mozilla/5.0", robot), strict=False):
        tracker.record(pixel.id, token=one.token, user_agent=user_agent)


@each_storage
@pytest.mark.usefixtures("states")
def test_each_state_has_a_name(show, path):
    found = [row[1] for row in show(path).rows[1:]]
    assert found[0].startswith("Opened first ")
    assert found[1:] == ["Not known only prefetched", "Machines only", "Not opened"]


@each_storage
@pytest.mark.usefixtures("states")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?state=opened", "ann"),
        ("?state=prefetched", "bob"),
        ("?state=scanned,none", "cem dee"),
        ("?opened=false", "bob cem dee"),
        ("?state=prefetched,scanned,none", "bob cem dee"),
        ("?state=scanned", "cem"),
        ("?state=none&opened=true", ""),
    ],
)
def test_recipients_are_listed_by_their_state(show, path, query, names):
    assert " ".join(one.partition("@")[0] for one in addresses(show(path + query))) == names


@pytest.mark.usefixtures("states")
def test_the_lists_that_are_offered_have_no_recipient_twice_and_their_numbers(show, path):
    page = show(path)
    links = [link.removesuffix("#list") for link in page.links if link.endswith("#list")]
    assert links == ["?", "?state=opened", "?state=scanned,none", "?state=prefetched"]
    assert [len(addresses(show(path + link))) for link in links] == [4, 1, 2, 1]
    assert "All 4 Opened 1 Not opened 2 Not known 1" in page.text


@pytest.mark.usefixtures("states")
def test_who_has_not_opened_is_listed_with_those_who_can_not_be_known_and_without(show, path):
    without = show(path + "?state=scanned,none")
    assert "Without 1 recipient whose image was only prefetched" in without.text
    (link,) = [link for link in without.links if link.startswith("?state=prefetched,")]
    included = show(path + link.removesuffix("#list"))
    assert "With 1 recipient whose image was only prefetched" in included.text
    assert addresses(included) == addresses(show(path + "?opened=false"))
    assert [link for link in included.links if link == "?state=scanned,none#list"] == ["?state=scanned,none#list"] * 2


@pytest.mark.usefixtures("states")
def test_the_file_to_download_has_the_recipients_of_the_list(client, show, path):
    page = show(path + "?state=scanned,none")
    (link,) = [link for link in page.links if "generate-tokens/csv" in link]
    assert link.endswith("?state=scanned,none")
    assert client.get(link.removeprefix("/track")).text.count("@example.org") == 2


@each_storage
def test_recipients_come_50_a_page_and_the_filter_goes_with_the_links(show, path, tracker, pixel):
    tracker.generate_tokens(pixel.id, [f"r{number}@example.org" for number in range(60)])
    page = show(path + "?opened=false")
    assert addresses(page) == [f"r{number}@example.org" for number in range(50)]
    (following,) = [link for link in page.links if "cursor=" in link]
    assert following.startswith("?opened=false&cursor=")
    assert addresses(show(path + following.removesuffix("#list"))) == [
        f"r{number}@example.org" for number in range(50, 60)
    ]


@pytest.fixture
def referenced(tracker, pixel):
    """Three recipients, two of them with references."""
    given = [
        NewRecipient("ann@example.org", "INV-<1>"),
        NewRecipient("ann@example.org"),
        NewRecipient("bob@x.org", "B"),
    ]
    return tracker.generate_tokens(pixel.id, given)


@pytest.mark.usefixtures("recipient")
def test_references_have_a_column_only_if_there_are_any(show, path, tracker, pixel):
    assert show(path).rows[0][:2] == ["Address", "State"]
    tracker.generate_tokens(pixel.id, [NewRecipient("ann@example.org", "INV-<1>")])
    assert [row[:2] for row in show(path).rows] == [
        ["Address", "Reference"],
        ["ann@example.org", "–"],
        ["ann@example.org", "INV-<1>"],
    ]


@each_storage
@pytest.mark.usefixtures("referenced")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?search=inv-", ["ann@example.org"]),
        ("?search=ANN", ["ann@example.org"] * 2),
        ("?search=x.org", ["bob@x.org"]),
        ("?search=x.org&state=opened", []),
        ("?search=&opened=false", ["ann@example.org", "ann@example.org", "bob@x.org"]),
        ("?ref=B", ["bob@x.org"]),
    ],
)
def test_recipients_are_searched_by_a_part_of_the_address_or_reference(show, path, query, found):
    assert addresses(show(path + query)) == found


@pytest.mark.usefixtures("referenced")
def test_a_search_keeps_the_list_and_the_list_keeps_the_search(client, show, path):
    page = show(path + "?search=ann&opened=false")
    links = [link.removesuffix("#list") for link in page.links if link.endswith("#list")]
    assert links[:2] == ["?search=ann", "?state=opened&search=ann"]
    assert links[-1] == "?opened=false"
    assert [field["value"] for field in page.fields("opened")] == ["false"]
    (link,) = [link for link in page.links if "generate-tokens/csv" in link]
    assert client.get(link.removeprefix("/track")).text.count("\r\n") == 3


@pytest.mark.usefixtures("referenced")
def test_a_search_that_finds_no_recipient_says_so(show, path):
    assert "No recipient of this list has this in the address or reference." in show(path + "?search=zoe").text


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_a_search_for_recipients_that_ended_early_leads_on(show, path, tracker, pixel, monkeypatch):
    monkeypatch.setattr("mailtrack.storage._memory.storage.SEARCHED_AT_ONCE", 2)
    tracker.generate_tokens(pixel.id, ["a@example.org", "b@example.org", "wanted@example.org"])
    page = show(path + "?search=wanted")
    assert "No match yet" in page.text
    (on,) = [link for link in page.links if "cursor=" in link]
    assert addresses(show(path + on.removesuffix("#list"))) == ["wanted@example.org"]


@pytest.mark.parametrize("query", ["?opened=yes", "?opened=true&opened=true", "?cursor=x", "?state=read", "?state="])
def test_what_can_be_no_page_gets_a_400_page(client, path, query):
    answer = client.get(path + query)
    assert (answer.status, answer.is_page) == (400, True)


def test_an_unknown_pixel_gets_a_404_page(client):
    for answer in (
        client.get("/pixels/00000000/recipients"),
        client.post(
            "/pixels/00000000/recipients", data={"emails": "a@example.org"}, content_type="multipart/form-data"
        ),
    ):
        assert (answer.status, answer.is_page) == (404, True)


@each_storage
def test_pasted_addresses_become_recipients(added, emails):
    page = added("ann@example.org\nBob <bob@EXAMPLE.com>, cem@example.net\r\n\r\nann@example.org")
    assert "3 recipients added" in page.text
    assert emails() == ["ann@example.org", "bob@example.com", "cem@example.net"]


@each_storage
def test_addresses_of_a_file_become_recipients(add, emails):
    add(file="Name;E-Mail\r\nMüller;ann@example.org\r\nBob;bob@example.com\r\n".encode("cp1252"))
    assert emails() == ["ann@example.org", "bob@example.com"]


@each_storage
def test_a_file_and_pasted_text_are_taken_together(add, emails):
    add("ann@example.org", b"bob@example.com")
    assert emails() == ["ann@example.org", "bob@example.com"]


@each_storage
def test_who_is_there_already_keeps_the_token(added, tracker, pixel, recipient):
    text = added("ann@example.org\nbob@example.com").text
    assert "1 recipient added 1 address was already a recipient and keeps its token." in text
    assert next(iter(tracker.iter_recipients(pixel.id))).token == recipient.token


@each_storage
def test_lines_that_can_not_be_taken_are_shown_and_the_others_are_taken(add, emails, take_apart):
    answer = add("ann@example.org\nbob@\n\n<script>alert(1)</script>\ncem@example.net")
    page = take_apart(answer)
    assert answer.status == 200
    assert emails() == ["ann@example.org", "cem@example.net"]
    assert "2 recipients added 2 lines of the pasted text were rejected Line Text Reason 2 bob@ " in page.text
    assert "4 <script>alert(1)</script> No email address found." in page.text


def rejected(page):
    """The rejected rows that a page has for download, by the names of the files, which begin with a byte order mark."""
    links = [attributes for tag, attributes in page.tags if tag == "a" and "download" in attributes]
    prefix = "data:text/csv;charset=utf-8;base64,"
    assert all(link["href"].startswith(prefix) for link in links)
    files = {link["download"]: b64decode(link["href"].removeprefix(prefix)) for link in links}
    assert all(file.startswith(codecs.BOM_UTF8) for file in files.values())
    return {name: file.decode("utf-8-sig") for name, file in files.items()}


def test_of_many_rejected_lines_the_first_are_shown_and_all_are_there_to_download(add, take_apart):
    answer = add("\n".join(f"bad{number}@" for number in range(130)))
    assert answer.status == 400
    page = take_apart(answer)
    assert "And 90 more." in page.text
    assert rejected(page)["rejected-pasted.csv"].split() == [f"bad{number}@" for number in range(130)]


def test_the_rejected_rows_of_a_pasted_text_and_of_a_file_are_told_apart(add, take_apart):
    page = take_apart(add("ann@example.org\nbob@", b"Name,Email\nCem,cem@example.net\nDee,dee@"))
    assert "2 recipients added The addresses were read from the column “Email”." in page.text
    assert "1 line of the pasted text was rejected Line Text Reason 2 bob@ " in page.text
    assert "1 line of the file was rejected Line Text Reason 3 " in page.text
    assert set(rejected(page)) == {"rejected-pasted.csv", "rejected-file.csv"}


def test_the_rejected_rows_can_be_added_once_they_are_corrected(add, emails, take_apart):
    page = take_apart(add(file="Straße;E-Mail\nWeg 1;jörg@\nWeg 2;ann@example.org\n".encode("cp1252")))
    assert rejected(page) == {"rejected-file.csv": "Straße;E-Mail\nWeg 1;jörg@\n"}
    add(file=rejected(page)["rejected-file.csv"].replace("@", "@example.de").encode("utf-8-sig"))
    assert sorted(emails()) == ["ann@example.org", "jörg@example.de"]


INVOICES = "Invoice;Kunde;Kontakt\nINV-1;Öz, Ann;ann@example.org\nINV-2;Öz, Ann;ann@example.org\nINV-3;Bob;bob@\n"


@each_storage
def test_the_columns_of_references_and_addresses_are_named_in_the_form(add, tracker, pixel, take_apart):
    columns = {"refColumn": " Invoice ", "emailColumn": "Kontakt"}
    page = take_apart(add(file=INVOICES.encode(), columns=columns))
    assert [one.ref for one in tracker.iter_recipients(pixel.id)] == ["INV-1", "INV-2"]
    assert rejected(page) == {"rejected-file.csv": "Invoice;Kunde;Kontakt\nINV-3;Bob;bob@\n"}
    (ref,), (email,) = page.fields("refColumn"), page.fields("emailColumn")
    assert (ref["value"], email["value"]) == ("Invoice", "Kontakt")
    mended = rejected(page)["rejected-file.csv"].replace("bob@", "bob@example.org").encode()
    add(file=mended, columns={"refColumn": ref["value"], "emailColumn": email["value"]})
    assert [one.ref for one in tracker.iter_recipients(pixel.id)] == ["INV-1", "INV-2", "INV-3"]


def test_with_a_file_the_named_columns_are_those_of_the_file(add, tracker, pixel):
    add("cem@example.org", INVOICES.encode(), columns={"refColumn": "Invoice"})
    assert [one.ref for one in tracker.iter_recipients(pixel.id)] == [None, "INV-1", "INV-2"]


def test_a_column_that_the_table_does_not_have_is_refused_with_the_names_of_those_it_has(add, emails, take_apart):
    answer = add(file=INVOICES.encode(), columns={"refColumn": "<b>"})
    assert (answer.status, emails()) == (400, [])
    assert "No such column. The columns are: Invoice, Kunde, Kontakt" in take_apart(answer).text


def test_the_same_list_with_another_column_is_counted_as_another(add):
    assert add(file=INVOICES.encode()).status == 200
    statuses = {add(file=INVOICES.encode(), columns={"refColumn": "Invoice"}).status for _ in range(9)}
    assert (statuses, add("cem@example.org", columns={"refColumn": ""}).status) == ({200}, 303)


@pytest.mark.parametrize("query", ["?added=-1", "?added=x", "?added=1&present=1.5", "?added=1&added=2", "?added="])
def test_a_number_of_added_recipients_that_is_none_gets_a_400_page(client, path, query):
    answer = client.get(path + query)
    assert (answer.status, answer.is_page) == (400, True)


@pytest.mark.parametrize("text", ["", " \r\n ", "\n"])
def test_nothing_given_is_told(add, emails, text):
    answer = add(text)
    assert (answer.status, "Paste some addresses, or choose a file." in answer.text, emails()) == (400, True, [])


def test_the_page_says_from_which_column_of_a_table_addresses_were_taken(added, emails):
    page = added(file=b"Mail;Email;Name\nann@example.com;ann@example.org;Ann\n")
    assert "The addresses were read from the column “Email”." in page.text
    assert emails() == ["ann@example.org"]


def test_a_file_that_is_no_list_is_refused_with_the_reason_and_pasted_addresses_are_taken(add, emails, take_apart):
    answer = add("ann@example.org", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    page = take_apart(answer)
    assert (answer.status, emails()) == (200, ["ann@example.org"])
    assert "1 recipient added" in page.text
    assert take_apart(add(file=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")).text.count("No recipients added") == 1


@pytest.mark.parametrize("text", ["a@b.co," * 100_001, "\n" * 100_001 + "x", "a@b.co\r" * 100_001])
def test_more_than_100000_lines_are_refused_before_any_is_taken(add, emails, text):
    answer = add(file=text.encode())
    assert (answer.status, "At most 100,000 lines can be added at once." in answer.text, emails()) == (400, True, [])


def test_more_than_10000_addresses_are_taken_in_one_submission(added, emails):
    page = added(file="\n".join(f"r{number}@example.org" for number in range(10_001)).encode())
    assert ("10,001 recipients added" in page.text, len(emails())) == (True, 10_001)


@pytest.mark.parametrize(("size", "at_once"), [(1_100_000, False), (1_000, True)])
def test_large_lists_are_taken_one_at_a_time_and_small_ones_at_once(add, emails, monkeypatch, size, at_once):
    take, both = Tracker.import_recipients, Barrier(2)
    met = []

    def import_recipients(*arguments, **options):
        with suppress(BrokenBarrierError):
            both.wait(timeout=60 if at_once else 0.3)
            met.append(True)
        return take(*arguments, **options)

    monkeypatch.setattr(Tracker, "import_recipients", import_recipients)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(add, (f"r{number}@example.org".ljust(size) for number in range(2))))
    assert [answer.status for answer in answers] == [303, 303]
    assert (bool(met), len(emails())) == (at_once, 2)


def test_the_form_is_limited_as_the_api_is_and_together_with_it(client, add, pixel, emails):
    for number in range(9):
        assert add(f"r{number}@example.org").status == 303
    client.post(f"/api/v1/pixels/{pixel.id}/generate-tokens", json={"emails": ["r9@example.org"]})
    answer = add("r10@example.org")
    assert (answer.status, answer.is_page, len(emails())) == (429, True, 10)
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert "Try again in 15 minutes." in answer.text


def test_the_form_counts_for_the_key_that_was_used_wherever_it_comes_from(client, add, pixel):
    key = {"environ": {"mailtrack.key": "0123456789ab"}}
    for number in range(9):
        assert add(f"r{number}@example.org", address=f"192.0.2.{number}", **key).status == 303
    emails = {"emails": ["r9@example.org"]}
    assert client.post(f"/api/v1/pixels/{pixel.id}/generate-tokens", json=emails, **key).status == 201
    assert add("r10@example.org", **key).status == 429


@each_storage
def test_a_reload_that_sends_rejected_lines_again_adds_nothing_and_is_not_counted(add, emails):
    answers = [add("ann@example.org\nbob@") for _ in range(15)]
    assert ({answer.status for answer in answers}, emails()) == ({200}, ["ann@example.org"])
    statuses = [add(f"r{number}@example.org").status for number in range(10)]
    assert statuses == [303] * 9 + [429]


def test_what_another_client_sent_is_counted_and_so_is_the_same_list_for_another_pixel(client, add, tracker):
    add("bob@")
    assert [add("bob@", address="192.0.2.2").status for _ in range(12)] == [400] * 12
    other = tracker.create_pixel("Other").short_id
    client.post(f"/pixels/{other}/recipients", data={"emails": "bob@"}, content_type="multipart/form-data")
    assert [add(f"r{number}@example.org").status for number in range(9)] == [303] * 8 + [429]


def test_a_list_that_was_taken_whole_is_counted_each_time(add):
    assert [add("ann@example.org").status for _ in range(11)] == [303] * 10 + [429]


def test_the_form_is_refused_from_another_site(add, emails):
    assert add("ann@example.org", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert emails() == []


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        ({"emails": ["ann@example.org", "bob@example.com"]}, "multipart/form-data", 400),
        ({"file": "ann@example.org"}, "multipart/form-data", 400),
        ({"emails": (io.BytesIO(b"ann@example.org"), "x")}, "multipart/form-data", 400),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"{}", "application/json", 415),
        (b"a", "text/plain", 415),
    ],
)
def test_a_form_of_another_shape_is_refused_on_a_page(client, path, emails, data, content_type, status):
    answer = client.post(path, data=data, content_type=content_type)
    assert (answer.status, answer.is_page, emails()) == (status, True, [])


def test_a_form_that_is_too_large_is_refused_before_it_is_read(client, path, unread):
    answer = client.post(
        path,
        environ={"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": "9" * 9, "wsgi.input": unread},
    )
    assert (answer.status, answer.is_page) == (413, True)


@each_storage
def test_a_recipient_is_deleted_after_a_confirmation(client, show, path, recipient, emails):
    confirmation = show(f"/recipients/{recipient.id}/deletion")
    assert "Delete ann@example.org?" in confirmation.text
    assert emails() == ["ann@example.org"]
    answer = client.post(f"/recipients/{recipient.id}/delete")
    assert (answer.status, answer.headers["Location"], emails()) == (303, f"/track{path}", [])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("key", ["0" * 24, "x", "'", "a" * 10_000])
def test_an_unknown_recipient_gets_a_404_page(client, method, key):
    answer = client(method, f"/recipients/{key}/{'deletion' if method == 'GET' else 'delete'}")
    assert (answer.status, answer.is_page) == (404, True)


def test_a_recipient_is_not_deleted_for_another_site(client, recipient, emails):
    answer = client.post(f"/recipients/{recipient.id}/delete", headers={"Origin": "https://evil.example.com"})
    assert (answer.status, emails()) == (403, ["ann@example.org"])
