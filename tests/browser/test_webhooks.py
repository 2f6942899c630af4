"""What people do with the pages of webhooks, with scripts on and off, and on a phone."""

import re
from datetime import timedelta

import attrs
import pytest

from mailtrack.webhooks import Delivery, DeliveryState

expect = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed").expect

URL = "https://crm.example.org/a-rather-long-path-that-has-to-break-somewhere/mailtrack"


@pytest.fixture
def failing(site, add_deliveries):
    """A webhook with failed deliveries, and some that are tried again."""
    hook = site.tracker.webhooks.add(URL)
    now = site.tracker.now()
    rest = {"cursor": "1.1", "event_at": now, "last_status": 503, "error": "The endpoint answered with status 503."}
    add_deliveries(
        site.tracker,
        hook.id,
        *(
            Delivery(event_id=f"evt_{one:032x}", state=DeliveryState.FAILED, tries=10, ended_at=now, **rest)
            for one in range(12)
        ),
        Delivery(event_id=f"evt_{99:032x}", tries=3, next_try_at=now + timedelta(hours=2), **rest),
    )
    storage = site.tracker._storage
    former = storage.get_webhook(hook.id)
    assert storage.change_webhook(former, attrs.evolve(former, failing_since=now - timedelta(hours=5)))
    yield hook
    site.tracker.webhooks.delete(hook.id)


def cards(page):
    return page.locator("table[role] tbody tr")


def test_one_is_added_changed_and_deleted(site, page):
    pixel = site.tracker.create_pixel("Only this one")
    page.goto(site.url)
    page.get_by_role("link", name="Webhooks").click()
    if page.locator(".create[open]").count() == 0:
        page.get_by_text("New webhook").click()
    page.get_by_label("URL").fill(URL)
    page.get_by_text("Only some kinds of opens").click()
    page.get_by_label("Person", exact=True).check()
    page.get_by_label("Pixels", exact=True).fill(f"{pixel.short_id} only THIS one")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_role("heading", name="Webhook added")).to_be_visible()
    secret = page.get_by_label("Secret").input_value()
    hook = site.tracker.webhooks.list()[-1]
    assert (hook.secret, hook.kinds, len(hook.pixels)) == (secret, {"human"}, 1)
    assert secret not in page.url

    page.get_by_role("link", name="Send a test").click()
    assert secret not in page.content()
    expect(page.get_by_label("Person", exact=True)).to_be_checked()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", name="Disabled", exact=True)).to_be_visible()
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("button", name="Rotate the secret").click()
    rotated = page.get_by_label("New secret").input_value()
    assert rotated == site.tracker.webhooks.get(hook.id).secret != secret
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("crm.example.org")
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_role("heading", name="Webhooks", exact=True)).to_be_visible()
    assert hook.id not in [one.id for one in site.tracker.webhooks.list()]


def test_a_reload_sends_nothing_again(site, open_page):
    page = open_page()
    page.goto(f"{site.url}/webhooks")
    if page.locator(".create[open]").count() == 0:
        page.get_by_text("New webhook").click()
    page.get_by_label("URL").fill(URL)
    page.get_by_role("button", name="Add webhook").click()
    expect(page.get_by_label("Secret")).to_be_visible()
    added = site.tracker.webhooks.list()
    hook = added[-1]
    page.reload()
    assert site.tracker.webhooks.list() == added
    expect(page.get_by_label("Secret")).to_have_count(0)
    site.tracker.webhooks.delete(hook.id)


def test_failures_are_found_from_the_dashboard_and_sent_again(site, page, failing):
    page.goto(site.url)
    expect(page.get_by_role("heading", name=re.compile("webhooks? needs? attention"))).to_be_visible()
    page.locator(f"a[href$='/webhooks/{failing.id}']").click()  # other tests may have left webhooks on the site
    expect(cards(page)).to_have_count(10)
    page.get_by_role("link", name="Failed", exact=True).click()
    page.get_by_role("link", name="Older").click()
    expect(cards(page)).to_have_count(2)
    page.get_by_role("link", name="Pending", exact=True).click()
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("in 1 hour")
    page.get_by_label("Since").select_option("The last 7 days")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("heading", name="Events will be sent again")).to_be_visible()
    assert site.tracker.webhooks.get(failing.id).url == URL


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/{}", "/webhooks/{}/deletion", "/"])
def test_nothing_is_wider_than_the_screen(site, open_page, failing, width, path):
    page = open_page(width=width)
    page.goto(site.url + path.format(failing.id))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
