"""The log page keeps itself up to date while it is looked at."""

import re
import urllib.request

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed").expect

SECONDS = 20_000  # in milliseconds: the page asks every 5 seconds, and the machine may be busy
HIDE = """
    Object.defineProperty(document, "visibilityState", { get: () => window.away ? "hidden" : "visible" });
    window.look = (away) => { window.away = away; document.dispatchEvent(new Event("visibilitychange")); };
"""


def rows(page):
    return page.locator("#opens tbody tr")


def load_image(site, short_id, token=None, agent="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Thunderbird/128.3.1"):
    query = f"?token={token}" if token else ""
    request = urllib.request.Request(f"{site.url}/tracker/{short_id}.png{query}", headers={"User-Agent": agent})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


@pytest.fixture
def asked(open_page):
    """A page, and a list of its requests for itself after the first."""
    page = open_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request) if request.resource_type == "fetch" else None)
    return page


def test_an_open_shows_up_without_a_reload_and_what_a_person_does_stays(site, asked):
    short_id = site.fill("Spring launch")
    asked.goto(f"{site.url}/logs/{short_id}")
    asked.get_by_text("As a table").click()
    asked.get_by_label("Verdict").select_option("Robot")  # chosen, but not asked for yet
    link = rows(asked).nth(4).get_by_role("link")
    link.focus()
    address = link.get_attribute("href")
    asked.evaluate("window.same = document.querySelector('#opens tbody tr')")
    expect(asked.get_by_text("Updates by itself")).to_be_visible()
    token = next(site.tracker.iter_recipients(short_id)).token
    load_image(site, short_id, token)

    expect(rows(asked).first).to_contain_text("Thunderbird", timeout=SECONDS)
    expect(rows(asked).first).to_contain_text("reader0@example.org")
    expect(rows(asked)).to_have_count(50)
    expect(asked.get_by_role("status").filter(has_text="1 new open")).to_be_visible()
    expect(asked.locator(".figures .lead").nth(2)).to_contain_text("131")
    assert asked.locator("tr.new").count() == 1
    assert asked.evaluate("window.same === document.querySelectorAll('#opens tbody tr')[1]")
    assert asked.evaluate("document.activeElement.getAttribute('href')") == address
    assert asked.locator("figure details[open]").count() == 1
    assert asked.get_by_label("Verdict").input_value() == "bot"
    assert re.search(r"\d{1,2} \w+ \d{4}, \d\d:\d\d:\d\d$", rows(asked).first.locator("time").inner_text())
    load_image(site, short_id, token)
    load_image(site, short_id, token)
    expect(asked.locator(".figures .lead").nth(2)).to_contain_text("133", timeout=SECONDS)
    expect(rows(asked)).to_have_count(50)


def test_the_first_open_makes_the_figures_and_the_table(site, asked):
    pixel = site.tracker.create_pixel("New")
    asked.goto(f"{site.url}/logs/{pixel.short_id}")
    expect(asked.get_by_text("Not opened yet.")).to_be_visible()
    load_image(site, pixel.short_id)
    expect(rows(asked)).to_have_count(1, timeout=SECONDS)
    expect(asked.get_by_role("heading", name="Opens over time")).to_be_visible()
    assert asked.get_by_text("Not opened yet.").count() == 0
    asked.reload()
    expect(rows(asked)).to_have_count(1)


def test_a_page_that_nothing_happens_to_is_not_sent_again(site, asked):
    short_id = site.fill("Quiet")
    asked.goto(f"{site.url}/logs/{short_id}")
    with asked.expect_response(lambda answer: answer.status == 304, timeout=2 * SECONDS):
        pass
    assert asked.locator("tr.new").count() == 0


def test_a_hidden_page_asks_nothing_until_it_is_looked_at_again(site, asked):
    short_id = site.fill("Elsewhere")
    asked.add_init_script(HIDE)
    asked.clock.install()
    asked.goto(f"{site.url}/logs/{short_id}")
    asked.evaluate("look(true)")
    load_image(site, short_id)
    asked.clock.run_for(600_000)
    assert asked.asked == []
    asked.evaluate("look(false)")
    with asked.expect_response(lambda answer: "/logs/" in answer.url):
        asked.clock.run_for(5_000)


def test_it_pauses_and_goes_on(site, asked):
    short_id = site.fill("Pause")
    asked.clock.install()
    asked.goto(f"{site.url}/logs/{short_id}")
    asked.get_by_role("button", name="Pause").click()
    expect(asked.get_by_text("Paused")).to_be_visible()
    asked.clock.run_for(600_000)
    assert asked.asked == []
    with asked.expect_request(lambda request: request.resource_type == "fetch"):
        asked.get_by_role("button", name="Resume").click()
    expect(asked.get_by_text("Updates by itself")).to_be_visible()


def test_while_the_server_fails_it_asks_less_often_and_then_goes_on(site, asked):
    short_id = site.fill("Faults")
    asked.clock.install()
    asked.goto(f"{site.url}/logs/{short_id}")
    asked.route("**/logs/*", lambda route: route.fulfill(status=503, body="<main id='main'>Busy</main>"))
    asked.clock.run_for(5_000)
    expect(asked.get_by_text("The server does not answer")).to_be_visible()
    expect(rows(asked)).to_have_count(50)
    for _ in range(60):
        asked.clock.run_for(5_000)
    assert 4 <= len(asked.asked) < 15
    asked.unroute("**/logs/*")
    asked.clock.run_for(60_000)
    expect(asked.get_by_text("Updates by itself")).to_be_visible(timeout=SECONDS)


@pytest.mark.parametrize("query", ["?page=2", "?kind=human&cursor=CURSOR"])
def test_only_the_newest_opens_are_kept_up_to_date(site, asked, query):
    short_id = site.fill("Older")
    cursor = site.tracker.list_opens(short_id, limit=10, kind="human").next
    asked.goto(f"{site.url}/logs/{short_id}{query.replace('CURSOR', cursor)}")
    expect(rows(asked).first).to_be_visible()
    assert asked.locator("#live").count() == 0
    assert not any("live.js" in url for url in asked.requested)


def test_a_filtered_list_is_kept_up_to_date_too(site, asked):
    pixel = site.tracker.create_pixel("Filtered")
    asked.goto(f"{site.url}/logs/{pixel.short_id}?kind=human")
    load_image(site, pixel.short_id, agent="curl/8.0")
    load_image(site, pixel.short_id)
    expect(rows(asked)).to_have_count(1, timeout=SECONDS)
    expect(rows(asked).first).to_contain_text("Thunderbird")


def test_without_scripts_the_page_is_as_it_is(site, open_page):
    page = open_page(java_script_enabled=False)
    page.goto(f"{site.url}/logs/{site.fill('Plain')}")
    expect(rows(page)).to_have_count(50)
    expect(page.locator("#live")).to_be_hidden()


def test_who_wants_no_motion_sees_new_rows_without(site, open_page):
    page = open_page(reduced_motion="reduce")
    short_id = site.fill("Still")
    page.goto(f"{site.url}/logs/{short_id}")
    load_image(site, short_id)
    expect(page.locator("tr.new")).to_have_count(1, timeout=SECONDS)
    assert page.locator("tr.new").evaluate("row => getComputedStyle(row).animationName") == "none"
