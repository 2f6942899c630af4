"""That the pages can be used by everybody: checked by axe, by keyboard, on small screens, and without waiting."""

import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mailtrack import NewRecipient, Tracker, open_storage
from mailtrack.webhooks import Delivery, DeliveryState
from mailtrack_wsgi import create_app

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the group `browser` is not installed")

# All of WCAG 2.2 AA that axe knows, and its best practices.
_ALL_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

PAGES = {
    "dashboard": "/",
    "search": "/?search=filled",
    "sorted": "/?sort=name&from=2020-01-01",
    "nothing found": "/?search=nowhere",
    "log": "/logs/{filled}",
    "raw and filtered": "/logs/{filled}?figures=raw&kind=proxy",
    "past the end": "/logs/{filled}?page=99",
    "not opened": "/logs/{empty}",
    "recipients": "/pixels/{filled}/recipients",
    "settings": "/pixels/{filled}/settings",
    "archived": "/?archived=true",
    "references": "/pixels/{referenced}/recipients?search=inv",
    "no recipients": "/pixels/{empty}/recipients",
    "pixel's deletion": "/pixels/{filled}/deletion",
    "recipient's deletion": "/recipients/{recipient}/deletion",
    "person": "/people?email=reader2@example.org",
    "person's erasure": "/people/erasure?email=reader2@example.org",
    "erased": "/people?erased=3&opens=2",
    "person of many mails": "/people?email=ann@example.org",
    "webhooks": "/webhooks",
    "webhook": "/webhooks/{webhook}",
    "webhook's deletion": "/webhooks/{webhook}/deletion",
    "nobody": "/people?email=zoe@example.org",
    "reference": "/docs",
    "400": "/logs/{filled}?page=0",
    "404": "/nowhere",
}
every_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)


@pytest.fixture(scope="session")
def ids(site, add_deliveries):
    filled, empty = site.fill("Filled"), site.tracker.create_pixel("Empty").short_id
    invoices = site.tracker.create_pixel("Invoices")
    site.tracker.generate_tokens(invoices, [NewRecipient("ann@example.org", f"INV-{number}") for number in range(40)])
    hook = site.tracker.webhooks.add("https://crm.example.org/mailtrack")
    now = site.tracker.now()
    failed = Delivery(
        event_id="evt_1", cursor="1.1", event_at=now, state=DeliveryState.FAILED, ended_at=now, error="no"
    )
    add_deliveries(site.tracker, hook.id, failed)
    return {
        "webhook": hook.id,
        "filled": filled,
        "empty": empty,
        "recipient": next(site.tracker.iter_recipients(filled)).id,
        "referenced": invoices.short_id,
    }


def violations(page):
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    return [
        (found["id"], [node["html"][:150] for node in found["nodes"]][:3])
        for found in axe.Axe().run(page, options=_ALL_RULES).response["violations"]
    ]


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(site, ids, open_page, path, scheme, width):
    page = open_page(width=width, color_scheme=scheme)
    page.goto(site.url + path.format(**ids))
    assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_on_the_first_page_of_a_newcomer_or_after_adding(new_site, open_page, width):
    page = open_page(width=width)
    page.goto(new_site.url)
    assert violations(page) == []
    pixel = new_site.tracker.create_pixel("New")
    page.goto(f"{new_site.url}/pixels/{pixel.short_id}/recipients")
    page.get_by_label("Addresses").fill("ann@example.org\nbob@")
    page.get_by_role("button", name="Add recipients").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


@every_page
@pytest.mark.parametrize("width", [360, 620, 800])
def test_a_page_fits_into_a_small_screen(site, ids, open_page, path, width):
    page = open_page(width=width)
    page.goto(site.url + path.format(**ids))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@every_page
def test_a_page_makes_few_requests_to_its_own_server_and_nothing_moves(site, ids, open_page, path):
    page = open_page(width=390)
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver(list => list.getEntries().forEach("
        "one => { window.moved += one.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    page.goto(site.url + path.format(**ids))
    page.wait_for_load_state("networkidle")
    loaded = [url for url in page.requested if not url.startswith("data:")]
    assert len(loaded) == (4 if any("/live.js" in url for url in loaded) else 3)
    assert all(url.startswith(site.url) for url in loaded)
    assert page.evaluate("window.moved") < 0.01


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(site, ids, open_page):
    page = open_page()
    page.goto(f"{site.url}/logs/{ids['filled']}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_nothing_moves_for_those_who_want_that(site, ids, open_page):
    page = open_page(reduced_motion="reduce")
    page.goto(f"{site.url}/logs/{ids['filled']}")
    assert page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration") == "0s"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("keys", [None, ["secret"]], ids=["open", "with a key"])
def test_mounted_under_a_prefix_everything_works(open_page, keys):
    page = open_page(java_script_enabled=False, http_credentials={"username": "anybody", "password": "secret"})
    with open_storage("memory://") as storage:
        mounted = DispatcherMiddleware(NotFound(), {"/mail/opens": create_app(Tracker(storage), api_keys=keys)})
        with make_server("127.0.0.1", 0, mounted, handler_class=_Quiet) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                _work_under(f"http://127.0.0.1:{server.server_port}/mail/opens", page)
            finally:
                server.shutdown()
                thread.join()


def _work_under(url, page):
    page.goto(url)
    page.get_by_label("Name", exact=True).fill("Mounted")
    page.get_by_role("button", name="Create pixel").click()
    page.get_by_label("Addresses").fill("ann@example.org")
    page.get_by_role("button", name="Add recipients").click()
    assert page.get_by_label("URL of the image").first.input_value().startswith(f"{url}/tracker/")
    page.get_by_role("link", name="Delete ann@example.org").click()
    page.get_by_role("button", name="Delete permanently").click()
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete permanently").click()
    assert page.url == f"{url}/"
    assert all(one.startswith((url, "data:")) for one in page.requested)
