"""The configurations of proxies in docs/security.md and docs/deploying.md do what is written there."""

import os
import re
import shutil
import ssl
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
import trustme

from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.cli._doctor.examine import examine
from mailtrack.cli._doctor.http_client import Unreachable, Web
from mailtrack.cli._settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
PATHS_PAGE = (DOCS / "deploying.md").read_text(encoding="utf-8")

NGINX = """
    daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
    events {{}}
    http {{
        access_log {folder}/access.log;
        client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
        uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
        {config}
    }}
"""
CADDY = """
    {{
        admin off
        auto_https off
        storage file_system {folder}
    }}
    {config}
"""


@attrs.frozen
class Proxy:
    """A running proxy before the reference server."""

    url: str
    http_port: int
    upstream: int
    trusted: ssl.SSLContext
    folder: Path

    def get(self, path, **headers):
        return Web(context=self.trusted).get(f"{self.url}{path}", headers)


def _blocks(language, page):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def _block(language):
    (found,) = _blocks(language, PAGE)
    return found


def _nginx(folder, port, http_port, upstream):
    config = re.sub(r".*\[::\].*\n", "", _block("nginx"))
    config = config.replace("listen 80;", f"listen 127.0.0.1:{http_port};")
    config = config.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    config = re.sub(r"/etc/letsencrypt/live/mail\.example\.com", str(folder), config)
    config = config.replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, config=config))
    return ["-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _caddy(folder, port, _, upstream):
    config = _block("caddy").replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    config = config.replace(
        "mail.example.com {", f"https://127.0.0.1:{port} {{\ntls {folder}/fullchain.pem {folder}/privkey.pem"
    )
    config = config.replace("lb_try_duration 10s", "lb_try_duration 0s")  # a test need not wait
    (folder / "Caddyfile").write_text(CADDY.format(folder=folder, config=config))
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


PROXIES = {"nginx": _nginx, "caddy": _caddy}


def _find(name):
    program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip(f"there is no {name} on this machine")
    return program


@contextmanager
def _running(name, folder, find_port, upstream):
    program = _find(name)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "privkey.pem")
    (folder / "fullchain.pem").write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    port, http_port = find_port(), find_port()
    options = PROXIES[name](folder, port, http_port, upstream)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [program, *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
        )
    with process:
        try:
            proxy = Proxy(f"https://127.0.0.1:{port}", http_port, upstream, trusted, folder)
            _wait_until_ready(process, proxy)
            yield proxy
        finally:
            process.kill()


def _wait_until_ready(process, proxy):
    for _ in range(600):
        try:
            proxy.get("/tracker/")
        except Unreachable:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        return
    raise AssertionError((proxy.folder / "output").read_text())


@pytest.fixture(scope="module", params=list(PROXIES))
def proxy(request, server, find_port, tmp_path_factory):
    with _running(request.param, tmp_path_factory.mktemp(request.param), find_port, server.port) as running:
        yield running


def test_the_doctor_finds_nothing_wrong(proxy, server):
    settings = Settings(database=f"sqlite:///{server.folder}/mailtrack.db", base_url=proxy.url)
    found = {one.check: one for one in examine(settings, context=proxy.trusted)}
    told = {name: one for name, one in found.items() if one.outcome != "ok"}
    told.pop("sqlite", None)  # that of the system
    # No lists of networks were fetched, the server has no keys, and the address is this machine's own.
    assert list(told) == ["networks", "keys", "https"]
    assert found["forged-address"].outcome == "ok"


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/pixels", "/logs/a1b2c3d4", "/healthz", "/tracker/../", "/static/style.css"]
)
def test_only_images_are_let_out(proxy, path):
    assert proxy.get(path).status in (403, 404)


def test_uploads_are_let_out(proxy):
    answer = proxy.get("/uploads/a1b2c3d4-e5f6-7890-1234-567890abcdef.png")
    assert answer.status == 404
    assert b"<!doctype html>" in answer.body  # mailtrack's own page


def test_an_open_has_the_address_that_the_proxy_saw(proxy, server):
    pixel = server.create_pixel()
    proxy.get(f"/tracker/{pixel['id'][:8]}.png", **{"X-Forwarded-For": "203.0.113.9", "User-Agent": "through"})
    with server.stored() as tracker:
        for _ in range(1000):
            opens = tracker.list_opens(pixel["id"]).items
            if opens:
                break
            threading.Event().wait(0.01)
    assert [one.ip for one in opens] == ["127.0.0.1"]


@pytest.fixture
def alone(find_port, tmp_path):
    """nginx without a server behind it."""
    with _running("nginx", tmp_path, find_port, find_port()) as running:
        yield running


def test_nginx_shows_no_broken_image_while_the_server_is_away(alone):
    answer = alone.get("/tracker/a1b2c3d4.png?token=tok_1")
    assert (answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        200,
        "image/gif",
        "no-store",
    )


def test_nginx_leads_http_to_https_and_logs_no_token(alone):
    answer = Web().get(f"http://127.0.0.1:{alone.http_port}/logs/a1b2c3d4", {"Host": "mail.example.com"})
    assert (answer.status, answer.headers["Location"]) == (301, "https://mail.example.com/logs/a1b2c3d4")
    alone.get("/tracker/a1b2c3d4.png?token=tok_1")
    assert "tok_1" not in (alone.folder / "access.log").read_text()


def _nginx_with_path(folder, port, block):
    config = f"server {{\nlisten 127.0.0.1:{port};\n{block}}}"
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, config=config))
    return ["-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def _caddy_with_path(folder, port, block):
    (folder / "Caddyfile").write_text(CADDY.format(folder=folder, config=f"http://127.0.0.1:{port} {{\n{block}}}"))
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


WITH_PATH = {"nginx": _nginx_with_path, "caddy": _caddy_with_path}


@pytest.fixture(scope="module")
def below(run_server, tmp_path_factory):
    """A server whose base URL has a path."""
    with run_server(tmp_path_factory.mktemp("below"), "--base-url", "https://mail.example.com/track") as running:
        yield running


@pytest.mark.parametrize("number", [0, 1], ids=["stripped", "passed on"])
@pytest.mark.parametrize("name", list(WITH_PATH))
def test_a_proxy_under_a_path_lets_the_printed_images_out_and_nothing_else(below, find_port, tmp_path, name, number):
    program, port = _find(name), find_port()
    block = _blocks(name, PATHS_PAGE)[number].replace("127.0.0.1:8000", f"127.0.0.1:{below.port}")
    pixel = below.create_pixel()
    path = pixel["trackingUrl"].removeprefix("https://mail.example.com")
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [program, *WITH_PATH[name](tmp_path, port, block)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    with process:
        try:
            proxy = Proxy(f"http://127.0.0.1:{port}", port, below.port, ssl.create_default_context(), tmp_path)
            _wait_until_ready(process, proxy)
            answer = proxy.get(path, **{"User-Agent": "through"})
            others = [proxy.get(other).body for other in ("/track/", "/track/logs/a1b2c3d4", "/track/api/v1/pixels")]
        finally:
            process.kill()
    assert (path.startswith("/track/tracker/"), answer.status, answer.body) == (True, 200, TRANSPARENT_PNG.data)
    assert not any(b"mailtrack" in body or b"Pixel" in body for body in others)
    assert _wait_for_opens(below, pixel) == ["through"]


def _wait_for_opens(running, pixel):
    for _ in range(1000):
        if found := running.opens(pixel):
            return found
        threading.Event().wait(0.01)
    raise AssertionError("it is not stored")
