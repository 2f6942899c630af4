"""Changes that a browser makes on behalf of another site are refused, whatever key it sends along."""

from base64 import b64encode

import pytest

from mailtrack_wsgi._app import _routes
from mailtrack_wsgi._auth import SAFE_METHODS

KEY = "mtk_0123456789abcdef0123456789abcdef01234567"
BROWSER = {"Authorization": f"Basic {b64encode(f'ann:{KEY}'.encode()).decode()}"}  # it sends that by itself
BASE = "https://pixels.example.org/mail"

CHANGES = [
    pytest.param(method, rule.rule, id=f"{method} {rule.rule}")
    for rule in _routes.iter_rules()
    for method in sorted(rule.methods - SAFE_METHODS)
]
OTHER_SITES = {
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "empty Sec-Fetch-Site": {"Sec-Fetch-Site": ""},
    "unknown Sec-Fetch-Site": {"Sec-Fetch-Site": "same-planet"},
    "two Sec-Fetch-Site": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "cross-site, our Origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://mail.example.com"},
    "foreign Origin": {"Origin": "https://evil.example.com"},
    "null Origin": {"Origin": "null"},
    "empty Origin": {"Origin": ""},
    "Origin of another scheme": {"Origin": "https://mail.example.com"},
    "Origin of another port": {"Origin": "http://mail.example.com:8000"},
    "Origin that begins like ours": {"Origin": "http://mail.example.com.evil.example.com"},
    "Origin that ends like ours": {"Origin": "http://evil-mail.example.com"},
    "Origin with our path": {"Origin": "http://mail.example.com/track"},
    "Origin with a user": {"Origin": "http://mail.example.com@evil.example.com"},
    "Origin without a host": {"Origin": "http://"},
    "two Origins": {"Origin": "http://mail.example.com https://evil.example.com"},
    "extension": {"Origin": "chrome-extension://abcdefghijklmnop"},
    "foreign Origin, said to be forwarded": {
        "Origin": "https://evil.example.com",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "https",
    },
    "foreign Origin of a malformed host": {"Origin": "http://evil'", "Host": "evil'"},
}
OUR_OWN = {
    "a program": {},
    "same-origin": {"Sec-Fetch-Site": "same-origin"},
    "same-origin in another case": {"Sec-Fetch-Site": "Same-Origin"},
    "none": {"Sec-Fetch-Site": "none"},
    "our Origin": {"Origin": "http://mail.example.com"},
    "our Origin in another case": {"Origin": "HTTP://Mail.Example.com"},
    "our Origin, Host with the default port": {"Origin": "http://mail.example.com", "Host": "mail.example.com:80"},
    "our Origin with a port": {"Origin": "http://mail.example.com:8000", "Host": "mail.example.com:8000"},
    "our Origin, IPv6": {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
}
# Options of the application, headers, and whether the request is our own.
DEPLOYMENTS = {
    "base URL": ({"base_url": BASE}, {"Origin": "https://pixels.example.org"}, True),
    "base URL, Host of the proxy's own": (
        {"base_url": BASE},
        {"Origin": "https://pixels.example.org", "Host": "127.0.0.1:8000"},
        True,
    ),
    "base URL with its default port": (
        {"base_url": "https://pixels.example.org:443"},
        {"Origin": "https://pixels.example.org"},
        True,
    ),
    "base URL, malformed Host": (
        {"base_url": BASE},
        {"Origin": "https://pixels.example.org", "Host": "evil'"},
        True,
    ),
    "base URL, by another name": ({"base_url": BASE}, {"Origin": "http://mail.example.com"}, True),
    "base URL, foreign": ({"base_url": BASE}, {"Origin": "https://evil.example.org"}, False),
    "base URL, another scheme": ({"base_url": BASE}, {"Origin": "http://pixels.example.org"}, False),
    "proxy": (
        {"trusted_proxies": 1},
        {"Origin": "https://a.example.org", "X-Forwarded-Host": "a.example.org", "X-Forwarded-Proto": "https"},
        True,
    ),
    "proxy with the default port": (
        {"trusted_proxies": 1},
        {"Origin": "https://a.example.org", "X-Forwarded-Host": "a.example.org:443", "X-Forwarded-Proto": "https"},
        True,
    ),
    "proxy that keeps the Host": (
        {"trusted_proxies": 1},
        {"Origin": "https://mail.example.com", "X-Forwarded-Proto": "https"},
        True,
    ),
    "proxy beside a base URL": (
        {"trusted_proxies": 1, "base_url": BASE},
        {"Origin": "https://a.example.org", "X-Forwarded-Host": "a.example.org", "X-Forwarded-Proto": "https"},
        True,
    ),
    "proxy, foreign": (
        {"trusted_proxies": 1},
        {"Origin": "https://evil.example.com", "X-Forwarded-Host": "a.example.org", "X-Forwarded-Proto": "https"},
        False,
    ),
    "proxy, what a client says before it": (
        {"trusted_proxies": 1},
        {"Origin": "https://evil.example.com", "X-Forwarded-Host": "evil.example.com, a.example.org"},
        False,
    ),
    "proxy that is not trusted": (
        {},
        {"Origin": "https://a.example.org", "X-Forwarded-Host": "a.example.org", "X-Forwarded-Proto": "https"},
        False,
    ),
}

other_sites = pytest.mark.parametrize("headers", OTHER_SITES.values(), ids=OTHER_SITES)
our_own = pytest.mark.parametrize("headers", OUR_OWN.values(), ids=OUR_OWN)


@pytest.fixture
def keyed(make_client):
    return make_client(api_keys=[KEY])


@pytest.fixture
def path_of(pixel, recipient):
    return lambda rule: rule.replace("<pixel>", pixel.id).replace("<recipient>", recipient.id)


@other_sites
def test_the_delete_form_is_refused_from_another_site(keyed, contents, pixel, headers):
    before = contents()
    answer = keyed.post(f"/pixels/{pixel.id}/delete", headers=BROWSER | headers)
    assert (answer.status, answer.is_page) == (403, True)
    assert contents() == before


@our_own
def test_the_delete_form_is_taken_from_our_own_pages(keyed, tracker, pixel, headers):
    assert keyed.post(f"/pixels/{pixel.id}/delete", headers=BROWSER | headers).status == 303
    assert list(tracker.iter_pixels()) == []


@pytest.mark.parametrize(("options", "headers", "ours"), DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_behind_proxies_and_base_urls_our_own_pages_are_known(make_client, pixel, options, headers, ours):
    answer = make_client(**options).post(f"/pixels/{pixel.id}/delete", headers=headers)
    assert answer.status == (303 if ours else 403)


@pytest.mark.parametrize("headers", [{"Origin": "http://mail.example.com"}, {"Origin": "http://"}, {"Origin": "://"}])
def test_without_a_host_the_servers_own_name_counts(client, pixel, headers):
    answer = client.post(
        f"/pixels/{pixel.id}/delete",
        headers=headers,
        without=["HTTP_HOST"],
        environ={"SERVER_NAME": "mail.example.com"},
    )
    assert answer.status == (303 if headers["Origin"] == "http://mail.example.com" else 403)


@pytest.mark.parametrize(("method", "rule"), CHANGES)
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "https://evil.example.com"}]
)
def test_every_change_is_refused_from_another_site(keyed, contents, path_of, unread, method, rule, headers):
    before = contents()
    environ = {"wsgi.input": unread, "CONTENT_LENGTH": "9"}
    for given in (BROWSER, {"X-API-Key": KEY}, {}):
        answer = keyed(method, path_of(rule), headers=given | headers, environ=environ)
        assert (answer.status, answer.headers.getlist("WWW-Authenticate")) == (403, [])
    assert contents() == before


@pytest.mark.parametrize("mounted", ["", "/track", "/a/b", "/m\xc3\xa4il"])
def test_the_mount_point_makes_no_difference(client, pixel, mounted):
    def ask(origin):
        headers, environ = {"Origin": origin}, {"SCRIPT_NAME": mounted}
        return client.post(f"/pixels/{pixel.id}/delete", headers=headers, environ=environ).status

    assert [ask("https://evil.example.com"), ask("http://mail.example.com")] == [403, 303]


def test_pages_may_be_asked_for_from_another_site(client):
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Origin": "null"}).status == 200


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/"])
def test_what_does_not_exist_is_refused_from_another_site_like_the_rest(client, path):
    assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
