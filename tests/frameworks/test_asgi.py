"""The ASGI application: alone and mounted, its lifespan, clients that are slow or leave, and what WSGI can't take."""

import asyncio
import inspect
import itertools
import threading

import fastapi
import pytest
import starlette.applications
import starlette.middleware
import starlette.middleware.sessions
import starlette.routing

import mailtrack_wsgi
from mailtrack import InvalidArgument, InvalidSetting, Tracker, open_storage
from mailtrack_wsgi import _asgi, asgi

BASE = "https://example.org/track"
KEY = "mtk_0123456789abcdef0123456789abcdef01234567"


class Spy(Tracker):
    """Notes when it is started and stopped."""

    def __init__(self, storage, **options):
        super().__init__(storage, **options)
        self.calls = []

    def start(self):
        self.calls.append("start")

    def stop(self, **_):
        self.calls.append("stop")
        return True


@pytest.fixture
def tracker():
    with open_storage("memory://") as storage:
        yield Spy(storage, base_url=BASE)


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring")


class Request:
    """A request as a server sends it to an application.

    Attributes:
        status: of the answer, `None` before it begins.
        headers: of the answer.
        body: of the answer, as far as it has come.
        complete: whether all of it has come.
    """

    def __init__(self, method, path, *, headers=(), query=b"", root="", body=(b"",), then_leave=False, **scope):
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "query_string": query,
            "root_path": root,
            "headers": [(b"host", b"example.org"), *headers],
            "client": ("192.0.2.7", 4711),
            "server": ("127.0.0.1", 8000),
            **scope,
        }
        self._parts = list(body)
        self._leaves = asyncio.Event()
        if then_leave:
            self._leaves.set()
        self.status, self.headers, self.body, self.complete = None, {}, b"", False

    def leave(self):
        """The client closes its connection."""
        self._leaves.set()

    async def receive(self):
        if self._parts and self._parts[0] is not None:
            return {"type": "http.request", "body": self._parts.pop(0), "more_body": bool(self._parts)}
        await self._leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)

    async def ask(self, app):
        await app(self.scope, self.receive, self.send)
        return self


def ask(app, method, path, **request):
    """Send one request, and return it with its answer."""

    async def run():
        return await Request(method, path, **request).ask(app)

    return asyncio.run(run())


def json_request(data, length=None):
    headers = [(b"content-type", b"application/json"), (b"content-length", str(length or len(data)).encode())]
    return {"headers": headers, "body": [data]}


class TestAlone:
    def test_it_answers_as_the_wsgi_application_does(self, tracker, pixel):
        app = asgi.create_app(tracker)
        image = ask(app, "GET", f"/tracker/{pixel.short_id}.png")
        assert (image.status, image.headers["content-type"], image.complete) == (200, "image/png", True)
        assert [found.ip for found in tracker.list_opens(pixel).items] == ["192.0.2.7"]
        assert b"Spring" in ask(app, "GET", "/").body
        assert ask(app, "POST", "/api/v1/pixels", **json_request(b'{"name": "Autumn"}')).status == 201
        assert ask(app, "GET", "/nowhere").status == 404

    def test_head_has_no_body_and_is_no_open(self, tracker, pixel):
        answer = ask(asgi.create_app(tracker), "HEAD", f"/tracker/{pixel.short_id}.png")
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert tracker.list_opens(pixel).items == ()

    def test_its_options_are_those_of_the_wsgi_application(self, tracker):
        ours, theirs = (inspect.signature(module.create_app).parameters for module in (asgi, mailtrack_wsgi))
        assert {name: (one.kind, one.default, one.annotation) for name, one in ours.items()} == {
            name: (one.kind, one.default, one.annotation) for name, one in theirs.items()
        }
        app = asgi.create_app(tracker, api_keys=[KEY], hosts=["example.org"])
        assert ask(app, "GET", "/").status == 401
        assert ask(app, "GET", "/", headers=[(b"x-api-key", KEY.encode())]).status == 200
        with pytest.raises(InvalidSetting, match="max_slow"):
            asgi.create_app(tracker, max_slow=0)
        with pytest.raises(InvalidArgument):
            asgi.create_app("memory://")

    def test_a_websocket_is_refused(self, tracker):
        sent = []

        async def run():
            async def receive():
                return {"type": "websocket.connect"}

            async def send(message):
                sent.append(message["type"])

            await asgi.create_app(tracker)({"type": "websocket", "path": "/"}, receive, send)

        asyncio.run(run())
        assert sent == ["websocket.close"]


class TestMountPoint:
    @pytest.mark.parametrize(
        ("root", "path"),
        [("/track", "/track/tracker/{}.png"), ("/track/", "/track/tracker/{}.png"), ("/track", "/tracker/{}.png")],
        ids=["in the path", "with a slash", "not in the path"],
    )
    def test_the_root_path_is_where_it_is_mounted(self, tracker, pixel, root, path):
        app = asgi.create_app(tracker)
        assert ask(app, "GET", path.format(pixel.short_id), root=root).headers["content-type"] == "image/png"
        assert len(tracker.list_opens(pixel).items) == 1

    def test_urls_have_the_root_path(self):
        with open_storage("memory://") as storage:
            app = asgi.create_app(Spy(storage))
            answer = ask(app, "POST", "/mail/api/v1/pixels", root="/mail", **json_request(b'{"name": "A"}'))
        assert b'"trackingUrl":"http://example.org/mail/tracker/' in answer.body

    @pytest.mark.parametrize("framework", [starlette.applications.Starlette, fastapi.FastAPI])
    def test_it_can_be_mounted_in_a_framework(self, tracker, pixel, framework):
        app = framework()
        app.mount("/track", asgi.create_app(tracker))
        assert ask(app, "GET", f"/track/tracker/{pixel.short_id}.png").headers["content-type"] == "image/png"
        assert b'action="/track/pixels' in ask(app, "GET", "/track/").body
        assert len(tracker.list_opens(pixel).items) == 1


class TestAuthorize:
    def test_it_can_use_what_middleware_of_the_framework_put_into_the_scope(self, tracker):
        def authorize(environ):
            return environ["asgi.scope"]["session"].get("user") == "ann" or "/login"

        async def log_in(request):
            request.session["user"] = request.path_params["user"]
            return starlette.responses.PlainTextResponse("in")

        app = starlette.applications.Starlette(
            routes=[
                starlette.routing.Route("/login/{user}", log_in),
                starlette.routing.Mount("/track", asgi.create_app(tracker, authorize=authorize)),
            ],
            middleware=[
                starlette.middleware.Middleware(starlette.middleware.sessions.SessionMiddleware, secret_key="s")
            ],
        )
        asked = ask(app, "GET", "/track/")
        assert (asked.status, asked.headers["location"]) == (302, "/login")
        for user, status in (("ann", 200), ("bob", 302)):
            cookie = ask(app, "GET", f"/login/{user}").headers["set-cookie"].partition(";")[0]
            assert ask(app, "GET", "/track/", headers=[(b"cookie", cookie.encode())]).status == status


class TestLifespan:
    def run(self, app):
        """Start and stop an application as a server does, and return what it sent, with what the tracker did."""
        sent, messages = [], ["lifespan.startup", "lifespan.shutdown"]

        async def receive():
            return {"type": messages.pop(0)}

        async def send(message):
            sent.append((message["type"], list(app_calls)))

        app_calls = self.calls
        asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
        return sent

    @pytest.fixture(autouse=True)
    def of_tracker(self, tracker):
        self.calls = tracker.calls

    def test_the_server_starts_and_stops_the_spool(self, tracker):
        assert self.run(asgi.create_app(tracker)) == [
            ("lifespan.startup.complete", ["start"]),
            ("lifespan.shutdown.complete", ["start", "stop"]),
        ]

    @pytest.mark.parametrize("framework", [starlette.applications.Starlette, fastapi.FastAPI])
    def test_a_framework_takes_it_as_its_own(self, tracker, framework):
        mailtrack = asgi.create_app(tracker)
        app = framework(lifespan=mailtrack.lifespan)
        app.mount("/track", mailtrack)
        assert [calls for _, calls in self.run(app)] == [["start"], ["start", "stop"]]

    def test_mounted_without_one_the_first_request_starts_the_spool(self, tracker):
        app = fastapi.FastAPI()
        app.mount("/track", asgi.create_app(tracker))
        self.run(app)
        assert tracker.calls == []
        for _ in range(3):
            ask(app, "GET", "/track/tracker/a1b2c3d4.png")
        assert tracker.calls == ["start"]

    def test_a_spool_that_does_not_start_is_logged_and_the_server_runs(self, tracker, caplog):
        def fail():
            raise PermissionError("not yours")

        tracker.start = fail
        assert self.run(asgi.create_app(tracker))[0][0] == "lifespan.startup.complete"
        assert "The spool can't be used" in caplog.text


class TestWhatWsgiCanTNotTake:
    def test_cookies_in_headers_of_their_own_are_one_header(self, tracker):
        seen = []

        def authorize(environ):
            seen.append(environ["HTTP_COOKIE"])
            return True

        ask(
            asgi.create_app(tracker, authorize=authorize),
            "GET",
            "/",
            headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")],
        )
        assert seen == ["a=1; b=2"]

    @pytest.mark.parametrize("path", ["/tracker/{}.png", "/", "/api/v1/pixels"])
    def test_a_query_that_is_not_ascii_is_no_error(self, tracker, pixel, path):
        app = asgi.create_app(tracker)
        for query in (b"token=\xff\xfe", "search=größe".encode(), b"page=\x00%zz"):
            assert ask(app, "GET", path.format(pixel.short_id), query=query).status in (200, 400)

    def test_a_search_that_is_not_ascii_is_found(self, tracker):
        tracker.create_pixel("Größe")
        answer = ask(asgi.create_app(tracker), "GET", "/api/v1/pixels", query="search=größe".encode())
        assert "Größe" in answer.body.decode()

    @pytest.mark.parametrize("name", [b"x_forwarded_for", b"x_forwarded-for"])
    def test_a_header_with_an_underscore_is_not_taken_for_that_of_a_proxy(self, tracker, pixel, name):
        app = asgi.create_app(tracker, trusted_proxies=1)
        headers = [(b"x-forwarded-for", b"192.0.2.99"), (name, b"198.51.100.1")]
        ask(app, "GET", f"/tracker/{pixel.short_id}.png", headers=headers)
        assert [found.ip for found in tracker.list_opens(pixel).items] == ["192.0.2.99"]

    @pytest.mark.parametrize("missing", [{"client": None}, {"server": None}, {"server": ("/run/app.sock", None)}])
    def test_a_server_behind_a_socket_that_names_no_address_is_no_error(self, tracker, pixel, missing):
        app = asgi.create_app(tracker)
        assert ask(app, "GET", f"/tracker/{pixel.short_id}.png", **missing).status == 200
        assert ask(app, "GET", "/", **missing).status == 200


class TestBodies:
    def test_a_body_in_many_parts_is_read_whole(self, tracker):
        body = b'{"name": "Spring"}' + b" " * 100_000
        request = json_request(body)
        request["body"] = [body[n : n + 7000] for n in range(0, len(body), 7000)]
        assert ask(asgi.create_app(tracker), "POST", "/api/v1/pixels", **request).status == 201

    @pytest.mark.parametrize(("length", "status"), [(19, 400), (10**9, 413)])
    def test_a_body_shorter_than_its_length_is_refused(self, tracker, length, status):
        request = json_request(b'{"name": "Spring"}', length=length)
        assert ask(asgi.create_app(tracker), "POST", "/api/v1/pixels", **request, then_leave=True).status == status
        assert list(tracker.iter_pixels()) == []

    def test_a_body_behind_its_length_is_not_read(self, tracker):
        request = json_request(b'{"name": "Spring"}GET / HTTP/1.1', length=18)
        assert ask(asgi.create_app(tracker), "POST", "/api/v1/pixels", **request).status == 201

    def test_a_body_without_a_length_is_refused(self, tracker):
        headers = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
        assert ask(asgi.create_app(tracker), "POST", "/api/v1/pixels", headers=headers, body=[b"{}"]).status == 411

    def test_a_client_that_leaves_while_it_sends_stores_nothing(self, tracker):
        request = json_request(b"", length=1000) | {"body": [b'{"name": "Spr', None], "then_leave": True}
        assert ask(asgi.create_app(tracker), "POST", "/api/v1/pixels", **request).status == 400
        assert list(tracker.iter_pixels()) == []

    def test_a_large_image_is_sent_in_pieces_that_make_up_the_whole(self, tracker, monkeypatch):
        monkeypatch.setattr(_asgi, "_PIECE_BYTES", 10)
        pixel = tracker.create_pixel("Spring")
        answer = ask(asgi.create_app(tracker), "GET", f"/tracker/{pixel.short_id}.png")
        assert len(answer.body) == int(answer.headers["content-length"]) == 68
        assert answer.complete


class TestSlowClients:
    def test_slow_bodies_leave_threads_to_the_tracker_and_to_other_requests(self, tracker, pixel):
        app = asgi.create_app(tracker)

        async def run():
            request = json_request(b"", length=1000) | {"body": [b"{", None]}
            slow = [Request("POST", "/api/v1/pixels", **request) for _ in range(40)]
            asked = [asyncio.ensure_future(one.ask(app)) for one in slow]
            images = [Request("GET", f"/tracker/{pixel.short_id}.png").ask(app) for _ in range(40)]
            statuses = [image.status for image in await asyncio.gather(*images)]
            statuses.append((await Request("GET", "/api/v1/pixels").ask(app)).status)
            while len(waiting := [one for one in asked if not one.done()]) > 2:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in slow:
                one.leave()
            await asyncio.gather(*asked)
            return statuses, sorted(one.status for one in slow)

        statuses, refused = asyncio.run(asyncio.wait_for(run(), 60))
        assert statuses == [200] * 41
        assert refused == [400, 400] + [503] * 38

    def test_many_slow_requests_are_allowed_if_they_are_asked_for(self, tracker):
        app = asgi.create_app(tracker, max_slow=30)

        async def run():
            request = json_request(b"", length=1000) | {"body": [b"{", None]}
            slow = [Request("POST", "/api/v1/pixels", **request) for _ in range(30)]
            asked = [asyncio.ensure_future(one.ask(app)) for one in slow]
            status = (await Request("GET", "/api/v1/pixels").ask(app)).status
            for one in slow:
                one.leave()
            await asyncio.gather(*asked)
            return status, {one.status for one in slow}

        assert asyncio.run(asyncio.wait_for(run(), 60)) == (200, {400})


class Rows(Tracker):
    """Counts the recipients that are read for a download, which are many."""

    def __init__(self, storage):
        super().__init__(storage, base_url=BASE)
        self.read = 0
        self.closed = threading.Event()

    def iter_recipients(self, *given, **named):
        (one,) = super().iter_recipients(*given, **named)
        try:
            while self.read < 1_000_000:
                self.read += 1
                yield one
        finally:
            self.closed.set()


class TestDownloads:
    @pytest.fixture
    def rows(self):
        with open_storage("memory://") as storage:
            tracker = Rows(storage)
            tracker.generate_tokens(tracker.create_pixel("Spring"), ["ann@example.org"])
            yield tracker
            tracker.stop()

    @pytest.fixture
    def path(self, rows):
        (pixel,) = rows.iter_pixels()
        return f"/api/v1/pixels/{pixel.id}/generate-tokens/csv"

    def test_a_client_that_reads_slowly_holds_back_what_is_made_for_it(self, rows, path):
        async def run():
            request, taken = Request("GET", path), asyncio.Event()

            async def send(_):
                await taken.wait()

            task = asyncio.ensure_future(asgi.create_app(rows)(request.scope, request.receive, send))
            for _ in range(200):  # until nothing more is made
                before = rows.read
                await asyncio.to_thread(rows.closed.wait, 0.05)
                if before and before == rows.read:
                    break
            held_at = rows.read
            request.leave()
            taken.set()
            await task
            return held_at

        held_at = asyncio.run(asyncio.wait_for(run(), 60))
        assert 0 < held_at < 50_000
        assert rows.closed.is_set()

    def test_a_client_that_leaves_ends_its_download(self, rows, path):
        async def run():
            request = Request("GET", path)

            async def send(message):
                if message["type"] == "http.response.body":
                    request.leave()

            await asgi.create_app(rows)(request.scope, request.receive, send)

        asyncio.run(asyncio.wait_for(run(), 60))
        assert rows.closed.is_set()
        assert rows.read < 1_000_000

    def test_a_client_that_falls_asleep_is_cut_and_gives_its_place_back(self, rows, path, monkeypatch):
        monkeypatch.setattr(_asgi, "STALL_SECONDS", 0.05)

        async def run():
            app = asgi.create_app(rows)

            async def sleep(_):
                await asyncio.Event().wait()

            for _ in range(3):  # one at a time is allowed
                rows.read = 999_000
                request = Request("GET", path)
                await app(request.scope, request.receive, sleep)
            rows.read = 999_990
            return await Request("GET", path).ask(app)

        answer = asyncio.run(asyncio.wait_for(run(), 60))
        assert (answer.status, answer.complete, answer.body.count(b"ann@example.org")) == (200, True, 10)

    def test_a_cut_answer_is_not_made_complete(self, rows, path, monkeypatch):
        monkeypatch.setattr(_asgi, "STALL_SECONDS", 0.05)
        sent = []

        async def run():
            request = Request("GET", path)

            async def send(message):
                sent.append(message)
                if len(sent) == 3:
                    await asyncio.Event().wait()

            await asgi.create_app(rows)(request.scope, request.receive, send)

        asyncio.run(asyncio.wait_for(run(), 60))
        assert [message.get("more_body") for message in sent] == [None, True, True]

    @pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("the transport is closed")])
    def test_a_server_that_takes_nothing_more_ends_it(self, rows, path, error):
        async def run():
            request = Request("GET", path)

            async def send(message):
                if message["type"] == "http.response.body":
                    raise error

            await asgi.create_app(rows)(request.scope, request.receive, send)

        asyncio.run(asyncio.wait_for(run(), 60))
        assert rows.closed.is_set()
        assert rows.read < 1_000_000

    def test_a_server_that_cancels_it_ends_it(self, rows, path):
        async def run():
            request, begun = Request("GET", path), asyncio.Event()

            async def send(_):
                begun.set()
                await asyncio.sleep(0)

            task = asyncio.ensure_future(asgi.create_app(rows)(request.scope, request.receive, send))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(rows.closed.wait, 30)

        asyncio.run(asyncio.wait_for(run(), 60))
        assert rows.read < 1_000_000

    def test_an_error_in_the_middle_is_raised_and_never_looks_complete(self, rows, path, monkeypatch):
        whole = rows.iter_recipients

        def broken(*given, **named):
            yield from itertools.islice(whole(*given, **named), 50_000)
            raise RuntimeError("the storage is away")

        monkeypatch.setattr(rows, "iter_recipients", broken)
        sent = []

        async def run():
            request = Request("GET", path)

            async def send(message):
                sent.append(message)

            await asgi.create_app(rows)(request.scope, request.receive, send)

        with pytest.raises(RuntimeError, match="the storage is away"):
            asyncio.run(asyncio.wait_for(run(), 60))
        assert all(message.get("more_body", True) for message in sent)
