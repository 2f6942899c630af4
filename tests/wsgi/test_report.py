"""`GET /api/v1/pixels/<pixel>/report`."""

import json

import pytest

pytestmark = pytest.mark.each_storage

NONE = {"counted": 0, "raw": 0}


@pytest.fixture
def report(client, pixel):
    """Asks for the pixel's report."""
    return lambda query="", key=pixel.id: client.get(f"/api/v1/pixels/{key}/report{query}")


@pytest.fixture
def people(tracker, pixel):
    return tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem")])


@pytest.fixture
def opened(tracker, pixel, people, thunderbird, robot):
    """Ann opened twice with a pause, Bob's scanner fetched his, and so did six apps; the clock goes on."""
    ann, bob, _ = people
    tracker.record(pixel, token=ann.token, ip="192.0.2.1", user_agent=thunderbird)
    for _ in range(2):
        tracker.record(pixel, token=bob.token, ip="192.0.2.2", user_agent=robot)
    for number in range(6):
        tracker.record(pixel, user_agent=f"Viewer{number}/1 CFNetwork/1490.0.4 Darwin/23.2.0")
    tracker.record(pixel, token=ann.token, ip="192.0.2.1", user_agent=thunderbird)
    return pixel


@pytest.mark.usefixtures("opened")
def test_it_has_the_documented_fields(report):
    answer = report()
    assert answer.status == 200
    assert list(answer.json) == [
        *("timeZone", "recipients", "opened", "rate", "notOpened", "prefetched", "fetches", "views", "delay"),
        *("delays", "hours", "days", "hoursOfDay", "verdicts", "vendors", "clients", "systems", "devices"),
        *("pixel", "rateBase", "top"),
    ]


@pytest.mark.usefixtures("opened")
def test_its_numbers_are_counted_and_raw(report):
    found = report().json
    assert (found["recipients"], found["notOpened"], found["rateBase"]) == (3, 2, "recipients")
    assert found["opened"] == {"counted": 1, "raw": 2}
    assert found["prefetched"] == 0
    third = pytest.approx(1 / 3)
    assert found["rate"] == {
        "counted": third,
        "raw": pytest.approx(2 / 3),
        "measurable": third,
        "lower": third,
        "upper": third,
    }
    assert found["fetches"] == {"counted": 8, "raw": 10}
    assert found["views"] == {"counted": 8, "raw": 9}


@pytest.mark.usefixtures("opened")
def test_the_rates_bounds_differ_by_the_recipients_that_were_only_prefetched(report, tracker, pixel, people):
    tracker.record(pixel, token=people[2].token, user_agent="Mozilla/5.0")
    found = report().json
    assert (found["prefetched"], found["rate"]["measurable"]) == (1, 0.5)
    assert (found["rate"]["lower"], found["rate"]["upper"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


@pytest.mark.usefixtures("opened")
def test_delays_are_seconds(report):
    found = report().json
    assert found["delay"] == {"counted": pytest.approx(1, abs=0.06), "raw": pytest.approx(1, abs=0.06)}
    assert found["delays"][0] == {"within": 60.0, "recipients": {"counted": 1, "raw": 2}}
    assert found["delays"][-1] == {"within": None, "recipients": NONE}


@pytest.mark.usefixtures("opened")
def test_hours_and_days_begin_in_its_time_zone(report):
    found = report("?timeZone=Asia/Kolkata").json
    count = {"counted": 8, "raw": 10}
    assert found["timeZone"] == "Asia/Kolkata"
    assert found["hours"] == [{"start": "2025-11-06T17:30:00+05:30", "opens": count}]
    assert found["days"] == [{"start": "2025-11-06T00:00:00+05:30", "opens": count}]
    assert found["hoursOfDay"] == [*[NONE] * 17, count, *[NONE] * 6]


@pytest.mark.usefixtures("opened")
def test_without_a_time_zone_it_is_in_utc(report):
    found = report().json
    assert (found["timeZone"], found["days"][0]["start"]) == ("UTC", "2025-11-06T00:00:00+00:00")


@pytest.mark.usefixtures("opened")
def test_breakdowns_have_names(report):
    found = report().json
    kinds = {one["name"]: one["opens"] for one in found["verdicts"]}
    assert kinds["human"] == {"counted": 8, "raw": 8}
    assert kinds["bot"] == {"counted": 0, "raw": 2}
    assert {"name": "Thunderbird", "opens": {"counted": 2, "raw": 2}} in found["clients"]
    assert {"name": "Linux", "opens": {"counted": 2, "raw": 2}} in found["systems"]
    assert {"name": "desktop", "opens": {"counted": 2, "raw": 2}} in found["devices"]
    assert {"name": "Mozilla", "opens": {"counted": 2, "raw": 2}} in found["vendors"]
    assert sum(one["opens"]["raw"] for one in found["verdicts"]) == 10


def test_its_pixel_is_the_pixel_by_itself(report, client, opened):
    assert report(key=opened.short_id).json["pixel"] == client.get(f"/api/v1/pixels/{opened.id}").json


def test_its_top_recipients_are_as_in_their_list(report, client, opened):
    listed = client.get(f"/api/v1/pixels/{opened.id}/recipients").json["items"]
    assert report().json["top"] == listed[:1]


@pytest.mark.parametrize(("top", "names"), [("1", 1), ("2", 2), ("100", 8)])
@pytest.mark.usefixtures("opened")
def test_top_limits_what_is_told(report, top, names):
    assert len(report(f"?top={top}").json["clients"]) == names


def test_a_pixel_without_recipients_and_opens_has_no_rates(report):
    found = report().json
    assert found["delay"] == {"counted": None, "raw": None}
    assert found["rate"] == dict.fromkeys(("counted", "raw", "measurable", "lower", "upper"))
    assert found["opened"] == found["fetches"] == found["views"] == NONE
    assert [found[part] for part in ("hours", "days", "verdicts", "vendors", "clients", "top")] == [[]] * 6


@pytest.mark.parametrize(
    "zone",
    ["", "Nowhere/City", "../etc/passwd", "/etc/passwd", "UTC%00", "%ff", "x" * 10_240, "Europe", "UTC&timeZone=UTC"],
    ids=lambda zone: zone[:16] or "empty",
)
def test_a_bad_time_zone_is_refused_without_repeating_it(report, zone):
    answer = report(f"?timeZone={zone}")
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert "passwd" not in answer.text
    assert "xxx" not in answer.text


@pytest.mark.parametrize(
    "top", ["0", "101", "-1", "1.5", "", "x", "１", "1" * 5000, "1&top=2"], ids=lambda top: top[:9]
)
def test_a_bad_top_is_refused(report, top):
    answer = report(f"?top={top}")
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert answer.json["error"].startswith("top must be ")


@pytest.mark.parametrize("key", ["00000000", "00000000-0000-4000-8000-000000000000", "x"])
def test_an_unknown_pixel_is_not_found(report, key):
    answer = report(key=key)
    assert (answer.status, answer.json) == (404, {"error": "Pixel not found"})


def test_head_has_no_body(client, pixel):
    answer = client.head(f"/api/v1/pixels/{pixel.id}/report")
    assert (answer.status, answer.headers["Content-Type"], answer.data) == (200, "application/json", b"")


def test_it_is_not_kept_by_anybody(report):
    assert report().headers["Cache-Control"] == "no-store"


def test_names_from_strangers_are_text(report, tracker, pixel):
    tracker.record(pixel.id, user_agent='<script>"alert"/1')
    assert json.loads(report().text)["fetches"]["raw"] == 1
