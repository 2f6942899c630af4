"""A whole round: a webhook is added to a running server, an image is loaded, and the endpoint gets a verified event."""

import http.server
import queue
import threading
from contextlib import contextmanager

import attrs
import pytest
from standardwebhooks.webhooks import Webhook

PATH = "/api/v1/webhooks"
PATIENCE = 30  # seconds until an event must have arrived


@attrs.frozen
class Endpoint:
    """An endpoint that takes events.

    Attributes:
        url: where it is.
        requests: the headers and bodies that it got, in order.
    """

    url: str
    requests: queue.SimpleQueue

    def wait(self, secret):
        """Return the next event, verified."""
        headers, body = self.requests.get(timeout=PATIENCE)
        return Webhook(secret).verify(body, headers)


@contextmanager
def receiving(statuses=(204,)):
    """Run an endpoint that answers with some statuses, the last one for ever."""
    answers, requests = list(statuses), queue.SimpleQueue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()
            requests.put((dict(self.headers.items()), body))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Endpoint(f"http://127.0.0.1:{server.server_port}/in", requests)
        finally:
            server.shutdown()
            thread.join()


def add(server, endpoint, **settings):
    answer = server("POST", PATH, json_body={"url": endpoint.url, **settings})
    assert answer.status == 201
    return answer.json


def add_recipient(server, pixel, email="ann@example.org"):
    answer = server("POST", f"/api/v1/pixels/{pixel['id']}/generate-tokens", json_body={"emails": [email]})
    return answer.json["tokens"][0]["token"]


@pytest.mark.parametrize(
    "options", [[], ["--spool", "off"], ["--workers", 2]], ids=["spool", "no spool", "two workers"]
)
def test_an_event_arrives_signed_and_once(run_server, tmp_path, thunderbird, options):
    with receiving() as endpoint, run_server(tmp_path, "--webhook-allow", "127.0.0.0/8", *options) as server:
        hook = add(server, endpoint)
        pixel = server.create_pixel()
        token = add_recipient(server, pixel)
        for _ in range(2):  # only the first is sent
            path = f"/tracker/{pixel['id'][:8]}.png?token={token}"
            assert server("GET", path, headers={"User-Agent": thunderbird}).status == 200
        event = endpoint.wait(hook["secret"])
        assert (event["type"], event["data"]["pixel"]["id"]) == ("open", pixel["id"])
        assert (event["data"]["recipient"]["email"], event["data"]["firstCounted"]) == ("ann@example.org", True)

        bob = add_recipient(server, pixel, "bob@example.com")
        server("GET", f"/tracker/{pixel['id'][:8]}.png?token={bob}", headers={"User-Agent": thunderbird})
        assert endpoint.wait(hook["secret"])["data"]["recipient"]["email"] == "bob@example.com"
        for _ in range(600):
            deliveries = server("GET", f"{PATH}/{hook['id']}/deliveries?state=delivered").json["items"]
            if len(deliveries) == 2:
                break
        assert [(one["tries"], one["lastStatus"]) for one in deliveries] == [(1, 204)] * 2
        assert endpoint.requests.empty()
        assert server.stop() == 0
        assert server.printed() == ""


def test_a_failure_is_shown_and_an_event_is_sent_again(run_server, tmp_path, thunderbird):
    with receiving([500, 204]) as endpoint, run_server(tmp_path, "--webhook-allow", "127.0.0.0/8") as server:
        hook = add(server, endpoint, first="any")
        pixel = server.create_pixel()
        server("GET", f"/tracker/{pixel['id'][:8]}.png", headers={"User-Agent": thunderbird})
        first = endpoint.wait(hook["secret"])
        second = endpoint.wait(hook["secret"])  # after five seconds
        assert first["id"] == second["id"]
        replayed = server("POST", f"{PATH}/{hook['id']}/replay", json_body={"since": pixel["createdAt"]})
        assert replayed.status == 202
        assert endpoint.wait(hook["secret"]) == second


def test_without_leave_the_server_reaches_no_address_of_this_machine(run_server, tmp_path):
    with receiving() as endpoint, run_server(tmp_path) as server:
        refused = server("POST", PATH, json_body={"url": endpoint.url})
        assert refused.status == 400
        hook = server("POST", PATH, json_body={"url": endpoint.url.replace("127.0.0.1", "localhost")})
        assert hook.status == 201
        tested = server("POST", f"{PATH}/{hook.json['id']}/test").json
        assert (tested["state"], tested["lastStatus"], bool(tested["error"])) == ("failed", None, True)
        assert endpoint.requests.empty()
