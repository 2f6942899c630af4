"""Errors: JSON from the API, pages elsewhere, and no internals in either."""

import logging
import sqlite3

import pytest

from mailtrack import StorageError, StorageUnavailable

SECRET = "SECRET /srv/mailtrack/mailtrack.db"
ID = "a1b2c3d4-e5f6-7890-1234-567890abcdef"

JSON_REQUESTS = [
    pytest.param("POST", "/api/v1/pixels", {"name": "Spring"}, id="create a pixel"),
    pytest.param("GET", "/api/v1/pixels", None, id="list pixels"),
    pytest.param("GET", f"/api/v1/pixels/{ID}", None, id="get a pixel"),
    pytest.param("DELETE", f"/api/v1/pixels/{ID}", None, id="delete a pixel"),
    pytest.param("POST", f"/api/v1/pixels/{ID}/generate-tokens", {"emails": ["ann@example.org"]}, id="tokens"),
    pytest.param("GET", f"/api/v1/pixels/{ID}/generate-tokens/csv", None, id="export"),
    pytest.param("GET", f"/api/v1/pixels/{ID}/recipients", None, id="list recipients"),
    pytest.param("GET", f"/api/v1/pixels/{ID}/opens", None, id="list opens"),
    pytest.param("DELETE", f"/api/v1/recipients/{'a' * 24}", None, id="delete a recipient"),
]
READY = pytest.param("GET", "/readyz", None, id="readyz")
PAGE_REQUESTS = [
    pytest.param("GET", "/", None, id="dashboard"),
    pytest.param("GET", f"/logs/{ID}", None, id="logs"),
    pytest.param("GET", f"/uploads/{ID}.png", None, id="upload"),
    pytest.param("POST", f"/pixels/{ID}/delete", None, id="delete form"),
]
every_json_request = pytest.mark.parametrize(("method", "path", "body"), JSON_REQUESTS)
every_page_request = pytest.mark.parametrize(("method", "path", "body"), PAGE_REQUESTS)
every_request = pytest.mark.parametrize(("method", "path", "body"), [*JSON_REQUESTS, *PAGE_REQUESTS, READY])


@pytest.mark.parametrize("path", ["/", "/api/v1/pixels", "/static/style.css"])
def test_a_query_that_is_no_utf_8_is_refused(client, path):
    assert client.get(path, environ={"QUERY_STRING": "cursor=\x80"}).status == 400


@pytest.fixture
def ask(make_client, broken):
    """Sends a request to an application whose storage raises an error on everything."""
    return lambda error, method, path, body: make_client(storage=broken(error))(method, path, json=body)


@pytest.mark.parametrize(("method", "path", "body"), [*JSON_REQUESTS, READY])
def test_an_unavailable_storage_makes_503_in_json_with_the_time_to_wait(ask, method, path, body):
    answer = ask(StorageUnavailable(SECRET, retry_after=7), method, path, body)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert answer.json == {"error": "The storage is not available. Try again later."}


@every_page_request
def test_an_unavailable_storage_makes_a_503_page_with_the_time_to_wait(ask, method, path, body):
    answer = ask(StorageUnavailable(SECRET, retry_after=7), method, path, body)
    assert (answer.status, answer.headers["Retry-After"], answer.is_page) == (503, "7", True)


@every_request
@pytest.mark.parametrize("error", [OSError(5, SECRET), ConnectionRefusedError(SECRET), TimeoutError(SECRET)], ids=repr)
def test_a_storage_that_the_system_can_not_reach_is_unavailable_and_is_told_to_the_operator(
    ask, caplog, method, path, body, error
):
    answer = ask(error, method, path, body)
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert SECRET in caplog.text


@pytest.mark.parametrize("error", [StorageError(SECRET), RuntimeError(SECRET), sqlite3.OperationalError(SECRET)])
def test_the_application_is_not_ready_whatever_is_wrong_with_its_storage(ask, caplog, error):
    answer = ask(error, "GET", "/readyz", None)
    assert (answer.status, list(answer.json)) == (503, ["error"])
    assert int(answer.headers["Retry-After"]) > 0
    assert SECRET in caplog.text


@every_json_request
@pytest.mark.parametrize("error", [StorageError(SECRET), RuntimeError(SECRET), sqlite3.OperationalError(SECRET)])
def test_any_other_failure_makes_500_in_json(ask, method, path, body, error):
    answer = ask(error, method, path, body)
    assert (answer.status, answer.json) == (500, {"error": "Something went wrong on the server."})


@every_page_request
@pytest.mark.parametrize("error", [StorageError(SECRET), RuntimeError(SECRET), sqlite3.OperationalError(SECRET)])
def test_any_other_failure_makes_a_500_page(ask, method, path, body, error):
    answer = ask(error, method, path, body)
    assert (answer.status, answer.is_page) == (500, True)


@every_request
@pytest.mark.parametrize("error", [StorageUnavailable(SECRET), StorageError(SECRET), RuntimeError(SECRET)])
def test_an_error_tells_nothing_of_its_cause(ask, method, path, body, error):
    answer = ask(error, method, path, body)
    shown = answer.text + str(answer.headers)
    assert not any(word in shown for word in ("SECRET", "/srv", "Traceback", "Error(", ".py"))


def test_a_failure_is_told_to_the_operator_with_its_cause(ask, caplog):
    ask(RuntimeError(SECRET), "GET", "/api/v1/pixels", None)
    (record,) = caplog.records
    assert (record.levelno, SECRET in str(record.exc_info[1])) == (logging.ERROR, True)


def test_the_process_lives_though_the_storage_does_not(ask):
    answer = ask(StorageUnavailable(SECRET), "GET", "/healthz", None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_the_application_is_ready_while_its_storage_answers(client):
    answer = client.get("/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1", "/api/v1/pixel", "/api/v2/pixels", "/api/v1/pixels/a/b", "/api//v1/pixels"]
)
def test_an_unknown_path_of_the_api_is_404_in_json(client, path):
    answer = client.get(path)
    assert (answer.status, list(answer.json)) == (404, ["error"])


@pytest.mark.parametrize("path", ["/nowhere", "/logs", "/logs/a/b", "/pixels/a", "/uploads/", "/tracker", "/apix"])
def test_an_unknown_path_elsewhere_is_a_404_page(client, path):
    answer = client.get("/", environ={"PATH_INFO": path})
    assert (answer.status, answer.is_page) == (404, True)


def test_the_mount_point_itself_is_the_dashboard(client):
    answer = client.get("/", environ={"PATH_INFO": ""})
    assert (answer.status, "<h1>Pixels</h1>" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/pixels", {"GET", "HEAD", "POST"}),
        ("POST", f"/api/v1/pixels/{ID}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("GET", f"/api/v1/pixels/{ID}/generate-tokens", {"POST"}),
        ("POST", f"/api/v1/pixels/{ID}/generate-tokens/csv", {"GET", "HEAD"}),
        ("POST", f"/api/v1/pixels/{ID}/recipients", {"GET", "HEAD"}),
        ("DELETE", f"/api/v1/pixels/{ID}/opens", {"GET", "HEAD"}),
        ("PUT", f"/api/v1/recipients/{ID}", {"GET", "HEAD", "DELETE"}),
        ("OPTIONS", "/api/v1/pixels", {"GET", "HEAD", "POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
def test_another_method_of_the_api_is_405_in_json_with_allow(client, method, path, allowed):
    answer = client(method, path)
    assert (answer.status, list(answer.json)) == (405, ["error"])
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", {"GET", "HEAD"}),
        ("GET", "/pixels", {"POST"}),
        ("GET", f"/pixels/{ID}/delete", {"POST"}),
        ("POST", f"/logs/{ID}", {"GET", "HEAD"}),
        ("DELETE", f"/uploads/{ID}.png", {"GET", "HEAD"}),
    ],
)
def test_another_method_elsewhere_is_a_405_page_with_allow(client, method, path, allowed):
    answer = client(method, path)
    assert (answer.status, answer.is_page) == (405, True)
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("status", "environ"),
    [
        pytest.param(411, {"CONTENT_LENGTH": ""}, id="no length"),
        pytest.param(413, {"CONTENT_LENGTH": "1" + "0" * 12}, id="too long"),
        pytest.param(415, {"CONTENT_TYPE": "text/plain"}, id="another media type"),
        pytest.param(400, {"CONTENT_LENGTH": "5"}, id="malformed"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/pixels", f"/api/v1/pixels/{ID}/generate-tokens"])
def test_a_bad_body_is_told_of_in_json(client, tracker, pixel, status, environ, path):
    path = path.replace(ID, pixel.id)
    answer = client.post(path, data=b'{"name": 1}', content_type="application/json", environ=environ)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert [stored.id for stored in tracker.iter_pixels()] == [pixel.id]


@pytest.mark.parametrize(
    ("status", "environ"),
    [
        pytest.param(411, {"CONTENT_LENGTH": ""}, id="no length"),
        pytest.param(413, {"CONTENT_LENGTH": "1" + "0" * 12}, id="too long"),
        pytest.param(415, {"CONTENT_TYPE": "text/plain"}, id="another media type"),
    ],
)
def test_a_bad_form_of_a_page_is_told_of_on_a_page(client, status, environ):
    answer = client.post("/pixels", data={"name": "Spring"}, environ=environ)
    assert (answer.status, answer.is_page) == (status, True)


BAD_IDS = [
    pytest.param("../../etc/passwd", id="path"),
    pytest.param("..", id="dots"),
    pytest.param("a1b2\x00c3d4", id="NUL"),
    pytest.param("\xff\xfe", id="no UTF-8"),
    pytest.param("a" * 10_240, id="10 kB"),
    pytest.param("<script>SECRET</script>", id="HTML"),
    pytest.param("' OR 1=1 --SECRET", id="SQL"),
    pytest.param("{A1B2C3D4-E5F6-7890-1234-567890ABCDEF}", id="UUID in braces"),
    pytest.param("a1b2c3d4e5f678901234567890abcdef", id="UUID without hyphens"),
    pytest.param(" a1b2c3d", id="blank"),
    pytest.param("a1b2c3d4\n", id="line break"),
]


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/pixels/{}"),
        ("DELETE", "/api/v1/pixels/{}"),
        ("POST", "/api/v1/pixels/{}/generate-tokens"),
        ("GET", "/api/v1/pixels/{}/generate-tokens/csv"),
        ("GET", "/api/v1/pixels/{}/recipients"),
        ("GET", "/api/v1/pixels/{}/opens"),
        ("DELETE", "/api/v1/recipients/{}"),
        ("GET", "/logs/{}"),
        ("GET", "/uploads/{}"),
        ("GET", "/uploads/{}.png"),
        ("POST", "/pixels/{}/delete"),
    ],
)
def test_an_id_that_can_be_none_is_not_found_and_not_repeated(client, contents, pixel, method, path, bad):
    before = contents()
    answer = client(method, "/", json={"emails": ["ann@example.org"]}, environ={"PATH_INFO": path.format(bad)})
    assert (answer.status, len(answer.data) < 2048, "SECRET" in answer.text) == (404, True, False)
    assert (contents(), before[0][0].id) == (before, pixel.id)


@pytest.mark.parametrize(
    ("method", "path", "request_"),
    [
        pytest.param("POST", "/api/v1/pixels", {"data": b"SECRET", "content_type": "application/json"}, id="body"),
        pytest.param("POST", "/api/v1/pixels", {"data": b"{}", "content_type": "text/SECRET"}, id="media type"),
        pytest.param("POST", "/api/v1/pixels", {"json": {"name": "SECRET\x00"}}, id="name"),
        pytest.param("GET", "/api/v1/pixels?cursor=SECRET", {}, id="cursor"),
        pytest.param("GET", "/api/v1/pixels?limit=SECRET", {}, id="limit"),
        pytest.param("GET", "/api/v1/SECRET", {}, id="path of the API"),
        pytest.param("GET", "/SECRET", {}, id="path"),
        pytest.param("GET", "/?cursor=SECRET", {}, id="query of a page"),
        pytest.param("GET", "/", {"headers": {"Host": "SECRET'"}}, id="host"),
        pytest.param("POST", "/pixels", {"data": {"name": "SECRET\x00"}}, id="name in a form"),
        pytest.param("POST", "/pixels", {"data": {}, "headers": {"Origin": "https://SECRET"}}, id="origin"),
    ],
)
def test_an_error_does_not_repeat_what_was_sent(client, method, path, request_):
    answer = client(method, path, **request_)
    assert (400 <= answer.status < 500, "secret" in (answer.text + str(answer.headers)).lower()) == (True, False)


@pytest.mark.parametrize("path", ["/", f"/logs/{ID}", "/api/v1/pixels", f"/api/v1/pixels/{ID}"])
def test_answers_about_people_are_not_kept_by_anybody(client, path):
    assert client.get(path).headers["Cache-Control"] == "no-store"
