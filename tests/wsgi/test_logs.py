"""`GET /logs/<pixel>`: a pixel's opens as a page."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from mailtrack import Open

each_storage = pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, and the texts of its table's rows."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.rows = []
        self._in_cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._in_cell:
            self.rows[-1][-1] += data

    @property
    def links(self):
        return [attrs["href"] for tag, attrs in self.tags if tag == "a"]


@pytest.fixture
def logs(client, pixel):
    """Asks for the pixel's logs."""
    return lambda query="", key=pixel.id: client.get(f"/logs/{key}{query}")


@pytest.fixture
def make_opens(storage, pixel):
    """Stores opens of the pixel, a second apart; the user agent tells their number, from 1."""

    def make(count):
        noon = datetime(2025, 11, 6, 12, tzinfo=UTC)
        storage.add_opens(
            [
                Open(
                    id=f"{number:032x}",
                    pixel_id=pixel.id,
                    opened_at=noon + timedelta(seconds=number),
                    user_agent=f"#{number}",
                )
                for number in range(1, count + 1)
            ]
        )

    return make


def numbers(answer):
    """The numbers of the opens that a page shows, from top to bottom."""
    return [int(number) for number in re.findall(r">#(\d+)<", answer.text)]


@each_storage
@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
@pytest.mark.parametrize("change", [str, str.upper])
def test_a_pixel_is_named_by_its_uuid_or_its_short_id_in_either_case(logs, pixel, key, change):
    answer = logs(key=change(key.format(pixel)))
    assert (answer.status, answer.is_page) == (200, True)
    assert "<h1>Spring launch</h1>" in answer.text


@each_storage
def test_a_pixel_that_nobody_opened_has_a_page(logs):
    answer = logs()
    assert (answer.status, "Not opened yet." in answer.text) == (200, True)


@each_storage
def test_an_open_is_shown_with_its_time_recipient_and_client(client, logs, pixel, recipient, thunderbird):
    client.get(
        f"/tracker/{pixel.short_id}.png?token={recipient.token}",
        headers={"User-Agent": thunderbird, "Referer": "https://webmail.example.com/"},
        address="203.0.113.9",
    )
    head, row = Page(logs().text).rows
    assert head == ["Time (UTC)", "Recipient", "Verdict", "User agent", "Address", "Referer"]
    time, *others = row
    assert re.fullmatch(r"2025-11-06 12:00:\d\d", time)
    assert others == ["ann@example.org", "human", thunderbird, "203.0.113.9", "https://webmail.example.com/"]


@each_storage
def test_an_open_of_nobody_known_says_so(client, logs, pixel):
    client.get(f"/tracker/{pixel.short_id}.png")
    assert Page(logs().text).rows[1][1] == "not known"


@each_storage
def test_an_open_of_a_deleted_recipient_says_so_without_the_address(client, logs, tracker, pixel, recipient):
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    tracker.delete_recipient(recipient.id)
    answer = logs()
    assert Page(answer.text).rows[1][1] == "deleted recipient"
    assert recipient.email not in answer.text


@each_storage
def test_opens_come_50_a_page_the_newest_first(logs, make_opens):
    make_opens(101)
    assert numbers(logs()) == list(range(101, 51, -1))


@each_storage
@pytest.mark.parametrize(("page", "shown"), [(1, range(101, 51, -1)), (2, range(51, 1, -1)), (3, range(1, 0, -1))])
def test_a_page_shows_its_part(logs, make_opens, page, shown):
    make_opens(101)
    assert numbers(logs(f"?page={page}")) == list(shown)


@each_storage
@pytest.mark.parametrize(
    ("page", "links"),
    [
        (1, ["?page=2", "?page=3"]),
        (2, ["?page=1", "?page=1", "?page=3", "?page=3"]),
        (3, ["?page=1", "?page=2"]),
        (4, ["?page=3"]),
    ],
)
def test_a_page_leads_to_the_others(logs, make_opens, page, links):
    make_opens(101)
    assert [link for link in Page(logs(f"?page={page}").text).links if link.startswith("?")] == links


@each_storage
@pytest.mark.parametrize("count", [1, 49, 50])
def test_a_single_page_leads_nowhere(logs, make_opens, count):
    make_opens(count)
    assert not any(link.startswith("?") for link in Page(logs().text).links)


@each_storage
@pytest.mark.parametrize("page", ["2", "4", "1000000", "9" * 17])
@pytest.mark.parametrize("count", [0, 50])
def test_past_the_end_is_an_empty_page_with_a_link_to_the_last(logs, make_opens, page, count):
    make_opens(count)
    answer = logs(f"?page={page}")
    assert (answer.status, numbers(answer)) == (200, [])
    assert '<a href="?page=1">Go to the last page</a>' in answer.text


@pytest.mark.parametrize("page", ["1", "01", "0000000001"])
def test_a_whole_number_of_at_least_1_is_a_page(logs, make_opens, page):
    make_opens(1)
    assert numbers(logs(f"?page={page}")) == [1]


BAD_PAGES = [
    "0",
    "-1",
    "1.5",
    "1_000",
    "１２",
    "²",
    "1" * 5000,
    "",
    " 1",
    "1 ",
    "+1",
    "%2B1",
    "1e3",
    "0x1",
    "x",
    "%00",
    "%FF",
]


@pytest.mark.parametrize("page", BAD_PAGES, ids=lambda page: page[:10] or "empty")
def test_what_is_no_whole_number_of_at_least_1_gets_a_400_page(logs, page):
    answer = logs(f"?page={page}")
    assert (answer.status, answer.is_page) == (400, True)
    assert "page must be a whole number of at least 1." in answer.text


@pytest.mark.parametrize("query", ["?page=1&page=2", "?page=1&page=1", "?page=&page="])
def test_a_page_given_twice_gets_a_400_page(logs, query):
    answer = logs(query)
    assert (answer.status, answer.is_page) == (400, True)


@each_storage
@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_gets_a_404_page(logs, key):
    answer = logs(key=key)
    assert (answer.status, answer.is_page) == (404, True)
    assert "Pixel not found" in answer.text


HOSTILE = [
    "<script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "\"><img src=x onerror='alert(1)'>",
    "javascript:alert(1)",
    "https://evil.example.com/",
    "</td></tr></table><a href='https://evil.example.com/'>x</a>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;script&gt;",
    "<!-- ",
    "\x1b[2J\x00\r\n",
]


def visit(client, pixel, text):
    client.get(
        f"/tracker/{pixel.short_id}.png",
        environ={"HTTP_USER_AGENT": text, "HTTP_REFERER": text, "HTTP_X_FORWARDED_FOR": text},
    )


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("trusted", [0, 1])
def test_texts_of_hits_change_nothing_about_the_page(make_client, tracker, text, trusted):
    client = make_client(trusted_proxies=trusted)
    harmless, hostile = tracker.create_pixel("Spring launch"), tracker.create_pixel("Spring launch")
    visit(client, harmless, "text")
    visit(client, hostile, text)
    tags = [Page(client.get(f"/logs/{pixel.id}").text).tags for pixel in (harmless, hostile)]
    for pixel, found in zip((harmless, hostile), tags, strict=True):
        for _, attributes in found:
            for name, value in attributes.items():
                attributes[name] = value and value.replace(pixel.short_id, "ID").replace(pixel.id[8:], "")
    times = [[attributes.pop("datetime", None) for _, attributes in found] for found in tags]
    assert tags[0] == tags[1]
    assert len(times[0]) == len(times[1])


@each_storage
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_hits_are_shown_as_text(client, logs, pixel, text):
    visit(client, pixel, text)
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text)
    row = Page(logs().text).rows[1]
    assert (row[3], row[5]) == (shown, shown)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
@pytest.mark.parametrize("path", ["/logs/{0.id}", "/"])
def test_a_name_is_shown_as_text(client, tracker, text, path):
    hostile = tracker.create_pixel(text)
    page = Page(client.get(path.format(hostile)).text)
    assert {tag for tag, _ in page.tags} & {"script", "svg"} == set()
    assert not any("evil.example.com" in link for link in page.links)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


@each_storage
def test_a_name_with_markup_is_escaped(client, tracker):
    hostile = tracker.create_pixel("<b>Spring</b> & Co")
    assert "<h1>&lt;b&gt;Spring&lt;/b&gt; &amp; Co</h1>" in client.get(f"/logs/{hostile.id}").text


@each_storage
def test_an_address_with_markup_is_escaped(client, tracker, pixel, logs):
    recipient = tracker.generate_tokens(pixel.id, ["a&lt@example.org"])[0]
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    assert "<td>a&amp;lt@example.org</td>" in logs().text


@pytest.mark.parametrize("path", ["/", "/logs/{0.id}", "/logs/00000000", "/nowhere"])
def test_a_page_lets_no_script_run_and_no_other_site_frame_it(client, pixel, path):
    answer = client.get(path.format(pixel))
    policy = answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/", "/logs/{0.id}", "/logs/00000000", "/nowhere"])
def test_all_links_of_a_page_stay_below_the_mount_point(client, pixel, path):
    page = Page(client.get(path.format(pixel)).text)
    targets = [attrs[name] for _, attrs in page.tags for name in ("href", "src", "action") if name in attrs]
    assert targets
    assert all(target.startswith(("/track/", "?")) for target in targets)


def test_the_style_sheet_of_the_pages_is_served(client):
    answer = client.get("/static/style.css")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
