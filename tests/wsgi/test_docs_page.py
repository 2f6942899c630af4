"""`GET /docs`: the reference of the API, made from its document; its samples work as written."""

import io
import json
import re
import shlex
import shutil
import subprocess
import threading
from contextlib import contextmanager, redirect_stdout
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from mailtrack import Tracker, Urls
from mailtrack_wsgi import create_app
from mailtrack_wsgi._html.templating import ASSETS
from mailtrack_wsgi._openapi import make_document
from mailtrack_wsgi._openapi.code_samples import KEY
from mailtrack_wsgi._openapi.examples import ANN, PIXEL, WEBHOOK
from mailtrack_wsgi._openapi.reference import make_reference, words
from mailtrack_wsgi._rate_limit import DEFAULT_LIMIT, parse_limit

LIMIT = parse_limit(DEFAULT_LIMIT)
REFERENCE = make_reference(make_document(Urls("https://mail.example.com"), limit=LIMIT))
OPERATIONS = [operation for group in REFERENCE.groups for operation in group.operations]
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)


def test_it_has_every_operation_with_its_samples(show, described):
    page = show("/docs")
    for path, item in described.document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                assert f"{operation['summary']} {method.upper()} {path}" in page.text
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {f"{operation.name}-{kind}" for operation in OPERATIONS for kind in ("curl", "python")} <= ids


def test_it_tells_of_every_field_of_every_object(client, described):
    text = client.get("/docs").text
    for schema in described.document["components"]["schemas"].values():
        for name, field in schema["properties"].items():
            assert f"<code>{name}</code>" in text
            assert words(field.get("description", "")) in text


def test_every_link_within_it_leads_somewhere(show):
    page = show("/docs")
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert len(inner) > 40
    assert inner <= ids


@pytest.mark.parametrize("path", ["/", "/logs/{0.id}", "/pixels/{0.id}/recipients", "/nowhere"])
def test_every_page_leads_to_it(client, take_apart, pixel, path):
    assert "/track/docs" in take_apart(client.get(path.format(pixel))).links


@pytest.mark.parametrize("base_url", [None, "https://example.org/mail"])
def test_it_shows_the_readers_own_base_url(make_client, base_url):
    text = make_client(base_url=base_url).get("/docs").text
    base = base_url or "http://mail.example.com/track"
    assert f"curl {base}/api/v1/pixels" in text
    assert {url for url in re.findall(r"https?://[^/\s&]+/\w+", text) if "w3.org" not in url} == {
        base,
        WEBHOOK.url,
    }


def test_it_stays_small_below_a_long_base_url(make_client):
    answer = make_client(base_url=f"https://{'mail.' * 12}example.com/{'track' * 5}").get("/docs")
    assert len(answer.data) + sum(len(asset.data) for asset in ASSETS.values()) < 150_000


def test_with_keys_on_the_samples_give_one_where_it_is_needed():
    keyed = make_reference(make_document(Urls("https://mail.example.com"), limit=LIMIT, keyed=True))
    for operation in (one for group in keyed.groups for one in group.operations):
        needed = not operation.path.startswith(("/tracker", "/uploads", "/healthz"))
        assert [f"Bearer {KEY}" in sample for sample in (operation.curl, operation.python)] == [needed] * 2


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(app):
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def adapt(tracker, storage, make_picture):
    """Puts what exists on a running server into samples."""
    pixel = tracker.create_pixel("Spring launch", image=make_picture())
    recipient = tracker.generate_tokens(pixel.id, ["cem@example.org"])[0]
    allowing = Tracker(storage, webhook_allow=["127.0.0.0/8"])
    webhook = allowing.webhooks.add("http://127.0.0.1:1/")  # where nothing listens
    with serving(create_app(allowing)) as base:
        yield (
            lambda sample: (
                sample.replace("https://mail.example.com", base)
                .replace(PIXEL.id, pixel.id)
                .replace(PIXEL.short_id + ".", pixel.short_id + ".")
                .replace(ANN.id, recipient.id)
                .replace(WEBHOOK.id, webhook.id)
            )
        )


@each_operation
def test_a_sample_in_python_works(adapt, operation):
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(adapt(operation.python), {})
    assert len(printed.getvalue()) > 2


@needs_curl
@each_operation
def test_a_sample_for_curl_works(adapt, operation, tmp_path, make_picture):
    image = tmp_path / "image.png"
    image.write_bytes(picture := make_picture(size=(9, 9)))
    for command in adapt(operation.curl).split("\n\n"):
        sent = shlex.split(command.replace("\\\n", ""))
        ran = subprocess.run([*sent, "--silent", "--fail"], cwd=tmp_path, capture_output=True, timeout=30)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert ran.stdout or len(list(tmp_path.iterdir())) == 2 or image.read_bytes() != picture


@needs_curl
def test_the_sample_with_an_image_sends_one(adapt, tracker, tmp_path, make_picture):
    (tmp_path / "image.png").write_bytes(make_picture())
    create = next(operation for operation in OPERATIONS if operation.name == "createPixel")
    command = shlex.split(adapt(create.curl).split("\n\n")[1].replace("\\\n", ""))
    made = json.loads(subprocess.run([*command, "--silent"], cwd=tmp_path, capture_output=True, check=True).stdout)
    assert tracker.get_pixel(made["id"]).image == f"{made['id']}.png"


def test_the_address_of_the_document_is_on_it(show, client):
    links = [link for link in show("/docs").links if link.endswith("openapi.json")]
    assert links == ["/track/api/v1/openapi.json"]
    assert client.get(links[0].removeprefix("/track")).status == 200


@pytest.mark.parametrize(
    ("text", "html"), [("a `b` c", "a <code>b</code> c"), ("<a> & `<b>`", "&lt;a&gt; &amp; <code>&lt;b&gt;</code>")]
)
def test_words_are_shown_as_text_and_code(text, html):
    assert words(text) == html
