"""What the tests of the application share: it is always mounted under a prefix and watched by the validator."""

import io
import json
import os
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from wsgiref.validate import validator

import attrs
import jsonschema_rs
import PIL.Image
import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from mailtrack import Tracker, Urls, open_storage
from mailtrack_wsgi import create_app
from mailtrack_wsgi._openapi import make_document
from mailtrack_wsgi._rate_limit import DEFAULT_LIMIT, parse_limit

ROOT = "http://mail.example.com/track"


@attrs.frozen
class Answer:
    """An answer of the application."""

    status: int
    headers: Headers
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.data)

    @property
    def is_page(self) -> bool:
        return self.headers["Content-Type"] == "text/html; charset=utf-8" and self.text.startswith("<!doctype html>")


class Description:
    """The API as its document describes it, to hold answers against."""

    def __init__(self, token_limit: str | None = DEFAULT_LIMIT, *, login: bool = False) -> None:
        limit = None if token_limit is None else parse_limit(token_limit)
        self.document = make_document(Urls(ROOT), limit=limit, login=login)
        self._validators: dict[str, Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)), re.DOTALL), item)
            for path, item in self.document["paths"].items()
        ]

    def validate(self, schema: Any, value: Any) -> None:
        """Raise an error where a value is not as a schema of the document says."""
        key = json.dumps(schema)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft202012Validator(
                schema | {"components": self.document["components"]}, validate_formats=True
            )
        self._validators[key].validate(value)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return what the document has of a path."""
        return next((item for pattern, item in self._paths if pattern.fullmatch(path)), None)

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Raise an error if the document does not describe an answer; other paths pass."""
        item = self.find(path)
        if item is None:
            return
        methods = {name.upper() for name in item} & {"GET", "HEAD", "POST", "PATCH", "DELETE"}
        methods |= {"HEAD"} if "GET" in methods else set()
        if method not in methods:
            if answer.status in (302, 401, 403):  # answered for every method
                return
            assert (answer.status, {*answer.headers["Allow"].split(", ")}) == (405, methods)
            return
        operation = item.get(method.lower()) or item["get"]
        found = operation["responses"][str(answer.status)]
        found = self.document["components"]["responses"].get(found.get("$ref", "").rpartition("/")[2], found)
        for name, header in found.get("headers", {}).items():
            assert name in answer.headers or not header.get("required")
            if name in answer.headers:
                kind = int if header["schema"].get("type") == "integer" else str
                self.validate(header["schema"], kind(answer.headers[name]))
        if "content" in found:
            schema = found["content"][answer.headers["Content-Type"]]["schema"]
            if method != "HEAD" and answer.headers["Content-Type"] == "application/json":
                self.validate(schema, answer.json)


_described = Description()


class Client:
    """Sends requests to an application that is mounted at /track, and checks that its document describes the answers.

    Each call takes what werkzeug's `EnvironBuilder` takes, and besides:

    Args:
        address: where the request comes from.
        environ: entries of the WSGI environment to set as they are.
        without: entries to leave out.
    """

    def __init__(self, app: Any, described: Description = _described) -> None:
        self._app = validator(app)
        self._described = described

    def open(self, method, path, **request):
        """Return the parts of the answer as they come: an iterator over the body to be closed, status, headers."""
        return self._open(self._make_environ(method, path, **request))

    def __call__(self, method, path, **request) -> Answer:
        made = self._make_environ(method, path, **request)
        body, status, headers = self._open(made)
        with closing(body):
            data = b"".join(body)
        if method != "HEAD" and "Content-Length" in headers:
            assert int(headers["Content-Length"]) == len(data)
        answer = Answer(int(status[:3]), headers, data)
        self._described.check(method, made["PATH_INFO"], answer)
        return answer

    def _open(self, made):
        with closing(made["wsgi.input"]):
            return run_wsgi_app(self._app, made)

    def _make_environ(self, method, path, *, address="192.0.2.1", environ=None, without=(), **request):
        with closing(EnvironBuilder(path, ROOT, method=method, **request)) as builder:
            made = builder.get_environ() | {"REMOTE_ADDR": address} | (environ or {})
        return {name: value for name, value in made.items() if name not in without}

    def get(self, path, **request) -> Answer:
        return self("GET", path, **request)

    def head(self, path, **request) -> Answer:
        return self("HEAD", path, **request)

    def post(self, path, **request) -> Answer:
        return self("POST", path, **request)

    def delete(self, path, **request) -> Answer:
        return self("DELETE", path, **request)


class Page(HTMLParser):
    """The content of a page.

    Attributes:
        tags: with their attributes.
        links: where its anchors lead.
        rows: the texts of the cells of each row of a table for all, blanks made one.
        text: all of its text, likewise.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._all: list[str] = []
        self._in_cell = False
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self._all).split())
        self.rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]
        self.links = [attributes["href"] for tag, attributes in self.tags if tag == "a"]

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "tr" and "role" in attributes:
            self.rows.append([])
        if tag in ("td", "th"):
            self._in_cell = "role" in attributes
            if self._in_cell:
                self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        self._all.append(data)
        if self._in_cell:
            self.rows[-1][-1] += f" {data}"

    def fields(self, name):
        """The attributes of the fields of forms with this name."""
        return [attributes for _, attributes in self.tags if attributes.get("name") == name]


class UnreadBody(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, _: Any) -> int:
        raise AssertionError("the body was read")


class SteppingClock:
    """Goes on by a second each time it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2025, 11, 6, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        now = self.now
        self.now += timedelta(seconds=1)
        return now


def pytest_configure(config):
    config.addinivalue_line("markers", "each_storage: what this tests is done by the storage, so it has several.")


def pytest_generate_tests(metafunc):
    """Run each test over the first of the storages in `MAILTRACK_STORAGES`, and those that are marked over all."""
    named = any(mark.args[0] == "storage" for mark in metafunc.definition.iter_markers("parametrize"))
    if "storage" in metafunc.fixturenames and not named:
        names = os.environ.get("MAILTRACK_STORAGES", "memory sqlite").split()
        marked = metafunc.definition.get_closest_marker("each_storage") is not None
        metafunc.parametrize("storage", names if marked else names[:1], indirect=True)


@pytest.fixture
def storage(request, tmp_path, new_database):
    """The storage behind the application."""
    if request.param == "memory":
        url = "memory://"
    elif request.param == "sqlite":
        url = f"sqlite:///{new_database(tmp_path / 'mailtrack.db')}"
    else:
        url = request.getfixturevalue("postgres_tables")()
    with open_storage(url) as opened:
        yield opened


@pytest.fixture
def tracker(storage):
    """What the tests look at, and prepare, behind the application's back."""
    return Tracker(storage, base_url=ROOT, clock=SteppingClock())


@pytest.fixture
def make_client(storage):
    """Makes clients of applications on the storage; the first ones go to the tracker, the rest to `create_app`."""

    def make(*, base_url=None, allow_special_domains=False, webhook_allow=(), storage=storage, clock=None, **options):
        tracker = Tracker(
            storage,
            base_url=base_url,
            allow_special_domains=allow_special_domains,
            webhook_allow=webhook_allow,
            clock=clock or SteppingClock(),
        )
        app = create_app(tracker, **options)
        if not {"authorize", "token_limit"} & set(options):
            return Client(app)
        return Client(app, Description(options.get("token_limit", DEFAULT_LIMIT), login="authorize" in options))

    return make


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def recipient(tracker, pixel):
    return tracker.generate_tokens(pixel.id, ["ann@example.org"])[0]


@pytest.fixture
def contents(storage, tracker):
    """Returns all that is stored: each pixel with its image, recipients and opens."""

    def read():
        return [
            (
                pixel,
                storage.get_image(pixel.id) if pixel.image else None,
                list(tracker.iter_recipients(pixel.id)),
                tracker.list_opens(pixel.id, limit=1000).items,
            )
            for pixel in tracker.iter_pixels()
        ]

    return read


@pytest.fixture
def opens(tracker, pixel):
    """Returns the opens of the pixel, the newest first."""
    return lambda: tracker.list_opens(pixel.id, limit=1000).items


@pytest.fixture
def make_picture():
    """Makes the bytes of pictures."""

    def make(format_="PNG", size=(3, 2), **options):
        file = io.BytesIO()
        PIL.Image.new("RGB", size, (200, 30, 30)).save(file, format_, **options)
        return file.getvalue()

    return make


@pytest.fixture
def show(client):
    """Asks for a page and takes it apart; it must be there."""

    def ask(path, **request):
        answer = client.get(path, **request)
        assert (answer.status, answer.is_page) == (200, True)
        return Page(answer.text)

    return ask


@pytest.fixture
def take_apart():
    """Takes an answer apart that is a page."""
    return lambda answer: Page(answer.text)


@pytest.fixture
def described():
    """The document of the API, to hold values and answers against."""
    return _described


@pytest.fixture
def unread():
    """A body that fails the test if it is read."""
    return UnreadBody()


@pytest.fixture
def broken():
    """Makes storages of which every method raises an error."""

    class Broken:
        def __init__(self, error):
            self._error = error

        def __getattr__(self, name):
            def fail(*_, **__):
                raise self._error

            return fail

    return Broken
