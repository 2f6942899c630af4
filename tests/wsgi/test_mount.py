"""A base URL with a path, behind proxies that strip it, pass it on, or do something in between."""

from urllib.parse import urljoin, urlsplit

import pytest

from mailtrack._images.check import TRANSPARENT_PNG

BASES = [
    "https://mail.example.com",
    "https://mail.example.com/track",
    "https://mail.example.com/a/b-c.d",
    "https://mail.example.com/m%C3%A4il",
    "https://mail.example.com/tracker",
    "https://mail.example.com/logs",
]
# What proxies make of the path of a URL; the first argument is the base URL's own, the second what follows.
PROXIES = {
    "stripped": lambda _, rest: rest,
    "passed on": lambda base, rest: base + rest,
    "stripped, slash doubled": lambda _, rest: "/" + rest,
    "passed on, slash doubled": lambda base, rest: f"{base}/{rest}",
    "passed on, first slash doubled": lambda base, rest: f"/{base}{rest}",
    "the first part stripped": lambda base, rest: base[base.find("/", 1) :] + rest if base.count("/") > 1 else rest,
}
each_base = pytest.mark.parametrize("base", BASES)
each_proxy = pytest.mark.parametrize("passes", PROXIES.values(), ids=PROXIES)


@pytest.fixture
def through(make_client):
    """Makes a function that asks for a URL behind a proxy, with the application mounted at a place in a framework."""

    def make(base, passes, mounted=""):
        client = make_client(base_url=base, trusted_proxies=1)
        before = urlsplit(base).path

        def ask(url, method="GET", **request):
            parts = urlsplit(url)
            assert url.startswith((base, before + "/", "/static"))
            path = passes(before, parts.path.removeprefix(before))
            # As servers hand it over: unquoted, one character for each byte.
            raw = path.encode().replace(b"%C3%A4", b"\xc3\xa4").decode("latin-1")
            environ = {"PATH_INFO": raw, "SCRIPT_NAME": mounted, "QUERY_STRING": parts.query}
            return client(method, "/", environ=environ, **request)

        return ask

    return make


@each_base
@each_proxy
@pytest.mark.parametrize("mounted", ["", "/track"])
def test_a_printed_tracker_url_gives_the_image_and_is_logged(
    through, pixel, recipient, opens, make_client, base, passes, mounted
):
    path = f"/api/v1/pixels/{pixel.id}/generate-tokens"
    tokens = make_client(base_url=base).post(path, json={"emails": [recipient.email]})
    answer = through(base, passes, mounted)(tokens.json["tokens"][0]["trackingUrl"])
    assert (answer.status, answer.data) == (200, TRANSPARENT_PNG.data)
    assert [found.recipient_id for found in opens()] == [recipient.id]


PAGES = ["/", "/logs/{0.short_id}", "/pixels/{0.short_id}/recipients", "/docs"]
OTHERS = [
    "/api/v1/pixels",
    "/api/v1/pixels/{0.id}/generate-tokens/csv",
    "/api/v1/openapi.json",
    "/uploads/{0.image}",
    "/static/style.css",
    "/healthz",
    "/readyz",
]
# Below a path that is one of the application's own, such as /tracker, a path that is passed on may be another page's.
with_pages = pytest.mark.parametrize("base", [base for base in BASES if not base.endswith(("/tracker", "/logs"))])


@pytest.fixture
def pictured(tracker, make_picture):
    return tracker.create_pixel("Spring", image=make_picture())


@with_pages
@each_proxy
def test_everything_else_works_with_the_path_and_without(through, pictured, base, passes):
    ask = through(base, passes)
    statuses = {path: ask(base + path.format(pictured)).status for path in PAGES + OTHERS}
    assert statuses == dict.fromkeys(statuses, 200)


@with_pages
@each_proxy
def test_links_on_pages_lead_somewhere(through, pictured, take_apart, base, passes):
    ask = through(base, passes)
    links = set()
    for path in PAGES:
        url = base + path.format(pictured)
        page = take_apart(ask(url))
        links |= {urljoin(url, link).partition("#")[0] for link in page.links}
        links |= {urljoin(url, attributes["src"]) for tag, attributes in page.tags if tag in ("img", "script")}
    statuses = {link: ask(link).status for link in links if link.startswith(base)}
    assert len(statuses) > 10
    assert statuses == dict.fromkeys(statuses, 200)


@with_pages
@each_proxy
def test_forms_are_taken_and_lead_on(through, base, passes):
    ask = through(base, passes)
    headers = {"Origin": "https://mail.example.com", "Host": "inner:8000"}
    answer = ask(f"{base}/pixels", "POST", data={"name": "Spring"}, headers=headers)
    assert answer.status == 303
    assert ask(urljoin(base, answer.headers["Location"])).status == 200


@with_pages
@each_proxy
def test_the_api_is_the_api_also_where_it_refuses(through, base, passes):
    ask = through(base, passes)
    for method, path, status in [
        ("GET", "/api/v1/nowhere", 404),
        ("PUT", "/api/v1/pixels", 405),
        ("POST", "/api/v1/pixels", 415),
    ]:
        answer = ask(base + path, method)
        assert (answer.status, list(answer.json)) == (status, ["error"])


@pytest.mark.parametrize("path", ["/track/api/v1/pixels", "//api/v1/pixels", "//track//api/v1/pixels", "/track/readyz"])
def test_a_key_is_asked_for_whatever_is_before_the_path(make_client, path):
    client = make_client(base_url="https://mail.example.com/track", api_keys=["secret"])
    assert client.get("/", environ={"PATH_INFO": path}).status == 401


@pytest.mark.parametrize("path", ["/track/healthz", "/track/static/style.css", "/track//static/style.css"])
def test_no_key_is_asked_for_where_none_is_needed(make_client, path):
    client = make_client(base_url="https://mail.example.com/track", api_keys=["secret"])
    assert client.get("/", environ={"PATH_INFO": path}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/tracks/logs/{0.id}",
        "/track/track/logs/{0.id}",
        "/other/logs/{0.id}",
        "/Track/logs/{0.id}",
        "/track/logs//{0.id}",
        "/track\n/logs/{0.id}",
    ],
)
def test_another_path_leads_nowhere(make_client, pixel, path):
    client = make_client(base_url="https://mail.example.com/track")
    assert client.get("/", environ={"PATH_INFO": path.format(pixel)}).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/TRACK/TRACKER/{0.short_id}.PNG",
        "/track/tracker/{0.short_id}.png",
        "///track///tracker///{0.short_id}.png",
        "//tracker//{0.short_id}.png/",
    ],
)
def test_the_tracker_is_found_in_either_case_and_with_any_number_of_slashes(make_client, pixel, opens, path):
    client = make_client(base_url="https://mail.example.com/Track")
    answer = client.get("/", environ={"PATH_INFO": path.format(pixel)})
    assert (answer.status, answer.data, len(opens())) == (200, TRANSPARENT_PNG.data, 1)


@pytest.mark.parametrize("path", ["/" * 100_000, "/track" * 20_000, "/a" * 50_000, "//tracker" * 10_000])
def test_a_long_path_costs_little_and_leads_nowhere(make_client, path):
    client = make_client(base_url="https://mail.example.com/track/a/a/a/a/a/a/a/a")
    assert client.get("/", environ={"PATH_INFO": path}).status in (200, 404)


def test_without_a_base_url_only_a_doubled_slash_is_taken_for_one(client, pixel):
    statuses = [client.get("/", environ={"PATH_INFO": f"{path}/logs/{pixel.id}"}).status for path in ("/", "/track")]
    assert statuses == [200, 404]
