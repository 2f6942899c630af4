"""`/webhooks`: the list, the form to add one, and the page of each with its deliveries and forms."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from mailtrack.webhooks import Delivery, DeliveryState

URL = "https://crm.example.org/mailtrack"
UNKNOWN = "0" * 16


@pytest.fixture
def hook(tracker):
    return tracker.webhooks.add(URL)


@pytest.fixture
def path(hook):
    return f"/webhooks/{hook.id}"


@pytest.fixture
def change(storage):
    """Changes what is stored of a webhook, as the sender does."""

    def replace(hook, **changes):
        former = storage.get_webhook(hook.id)
        assert storage.change_webhook(former, attrs.evolve(former, **changes))

    return replace


@pytest.fixture
def add_failed(tracker, hook, add_deliveries):
    """Leaves failed deliveries, with errors, and one that is tried again."""

    def add(number=1, error="The endpoint answered with 500."):
        now = tracker.now()
        rest = {"cursor": "1.1", "event_at": now - timedelta(hours=1), "last_status": 500, "error": error}
        failed = {"state": DeliveryState.FAILED, "tries": 10, "ended_at": now - timedelta(minutes=30)}
        pending = {"tries": 2, "next_try_at": now + timedelta(minutes=5)}
        add_deliveries(
            tracker,
            hook.id,
            *(Delivery(event_id=f"evt_{one:032x}", **rest, **failed) for one in range(number)),
            Delivery(event_id="evt_again", **rest, **pending),
        )

    return add


def test_every_page_leads_to_it(show):
    for page in ("/", "/docs", "/webhooks"):
        assert "/track/webhooks" in show(page).links


def test_without_webhooks_the_form_is_open(show):
    page = show("/webhooks")
    assert "There are no webhooks yet." in page.text
    form = next(one for tag, one in page.tags if tag == "details" and one.get("class") == "create")
    assert "open" in form


def test_one_is_added_and_its_secret_is_shown_this_once(client, show, take_apart, tracker, pixel):
    tracker.create_pixel("Autumn")
    answer = client.post(
        "/webhooks",
        data={"url": f" {URL}?key=1 ", "first": "any", "kind-human": "1", "kind-bot": "1", "pixels": "spring LAUNCH\r"},
    )
    (hook,) = tracker.webhooks.list()
    assert (answer.status, answer.is_page) == (200, True)
    assert (hook.url, hook.first, hook.kinds, hook.pixels) == (f"{URL}?key=1", "any", {"human", "bot"}, {pixel.id})
    page = take_apart(answer)
    assert [one["value"] for tag, one in page.tags if one.get("id") == "secret"] == [hook.secret]
    assert answer.headers["Cache-Control"] == "no-store"
    for later in (show("/webhooks"), show(f"/webhooks/{hook.id}")):
        assert not [one for _, one in later.tags if hook.secret in str(one)]
        assert hook.secret not in later.text


def test_without_filters_it_sends_the_first_counted_open_of_all_pixels(client, tracker):
    assert client.post("/webhooks", data={"url": URL, "first": "firstCounted", "pixels": ""}).status == 200
    (hook,) = tracker.webhooks.list()
    assert (hook.first, hook.kinds, hook.pixels) == ("firstCounted", None, None)


@pytest.mark.parametrize("named", ["{0.short_id}", "{0.id}", "{0.short_id} {0.name}", "{0.name}", "{0.name}\n\n{0.id}"])
def test_a_pixel_is_named_by_id_or_name(client, tracker, pixel, named):
    client.post("/webhooks", data={"url": URL, "first": "any", "pixels": named.format(pixel)})
    (hook,) = tracker.webhooks.list()
    assert hook.pixels == {pixel.id}


def test_a_pixel_is_found_by_name_among_more_than_a_page_of_others(client, tracker):
    pixel = tracker.create_pixel("Sale")
    for number in range(1000):
        tracker.create_pixel(f"Sale {number}")
    client.post("/webhooks", data={"url": URL, "first": "any", "pixels": "sale"})
    (hook,) = tracker.webhooks.list()
    assert hook.pixels == {pixel.id}


def test_very_many_pixels_are_refused_before_any_is_looked_up(client, tracker, take_apart, monkeypatch):
    monkeypatch.setattr(tracker, "list_pixels", None)
    answer = client.post("/webhooks", data={"url": URL, "pixels": "\n".join(f"Name {one}" for one in range(1001))})
    page = take_apart(answer)
    assert (answer.status, "Pixels must be at most 1,000." in page.text) == (400, True)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"url": "", "first": "any"}, ""),
        ({"url": "http://127.0.0.1/x", "first": "any"}, ""),
        ({"url": URL, "first": "last"}, "first"),
        ({"url": URL, "first": "any", "pixels": "Nothing of this name"}, "Pixels must be ids or names"),
        ({"url": URL, "first": "any", "pixels": "Twice"}, "Pixels must be named by their id"),
    ],
)
def test_what_can_not_be_added_is_reported_in_the_form_which_keeps_it(client, tracker, take_apart, data, problem):
    tracker.create_pixel("Twice")
    tracker.create_pixel("twice")
    answer = client.post("/webhooks", data={"kind-human": "1", **data})
    page = take_apart(answer)
    assert (answer.status, problem in page.text) == (400, True)
    assert [one["value"] for one in page.fields("url")] == [data["url"]]
    assert ["checked" in one for one in page.fields("kind-human")] == [True]
    assert data.get("pixels", "") in page.text
    assert tracker.webhooks.list() == []


def test_the_list_shows_states_and_failures(show, tracker, hook, change, add_failed):
    add_failed(error="<b>The endpoint</b> answered with 500.")
    change(hook, failing_since=tracker.now() - timedelta(hours=2, minutes=30))
    other = tracker.webhooks.add("https://old.example.net/in?secret=1")
    change(other, enabled=False, disabled_reason="The endpoint answered with 410.")
    third = tracker.webhooks.add("https://example.org/third", first="any", kinds=["human"])
    rows = show("/webhooks").rows[1:]
    assert [row[2].split()[0] for row in rows] == ["Failing", "Disabled", "Active"]
    assert "since 2 hours ago" in rows[0][2]
    assert rows[0][3] == "1"
    assert "<b>The endpoint</b> answered with 500. 2 tries, next in" in rows[0][4]
    assert "The endpoint answered with 410." in rows[1][2]
    assert rows[1][0].startswith("old.example.net/in added")  # without its query, which may be a secret
    assert rows[2][1] == "Every open only Person"
    assert third.id in str(show("/webhooks").links)


def test_the_page_shows_deliveries_by_state_and_in_pages(show, path, add_failed):
    add_failed(12)
    assert len(show(path).rows) == 11
    failed = show(f"{path}?state=failed")
    assert [row[1] for row in failed.rows[1:]] == ["Failed"] * 10
    (older,) = [link for link in failed.links if "cursor=" in link]
    rest = show(path + older.partition("#")[0])
    assert [row[1] for row in rest.rows[1:]] == ["Failed"] * 2
    assert rest.rows[1][4] == "The endpoint answered with 500."
    (pending,) = show(f"{path}?state=pending").rows[1:]
    assert (pending[1], pending[2]) == ("Pending", "2")
    assert pending[3].startswith("in ")
    assert "No delivery is in this list." in show(f"{path}?state=delivered").text


@pytest.mark.parametrize("query", ["state=sent", "cursor=nonsense"])
def test_a_bad_query_gets_a_page(client, path, query):
    answer = client.get(f"{path}?{query}")
    assert (answer.status, answer.is_page) == (400, True)


def test_it_is_disabled_and_enabled(client, show, tracker, hook, path):
    answer = client.post(path, data={"action": "disable"})
    assert (answer.status, answer.headers["Location"]) == (303, f"/track{path}")
    assert not tracker.webhooks.get(hook.id).enabled
    assert "Nothing is sent." in show(path).text
    assert client.post(path, data={"action": "enable"}).status == 303
    assert tracker.webhooks.get(hook.id).enabled


def test_its_secret_is_rotated_and_shown_this_once(client, show, take_apart, tracker, hook, path):
    page = take_apart(client.post(path, data={"action": "rotate"}))
    found = tracker.webhooks.get(hook.id)
    assert found.secret != hook.secret
    assert [one["value"] for tag, one in page.tags if one.get("id") == "secret"] == [found.secret]
    assert not [one for _, one in show(path).tags if found.secret in str(one)]


def test_its_settings_are_changed(client, show, tracker, hook, path, pixel):
    data = {"action": "save", "url": "https://example.org/new", "first": "first", "kind-proxy": "1"}
    assert client.post(path, data=data | {"pixels": pixel.name}).status == 200
    found = tracker.webhooks.get(hook.id)
    assert (found.url, found.first, found.kinds, found.pixels) == (data["url"], "first", {"proxy"}, {pixel.id})
    page = show(path)
    assert ["checked" in one for one in page.fields("kind-proxy")] == [True]
    assert f"{pixel.short_id} {pixel.name}" in page.text
    client.post(path, data={"action": "save", "url": URL, "first": "first", "pixels": ""})
    found = tracker.webhooks.get(hook.id)
    assert (found.kinds, found.pixels) == (None, None)


def test_settings_that_are_refused_stay_in_the_form(client, take_apart, tracker, hook, path):
    answer = client.post(path, data={"action": "save", "url": "http://10.0.0.1/", "first": "any", "kind-bot": "1"})
    page = take_apart(answer)
    assert (answer.status, [one["value"] for one in page.fields("url")]) == (400, ["http://10.0.0.1/"])
    assert "Nothing was changed" in page.text
    assert tracker.webhooks.get(hook.id).url == URL


@pytest.mark.parametrize(
    ("given", "age"),
    [
        ({"span": "hour"}, timedelta(hours=1)),
        ({"span": "month", "since": ""}, timedelta(days=30)),
        ({"span": "hour", "since": "2025-11-06T10:30"}, None),
    ],
)
def test_events_are_sent_again(client, tracker, hook, path, given, age):
    answer = client.post(path, data={"action": "replay", **given})
    assert (answer.status, "Events will be sent again" in answer.text) == (200, True)
    since = tracker.webhooks.get(hook.id).replay_since
    if age is None:
        assert since == datetime(2025, 11, 6, 10, 30, tzinfo=UTC)
    else:
        assert abs(tracker.now() - age - since) < timedelta(minutes=5)


def test_events_are_sent_again_since_the_oldest_that_failed(client, show, tracker, hook, path, add_failed):
    assert "The oldest open whose delivery failed" not in show(path).text
    add_failed(3)
    assert "The oldest open whose delivery failed" in show(path).text
    assert client.post(path, data={"action": "replay", "span": "failed", "since": ""}).status == 200
    oldest = min(one.event_at for one in tracker.webhooks.list_deliveries(hook, state="failed").items)
    assert tracker.webhooks.get(hook.id).replay_since == oldest


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"span": "failed"},
        {"span": "century"},
        {"since": "tomorrow"},
        {"since": "2125-01-01T00:00"},
        {"since": "0001-01-01T00:00+14:00"},
    ],
)
def test_a_replay_since_no_time_or_a_future_one_is_refused(client, tracker, hook, path, given):
    answer = client.post(path, data={"action": "replay", **given})
    assert (answer.status, answer.is_page) == (400, True)
    assert tracker.webhooks.get(hook.id).replay_since is None


def test_a_test_that_does_not_arrive_says_why(make_client, tracker, take_apart):
    client = make_client(webhook_allow=["127.0.0.0/8"])
    assert client.post("/webhooks", data={"url": "http://127.0.0.1:1/", "first": "any"}).status == 200
    (hook,) = tracker.webhooks.list()
    page = take_apart(client.post(f"/webhooks/{hook.id}", data={"action": "test"}))
    assert "The test event was not delivered" in page.text


@pytest.mark.parametrize("data", [{"url": URL}, {"action": "nonsense"}, {"action": ""}])
def test_another_action_is_refused(client, path, data):
    answer = client.post(path, data=data)
    assert (answer.status, answer.is_page) == (400, True)


def test_it_is_deleted_after_a_confirmation(client, show, tracker, path, add_failed):
    add_failed()
    page = show(f"{path}/deletion")
    assert "crm.example.org/mailtrack" in page.text
    assert "1 pending one included" in page.text
    assert "To keep a copy" not in page.text
    answer = client.post(f"{path}/delete")
    assert (answer.status, answer.headers["Location"]) == (303, "/track/webhooks")
    assert tracker.webhooks.list() == []


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("POST", ""), ("GET", "/deletion"), ("POST", "/delete")])
def test_an_unknown_webhook_gets_a_404_page(client, method, rest):
    answer = client(method, f"/webhooks/{UNKNOWN}{rest}", data={"action": "test"} if method == "POST" else None)
    assert (answer.status, answer.is_page) == (404, True)
    assert "Webhook not found" in answer.text


def test_the_dashboard_says_what_is_disabled_or_failing(show, tracker, hook, change):
    assert "attention" not in show("/").text
    change(hook, failing_since=tracker.now() - timedelta(hours=2, minutes=30))
    assert "1 webhook needs attention crm.example.org/mailtrack has been failing since 2 hours ago" in show("/").text
    change(hook, enabled=False, disabled_reason="It has failed for 5 days.")
    assert "crm.example.org/mailtrack is disabled: It has failed for 5 days." in show("/").text
    tracker.webhooks.update(hook.id, enabled=True)
    tracker.webhooks.update(hook.id, enabled=False)
    assert "attention" not in show("/").text  # its owner knows


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><img src=x>"])
def test_text_is_escaped(client, show, tracker, take_apart, hook, change, text):
    pixel = tracker.create_pixel(text)
    change(hook, url=f"https://example.org/{text}", disabled_reason=text, enabled=False, pixels=[pixel.id])
    answer = client.post("/webhooks", data={"url": "nonsense" + text, "first": text, "pixels": text})
    paths = ("/", "/webhooks", f"/webhooks/{hook.id}", f"/webhooks/{hook.id}/deletion")
    for page in (*map(show, paths), take_apart(answer)):
        assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"]


def test_a_deleted_pixel_leaves_its_webhook_which_does_not_send_all_pixels_then(client, show, tracker, pixel):
    hook = tracker.webhooks.add(URL, pixels=[pixel.id])
    tracker.delete_pixel(pixel)
    assert "deleted pixels" in show(f"/webhooks/{hook.id}").text
    assert "of 1 pixel" in show("/webhooks").text
    page = show(f"/webhooks/{hook.id}")
    assert pixel.id in page.text
    saved = client.post(f"/webhooks/{hook.id}", data={"action": "save", "url": URL, "first": "any", "pixels": pixel.id})
    assert saved.status == 400
    assert tracker.webhooks.get(hook.id).pixels == {pixel.id}
