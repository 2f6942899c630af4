"""Commands print URLs below the base URL that the server was last started with."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from mailtrack import open_storage
from mailtrack.cli._base_url import recall, remember
from mailtrack.cli._settings import Settings
from mailtrack.storage import SupportsSettings
from mailtrack.storage._memory import MemoryStorage

BASE = "https://mail.example.com/track"
WARNING = (
    "Warning: no base URL is known, so URLs begin with http://127.0.0.1:8000."
    " Give --base-url, or start the server with it.\n"
)
PRINTING = [["pixels", "list", "--json"], ["pixels", "show", "PIXEL"], ["pixels", "show", "PIXEL", "--json"],
            ["recipients", "list", "PIXEL"], ["recipients", "list", "PIXEL", "--json"],
            ["recipients", "export", "PIXEL"], ["report", "PIXEL", "--json"]]  # fmt: skip
SILENT = [["pixels", "list"], ["opens", "PIXEL"], ["opens", "PIXEL", "--json"], ["report", "PIXEL"]]


@pytest.fixture
def started():
    """Has a server been started with a base URL, or without one."""
    return lambda base_url: remember(Settings(base_url=base_url))


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def of(pixel, arguments):
    return [pixel.short_id if argument == "PIXEL" else argument for argument in arguments]


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
class TestWhatPrintsUrls:
    def test_it_takes_the_base_url_of_the_server(self, run, started, pixel, arguments):
        started(BASE)
        result = run(*of(pixel, arguments))
        assert (f"{BASE}/tracker/{pixel.short_id}.png" in result.stdout, result.stderr) == (True, "")

    def test_an_option_wins(self, run, started, pixel, arguments):
        started("https://old.example.com")
        result = run(*of(pixel, arguments), "--base-url", BASE)
        assert ("old.example.com" in result.stdout, BASE in result.stdout, result.stderr) == (False, True, "")

    def test_the_environment_wins(self, run, started, pixel, arguments):
        started("https://old.example.com")
        result = run(*of(pixel, arguments), environment={"MAILTRACK_BASE_URL": BASE})
        assert ("old.example.com" in result.stdout, BASE in result.stdout, result.stderr) == (False, True, "")

    def test_where_none_is_known_a_warning_goes_to_standard_error(self, run, pixel, arguments):
        result = run(*of(pixel, arguments))
        assert (f"http://127.0.0.1:8000/tracker/{pixel.short_id}.png" in result.stdout, result.stderr) == (
            True, WARNING
        )  # fmt: skip


@pytest.mark.parametrize("arguments", SILENT, ids=" ".join)
def test_what_prints_no_urls_does_not_warn(run, pixel, arguments):
    assert run(*of(pixel, arguments)).stderr == ""


def test_a_server_that_was_started_without_one_leaves_none(run, started, pixel):
    started(BASE)
    started(None)
    assert run("pixels", "show", pixel.id).stderr == WARNING


def test_the_last_server_counts(run, started, pixel):
    for base in ("https://old.example.com", BASE):
        started(base)
    assert BASE in run("pixels", "show", pixel.id).stdout


def test_a_server_that_listens_on_an_ipv6_address_is_printed_as_a_url(run, pixel):
    shown = run("pixels", "show", pixel.id, environment={"MAILTRACK_HOST": "::1"}).stdout
    assert "http://[::1]:8000/tracker/" in shown


class TestStorages:
    class Plain(MemoryStorage):
        """A storage of a third party, which keeps no settings."""

        get_setting = None
        set_setting = None

    def test_one_that_keeps_no_settings_knows_none(self):
        storage = self.Plain()
        assert not isinstance(storage, SupportsSettings)
        assert recall(storage) is None

    def test_one_that_keeps_no_settings_is_served_all_the_same(self, capsys, monkeypatch):
        monkeypatch.setattr("mailtrack.cli._base_url.open_storage", lambda _: self.Plain())
        remember(Settings(base_url=BASE))
        assert capsys.readouterr().err == ""

    def test_one_that_is_locked_is_served_all_the_same_with_a_warning(self, tracker, capsys, monkeypatch):
        monkeypatch.setattr("mailtrack.storage._sqlite.connections.BUSY_TIMEOUT", 0.01)
        with tracker._storage._connections.writing():
            remember(Settings(base_url=BASE))
        assert capsys.readouterr().err.startswith("Warning: the base URL can't be stored for other commands: ")

    def test_what_is_no_base_url_counts_as_none(self, tracker):
        tracker._storage.set_setting("base_url", "no URL")
        assert recall(tracker._storage) is None


def test_a_running_server_leaves_its_base_url(run, program, pixel):
    process = program("serve", "--port", free_port(), "--base-url", BASE, stderr=subprocess.STDOUT)
    assert process.stdout.readline().startswith(b"mailtrack serves ")
    shown = json.loads(run("pixels", "show", pixel.id, "--json").stdout)
    assert shown["trackingUrl"] == f"{BASE}/tracker/{pixel.short_id}.png"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def test_a_server_whose_output_is_not_read_serves_all_the_same(program):
    reader, writer = os.pipe()
    os.close(reader)
    port = free_port()
    process = program("serve", "--port", port, stdout=writer)
    os.close(writer)
    while not answers(f"http://127.0.0.1:{port}/healthz"):
        assert process.poll() is None
    process.terminate()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""


@pytest.mark.usefixtures("pixel")
def test_a_server_that_can_not_listen_leaves_what_there_was(run, started):
    started(BASE)
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run("serve", "--port", taken.getsockname()[1], "--base-url", "https://other.example.com", exits=1)
    with open_storage("sqlite:///mailtrack.db") as storage:
        assert recall(storage) == BASE
