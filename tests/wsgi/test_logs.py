"""`GET /logs/<pixel>`: a pixel's opens as a page."""

import re
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import pytest

from mailtrack import Client, Open, Verdict, VerdictKind
from mailtrack._rate_text import MEANINGS
from mailtrack_wsgi._html.templating import ASSETS

each_storage = pytest.mark.each_storage


@pytest.fixture
def logs(client, pixel):
    """Asks for the pixel's logs."""
    return lambda query="", key=pixel.id: client.get(f"/logs/{key}{query}")


@pytest.fixture
def make_opens(storage, pixel):
    """Stores opens of the pixel, a second apart; the user agent has their number, from 1."""

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
    return [int(number) for number in re.findall(r">#(\d+)</span></td>", answer.text)]


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
def test_the_rate_is_shown_with_its_bounds_and_what_each_figure_is(show, tracker, pixel, thunderbird):
    recipients = tracker.generate_tokens(pixel, [f"r{number}@example.org" for number in range(10)])
    for number, one in enumerate(recipients[:7]):
        agent = "Mozilla/5.0" if number < 4 else thunderbird
        tracker.record(pixel, token=one.token, ip=f"192.0.2.{number}", user_agent=agent)
    page = show(f"/logs/{pixel.id}")
    values = ("30.0 %", "70.0 %", "50.0 %", "30.0 % to 70.0 %")
    names = ("Counted", "Raw", "Measurable", "True rate")
    for name, value, meaning in zip(names, values, MEANINGS.values(), strict=True):
        assert f"{name} {value} {meaning}" in page.text
    lists = [link.partition("?")[2] for link in page.links if link.endswith("#list")]
    assert lists == ["state=opened#list", "state=prefetched#list", "state=scanned,none#list"]
    assert "Opened: 3 Not known: 4 Not opened: 3" in page.text


@each_storage
def test_where_all_were_only_prefetched_nothing_can_be_measured(show, tracker, pixel, recipient):
    tracker.record(pixel, token=recipient.token, user_agent="Mozilla/5.0")
    page = show(f"/logs/{pixel.id}")
    assert "Measurable not known Recipients" in page.text
    assert "True rate 0.0 % to 100.0 % The" in page.text


def test_without_recipients_the_rate_is_not_known(show, pixel):
    page = show(f"/logs/{pixel.id}")
    assert "Rate not known without recipients" in page.text
    assert "Open rate" not in page.text


@each_storage
def test_an_open_is_shown_with_its_time_recipient_verdict_client_and_address(client, show, pixel, recipient):
    client.get(
        f"/tracker/{pixel.short_id}.png?token={recipient.token}",
        headers={"User-Agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"},
        address="203.0.113.9",
    )
    page = show(f"/logs/{pixel.id}")
    head, row = page.rows
    assert head == ["Time", "Recipient", "Verdict", "Client", "Address"]
    time, who, verdict, agent, address = row
    assert re.fullmatch(r"(just now|\d+ (second|minute)s? ago) 6 Nov 2025, 12:00:\d\d", time)
    assert (who, address) == ("ann@example.org", "203.0.113.9")
    assert verdict.startswith("Person (via Gmail proxy) Gmail's proxy fetches an image when a person views")
    assert agent == "Gmail Mozilla/5.0 (via ggpht.com GoogleImageProxy)"
    times = [attributes for tag, attributes in page.tags if tag == "time"]
    assert re.fullmatch(r"2025-11-06T12:00:\d\d\.000Z", times[-1]["datetime"])
    assert "Times are in UTC" in page.text


@each_storage
def test_an_open_of_nobody_known_says_so(client, show, pixel):
    client.get(f"/tracker/{pixel.short_id}.png")
    assert show(f"/logs/{pixel.id}").rows[1][1] == "unknown"


@each_storage
def test_an_open_of_a_deleted_recipient_says_so_without_the_address(
    client, logs, take_apart, tracker, pixel, recipient
):
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    tracker.delete_recipient(recipient.id)
    for query in ("", f"?recipient={recipient.id}"):
        answer = logs(query)
        assert take_apart(answer).rows[1][1] == "deleted recipient"
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


def pages(page):
    """Where the links between pages lead."""
    return [link.removesuffix("#opens") for link in page.links if "page=" in link and link.endswith("#opens")]


@each_storage
@pytest.mark.parametrize(
    ("page", "links"),
    [
        (1, ["?page=2", "?page=3"]),
        (2, ["?page=1", "?page=1", "?page=3", "?page=3"]),
        (3, ["?page=1", "?page=2"]),
        (4, []),
    ],
)
def test_a_page_leads_to_the_others(show, pixel, make_opens, page, links):
    make_opens(101)
    shown = show(f"/logs/{pixel.id}?page={page}")
    assert pages(shown) == links
    assert ([field["max"] for field in shown.fields("page")] == ["3"]) == (page <= 3)


def test_links_between_pages_keep_what_figures_were_chosen(show, pixel, make_opens):
    make_opens(101)
    assert pages(show(f"/logs/{pixel.id}?figures=raw")) == ["?page=2&figures=raw", "?page=3&figures=raw"]


@each_storage
@pytest.mark.parametrize("count", [1, 49, 50])
def test_a_single_page_leads_nowhere(show, pixel, make_opens, count):
    make_opens(count)
    assert pages(show(f"/logs/{pixel.id}")) == []


@each_storage
@pytest.mark.parametrize("page", ["2", "4", "1000000", "9" * 17, "9" * 18])
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


@pytest.fixture
def purge(storage, pixel):
    """Purges the pixel's opens up to one, by its number."""
    noon = datetime(2025, 11, 6, 12, tzinfo=UTC)
    return lambda number: storage.purge_opens(pixel.id, before=noon + timedelta(seconds=number), limit=1000)


@each_storage
@pytest.mark.parametrize(("page", "shown"), [(1, range(201, 151, -1)), (2, range(151, 110, -1)), (3, [])])
def test_pages_are_of_what_was_not_purged(logs, make_opens, purge, page, shown):
    make_opens(201)
    purge(111)
    answer = logs(f"?page={page}")
    assert (answer.status, numbers(answer)) == (200, list(shown))
    assert ('<a href="?page=2">Go to the last page</a>' in answer.text) == (page > 2)


@each_storage
def test_it_says_up_to_when_opens_were_purged_and_that_the_figures_include_them(logs, show, pixel, make_opens, purge):
    make_opens(5)
    assert "purged" not in logs().text
    purge(3)
    page = show(f"/logs/{pixel.id}")
    assert "Opens before 6 Nov 2025, 12:00:03 UTC were purged. The figures still include them." in page.text
    assert "5 views without repeats" in page.text


@each_storage
def test_a_pixel_whose_opens_were_all_purged_is_not_one_that_was_never_opened(logs, make_opens, purge):
    make_opens(60)
    purge(61)
    for page in (1, 2):
        answer = logs(f"?page={page}")
        assert (answer.status, "Not opened yet" in answer.text, numbers(answer)) == (200, False, [])
    assert "All opens were purged." in logs().text


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


def assert_harmless(page, *scripts):
    """It has only what pages have, and leads nowhere else."""
    names = {tag for tag, _ in page.tags}
    assert names & {"iframe", "object", "embed", "img", "style", "b"} == set()
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [
        {"src": f"/track/static/{name}?v={ASSETS[name].version}", "defer": None} for name in ("page.js", *scripts)
    ]
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)
    targets = [
        attributes[name] for _, attributes in page.tags for name in ("href", "src", "action") if name in attributes
    ]
    assert all(target.startswith(("/track/", "?", "#", "data:image/svg+xml,%3Csvg ")) for target in targets)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("trusted", [0, 1])
def test_texts_of_hits_change_nothing_about_the_page(make_client, take_apart, pixel, text, trusted):
    client = make_client(trusted_proxies=trusted)
    visit(client, pixel, text)
    for query in ("", "?figures=raw", "?kind=bot"):
        assert_harmless(take_apart(client.get(f"/logs/{pixel.id}{query}")), "live.js")


@each_storage
@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_hits_are_shown_as_text(client, show, pixel, text):
    visit(client, pixel, text)
    shown = "".join(char if char.isprintable() else "\ufffd" for char in text)
    assert show(f"/logs/{pixel.id}").rows[1][3].endswith(" ".join(shown.split()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a" * 100, "a" * 100), ("a" * 101, "a" * 99 + "…"), ("<" * 400, "<" * 24 + "…"), ("é" * 400, "é" * 49 + "…")],
)
def test_of_a_long_user_agent_the_beginning_is_shown(client, show, pixel, text, shown):
    visit(client, pixel, text.encode().decode("latin-1"))
    *_, agent = show(f"/logs/{pixel.id}").rows[1][3].split(" ")  # after the name of the program, where one is known
    assert agent == shown


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
@pytest.mark.parametrize("path", ["/logs/{0.id}", "/", "/pixels/{0.id}/recipients", "/pixels/{0.id}/deletion"])
def test_a_name_is_shown_as_text(show, tracker, text, path):
    hostile = tracker.create_pixel(text)
    page = show(path.format(hostile))
    assert_harmless(page, *(["live.js"] if path.startswith("/logs/") else []))
    assert " ".join(text.split()) in page.text


@each_storage
def test_a_name_with_markup_is_escaped(client, tracker):
    hostile = tracker.create_pixel("<b>Spring</b> & Co")
    assert "<h1>&lt;b&gt;Spring&lt;/b&gt; &amp; Co</h1>" in client.get(f"/logs/{hostile.id}").text


@each_storage
def test_an_address_with_markup_is_escaped(client, tracker, pixel, show):
    recipient = tracker.generate_tokens(pixel.id, ["a&lt@example.org"])[0]
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    assert show(f"/logs/{pixel.id}").rows[1][1] == "a&lt@example.org"


@pytest.fixture
def judged(storage, pixel, tracker):
    """Opens of two recipients and of none, of three kinds; the user agent has their number."""
    ann, bob = tracker.generate_tokens(pixel.id, ["ann@example.org", "bob@example.com"])
    noon = datetime(2025, 11, 6, 12, tzinfo=UTC)
    kinds = {VerdictKind.HUMAN: ann.id, VerdictKind.SCANNER: bob.id, VerdictKind.BOT: None}
    opens = [
        Open(
            id=f"{number:032x}",
            pixel_id=pixel.id,
            recipient_id=recipient_id,
            opened_at=noon + timedelta(hours=number),
            user_agent=f"#{number}",
            verdict=Verdict(kind=kind, vendor="Barracuda" if kind == VerdictKind.SCANNER else None),
            client=Client(name="Thunderbird", version="128", os="Linux"),
            counted=kind == VerdictKind.HUMAN,
        )
        for number, (kind, recipient_id) in enumerate(islice(cycle(kinds.items()), 180), 1)
    ]
    storage.add_opens(opens)
    return {"ann": ann.id, "bob": bob.id}


@each_storage
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("?kind=human", 178),
        ("?kind=scanner", 179),
        ("?kind=bot", 180),
        ("?recipient={ann}", 178),
        ("?recipient={bob}&kind=scanner", 179),
    ],
)
def test_opens_are_filtered_and_the_filter_goes_with_the_page_links(logs, take_apart, judged, query, first):
    answer = logs(query.format(**judged))
    assert numbers(answer) == list(range(first, first - 150, -3))
    (older,) = [
        link.removesuffix("#opens")
        for link in take_apart(answer).links
        if "cursor=" in link and "raw" not in link and "#" in link
    ]
    further = logs(older)
    assert numbers(further) == list(range(first - 150, 0, -3))
    assert not any("cursor=" in link and "#opens" in link for link in take_apart(further).links)


@each_storage
@pytest.mark.parametrize(
    "query", ["?kind=prefetch", "?recipient={ann}&kind=bot", "?recipient=x", "?recipient=' OR 1=1"]
)
def test_a_filter_that_finds_nothing_says_so(logs, judged, query):
    answer = logs(query.format(**judged))
    assert (answer.status, numbers(answer), "No opens match." in answer.text) == (200, [], True)


def test_the_filter_tells_what_is_chosen(show, pixel, judged):
    page = show(f"/logs/{pixel.id}?kind=bot&recipient={judged['ann']}&figures=raw")
    assert [attributes["value"] for tag, attributes in page.tags if tag == "option" and "selected" in attributes] == [
        "bot"
    ]
    assert [field["value"] for field in page.fields("recipient")] == [judged["ann"]]
    assert [field["value"] for field in page.fields("figures")] == ["raw"]
    assert "Only opens of ann@example.org" in page.text


@pytest.mark.parametrize(
    "query", ["?kind=robot", "?figures=all", "?kind=bot&kind=bot", "?figures=raw&figures=raw", "?kind=bot&cursor=x"]
)
def test_a_filter_that_can_be_none_gets_a_400_page(logs, query):
    answer = logs(query)
    assert (answer.status, answer.is_page) == (400, True)


@each_storage
@pytest.mark.parametrize(
    ("query", "figures"),
    [
        ("", ["Opened 1 2 raw of 2 recipients", "Rate 50.0 % 100.0 % raw", "Opens 60 180 raw 60 views"]),
        ("?figures=raw", ["Opened 2 1 counted of 2", "Rate 100.0 % 50.0 % counted", "Opens 180 60 counted 180 views"]),
    ],
)
@pytest.mark.usefixtures("judged")
def test_the_figures_are_counted_or_raw_with_the_other_beside_them(show, pixel, query, figures):
    text = show(f"/logs/{pixel.id}{query}").text
    assert all(figure in text for figure in figures)


@pytest.mark.usefixtures("judged")
def test_the_chart_is_told_in_words_and_as_a_table(show, pixel):
    page = show(f"/logs/{pixel.id}")
    (label,) = [attributes["aria-label"] for tag, attributes in page.tags if attributes.get("class") == "bars"]
    assert label == ("Opens by 3 hours: 60 by people, at most 1 in one; 120 by machines, at most 2 in one.")
    assert "6 Nov 2025, 12:00 by 3 hours 14 Nov 2025, 00:00" in page.text
    assert "From People Machines 6 Nov 2025, 12:00 1 " in page.text
    assert "Thunderbird" in page.text


def test_the_icon_the_style_sheet_and_the_script_are_all_that_a_page_loads(show, pixel):
    page = show(f"/logs/{pixel.id}")
    loaded = [attributes for tag, attributes in page.tags if tag in ("link", "script", "img")]
    assert [attributes.get("href") or attributes["src"] for attributes in loaded[1:]] == [
        f"/track/static/{name}?v={asset.version}" for name, asset in ASSETS.items()
    ]


@each_storage
def test_a_page_of_the_newest_opens_is_sent_again_only_if_there_is_news(make_client, storage, pixel, make_opens):
    noon = datetime(2025, 11, 6, 12, tzinfo=UTC)
    client = make_client(clock=lambda: noon)
    make_opens(60)
    for query in ("", "?page=1&figures=raw", "?kind=unknown"):
        first = client.get(f"/logs/{pixel.id}{query}")
        known = {"headers": {"If-None-Match": first.headers["ETag"]}}
        again = client.get(f"/logs/{pixel.id}{query}", **known)
        assert (first.status, again.status, again.data) == (200, 304, b"")
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-store"
        assert client.get(f"/logs/{pixel.id}{query}", headers={"If-None-Match": '"other"'}).status == 200
        storage.add_opens([Open(id=f"{9000 + len(query):032d}", pixel_id=pixel.id, opened_at=noon)])
        assert client.get(f"/logs/{pixel.id}{query}", **known).status == 200


def test_a_page_is_sent_again_each_minute_since_it_says_how_long_ago_things_were(make_client, pixel):
    times = [datetime(2025, 11, 6, 12, 0, 1, tzinfo=UTC)]
    client = make_client(clock=lambda: times[-1])
    known = {"headers": {"If-None-Match": client.get(f"/logs/{pixel.id}").headers["ETag"]}}
    statuses = []
    for seconds in (0, 58, 59):
        times.append(times[0] + timedelta(seconds=seconds))
        statuses.append(client.get(f"/logs/{pixel.id}", **known).status)
    assert statuses == [304, 304, 200]


def test_a_page_of_older_opens_has_no_tag_and_no_script_for_news(logs, make_opens, take_apart):
    make_opens(60)
    answer = logs("?page=2")
    assert "ETag" not in answer.headers
    assert not any("live.js" in (attributes.get("src") or "") for _, attributes in take_apart(answer).tags)
    assert "data-key" not in answer.text


def test_rows_of_opens_that_several_processes_counted_have_different_keys(storage, logs, pixel):
    noon = datetime(2025, 11, 6, 12, tzinfo=UTC)
    ids = [f"{0x19A58F1CA60:012x}{process}{number:08x}" for process in ("a" * 12, "b" * 12) for number in range(5)]
    storage.add_opens([Open(id=one, pixel_id=pixel.id, opened_at=noon) for one in ids])
    assert len(set(re.findall(r'data-key="([^"]+)"', logs().text))) == 10
