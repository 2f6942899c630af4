"""Keys: what needs one, how it is given, and what is answered without."""

import logging
from base64 import b64encode

import pytest

from mailtrack import ApiKey, InvalidSetting, StorageError, StorageUnavailable, Tracker
from mailtrack._keys import from_text, new_key
from mailtrack._times import now
from mailtrack_wsgi import create_app
from mailtrack_wsgi._app import _routes
from mailtrack_wsgi._auth import KEY

SECRET = "mtk_0123456789abcdef0123456789abcdef01234567"
ID = "a1b2c3d4-e5f6-7890-1234-567890abcdef"
OPEN_ROUTES = {"/uploads/<image>", "/static/<name>", "/healthz"}


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def basic(key, user="ann"):
    return {"Authorization": f"Basic {b64encode(f'{user}:{key}'.encode()).decode()}"}


def x_api_key(key):
    return {"X-API-Key": key}


ROUTES = [
    pytest.param(method, rule.rule.replace("<pixel>", ID).replace("<recipient>", "a" * 24), id=f"{method} {rule.rule}")
    for rule in _routes.iter_rules()
    if rule.rule not in OPEN_ROUTES
    for method in sorted(rule.methods)
]
NOWHERE = [
    pytest.param("GET", path, id=path)
    for path in (
        "/nowhere",
        "/api/v1/nowhere",
        "/tracker",
        "/uploads",
        "/static",
        "/healthz/",
        "//healthz",
        "/healthzy",
    )
]
WAYS = {
    "Bearer": bearer(SECRET),
    "bearer in another case": {"Authorization": f"bEARER {SECRET}"},
    "X-API-Key": x_api_key(SECRET),
    "Basic": basic(SECRET),
    "basic in another case": {"Authorization": basic(SECRET)["Authorization"].replace("Basic", "bASIC")},
    "Basic without a user": basic(SECRET, ""),
    "Basic with a user who is not ASCII": basic(SECRET, "Jörg"),
    "X-API-Key beside what a proxy wants": basic("for the proxy") | x_api_key(SECRET),
}
NO_WAYS = {
    "none": {},
    "wrong": bearer(new_key()),
    "wrong X-API-Key": x_api_key(new_key()),
    "wrong Basic": basic(new_key()),
    "empty": bearer(""),
    "empty X-API-Key": x_api_key(""),
    "empty Basic": basic(""),
    "no scheme": {"Authorization": SECRET},
    "scheme alone": {"Authorization": "Bearer"},
    "empty header": {"Authorization": ""},
    "another scheme": {"Authorization": f"Digest {SECRET}"},
    "scheme in X-API-Key": x_api_key(f"Bearer {SECRET}"),
    "key as the user": basic("", SECRET),
    "Basic that is no Base64": {"Authorization": "Basic !!!"},
    "Basic without a colon": {"Authorization": f"Basic {b64encode(SECRET.encode()).decode()}"},
    "key as Basic": {"Authorization": f"Basic {SECRET}"},
    "Base64 as Bearer": {"Authorization": basic(SECRET)["Authorization"].replace("Basic", "Bearer")},
    "cut": bearer(SECRET[:-1]),
    "longer": bearer(SECRET + "0"),
    "in upper case": bearer(SECRET.upper()),
    "two": bearer(f"{SECRET}, {SECRET}"),
    "its hash": bearer(from_text(SECRET, at=now()).digest),
    "its id": bearer(from_text(SECRET, at=now()).id),
    "wrong X-API-Key beside the right Bearer": bearer(SECRET) | x_api_key("wrong"),
    "in a cookie": {"Cookie": f"key={SECRET}"},
    "100 kB": bearer("a" * 100_000),
}
# Servers refuse most of these; one that lets them through must not let them in.
NO_TEXTS = ["{0}\n", "\n{0}", "{0}\r\nX-Injected: 1", "{0}\x00", "{0}é", "ключ", "{0}\xa0", "\ud800", "{0}=\n"]
BLANKS = [" {0}", "{0} ", "\t{0}"]


@pytest.fixture
def keyed(make_client):
    """A client of an application that takes one key."""
    return make_client(api_keys=[SECRET])


@pytest.mark.parametrize(("method", "path"), ROUTES + NOWHERE)
def test_nothing_is_answered_or_changed_without_a_key(keyed, contents, unread, method, path):
    before = contents()
    environ = {"wsgi.input": unread, "CONTENT_LENGTH": "9"} if method in ("POST", "DELETE") else {}
    answer = keyed(method, path, environ=environ)
    assert (answer.status, answer.headers.get("Allow")) == (401, None)
    assert answer.headers.getlist("WWW-Authenticate") == ['Bearer realm="mailtrack"', 'Basic realm="mailtrack"']
    assert answer.headers["Cache-Control"] == "no-store"
    assert contents() == before


@pytest.mark.parametrize("headers", NO_WAYS.values(), ids=NO_WAYS)
@pytest.mark.parametrize("path", ["/api/v1/pixels", "/"])
def test_what_is_no_key_opens_nothing_and_is_not_repeated(keyed, headers, path):
    answer = keyed.get(path, headers=headers)
    assert answer.status == 401
    assert (SECRET not in answer.text + str(answer.headers), len(answer.data) < 4096) == (True, True)


@pytest.fixture
def ask_with(storage):
    """Asks for the pixels with a header as it is, and returns the status."""

    def ask(header, value, key=SECRET):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/pixels", "HTTP_HOST": "mail.example.com"}
        environ |= {"wsgi.url_scheme": "http", "SERVER_NAME": "mail.example.com", "SERVER_PORT": "80"}
        answered = []
        create_app(Tracker(storage), api_keys=[key])(
            environ | {header: value}, lambda status, _, __=None: answered.append(status)
        )
        return answered[0]

    return ask


@pytest.mark.parametrize("text", NO_TEXTS, ids=ascii)
@pytest.mark.parametrize("header", ["HTTP_X_API_KEY", "HTTP_AUTHORIZATION"])
def test_a_key_with_anything_about_it_is_none(ask_with, text, header):
    given = text.format(SECRET)
    value = given if header == "HTTP_X_API_KEY" else f"Bearer {given}"
    assert ask_with(header, value) == "401 UNAUTHORIZED"


@pytest.mark.parametrize("text", BLANKS, ids=ascii)
def test_blanks_are_no_part_of_a_bearer_key_and_spoil_another(ask_with, text):
    given = text.format(SECRET)
    statuses = [ask_with("HTTP_AUTHORIZATION", f"Bearer {given}"), ask_with("HTTP_X_API_KEY", given)]
    assert statuses == ["200 OK", "401 UNAUTHORIZED"]


@pytest.mark.parametrize(
    "value", ["Basic é", "Basic \ud800", f"Basic {SECRET}é", "Basic =", "Bearer =", "Bearer a=b, c"]
)
def test_a_malformed_header_holds_no_key(ask_with, value):
    assert ask_with("HTTP_AUTHORIZATION", value) == "401 UNAUTHORIZED"


@pytest.mark.parametrize("key", ["a=b", "a=b,c=d", '"=a"', "=", "a==", "realm=x"])
def test_a_key_may_hold_an_equals_sign(ask_with, key):
    assert [ask_with("HTTP_AUTHORIZATION", f"Bearer {key}", key), ask_with("HTTP_X_API_KEY", key, key)] == [
        "200 OK"
    ] * 2
    assert ask_with("HTTP_AUTHORIZATION", f"Bearer {key}\n", key) == "401 UNAUTHORIZED"


@pytest.mark.parametrize("path", ["/api/v1/pixels?key={0}&api_key={0}&access_token={0}", "/?key={0}", "/{0}"])
def test_a_key_in_the_url_opens_nothing_and_is_not_repeated(keyed, path):
    answer = keyed.get(path.format(SECRET))
    assert (answer.status, SECRET in answer.text + str(answer.headers)) == (401, False)


@pytest.mark.parametrize("headers", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("path", ["/api/v1/pixels", "/", "/readyz"])
def test_a_key_opens_everything_in_each_way_to_give_it(keyed, headers, path):
    assert keyed.get(path, headers=headers).status == 200


def test_the_api_asks_for_a_key_in_json(keyed):
    assert keyed.get("/api/v1/pixels").json == {"error": "A valid key is needed."}


def test_a_page_asks_for_a_key_on_a_page_that_looks_right(keyed, take_apart):
    answer = keyed.get("/logs/a1b2c3d4")
    page = take_apart(answer)
    files = [
        attributes.get("href") or attributes.get("src") for tag, attributes in page.tags if tag in ("link", "script")
    ]
    loaded = [keyed.get(name.removeprefix("/track")).status for name in files if not name.startswith("data:")]
    assert (answer.is_page, "the key as the password" in page.text, loaded) == (True, True, [200, 200])


@pytest.mark.parametrize("options", [{"api_keys": [SECRET]}, {"stored_keys": True}], ids=["given", "stored"])
def test_mails_and_health_checks_need_no_key(make_client, tracker, make_picture, opens, pixel, options):
    client = make_client(**options)
    pictured = tracker.create_pixel("With a picture", image=make_picture())
    assert client.get(f"/tracker/{pixel.short_id}.png").status == 200
    assert len(opens()) == 1
    assert client.get(f"/uploads/{pictured.image}").status == 200
    assert client.get("/healthz").json == {"status": "ok"}


def test_without_keys_nothing_asks_for_one(client):
    assert [client.get(path).status for path in ("/", "/api/v1/pixels", "/readyz")] == [200, 200, 200]


def test_each_of_several_keys_opens(make_client):
    keys = [new_key() for _ in range(3)]
    client = make_client(api_keys=(key for key in keys))
    assert [client.get("/", headers=bearer(key)).status for key in keys * 2] == [200] * 6


@pytest.mark.parametrize(
    "keys",
    [[], (), "secret", b"secret", [""], ["a b"], [" a"], ["a\n"], ["é"], ["a", "\x00"], [None], [b"secret"], [12345]],
    ids=repr,
)
def test_keys_that_can_be_none_are_refused_at_once(storage, keys):
    with pytest.raises(InvalidSetting, match="api_keys: must ") as caught:
        create_app(Tracker(storage), api_keys=keys)
    assert "secret" not in str(caught.value)


@pytest.mark.each_storage
class TestStoredKeys:
    @pytest.fixture
    def keyed(self, make_client):
        return make_client(stored_keys=True)

    def test_a_stored_key_opens(self, keyed, tracker):
        _, text = tracker.keys.create("Nightly export")
        assert [keyed.get("/", headers=way(text)).status for way in (bearer, basic, x_api_key)] == [200] * 3

    def test_a_key_is_needed_while_none_is_stored(self, keyed):
        assert [keyed.get("/", headers=headers).status for headers in ({}, bearer(SECRET), bearer(""))] == [401] * 3

    def test_given_keys_open_beside_stored_ones(self, make_client, tracker):
        _, text = tracker.keys.create()
        client = make_client(api_keys=[SECRET], stored_keys=True)
        assert [client.get("/", headers=bearer(key)).status for key in (SECRET, text, "other")] == [200, 200, 401]

    def test_stored_keys_open_nothing_where_only_given_ones_should(self, make_client, tracker):
        _, text = tracker.keys.create()
        assert make_client(api_keys=[SECRET]).get("/", headers=bearer(text)).status == 401

    def test_a_revoked_key_opens_nothing_and_the_others_do(self, tracker, storage, make_client):
        mine = Tracker(storage)
        (gone, gone_text), (_, left_text) = mine.keys.create(), mine.keys.create()
        client = make_client(stored_keys=True)
        tracker.keys.revoke(gone.id)
        assert [client.get("/", headers=bearer(key)).status for key in (gone_text, left_text)] == [401, 200]

    def test_when_the_last_key_is_revoked_nobody_gets_in(self, keyed, tracker):
        key, text = tracker.keys.create()
        tracker.keys.revoke(key.id)
        assert [keyed.get("/", headers=headers).status for headers in ({}, bearer(text))] == [401, 401]


@pytest.mark.parametrize("headers", [bearer(SECRET), basic(SECRET)], ids=["Bearer", "Basic"])
@pytest.mark.parametrize(
    ("error", "status"), [(StorageUnavailable("away", retry_after=7), 503), (StorageError("damaged"), 500)]
)
def test_nobody_is_let_in_while_the_keys_can_not_be_read(make_client, broken, headers, error, status):
    client = make_client(storage=broken(error), stored_keys=True)
    assert client.get("/api/v1/nowhere", headers=headers).status == status
    assert client.get("/nowhere", headers=headers).status == status


def test_given_keys_need_no_storage(make_client, broken):
    client = make_client(storage=broken(StorageUnavailable("away")), api_keys=[SECRET], stored_keys=True)
    assert client.get("/nowhere", headers=bearer(SECRET)).status == 404


def test_without_any_key_the_storage_is_not_asked(make_client, broken):
    assert make_client(storage=broken(StorageUnavailable("away")), stored_keys=True).get("/").status == 401


class TestEnvironment:
    """`environ["mailtrack.key"]`, by which requests with a key are counted."""

    @pytest.fixture
    def ask(self, storage):
        def ask_(headers=None, path="/api/v1/pixels", **options):
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "a", "wsgi.url_scheme": "http"}
            environ |= {"SERVER_NAME": "a", "SERVER_PORT": "80"} | (headers or {})
            create_app(Tracker(storage), **options)(environ, lambda *_: None)
            return environ.get(KEY)

        return ask_

    def test_it_tells_the_id_of_a_stored_key(self, ask, tracker):
        (_, _), (key, text) = tracker.keys.create(), tracker.keys.create()
        assert ask({"HTTP_X_API_KEY": text}, stored_keys=True) == key.id

    def test_it_tells_the_same_id_of_a_given_key_in_every_application(self, ask):
        found = [ask({"HTTP_X_API_KEY": SECRET}, api_keys=keys) for keys in ([SECRET], ["other", SECRET])]
        assert found == [from_text(SECRET, at=now()).id] * 2

    @pytest.mark.parametrize("headers", [{}, {"HTTP_X_API_KEY": "wrong"}])
    def test_it_is_absent_where_no_key_was_used(self, ask, headers):
        assert ask(headers, api_keys=[SECRET]) is None
        assert ask(headers) is None


@pytest.mark.parametrize("key", [SECRET, "wrong-secret"])
@pytest.mark.parametrize("error", [StorageUnavailable("away"), RuntimeError("broken")])
def test_no_key_is_logged(make_client, broken, caplog, key, error):
    caplog.set_level(logging.DEBUG)
    client = make_client(storage=broken(error), api_keys=[SECRET], stored_keys=True)
    for way in (bearer, basic, x_api_key):
        for path in ("/api/v1/pixels", f"/?key={key}"):
            assert client.get(path, headers=way(key)).status in (500, 503)
    shown = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert not any(text in shown for text in (key, basic(key)["Authorization"], from_text(key, at=now()).digest))


def test_no_repr_shows_a_key(storage):
    app = create_app(Tracker(storage), api_keys=[SECRET])
    assert SECRET not in repr(vars(app)) + repr(app)
    assert "digest" not in repr(ApiKey(id="0" * 12, digest="digest", created_at=now()))
