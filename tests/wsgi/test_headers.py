"""The headers that make browsers careful."""

import pytest

from mailtrack import StorageUnavailable

CAREFUL = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
ANSWERS = {
    "JSON": ("GET", "/api/v1/pixels", 200),
    "CSV": ("GET", "/api/v1/pixels/{0.id}/generate-tokens/csv", 200),
    "health": ("GET", "/healthz", 200),
    "style sheet": ("GET", "/static/style.css", 200),
    "HEAD": ("HEAD", "/api/v1/pixels", 200),
    "redirect": ("POST", "/pixels/{0.id}/delete", 303),
    "error in JSON": ("GET", "/api/v1/nowhere", 404),
    "another method": ("PUT", "/api/v1/pixels", 405),
    "OPTIONS": ("OPTIONS", "/api/v1/pixels", 405),
    "no body": ("POST", "/api/v1/pixels", 415),
}
PAGES = {
    "dashboard": ("GET", "/", 200),
    "log": ("GET", "/logs/{0.id}", 200),
    "error page": ("GET", "/nowhere", 404),
    "another site": ("POST", "/pixels/{0.id}/delete", 403),
}


def headers_of(answer):
    assert len(answer.headers) == len({name.lower() for name, _ in answer.headers})
    return {name: answer.headers.get(name) for name in CAREFUL}


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_is_for_our_own_pages_and_programs_only(client, pixel, method, path, status):
    answer = client(method, path.format(pixel))
    assert (answer.status, headers_of(answer)) == (status, CAREFUL)


@pytest.mark.parametrize(("method", "path", "status"), PAGES.values(), ids=PAGES)
def test_a_page_besides_loads_its_own_files(client, pixel, method, path, status):
    answer = client(method, path.format(pixel), headers={"Origin": "null"})
    found = headers_of(answer)
    assert (answer.status, "style-src 'self'" in found["Content-Security-Policy"]) == (status, True)
    assert found | {"Content-Security-Policy": CAREFUL["Content-Security-Policy"]} == CAREFUL


def test_an_upload_is_for_everybody_to_show_and_nothing_else(client, tracker, make_picture):
    pixel = tracker.create_pixel("With a picture", image=make_picture())
    assert headers_of(client.get(f"/uploads/{pixel.image}")) == CAREFUL | {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


@pytest.mark.parametrize("error", [StorageUnavailable("away"), RuntimeError("broken")])
@pytest.mark.parametrize("path", ["/api/v1/pixels", "/"])
def test_failures_are_answered_as_carefully(make_client, broken, error, path):
    found = headers_of(make_client(storage=broken(error)).get(path))
    assert {name: found[name] for name in CAREFUL if name != "Content-Security-Policy"}.items() <= CAREFUL.items()
    assert found["Content-Security-Policy"].startswith("default-src 'none'; ")


def test_whoever_ends_tls_speaks_for_the_host(client):
    assert "Strict-Transport-Security" not in client.get("/", environ={"wsgi.url_scheme": "https"}).headers
