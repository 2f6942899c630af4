"""A login of one's own: who is asked for what, what the answers lead to, and what stays open."""

import logging
import re
from pathlib import Path

import pytest

from mailtrack import InvalidSetting, Tracker
from mailtrack_wsgi import _paths as paths
from mailtrack_wsgi import create_app
from mailtrack_wsgi._app import _routes
from mailtrack_wsgi._auth import KEY

SECRET = "mtk_0123456789abcdef0123456789abcdef01234567"
ID = "a1b2c3d4-e5f6-7890-1234-567890abcdef"
ACCESS_PAGE = Path(__file__).parents[2] / "docs" / "access.md"
ROUTES = [
    (method, rule.rule.replace("<pixel>", ID).replace("<recipient>", "a" * 24).replace("<image>", f"{ID}.png"))
    for rule in _routes.iter_rules()
    for method in sorted(rule.methods)
]
PUBLIC = [
    ("GET", f"/tracker/{ID}.png"),
    *[(method, path) for method, path in ROUTES if path.startswith(("/uploads/", "/static/")) or path == "/healthz"],
]
PRIVATE = [pytest.param(*one, id=" ".join(one)) for one in ROUTES if one not in PUBLIC]
NOWHERE = [
    pytest.param("GET", path, id=path)
    for path in (
        "/nowhere",
        "/api/v1/nowhere",
        "/tracker",
        "/uploads",
        "/static",
        "/healthz/x",
        "/healthzy",
        "/%2e%2e/",
    )
]
REFUSALS = {
    "False": False,
    "None": None,
    "1": 1,
    "an object": object(),
    "bytes of a URL": b"/login",
    "a list": ["/login"],
}
URLS = {
    "a path": "/login",
    "a path with a query": "/login?next=/track/logs/a1b2c3d4&more=%0d%0a",
    "another host": "https://login.example.org/in?back=1",
    "http": "http://login.example.org:8080",
}
NO_URLS = {
    "empty": "",
    "a blank": " ",
    "a header behind it": "/login\r\nSet-Cookie: a=b",
    "a line break": "/login\n",
    "a tab": "/lo\tgin",
    "NUL": "/login\x00",
    "a line separator": "/login\u2028x",
    "a lone surrogate": "/\ud800",
    "a blank in the host": "https://login example.org/",
    "another scheme": "javascript:alert(1)",
    "a scheme without a host": "https:///login",
    "a host without a scheme": "//evil.example.com/",
    "a host without a scheme, with more slashes": "///evil.example.com/",
    "a host without a scheme, with a backslash": "/\\evil.example.com/",
    "a relative path": "login",
    "brackets around no address": "https://[evil/",
}


@pytest.fixture
def asked():
    """The environments that `authorize` was called with."""
    return []


@pytest.fixture
def make_gated(make_client, asked):
    """Makes clients of an application whose `authorize` gives this answer, or raises it."""

    def make(answer, **options):
        def authorize(environ):
            asked.append(environ)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return make_client(authorize=authorize, **options)

    return make


class TestWhatIsPublic:
    @pytest.mark.parametrize(("method", "path"), PRIVATE + NOWHERE)
    def test_everything_else_is_asked_for_and_nothing_is_read_or_changed_on_a_refusal(
        self, make_gated, asked, contents, unread, method, path
    ):
        before = contents()
        environ = {"wsgi.input": unread, "CONTENT_LENGTH": "9"} if method in ("POST", "PATCH", "DELETE") else {}
        answer = make_gated(False)(method, path, environ=environ)
        assert (answer.status, answer.headers.get("Allow"), len(asked)) == (403, None, 1)
        assert answer.headers.getlist("WWW-Authenticate") == []
        assert answer.headers["Cache-Control"] == "no-store"
        assert contents() == before

    @pytest.mark.parametrize(("method", "path"), PUBLIC)
    def test_it_is_answered_without_asking(self, make_gated, asked, method, path):
        assert make_gated(False)(method, path).status in (200, 404, 405)
        assert asked == []

    def test_each_entry_of_the_list_is_a_route_and_on_the_page(self):
        for public in paths.PUBLIC:
            assert any(path.startswith(public) for _, path in PUBLIC)
        section = re.search(r"^## What is public\n(.*?)^## ", ACCESS_PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]
        assert tuple(re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)) == paths.PUBLIC

    def test_the_api_document_has_the_same_list(self, make_gated):
        document = make_gated(True).get("/api/v1/openapi.json").json
        for path, item in document["paths"].items():
            for operation in (one for name, one in item.items() if name != "parameters"):
                is_public = path.startswith(paths.PUBLIC)
                assert (operation.get("security") == []) is is_public
                assert {"302", "401", "403"} & set(operation["responses"]) == (set() if is_public else {"302", "403"})
        assert all(f"`{one}`" in document["info"]["description"] for one in paths.PUBLIC)

    def test_mails_are_tracked_without_asking(self, make_gated, asked, pixel, opens):
        assert make_gated(False).get(f"/tracker/{pixel.short_id}.png").status == 200
        assert (len(opens()), asked) == (1, [])


class TestAnswers:
    def test_true_lets_in(self, make_gated, asked, pixel):
        client = make_gated(True)
        assert client.get("/").is_page
        assert client.post("/api/v1/pixels", json={"name": "Spring"}).status == 201
        assert client.post(f"/pixels/{pixel.id}/delete").status == 303
        assert len(asked) == 3

    @pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
    def test_anything_but_true_and_a_text_refuses(self, make_gated, answer):
        assert make_gated(answer).get("/").status == 403

    def test_the_refusal_has_the_form_of_the_route(self, make_gated, take_apart):
        client = make_gated(False)
        assert client.get("/api/v1/pixels").json == {"error": "You are not allowed to see this."}
        page = client.get("/logs/a1b2c3d4")
        assert page.is_page
        assert "You are not allowed to see this. Log in as another user" in take_apart(page).text

    def test_an_exception_refuses_and_is_logged_and_not_shown(self, make_gated, caplog):
        answer = make_gated(RuntimeError("the session store is away")).get("/api/v1/pixels")
        assert (answer.status, answer.json) == (403, {"error": "You are not allowed to see this."})
        (record,) = caplog.records
        assert (record.levelno, str(record.exc_info[1])) == (logging.ERROR, "the session store is away")

    @pytest.mark.parametrize("path", ["/", "/api/v1/pixels"])
    @pytest.mark.parametrize("url", URLS.values(), ids=URLS)
    def test_a_text_redirects_browsers_and_programs_there(self, make_gated, url, path):
        answer = make_gated(url).get(path)
        assert (answer.status, answer.headers["Location"]) == (302, url)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.is_page is (path == "/")

    def test_a_redirect_of_the_api_says_why_in_json(self, make_gated):
        assert make_gated("/login").get("/api/v1/pixels").json == {"error": "A login is needed."}

    @pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
    def test_changes_are_redirected_unread(self, make_gated, contents, unread, pixel, method):
        before = contents()
        environ = {"wsgi.input": unread, "CONTENT_LENGTH": "9"}
        answer = make_gated("/login")(method, f"/api/v1/pixels/{pixel.id}", environ=environ)
        assert (answer.status, contents()) == (302, before)

    def test_a_url_that_is_not_ascii_is_quoted(self, make_gated):
        assert make_gated("/größe?back=ü").get("/").headers["Location"] == "/gr%C3%B6%C3%9Fe?back=%C3%BC"

    @pytest.mark.parametrize("text", NO_URLS.values(), ids=NO_URLS)
    def test_a_text_that_is_no_url_refuses_is_logged_and_enters_no_header(self, make_gated, caplog, text):
        answer = make_gated(text).get("/")
        assert (answer.status, "Location" in answer.headers, "Set-Cookie" in answer.headers) == (403, False, False)
        assert "is no URL" in caplog.text

    @pytest.mark.parametrize("answer", [True, False, "/login"])
    @pytest.mark.parametrize("path", ["/", "/api/v1/pixels"])
    def test_head_has_the_headers_of_get_and_no_body(self, make_gated, answer, path):
        client = make_gated(answer)
        head, get = client.head(path), client.get(path)
        assert (head.status, sorted(head.headers), head.data) == (get.status, sorted(get.headers), b"")


class TestTheQuestion:
    def test_it_has_the_path_below_the_mount_point(self, make_gated, asked):
        make_gated(True).get("/logs/a1b2c3d4?page=2")
        (environ,) = asked
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == (
            "/track",
            "/logs/a1b2c3d4",
            "page=2",
        )

    def test_it_has_the_path_that_is_answered_whatever_a_proxy_left_before_it(self, make_gated, asked):
        client = make_gated(False, base_url="https://example.org/mail")
        for path in ("/mail/logs/a1b2c3d4", "//mail//logs/a1b2c3d4", "/logs/a1b2c3d4"):
            assert client.get("/", environ={"PATH_INFO": path, "SCRIPT_NAME": ""}).status == 403
        assert {environ["PATH_INFO"] for environ in asked} == {"/logs/a1b2c3d4"}

    def test_it_has_what_middleware_put_into_the_environment(self, storage):
        seen = []

        def authorize(environ):
            seen.append(environ["REMOTE_USER"])
            return environ["REMOTE_USER"] == "ann"

        app = create_app(Tracker(storage), authorize=authorize)
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/readyz",
            "HTTP_HOST": "example.org",
            "wsgi.url_scheme": "http",
        }
        answered = []
        for user in ("ann", "bob"):
            app({**environ, "REMOTE_USER": user}, lambda status, *_: answered.append(status[:3]))
        assert (seen, answered) == (["ann", "bob"], ["200", "403"])


class TestWithKeys:
    @pytest.mark.parametrize("answer", [False, "/login", RuntimeError("broken")], ids=["no", "login", "error"])
    def test_a_key_lets_in_without_asking(self, make_gated, asked, answer):
        client = make_gated(answer, api_keys=[SECRET])
        assert client.get("/api/v1/pixels", headers={"X-API-Key": SECRET}).status == 200
        assert asked == []

    def test_a_stored_key_does_so_too(self, make_gated, tracker):
        _, key = tracker.keys.create()
        assert make_gated(False, stored_keys=True).get("/", headers={"X-API-Key": key}).status == 200

    @pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer one.of.the-host"}])
    def test_the_login_lets_in_without_a_valid_key(self, make_gated, asked, headers):
        assert make_gated(True, api_keys=[SECRET]).get("/", headers=headers).status == 200
        assert len(asked) == 1

    @pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}])
    @pytest.mark.parametrize(("answer", "status"), [(False, 403), ("/login", 302)])
    def test_without_either_the_answer_is_that_of_the_login(self, make_gated, headers, answer, status):
        answered = make_gated(answer, api_keys=[SECRET]).get("/", headers=headers)
        assert (answered.status, answered.headers.getlist("WWW-Authenticate")) == (status, [])

    def test_the_document_says_that_a_key_is_one_of_two_ways(self, make_gated):
        document = make_gated(True, api_keys=[SECRET]).get("/api/v1/openapi.json").json
        assert {} in document["security"]


class TestWhatStays:
    @pytest.mark.parametrize("answer", [True, False, "/login"])
    def test_changes_from_other_sites_are_refused_before_the_login_is_asked(self, make_gated, asked, pixel, answer):
        headers = {"Sec-Fetch-Site": "cross-site", "Cookie": "session=ann"}
        refused = make_gated(answer).post(f"/pixels/{pixel.id}/delete", headers=headers)
        assert (refused.status, asked) == (403, [])

    def test_other_hosts_are_refused_before_the_login_is_asked(self, make_gated, asked):
        assert make_gated(True, hosts=["localhost"]).get("/").status == 400
        assert asked == []

    def test_the_rate_limit_counts_addresses_and_no_refused_requests(self, make_client, pixel):
        client = make_client(
            authorize=lambda environ: environ.get("HTTP_COOKIE") == "session=ann", token_limit="2/minute"
        )
        path, body = f"/api/v1/pixels/{pixel.id}/generate-tokens", {"emails": ["ann@example.org"]}
        assert [client.post(path, json=body).status for _ in range(3)] == [403] * 3
        headers = {"Cookie": "session=ann"}
        assert [client.post(path, json=body, headers=headers).status for _ in range(3)] == [201, 201, 429]
        assert client.post(path, json=body, headers=headers, address="192.0.2.2").status == 201

    def test_no_id_of_a_key_is_in_the_environment(self, make_gated, asked):
        make_gated(True, api_keys=[SECRET]).get("/")
        assert KEY not in asked[0]


@pytest.mark.parametrize("authorize", ["/login", True, [print]])
def test_what_is_no_function_is_refused(storage, authorize):
    with pytest.raises(InvalidSetting, match="authorize: must be a function"):
        create_app(Tracker(storage), authorize=authorize)


def test_an_asynchronous_function_is_refused(storage):
    async def authorize(_):
        return True

    with pytest.raises(InvalidSetting, match="no asynchronous one"):
        create_app(Tracker(storage), authorize=authorize)


def test_a_callable_object_that_is_false_is_asked(storage):
    class Users(dict):
        def __call__(self, _):
            return False

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/readyz", "HTTP_HOST": "example.org", "wsgi.url_scheme": "http"}
    answered = []
    create_app(Tracker(storage), authorize=Users())(environ, lambda status, *_: answered.append(status[:3]))
    assert answered == ["403"]
