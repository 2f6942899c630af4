"""The URLs that are printed, and the hosts they are made from."""

import pytest

from mailtrack import InvalidSetting

BASE = "https://pixels.example.org/mail"

BAD_HOSTS = [
    pytest.param('mail.example.com"><script>alert(1)</script>', id="quotes and HTML"),
    pytest.param("'", id="quote"),
    pytest.param("mail.example.com/evil", id="path"),
    pytest.param("user@evil.example.com", id="user"),
    pytest.param("mail.example.com, evil.example.com", id="two"),
    pytest.param("mail.example.com evil.example.com", id="blank"),
    pytest.param("mail.example.com\r\nX-Injected: 1", id="line break"),
    pytest.param("mail.example.com\x00", id="NUL"),
    pytest.param("mail.example.com:port", id="port of letters"),
    pytest.param("mail.example.com:99999", id="port out of range"),
    pytest.param("[::1", id="open bracket"),
    pytest.param("[not-an-address]", id="brackets around no address"),
    pytest.param("m\xe4il.example.com", id="not ASCII"),
]
HOSTS = [
    pytest.param("mail.example.com", id="name"),
    pytest.param("mail.example.com:8000", id="name and port"),
    pytest.param("localhost:8000", id="localhost"),
    pytest.param("192.0.2.1:8000", id="IPv4"),
    pytest.param("[2001:db8::1]:8000", id="IPv6"),
    pytest.param("mail_1.example.com", id="underscore"),
    pytest.param("xn--bcher-kva.example", id="IDN"),
]


def create(client, **request):
    return client.post("/api/v1/pixels", json={"name": "Spring"}, **request)


def base_of(answer):
    """What a pixel's URLs begin with."""
    short_id = answer.json["id"][:8]
    base = answer.json["trackingUrl"].removesuffix(f"/tracker/{short_id}.png")
    assert answer.json["logsUrl"] == f"{base}/logs/{short_id}"
    return base


@pytest.mark.parametrize("host", HOSTS)
def test_urls_are_made_from_the_host_and_the_mount_point(client, host):
    assert base_of(create(client, environ={"HTTP_HOST": host})) == f"http://{host}/track"


def test_urls_are_made_from_the_servers_name_where_there_is_no_host(client):
    answer = create(client, environ={"SERVER_NAME": "192.0.2.80", "SERVER_PORT": "8000"}, without=("HTTP_HOST",))
    assert base_of(answer) == "http://192.0.2.80:8000/track"


def test_urls_have_the_scheme_of_the_request(client):
    assert base_of(create(client, environ={"wsgi.url_scheme": "https"})) == "https://mail.example.com/track"


@pytest.mark.parametrize(
    ("mounted", "printed"), [("", ""), ("/a b", "/a%20b"), ("/m\xc3\xa4il", "/m%C3%A4il"), ('/"', "/%22")]
)
def test_the_mount_point_is_quoted(client, mounted, printed):
    answer = create(client, environ={"SCRIPT_NAME": mounted})
    assert base_of(answer) == f"http://mail.example.com{printed}"


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("path", ["/api/v1/pixels", "/", "/logs/{0.id}", "/nowhere"])
def test_a_malformed_host_crashes_nothing_and_is_not_repeated(client, pixel, host, path):
    answer = client.get(path.format(pixel), environ={"HTTP_HOST": host})
    assert answer.status in (200, 400, 404)
    assert not any(word in answer.text + str(answer.headers) for word in ("evil", "alert", "X-Injected", "a" * 100))


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_no_pixel_is_created_under_a_malformed_host(client, contents, host):
    answer = create(client, environ={"HTTP_HOST": host})
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert contents() == []


@pytest.mark.parametrize("host", [*HOSTS, *BAD_HOSTS, pytest.param("evil.example.com", id="another")])
def test_with_a_base_url_the_host_means_nothing(make_client, host):
    answer = create(make_client(base_url=BASE), environ={"HTTP_HOST": host})
    assert (answer.status, base_of(answer)) == (201, BASE)


@pytest.mark.parametrize("host", [".example.com", "a" * 10_240], ids=["dot first", "10 kB"])
@pytest.mark.parametrize("base_url", [None, BASE])
def test_a_host_that_can_be_none_is_refused_with_and_without_a_base_url(make_client, contents, host, base_url):
    answer = create(make_client(base_url=base_url), environ={"HTTP_HOST": host})
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert contents() == []


def test_with_a_base_url_no_host_is_needed(make_client):
    assert base_of(create(make_client(base_url=BASE), without=("HTTP_HOST",))) == BASE


def test_with_a_base_url_the_links_of_pages_are_below_its_path(make_client, pixel):
    client = make_client(base_url=BASE)
    confirmation, recipients = (client.get(f"/pixels/{pixel.id}/{page}").text for page in ("deletion", "recipients"))
    assert f'action="/mail/pixels/{pixel.short_id}/delete"' in confirmation
    assert f"{BASE}/tracker/{pixel.short_id}.png" in recipients
    assert "/track/" not in confirmation + recipients


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_with_a_base_url_a_redirect_does_not_follow_the_host(make_client, pixel, host):
    answer = make_client(base_url=BASE).post(f"/pixels/{pixel.id}/delete", environ={"HTTP_HOST": host})
    assert (answer.status, answer.headers["Location"]) == (303, "/mail/")


@pytest.mark.parametrize(
    ("trusted", "headers", "base"),
    [
        pytest.param(0, {"Host": "evil.example.com"}, "http://mail.example.com/track", id="0 trusted: host"),
        pytest.param(0, {"Proto": "https"}, "http://mail.example.com/track", id="0 trusted: scheme"),
        pytest.param(1, {}, "http://mail.example.com/track", id="1 trusted: nothing said"),
        pytest.param(1, {"Host": ""}, "http://mail.example.com/track", id="1 trusted: empty"),
        pytest.param(1, {"Proto": "https"}, "https://mail.example.com/track", id="1 trusted: scheme"),
        pytest.param(1, {"Host": "a.example.org"}, "http://a.example.org/track", id="1 trusted: host"),
        pytest.param(
            1, {"Host": "evil.example.com, a.example.org"}, "http://a.example.org/track", id="1 trusted: the last host"
        ),
        pytest.param(
            2,
            {"Host": "evil.example.com, a.example.org, inner", "Proto": "gopher, https, http"},
            "https://a.example.org/track",
            id="2 trusted: the last but one",
        ),
        pytest.param(2, {"Host": "a.example.org"}, "http://a.example.org/track", id="2 trusted: set anew by one"),
        pytest.param(
            2,
            {"Host": "evil.example.com, a.example.org, inner", "Proto": "https"},
            "https://a.example.org/track",
            id="2 trusted: each header is counted by itself",
        ),
        pytest.param(2, {"Proto": "https, http"}, "https://mail.example.com/track", id="2 trusted: scheme"),
        pytest.param(1, {"Proto": "HTTPS"}, "https://mail.example.com/track", id="1 trusted: scheme in capitals"),
        pytest.param(1, {"Proto": "http,Https"}, "https://mail.example.com/track", id="1 trusted: without a blank"),
    ],
)
def test_forwarded_hosts_and_schemes_count_for_as_many_proxies_as_are_trusted(make_client, trusted, headers, base):
    given = {f"X-Forwarded-{name}": value for name, value in headers.items()}
    assert base_of(create(make_client(trusted_proxies=trusted), headers=given)) == base


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "'\"><script>"},
        {"X-Forwarded-Host": "a.example.org/evil"},
        {"X-Forwarded-Proto": "javascript"},
        {"X-Forwarded-Proto": "https://evil.example.com/"},
    ],
    ids=str,
)
def test_malformed_forwarded_hosts_and_schemes_are_refused(make_client, contents, headers):
    answer = create(make_client(trusted_proxies=1), headers=headers)
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert contents() == []


def test_with_a_base_url_forwarded_hosts_mean_nothing(make_client):
    headers = {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "javascript"}
    assert base_of(create(make_client(base_url=BASE, trusted_proxies=1), headers=headers)) == BASE


class TestNames:
    """A server that answers to some names only, as one on the operator's own machine does."""

    @pytest.fixture
    def client(self, make_client):
        return make_client(hosts=["localhost", "::1"])

    @pytest.mark.parametrize("host", ["localhost", "LocalHost:8000", "[::1]", "[::1]:8000"])
    def test_it_answers_to_its_names_with_any_port(self, client, host):
        assert client.get("/api/v1/pixels", headers={"Host": host}).status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example.com", "localhost.example.com", "localhost@evil.example.com", "[::1", ":8000"]
    )
    @pytest.mark.parametrize("path", ["/api/v1/pixels", "/"])
    def test_it_answers_to_no_other_name(self, client, path, host):
        assert client.get(path, headers={"Host": host}).status == 400

    def test_nothing_is_changed_under_another_name_though_the_browser_takes_it_for_the_same_site(
        self, client, contents
    ):
        headers = {"Host": "evil.example.com", "Origin": "http://evil.example.com", "Sec-Fetch-Site": "same-origin"}
        assert create(client, headers=headers).status == 400
        assert contents() == []

    def test_a_forwarded_name_changes_nothing(self, client):
        headers = {"Host": "evil.example.com", "X-Forwarded-Host": "localhost"}
        assert client.get("/api/v1/pixels", headers=headers).status == 400

    @pytest.mark.parametrize("named", [{"without": ("HTTP_HOST",)}, {"environ": {"HTTP_HOST": ""}}])
    def test_a_program_that_names_nobody_is_answered(self, client, named):
        assert client.get("/api/v1/pixels", **named).status == 200

    def test_the_tracker_answers_to_all(self, client, pixel, opens):
        assert client.get(f"/tracker/{pixel.short_id}.png", headers={"Host": "evil.example.com"}).status == 200
        assert len(opens()) == 1

    def test_one_text_is_refused(self, make_client):
        with pytest.raises(InvalidSetting, match=r"^hosts: "):
            make_client(hosts="localhost")
