"""What all pages have in common, the confirmation before a deletion, and the error pages."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from mailtrack import Client, Open, StorageUnavailable, Verdict, VerdictKind
from mailtrack.verdicts import default_rules
from mailtrack_wsgi._html.templating import ASSETS

FILES = sum(len(asset.data) for asset in ASSETS.values())

EVERY_PAGE = [
    "/",
    "/logs/{0.id}",
    "/logs/{0.id}?figures=raw&kind=bot",
    "/pixels/{0.id}/recipients",
    "/pixels/{0.id}/settings",
    "/pixels/{0.id}/deletion",
    "/recipients/{1.id}/deletion",
    "/people?email={1.email}",
    "/people?email=zoe@example.com",
    "/people?erased=3&opens=2",
    "/people/erasure?email={1.email}",
    "/docs",
    "/logs/00000000",
    "/nowhere",
]
every_page = pytest.mark.parametrize("path", EVERY_PAGE)


@every_page
def test_a_page_lets_nothing_in_but_its_own_files(client, take_apart, pixel, recipient, path):
    answer = client.get(path.format(pixel, recipient))
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    page = take_apart(answer)
    assert [attributes for tag, attributes in page.tags if tag == "script" and "src" not in attributes] == []
    assert not any(tag == "style" or "style" in attributes for tag, attributes in page.tags)


@every_page
def test_a_page_has_a_search(client, take_apart, pixel, recipient, path):
    page = take_apart(client.get(path.format(pixel, recipient)))
    (label,) = [one["aria-label"] for one in page.fields("search") if "aria-label" in one]
    assert label == "Name of a pixel, or e-mail address"


@every_page
def test_all_links_of_a_page_stay_below_the_mount_point(client, take_apart, pixel, recipient, path):
    page = take_apart(client.get(path.format(pixel, recipient)))
    targets = [
        attributes[name] for _, attributes in page.tags for name in ("href", "src", "action") if name in attributes
    ]
    assert len(targets) > 3
    assert all(target.startswith(("/track/", "?", "#", "data:image/svg+xml,")) for target in targets)


@every_page
def test_a_page_has_a_language_a_title_one_heading_and_one_main_part(client, take_apart, pixel, recipient, path):
    page = take_apart(client.get(path.format(pixel, recipient)))
    found = [tag for tag, _ in page.tags]
    assert [found.count(tag) for tag in ("title", "h1", "main")] == [1, 1, 1]
    assert ("html", {"lang": "en"}) in page.tags
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@every_page
def test_a_page_loads_two_files_and_one_more_to_keep_itself_up_to_date_and_is_small(
    client, take_apart, pixel, recipient, path
):
    answer = client.get(path.format(pixel, recipient))
    files = [
        attributes["href" if tag == "link" else "src"]
        for tag, attributes in take_apart(answer).tags
        if tag in ("link", "script", "img")
    ]
    loaded = [client.get(name.removeprefix("/track")) for name in files if not name.startswith("data:")]
    live = path.startswith("/logs/{0.id}")
    assert [found.status for found in loaded] == [200, 200, *([200] if live else [])]
    most = 130_000 if path == "/docs" else 110_000  # the reference grows with the API
    assert len(answer.data) + sum(len(found.data) for found in loaded) < most


@pytest.fixture
def heavy(tracker, storage):
    """A pixel of which all texts are as long as they can be and need escapes, with as many bars as a chart has."""
    for _ in range(30):
        pixel = tracker.create_pixel("'" * 256)
    domain = ".".join(["d" * 60] * 3)
    recipients = tracker.generate_tokens(pixel.id, [f"{'&' * 60}{number:02}@{domain}.org" for number in range(50)])
    wordiest = max(default_rules().rules, key=lambda rule: len(rule.text)).code
    storage.add_opens(
        [
            Open(
                id=f"{number:032x}",
                pixel_id=pixel.id,
                recipient_id=recipients[number % 50].id,
                opened_at=datetime(2025, 11, 10, tzinfo=UTC) + number // 4 * timedelta(hours=1),
                ip="2001:db8:1111:2222:3333:4444:5555:6666",
                user_agent="'" * 512,
                referer="'" * 512,
                verdict=Verdict(kind=list(VerdictKind)[number % 6], vendor="'" * 64, reasons=[wordiest]),
                client=Client(
                    name=f"{number % 20:02}".ljust(64, "'"), version="1000", os=f"{number % 20:02}".ljust(64, "'")
                ),
                counted=number % 2 == 0,
            )
            for number in range(296)
        ]
    )
    return tracker.update_pixel(pixel, note="'" * 2000)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/logs/{0.id}",
        "/logs/{0.id}?page=3&figures=raw",
        "/logs/{0.id}?recipient={1.id}&figures=raw",
        "/pixels/{0.id}/recipients",
        "/pixels/{0.id}/settings",
        "/pixels/{0.id}/deletion",
        "/recipients/{1.id}/deletion",
    ],
)
def test_a_page_stays_small_whatever_is_on_it(client, tracker, heavy, path):
    answer = client.get(path.format(heavy, next(tracker.iter_recipients(heavy.id))))
    assert answer.status == 200
    assert len(answer.data) + FILES < 120_000


def test_the_page_after_adding_stays_small_beside_the_file_of_what_was_not_taken(client, heavy):
    answer = client.post(
        f"/pixels/{heavy.id}/recipients", data={"emails": f"ann@example.org\n{chr(39) * 100}@\n" * 200}
    )
    assert answer.status == 200
    assert len(re.sub(rb"data:text/csv[^\"]+", b"", answer.data)) + FILES < 110_000


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_of_pages_is_kept_for_ever_under_its_version_only(client, name):
    version = ASSETS[name].version
    kept = [client.get(f"/static/{name}{query}").headers["Cache-Control"] for query in (f"?v={version}", "?v=0", "")]
    assert kept == ["max-age=31536000, immutable", "max-age=3600", "max-age=3600"]
    assert client.get(f"/static/{name}").headers["Content-Type"] == ASSETS[name].media_type


@pytest.mark.parametrize("name", ["x.css", "..", "%2e%2e%2fpages.py", "../pages.py"])
def test_no_other_file_is_served(client, name):
    assert client.get(f"/static/{name}").status == 404


@pytest.mark.each_storage
def test_the_confirmation_says_what_will_go_and_deletes_nothing(client, show, tracker, make_picture, contents):
    pixel = tracker.create_pixel("Spring <launch>", image=make_picture())
    recipient = tracker.generate_tokens(pixel.id, ["ann@example.org", "bob@example.com"])[0]
    client.get(f"/tracker/{pixel.short_id}.png?token={recipient.token}")
    before = contents()
    page = show(f"/pixels/{pixel.id}/deletion")
    assert "Delete Spring <launch>?" in page.text
    assert "the pixel, with all its figures 1 open 2 recipients, with their tokens its image" in page.text
    assert [attributes["action"] for tag, attributes in page.tags if attributes.get("method") == "post"] == [
        f"/track/pixels/{pixel.short_id}/delete"
    ]
    assert contents() == before


@pytest.mark.parametrize("key", ["00000000", "x"])
def test_there_is_no_confirmation_for_what_is_not_there(client, key):
    answer = client.get(f"/pixels/{key}/deletion")
    assert (answer.status, answer.is_page) == (404, True)


@pytest.mark.parametrize(
    ("status", "title", "request_"),
    [
        (400, "That did not work", {"path": "/logs/x?page=0"}),
        (403, "Refused", {"method": "POST", "path": "/pixels", "headers": {"Origin": "null"}}),
        (404, "Not found", {"path": "/nowhere"}),
        (405, "Method not allowed", {"method": "POST", "path": "/"}),
        (
            413,
            "Too large",
            {"method": "POST", "path": "/pixels", "environ": {"CONTENT_LENGTH": "9" * 12}, "data": {"name": "x"}},
        ),
        (415, "Not supported", {"method": "POST", "path": "/pixels", "data": b"x", "content_type": "text/plain"}),
    ],
)
def test_an_error_page_says_what_is_wrong_and_leads_home(client, take_apart, status, title, request_):
    answer = client(request_.pop("method", "GET"), **request_)
    page = take_apart(answer)
    assert answer.status == status
    assert f"Error {status} {title} " in page.text
    assert page.links[-1] == "/track/"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nowhere", "Error 404 Not found Check the address of the page. All pixels"),
        (
            "/logs/00000000",
            "Error 404 Pixel not found It may have been deleted, or the address may be wrong. All pixels",
        ),
    ],
)
def test_the_404_page_says_once_what_was_not_found(client, take_apart, path, said):
    page = take_apart(client.get(path))
    assert page.text.partition("API ")[2] == said


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5 seconds"), (1, "1 second"), (600, "10 minutes")])
def test_an_error_page_tells_when_to_try_again(make_client, broken, seconds, shown):
    answer = make_client(storage=broken(StorageUnavailable("x", retry_after=seconds))).get("/")
    assert f"Try again in {shown}." in answer.text


def test_a_failure_is_told_on_a_page_of_the_same_look(make_client, broken, take_apart):
    page = take_apart(make_client(storage=broken(RuntimeError("x"))).get("/"))
    assert "Error 500 Something went wrong" in page.text
