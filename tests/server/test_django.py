"""The project of docs/django.md, made as the page says, on each server that it lists."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("django", reason="Django is not installed")

from django.core import mail

from mailtrack import Pixel, Tracker, open_storage

from .django_project import PAGE, block, make_project, run, template

COMMANDS = re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", PAGE.partition("\n## Servers\n")[2], re.MULTILINE)
PROGRAMS = {
    "python": [sys.executable],
    "gunicorn": [sys.executable, "-m", "gunicorn"],
    "uvicorn": [sys.executable, "-m", "uvicorn"],
}
STAFF = """
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
user = get_user_model().objects.create_user("staff", is_staff=True)
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print("session=" + session.session_key)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("django")
    make_project(folder)
    run(folder, "manage.py", "migrate")
    return folder


@pytest.fixture(scope="module")
def cookie(project: Path) -> str:
    """The cookie of a member of staff."""
    return "sessionid=" + run(project, "manage.py", "shell", "-c", STAFF).partition("session=")[2].strip()


@contextlib.contextmanager
def stored(project: Path) -> Iterator[Tracker]:
    with open_storage(f"sqlite:///{project}/mailtrack.db") as storage:
        yield Tracker(storage)


@pytest.fixture
def pixel(project: Path) -> Pixel:
    with stored(project) as tracker:
        return tracker.create_pixel("Spring launch")


Ask = Callable[..., tuple[int, http.client.HTTPMessage, bytes]]


@pytest.fixture
def serve(project: Path, find_port, tmp_path: Path):
    """Runs a command of the page until its server answers, and yields the process and a function to ask it."""

    @contextlib.contextmanager
    def run_server(command: str) -> Iterator[tuple[subprocess.Popen[bytes], Ask]]:
        port = find_port()
        name, *options = command.split()
        place = {"python": [f"127.0.0.1:{port}"], "gunicorn": ["--bind", f"127.0.0.1:{port}"]}
        words = [*PROGRAMS[name], *options, *place.get(name, ["--port", str(port)])]

        def ask(method: str, path: str, body: bytes | None = None, **headers: str):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request(method, path, body, {key.replace("_", "-"): text for key, text in headers.items()})
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()

        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(words, cwd=project, stdout=log, stderr=log, start_new_session=True) as process,
        ):
            try:
                for _ in range(600):
                    with contextlib.suppress(ConnectionError):
                        if ask("GET", "/track/healthz")[0] == 200:
                            break
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.05)
                        pytest.fail((tmp_path / "log").read_text())
                yield process, ask
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    return run_server


def test_the_page_lists_the_servers() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(PROGRAMS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_serves_all_and_loses_no_open_when_it_is_ended(
    command: str, serve, project: Path, pixel: Pixel, cookie: str
) -> None:
    with serve(command) as (process, ask):
        for _ in range(50):
            status, headers, body = ask("GET", f"/track/tracker/{pixel.short_id}.png", Cookie=cookie)
            assert (status, headers["Content-Type"], len(body)) == (200, "image/png", 68)
            assert headers["Set-Cookie"] is None
        assert ask("HEAD", f"/track/tracker/{pixel.short_id}.png")[0] == 200
        status, headers, _ = ask("GET", "/track/")
        assert (status, headers["Location"]) == (302, "/admin/login/?next=/track/")
        assert b"Spring launch" in ask("GET", f"/track/logs/{pixel.short_id}", Cookie=cookie)[2]
        assert b'href="/track/"' in ask("GET", "/admin/", Cookie=cookie)[2]
        emails = b'{"emails": [' + b", ".join(b'"%d.%s@example.org"' % (n, b"a" * 60) for n in range(9000)) + b"]}"
        path = f"/track/api/v1/pixels/{pixel.id}/generate-tokens"
        assert ask("POST", path, emails, Cookie=cookie, Content_Type="application/json")[0] == 201
        status, headers, body = ask("GET", f"{path}/csv", Cookie=cookie)
        assert (status, headers["Content-Length"], body.count(b"\r\n")) == (200, None, 9001)
        assert ask("POST", f"/track/pixels/{pixel.id}/delete", Cookie=cookie, Sec_Fetch_Site="cross-site")[0] == 403
        process.terminate()
        code = process.wait(10)
    if "gunicorn" in command:
        assert code == 0
        assert list((project / "mailtrack.db.spool").glob("*.spool")) == []
    else:
        run(project, "manage.py", "mailtrack", "spool", "drain")
    with stored(project) as tracker:
        assert tracker.get_pixel(pixel).opens.raw.number == 50


def test_the_page_s_settings_pass_the_check_and_its_tests_pass(project: Path) -> None:
    assert "no issues" in run(project, "manage.py", "check")
    (project / "shop" / "tests.py").write_text(block("TestCase"), encoding="utf-8")
    assert "OK" in run(project, "-W", "error", "manage.py", "test")


@pytest.mark.skipif(hasattr(mail, "mailers"), reason="Django 6.1 has MAILERS instead")
def test_the_page_s_backend_sends_by_smtp(project: Path, mail_server) -> None:
    settings = project / "shop" / "smtp.py"
    place = f"EMAIL_HOST, EMAIL_PORT = '{mail_server.hostname}', {mail_server.port}"
    settings.write_text(f"from shop.settings import *\n{block('EMAIL_BACKEND = ')}\n{place}", encoding="utf-8")
    send_invoices(project, "shop.smtp")
    check_invoices(project, mail_server)


@pytest.mark.skipif(not hasattr(mail, "mailers"), reason="before Django 6.1 there are no MAILERS")
def test_the_page_s_mailer_sends_by_smtp(project: Path, mail_server) -> None:
    settings = project / "shop" / "smtp.py"
    place = f"MAILERS['default']['OPTIONS'].update(host='{mail_server.hostname}', port={mail_server.port})"
    settings.write_text(f"from shop.settings import *\n{block('MAILERS = ')}\n{place}", encoding="utf-8")
    send_invoices(project, "shop.smtp")
    check_invoices(project, mail_server)


def send_invoices(project: Path, settings: str) -> None:
    """Send two invoices to one person, one of them from the template."""
    code = f"""
{block("def send_invoice")}
from django.template import Template, Context
html = Template({template()!r}).render(Context({{"recipient": "ann@example.org"}}))
send_invoice("INV-1", "ann@example.org", html)
send_invoice("INV-2", "ann@example.org", html)
"""
    run(project, "-W", "error", "manage.py", "shell", "-c", code, "--settings", settings)


def check_invoices(project: Path, mail_server) -> None:
    with stored(project) as tracker:
        found = tracker.find_recipients("ann@example.org")
        invoices = {one.ref: one.token for one in found if tracker.get_pixel(one.pixel_id).name == "Invoices"}
    assert set(invoices) == {"INV-1", "INV-2"}
    for message, number in zip(mail_server.messages, ("INV-1", "INV-2"), strict=True):
        html = message.get_body(("html",)).get_content()
        assert html.count("<img") == 1
        assert "https://example.com/track/tracker/" in html
        assert invoices[number] in html


def test_the_page_s_function_and_receiver_work(project: Path, pixel: Pixel) -> None:
    with stored(project) as tracker:
        tracker.generate_tokens(pixel, ["ann@example.org"])
    code = f"""
{block("@receiver")}
{block("def opened_by")}
import threading
from mailtrack_wsgi.django._site import get_site
come = threading.Event()
opened.connect(lambda **_: come.set(), weak=False)  # called after the other
get_site().start()  # as the first request to a process does
tracker = get_tracker()
(ann,) = tracker.generate_tokens("{pixel.id}", ["ann@example.org"])
tracker.record("{pixel.id}", token=ann.token, user_agent="Mozilla/5.0 Thunderbird/128.3.1")
assert come.wait(20)
print(opened_by("ann@example.org"))
"""
    printed = run(project, "manage.py", "shell", "-c", code)
    assert "ann@example.org has read Spring launch" in printed
    assert pixel.id in printed
