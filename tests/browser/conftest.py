"""The reference server, and the system's Chromium that looks at it."""

import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import attrs
import PIL.Image
import pytest

from mailtrack import Client, Open, Tracker, Verdict, VerdictKind, open_storage

# Each page comes through a proxy of its own address, so that each test has its own allowance of lists to add.
_COMMAND = [sys.executable, "-c", "from mailtrack.cli import main; main()", "serve", "--trusted-proxies", "1"]
_addresses = (f"198.18.{number // 256}.{number % 256}" for number in count())
_PATIENCE = 30_000  # milliseconds: browsers run side by side
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@attrs.frozen
class Site:
    """A running server, and its database behind its back."""

    url: str
    tracker: Tracker

    def fill(self, name: str) -> str:
        """Make a pixel with 60 recipients and 130 opens of all kinds, and return its short id."""
        pixel = self.tracker.create_pixel(name)
        recipients = self.tracker.generate_tokens(pixel.id, [f"reader{number}@example.org" for number in range(60)])
        start = datetime.now(UTC) - timedelta(days=5)
        kinds = list(VerdictKind)
        opens = []
        for number in range(130):
            kind = kinds[number % len(kinds)]
            opens.append(
                Open(
                    id=f"{pixel.short_id}{number:024x}",
                    pixel_id=pixel.id,
                    recipient_id=recipients[number % 45].id if number % 7 else None,
                    opened_at=start + timedelta(minutes=50 * number),
                    ip="2001:db8::1" if number % 2 else "192.0.2.1",
                    user_agent="<b>Mozilla/5.0 (X11; Linux x86_64)</b>",
                    verdict=Verdict(kind=kind, vendor="Google" if kind == "proxy" else None, reasons=["no-rule"]),
                    client=Client(name="Thunderbird", version="128", os="Linux"),
                    counted=kind in ("human", "proxy", "unknown"),
                )
            )
        self.tracker._storage.add_opens(opens)
        self.tracker.delete_recipient(recipients[1].id)
        return pixel.short_id


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for(url: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError("The server does not start.")


@contextlib.contextmanager
def _serving(folder) -> Iterator[Site]:
    url = f"http://127.0.0.1:{_free_port()}"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAILTRACK_")}
    with subprocess.Popen([*_COMMAND, "--port", url.rpartition(":")[2]], cwd=folder, env=variables) as process:
        try:
            _wait_for(f"{url}/healthz")
            with open_storage(f"sqlite:///{folder}/mailtrack.db") as storage:
                yield Site(url, Tracker(storage))
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def site(chromium, tmp_path_factory) -> Iterator[Site]:  # noqa: ARG001  # without a browser no server is needed
    """A server that all tests share; each makes pixels of its own."""
    with _serving(tmp_path_factory.mktemp("site")) as serving:
        yield serving


@pytest.fixture
def new_site(chromium, tmp_path) -> Iterator[Site]:  # noqa: ARG001  # the same
    """A server without any pixels."""
    with _serving(tmp_path) as serving:
        yield serving


@pytest.fixture(scope="session")
def chromium(needs_browser):  # noqa: ARG001  # it skips
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens pages that may load nothing from elsewhere, and must have no errors in their scripts."""
    contexts, troubles = [], []

    def watch(message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            troubles.append(message.text)

    def open_(**options):
        context = chromium.new_context(
            viewport={"width": options.pop("width", 1280), "height": 900},
            locale="en-GB",
            extra_http_headers={"X-Forwarded-For": next(_addresses)},
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("console", watch)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def page(request, open_page):
    """A page in a browser with scripts on, and off."""
    return open_page(java_script_enabled=request.param)


@pytest.fixture
def picture(tmp_path):
    """A file with a picture."""
    path = tmp_path / "logo.png"
    data = io.BytesIO()
    PIL.Image.new("RGB", (120, 60), (200, 30, 30)).save(data, "PNG")
    path.write_bytes(data.getvalue())
    return path
