"""The recipes of docs/sending.md send real mails to local servers, whatever happens to the tracking."""

import asyncio
import base64
import email
import email.policy
import json
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import flask
import flask_mailman
import pytest

from mailtrack.testing import open_mail
from mailtrack_wsgi import create_app

PAGE = Path(__file__).parents[2] / "docs" / "sending.md"
CODE = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
HTML = "<p>Your invoice is due.</p>"
ROWS = [
    {"email": "ann@example.org", "name": "Ann & Co", "number": "INV-1"},
    {"email": "ann@example.org", "name": "Ann & Co", "number": "INV-2"},
    {"email": "bob@example.com", "name": "Bob", "number": "INV-3"},
]


@pytest.fixture
def service():
    """An HTTP server, with the requests that it has got."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", requests=requests)
        server.shutdown()
        thread.join()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The names of the page's program, which runs in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "program"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    with names["storage"]:
        yield SimpleNamespace(**names)


def close_storage(program):
    program.storage.close()


def remove_database(_):
    Path("campaigns.db").unlink()


FAULTS = [pytest.param(close_storage, id="closed"), pytest.param(remove_database, id="away")]


def opened(program, message):
    """Return whose open it is when a person looks at a mail: address and reference."""
    assert list(open_mail(message, create_app(program.tracker)).values()) == ["200 OK"]
    found = next(iter(program.tracker.iter_opens(program.pixel)))
    recipient = program.tracker.get_recipient(found.recipient_id)
    assert recipient.sent_at is not None
    return recipient.email, recipient.ref


def as_message(html):
    return email.message_from_string(f"Content-Type: text/html\n\n{html}")


def send_by_smtplib(program, mail_server):
    program.send_all(ROWS, mail_server.hostname, mail_server.port)
    return len(ROWS)


def send_by_aiosmtplib(program, mail_server):
    asyncio.run(program.send_async(program.make_message(ROWS[0]), mail_server.hostname, mail_server.port))
    return 1


def send_by_flask_mailman(program, mail_server):
    app = flask.Flask("shop")
    app.config.update(
        MAIL_SERVER=mail_server.hostname, MAIL_PORT=mail_server.port, MAIL_DEFAULT_SENDER="shop@example.com"
    )
    flask_mailman.Mail(app)
    with app.app_context():
        program.send_from_flask("ann@example.org", "Hello", "Hello", HTML)
    return 1


BY_SMTP = [send_by_smtplib, send_by_aiosmtplib, send_by_flask_mailman]


@pytest.mark.parametrize("send", BY_SMTP)
def test_mails_arrive_tracked(program, mail_server, send):
    number = send(program, mail_server)
    assert len(mail_server.messages) == number
    assert {opened(program, mail)[0] for mail in mail_server.messages} <= {"ann@example.org", "bob@example.com"}


def test_each_row_is_a_recipient_of_its_own(program, mail_server):
    send_by_smtplib(program, mail_server)
    opens = [opened(program, mail) for mail in mail_server.messages]
    assert opens == [(row["email"], row["number"]) for row in ROWS]
    assert "Ann &amp; Co" in mail_server.messages[0].get_body(("html",)).get_content()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("send", BY_SMTP)
def test_every_mail_is_sent_untracked_and_logged_without_the_storage(program, mail_server, send, fault, caplog):
    fault(program)
    with caplog.at_level(logging.WARNING):
        number = send(program, mail_server)
    assert len(mail_server.messages) == number
    assert all("/tracker/" not in mail.as_string() for mail in mail_server.messages)
    assert caplog.messages == ["This mail goes out untracked"] * number


@pytest.mark.parametrize("change", ["address", "text", "several", "signed"])
def test_a_mail_that_can_not_be_tracked_is_sent_as_it_was(program, mail_server, change, caplog):
    message = program.make_message(ROWS[0])
    if change == "address":
        message.replace_header("To", "root@localhost")
    elif change == "text":
        message.clear_content()
        message.set_content("Text alone")
    elif change == "several":
        message["Cc"] = "boss@example.com"
    else:
        message["DKIM-Signature"] = "v=1"
    before = message.as_bytes(policy=email.policy.SMTP)
    asyncio.run(program.send_async(message, mail_server.hostname, mail_server.port))
    assert message.as_bytes(policy=email.policy.SMTP) == before
    assert len(mail_server.messages) == 1
    assert caplog.messages == ["This mail goes out untracked"]
    assert list(program.tracker.iter_recipients(program.pixel)) == []


def send_to_mailgun(program, service):
    program.send_by_mailgun("key-1", "ann@example.org", "Hello", HTML, f"{service.url}/v3/mg.example.com/messages")
    ((path, headers, body),) = service.requests
    assert path == "/v3/mg.example.com/messages"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"api:key-1").decode()
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    fields = {name: value for name, (value,) in parse_qs(body.decode()).items()}
    assert fields.keys() == {"from", "to", "subject", "html", "o:tracking-opens"}
    assert (fields["to"], fields["o:tracking-opens"]) == ("ann@example.org", "no")
    return fields["html"]


def send_to_postmark(program, service):
    program.send_by_postmark("token-1", "ann@example.org", "Hello", HTML, f"{service.url}/email")
    ((path, headers, body),) = service.requests
    assert path == "/email"
    assert headers["X-Postmark-Server-Token"] == "token-1"
    fields = json.loads(body)
    assert fields.keys() == {"From", "To", "Subject", "HtmlBody", "TrackOpens", "MessageStream"}
    assert (fields["To"], fields["TrackOpens"]) == ("ann@example.org", False)
    return fields["HtmlBody"]


BY_SERVICE = [send_to_mailgun, send_to_postmark]


@pytest.mark.parametrize("send", BY_SERVICE)
def test_a_service_gets_the_tracked_html(program, service, send):
    html = send(program, service)
    assert html.endswith(HTML)
    assert opened(program, as_message(html)) == ("ann@example.org", None)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("send", BY_SERVICE)
def test_a_service_gets_the_html_as_it_was_without_the_storage(program, service, send, fault, caplog):
    fault(program)
    assert send(program, service) == HTML
    assert caplog.messages == ["This mail goes out untracked"]


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_ses_gets_the_whole_message(program, fault):
    if fault:
        fault(program)
    calls = []
    client = SimpleNamespace(send_email=lambda **arguments: calls.append(arguments))
    program.send_by_ses(client, program.make_message(ROWS[0]))
    ((arguments,),) = ([*calls],)
    assert arguments.keys() == {"Content"}
    message = email.message_from_bytes(arguments["Content"]["Raw"]["Data"], policy=email.policy.default)
    if fault:
        assert "/tracker/" not in message.as_string()
    else:
        assert opened(program, message) == ("ann@example.org", None)
