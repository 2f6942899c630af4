"""One request to an endpoint: what counts as a success, and how much time, trust and memory an endpoint gets."""

import runpy
import socket
import ssl
import threading
from contextlib import closing, suppress
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme

from mailtrack._events.webhooks.client import Client

raw = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("raw.py"))))
OK, always, answering, dripping, hanging = raw.OK, raw.always, raw.answering, raw.dripping, raw.hanging
read_request, serving = raw.read_request, raw.serving

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECONDS = 0.4  # that a try may take where it is meant to run out of time
HEADERS = {"webhook-id": "evt_1"}


def post(server, *, path="/in?key=1", allow=LOOPBACK, **options):
    with closing(Client(f"http://127.0.0.1:{server.port}{path}", allow=allow, **options)) as client:
        return client.post(b"{}", HEADERS)


def answer_of(head):
    return b"HTTP/1.1 " + head + b"\r\nContent-Length: 0\r\n\r\n"


class TestRequest:
    def test_it_is_a_post_of_json_with_the_headers_given(self):
        got = []

        def keep(connection, _):
            got.append(read_request(connection))
            connection.sendall(OK)

        with serving(keep) as server:
            assert post(server).status == 204
        head, _, body = got[0].partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert (first, body) == ("POST /in?key=1 HTTP/1.1", b"{}")
        assert headers.pop("User-Agent").startswith("mailtrack/")
        assert headers == {
            "Host": f"127.0.0.1:{server.port}",
            "Content-Type": "application/json",
            "Content-Length": "2",
            "webhook-id": "evt_1",
        }

    def test_a_connection_is_kept_for_the_next_request(self):
        with serving(always()) as server:
            with closing(Client(f"http://127.0.0.1:{server.port}/", allow=LOOPBACK)) as client:
                assert [client.post(b"{}", HEADERS).status for _ in range(3)] == [204] * 3
            assert server.connections == 1

    def test_one_that_the_endpoint_has_closed_is_made_anew(self):
        with serving(answering(OK)) as server:
            with closing(Client(f"http://127.0.0.1:{server.port}/", allow=LOOPBACK)) as client:
                assert [client.post(b"{}", HEADERS).status for _ in range(3)] == [204] * 3
            assert server.connections == 3

    @pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
    def test_proxies_of_the_environment_are_not_used(self, monkeypatch, name):
        with serving(always()) as proxy, serving(always()) as server:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert post(server).status == 204
            assert proxy.connections == 0


class TestAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_only_2xx_is_a_success(self, status):
        with serving(always(answer_of(b"%d Any" % status))) as server:
            assert (post(server).status, post(server).error) == (status, None)

    @pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 410, 429, 500, 502, 503, 504])
    def test_all_else_is_a_failure(self, status):
        with serving(always(answer_of(b"%d Any" % status))) as server:
            answer = post(server)
            assert (answer.status, str(status) in answer.error) == (status, True)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(self, status):
        with serving(always()) as other:
            head = b"%d Away\r\nLocation: http://127.0.0.1:%d/" % (status, other.port)
            with serving(always(answer_of(head))) as server:
                assert post(server).error == f"HTTP {status}: redirects are not followed"
            assert other.connections == 0

    def test_a_body_without_an_end_does_not_matter(self):
        def flood(connection, done):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not done.is_set():
                connection.sendall(b"x" * 65536)

        with serving(flood) as server:
            assert post(server).error is None

    def test_a_body_that_drips_does_not_matter(self, monkeypatch):
        monkeypatch.setattr("mailtrack._events.webhooks.client._READ_SECONDS", 0.1)

        def drip(connection, done):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not done.wait(0.02):
                connection.sendall(b"x")

        with serving(drip) as server:
            assert post(server).error is None


class TestFaults:
    def test_an_endpoint_that_hangs_runs_out_of_time(self):
        with serving(hanging) as server:
            assert post(server, timeout=SECONDS).error == "timed out after 0.4 s"

    def test_so_does_one_that_drips_whatever_each_byte_says(self):
        with serving(dripping(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000 + b"\r\n\r\n")) as server:
            assert post(server, timeout=SECONDS).error == "timed out after 0.4 s"

    def test_so_does_one_that_only_ever_says_100(self):
        def go_on(connection, done):
            read_request(connection)
            while not done.wait(0.01):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        with serving(go_on) as server:
            assert post(server, timeout=SECONDS).error == "timed out after 0.4 s"

    def test_so_does_one_that_accepts_no_connection(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            port = listener.getsockname()[1]
            waiting = [socket.socket() for _ in range(8)]  # they fill the queue
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            with closing(Client(f"http://127.0.0.1:{port}/", allow=LOOPBACK, timeout=SECONDS)) as client:
                assert client.post(b"{}", HEADERS).error == "timed out after 0.4 s"
            for one in waiting:
                one.close()

    def test_so_does_a_name_server_that_does_not_answer(self):
        released = threading.Event()

        def resolve(*_):
            released.wait(20)
            return ["127.0.0.1"]

        with closing(Client("http://hooks.example.org/", allow=LOOPBACK, timeout=SECONDS, resolve=resolve)) as client:
            assert client.post(b"{}", HEADERS).error == "timed out after 0.4 s"
        released.set()

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (b"", "the connection was closed without an answer"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
            (b"\x16\x03\x01\x00" * 100, "the answer is not HTTP"),
            (b"HTTP/1.1 abc OK\r\n\r\n", "the answer is not HTTP"),
            (b"HTTP/1.1 200 " + b"x" * 70_000, "the answer is not HTTP"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "the answer is not HTTP"),
        ],
    )
    def test_garbage_is_a_failure_in_a_word(self, answer, error):
        with serving(answering(answer)) as server:
            assert post(server).error == error

    def test_a_closed_port_is_a_failure(self):
        with serving(always()) as server:
            pass
        assert post(server).error == "connection refused"

    @pytest.mark.parametrize("early", ["100 Continue", "102 Processing", "103 Early Hints"])
    def test_what_comes_before_the_answer_is_passed_over(self, early):
        first = f"HTTP/1.1 {early}\r\nLink: </style.css>; rel=preload\r\n\r\n".encode()
        with serving(always(first * 3 + OK)) as server:
            assert (post(server).status, post(server).error) == (204, None)

    def test_answers_that_never_end_end_at_the_deadline(self):
        def hint(connection, done):
            read_request(connection)
            with suppress(OSError):
                while not done.is_set():
                    connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")

        with serving(hint) as server:
            assert "timed out" in post(server, timeout=SECONDS).error

    @pytest.mark.parametrize("behave", [hanging, answering(b""), answering(b"nothing\r\n")])
    def test_no_error_says_more_than_the_host(self, behave):
        with serving(behave) as server:
            assert "key" not in post(server, path="/in?key=secret", timeout=SECONDS).error

    def test_another_thread_can_end_it(self):
        reached = threading.Event()

        def hang(connection, done):
            read_request(connection)
            reached.set()
            done.wait()

        with serving(hang) as server, closing(Client(f"http://127.0.0.1:{server.port}/", allow=LOOPBACK)) as client:
            answers = []
            thread = threading.Thread(target=lambda: answers.append(client.post(b"{}", HEADERS)))
            thread.start()
            assert reached.wait(20)
            client.abort()
            thread.join(10)
            assert [one.error for one in answers] == ["interrupted"]


class TestSecure:
    @pytest.fixture
    def authority(self):
        return trustme.CA()

    @pytest.fixture
    def trusting(self, authority):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    @pytest.fixture
    def secured(self, authority):
        """Wraps a behaviour in TLS, with a certificate for a name, and keeps the names that clients ask for."""

        def wrap(behave, name="hooks.example.org"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(name).configure_cert(context)
            asked = []
            context.sni_callback = lambda _, name, __: asked.append(name)

            def serve(connection, done):
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    behave(wrapped, done)

            return serve, asked

        return wrap

    @staticmethod
    def post(server, context, times=1, **options):
        url = f"https://hooks.example.org:{server.port}/in"
        resolve = lambda *_: ["127.0.0.1"]  # noqa: E731
        client = Client(url, allow=LOOPBACK, resolve=resolve, context=context, **options)
        with closing(client):
            return [client.post(b"{}", HEADERS) for _ in range(times)]

    def test_the_name_is_asked_for_and_its_certificate_trusted(self, secured, trusting):
        behave, asked = secured(always())
        with serving(behave) as server:
            assert [one.status for one in self.post(server, trusting, times=2)] == [204, 204]
            assert (asked, server.connections) == (["hooks.example.org"], 1)

    def test_a_certificate_of_another_name_is_refused(self, secured, trusting):
        behave, _ = secured(always(), "other.example.org")
        with serving(behave) as server:
            (answer,) = self.post(server, trusting)
            assert answer.error.startswith("TLS: Hostname mismatch")

    def test_one_that_nothing_vouches_for_is_refused_by_default(self, secured):
        behave, _ = secured(always())
        with serving(behave) as server:
            (answer,) = self.post(server, None)
            assert answer.error.startswith("TLS: ")
            assert answer.status is None

    def test_an_endpoint_without_tls_is_a_failure(self, trusting):
        with serving(lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
            (answer,) = self.post(server, trusting)
            assert answer.error == "TLS: no secure connection can be made"

    def test_a_handshake_that_hangs_runs_out_of_time(self, trusting):
        with serving(lambda _, done: done.wait()) as server:
            (answer,) = self.post(server, trusting, timeout=SECONDS)
            assert answer.error == "timed out after 0.4 s"

    def test_an_answer_that_drips_runs_out_of_time(self, secured, trusting):
        behave, _ = secured(dripping(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000 + b"\r\n\r\n"))
        with serving(behave) as server:
            (answer,) = self.post(server, trusting, timeout=SECONDS)
            assert answer.error == "timed out after 0.4 s"
