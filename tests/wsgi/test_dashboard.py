"""`GET /`: the pixels as a page, and the form to create one."""

import re
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from mailtrack import Open

each_storage = pytest.mark.each_storage


def names(page):
    """The names of the pixels that a page shows, from top to bottom."""
    return [row[0].partition(" created ")[0] for row in page.rows[1:]]


@each_storage
def test_a_newcomer_is_told_what_to_do(show):
    page = show("/")
    assert all(text in page.text for text in ("Create a pixel.", "Add the recipients.", "Add the image to your mail."))
    assert [attributes for tag, attributes in page.tags if tag == "details"] == [{"class": "create", "open": None}]
    assert page.fields("sort") == []


@each_storage
def test_the_rate_has_its_upper_bound_where_some_were_only_prefetched(show, tracker, pixel, recipient):
    tracker.generate_tokens(pixel, ["bob@example.com"])
    tracker.record(pixel, token=recipient.token, user_agent="Mozilla/5.0")
    assert show("/").rows[1][3] == "0.0 % to 50.0 %"


@each_storage
def test_a_pixel_is_shown_with_its_figures_counted_and_raw(show, storage, tracker):
    pixel = tracker.create_pixel("Spring launch")
    ann, bob, *_ = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem", "dee")])
    at = tracker.now() - timedelta(hours=13)
    for number, (recipient, counted) in enumerate([(ann, True), (ann, True), (bob, False)]):
        new = Open(id=f"{number:032x}", pixel_id=pixel.id, recipient_id=recipient.id, opened_at=at, counted=counted)
        storage.add_opens([new])
    page = show("/")
    head, row = page.rows
    assert head == ["Name", "Recipients", "Opened", "Rate", "Opens", "Last 14 days", "Last open"]
    name, recipients, opened, rate, opens, chart, last = row
    assert re.fullmatch(r"Spring launch created (just now|\d+ \w+ ago)", name)
    assert (recipients, opened, rate, opens, chart) == ("4", "1 2 raw", "25.0 %", "2 3 raw", "")
    assert last.endswith("hours ago")
    labels = [attributes.get("aria-label") for tag, attributes in page.tags if attributes.get("class") == "bars"]
    assert labels == ["Last 14 days: 2 opens by people, 1 by machines"]


@each_storage
def test_a_pixel_without_recipients_has_no_rate(show, tracker):
    tracker.create_pixel("Footer")
    assert show("/").rows[1][1:] == ["0", "–", "–", "0", "", "not opened yet"]


@each_storage
def test_the_chart_is_of_the_last_14_days(show, storage, pixel):
    today = datetime(2025, 11, 6, 9, tzinfo=UTC)
    opens = [
        Open(id=f"{days:032x}", pixel_id=pixel.id, opened_at=today - timedelta(days=days))
        for days in (0, 1, 13, 14, 40)
    ]
    storage.add_opens(opens)
    labels = [attributes.get("aria-label") for _, attributes in show("/").tags if attributes.get("class") == "bars"]
    assert labels == ["Last 14 days: 3 opens by people, 0 by machines"]


@pytest.fixture
def many(tracker):
    """30 pixels; every third is called a launch."""
    for number in range(1, 31):
        tracker.create_pixel(f"#{number} {'Launch' if number % 3 == 0 else 'Other'}")


@each_storage
@pytest.mark.usefixtures("many")
def test_pixels_come_25_a_page_the_newest_first(show):
    newest = show("/")
    assert [name.split()[0] for name in names(newest)] == [f"#{number}" for number in range(30, 5, -1)]
    (older,) = [link for link in newest.links if "cursor=" in link]
    oldest = show("/" + older)
    assert [name.split()[0] for name in names(oldest)] == [f"#{number}" for number in range(5, 0, -1)]
    assert [link for link in oldest.links if link.startswith("?")] == ["?"]


@each_storage
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("search", ["launch", "LAUNCH", "  launch "])
def test_a_search_shows_the_pixels_with_that_in_their_name(show, search):
    page = show("/", query_string={"search": search})
    assert names(page) == [f"#{number} Launch" for number in range(30, 0, -3)]
    assert {field["value"] for field in page.fields("search")} == {search.strip()}


@pytest.mark.usefixtures("many")
def test_a_search_goes_with_the_page_links(show):
    page = show("/?search=%23")
    (older,) = [link for link in page.links if "cursor=" in link]
    assert older.startswith("?search=%23&cursor=")
    assert len(names(show("/" + older))) == 5


@each_storage
@pytest.mark.usefixtures("pixel")
@pytest.mark.parametrize("search", ["autumn", "%", "\x00", "x" * 5000, "<script>"])
def test_a_search_that_finds_nothing_says_so(show, search):
    page = show("/", query_string={"search": search})
    assert (len(page.rows), "No pixel name contains this text." in page.text) == (0, True)


@pytest.mark.usefixtures("pixel")
def test_an_empty_search_shows_all(show):
    assert names(show("/?search=")) == ["Spring launch"]


@pytest.mark.parametrize(
    "query", ["?cursor=x", "?search=a&search=b", "?search=a&cursor=-1", "?sort=x", "?from=x", "?sort=opens&cursor=1"]
)
def test_what_can_be_no_page_gets_a_400_page(client, query):
    answer = client.get("/" + query)
    assert (answer.status, answer.is_page) == (400, True)


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_a_search_that_ended_early_leads_on(show, tracker, monkeypatch):
    monkeypatch.setattr("mailtrack.storage._memory.pixel_lists.SEARCHED_AT_ONCE", 2)
    for name in ("wanted", "a", "b"):
        tracker.create_pixel(name)
    page = show("/?search=wanted")
    assert "No match yet" in page.text
    (on,) = [link for link in page.links if "cursor=" in link]
    assert names(show("/" + on)) == ["wanted"]


def test_a_refused_pixel_is_told_of_in_the_open_form(client, take_apart, contents):
    answer = client.post("/pixels", data={"name": "x" * 257}, content_type="multipart/form-data")
    page = take_apart(answer)
    assert answer.status == 400
    assert "Pixel name must be at most 256 characters." in page.text
    assert {"class": "create", "open": None} in [attributes for tag, attributes in page.tags if tag == "details"]
    assert page.fields("name")[0]["aria-describedby"].startswith("problem ")
    assert contents() == []


@pytest.fixture
def arranged(storage, tracker):
    """Three pixels with different names, opens and rates, created on different days."""
    for number, (name, opens, recipients) in enumerate([("b", 1, 1), ("C", 5, 10), ("a", 2, 0)]):
        at = datetime(2025, 11, 1 + number, 23, 59, tzinfo=UTC)
        pixel = attrs.evolve(tracker.create_pixel("x"), id=f"{number:08x}-0000-4000-8000-000000000000", created_at=at)
        storage.delete_pixel(tracker.list_pixels(limit=1).items[0].id)
        storage.add_pixel(attrs.evolve(pixel, name=name))
        made = tracker.generate_tokens(pixel.id, [f"r{one}@example.org" for one in range(recipients)])
        storage.add_opens(
            [
                Open(
                    id=f"{number}{place:031x}",
                    pixel_id=pixel.id,
                    recipient_id=made[0].id if made else None,
                    opened_at=at,
                )
                for place in range(opens)
            ]
        )


@each_storage
@pytest.mark.usefixtures("arranged")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?sort=newest", "aCb"),
        ("?sort=", "aCb"),
        ("?sort=name", "abC"),
        ("?sort=opens", "Cab"),
        ("?sort=rate", "bCa"),
        ("?from=2025-11-02", "aC"),
        ("?to=2025-11-02", "Cb"),
        ("?from=2025-11-02&to=2025-11-02&sort=name", "C"),
        ("?from=2025-11-02&to=2025-11-01", ""),
        ("?sort=name&search=c", "C"),
    ],
)
def test_pixels_are_sorted_and_chosen_by_their_day_of_creation(show, query, found):
    assert "".join(names(show("/" + query))) == found


@each_storage
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("query", ["?search=%23&sort=name", "?sort=opens&from=2000-01-01", "?to=9999-12-31"])
def test_a_sorted_or_narrowed_list_has_pages_that_make_the_whole(show, query):
    page = show("/" + query)
    (following,) = [link for link in page.links if "cursor=" in link]
    assert following.startswith(query + "&cursor=")
    found = names(page) + names(show("/" + following))
    assert (len(found), len(set(found))) == (30, 30)
    assert found == sorted(found) or "sort=name" not in query


@pytest.mark.usefixtures("many")
def test_a_cursor_of_another_order_gets_a_400_page(client, show):
    (following,) = [link for link in show("/?sort=name").links if "cursor=" in link]
    answer = client.get("/" + following.replace("sort=name", "sort=opens"))
    assert (answer.status, answer.is_page) == (400, True)
