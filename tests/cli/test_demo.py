"""`mailtrack demo`: real mails' figures from made-up mails, on pages of this machine, with nothing left behind."""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import attrs
import pytest

from mailtrack import Tracker, open_storage
from mailtrack.cli._demo import server as demo_server
from mailtrack.cli._demo.mailings import PEOPLE, make_mailings
from mailtrack.cli._demo.people import make_people
from mailtrack.cli._demo.programs import load_programs
from mailtrack.cli._demo.simulation import simulate
from mailtrack.cli._demo.webhooks import add_webhooks
from mailtrack.webhooks import DeliveryState

NOW = datetime(2026, 3, 18, 14, 30, tzinfo=UTC)
STOP_SECONDS = 10
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1"


@attrs.frozen
class Demo:
    process: subprocess.Popen
    urls: list[str]

    def get(self, path, **headers):
        """Return the status and the text of a page."""
        host = urlsplit(self.urls[0]).netloc
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            connection.request("GET", path.removeprefix(f"http://{host}"), headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def json(self, path):
        return json.loads(self.get(path)[1])


def start(folder, *arguments, **variables):
    """Start the program in an empty folder, with an empty one for temporary files, and wait until it serves."""
    (folder / "work").mkdir()
    (folder / "temporary").mkdir()
    known = {name: value for name, value in os.environ.items() if not name.startswith("MAILTRACK_")}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "mailtrack", "demo", "--port", "0", *arguments],
        cwd=folder / "work",
        env=known | {"TMPDIR": str(folder / "temporary"), "HOME": str(folder / "work")} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = []
    for line in process.stdout:
        printed.append(line)
        if "/tracker/" in line:
            return Demo(process, re.findall(r"^  .+  (http://\S+)$", "".join(printed), re.MULTILINE))
    raise AssertionError("".join(printed))


def end(demo, number):
    """Send a signal, and return the exit code and what else was printed."""
    demo.process.send_signal(number)
    with demo.process:
        return demo.process.wait(STOP_SECONDS), demo.process.stdout.read()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    running = start(tmp_path_factory.mktemp("demo"))
    yield running
    end(running, signal.SIGKILL)


class TestPages:
    def test_each_of_the_printed_pages_answers(self, demo):
        pages = demo.urls[:-1]  # the last one is the image, an open of its own
        assert len(pages) == 6
        assert {url: demo.get(url)[0] for url in pages} == dict.fromkeys(pages, 200)

    def test_the_dashboard_lists_the_mailings_that_are_not_archived(self, demo):
        text = demo.get("/")[1]
        assert text.count(" newsletter</a>") == 2
        assert "Invoices</a>" in text

    def test_the_log_shows_opens_of_people_and_machines(self, demo):
        text = demo.get(demo.urls[1])[1]
        assert "Person (via Gmail proxy)" in text
        assert "Security scanner" in text

    def test_the_printed_reader_has_opened_newsletters_and_invoices(self, demo):
        text = demo.get(demo.urls[3])[1]
        assert "newsletter" in text
        assert "INV-20" in text

    def test_the_image_that_is_printed_is_an_open_once_it_is_loaded(self, demo):
        path = f"/api/v1/pixels/{urlsplit(demo.urls[-1]).path[9:17]}"
        before = demo.json(path)
        assert demo.get(demo.urls[-1], **{"User-Agent": THUNDERBIRD, "Accept-Language": "en"})[0] == 200
        after = demo.json(path)
        assert after["opens"]["number"] == before["opens"]["number"] + 1
        assert after["opened"] == before["opened"] + 1

    def test_the_webhooks_are_one_that_works_and_one_that_fails(self, demo):
        text = demo.get(demo.urls[4])[1]
        assert "crm.example/hooks/mailtrack" in text
        assert "reports.example/opens" in text
        assert [text.count(f">{state}</span>") for state in ("Active", "Failing")] == [1, 1]

    def test_another_host_name_is_refused(self, demo):
        assert demo.get("/", Host="rebound.example.com")[0] != 200


@pytest.fixture(scope="module")
def tracker():
    with open_storage("memory://") as storage:
        simulate(storage, "http://127.0.0.1:8000", NOW, seed=1)
        yield Tracker(storage)


@pytest.fixture(scope="module")
def pixels(tracker):
    """The pixels, the newest first."""
    return list(tracker.iter_pixels())


class TestFigures:
    def test_the_newsletter_of_the_last_week_went_to_a_thousand_people(self, pixels):
        assert (pixels[0].name, pixels[0].recipients) == ("March newsletter", 1000)
        assert NOW - pixels[0].created_at < timedelta(days=7)

    def test_a_recipient_is_in_one_state_and_all_states_add_up(self, tracker, pixels):
        states = Counter(one.state for one in tracker.iter_recipients(pixels[0]))
        assert sum(states.values()) == 1000
        assert states["opened"] == pixels[0].opened.counted
        assert states["prefetched"] == pixels[0].prefetched
        assert len(states) == 4

    def test_the_report_counts_each_open_under_one_verdict(self, tracker, pixels):
        opens = list(tracker.iter_opens(pixels[0]))
        kinds = Counter(one.verdict.kind for one in opens)
        assert {one.name: one.opens.raw for one in tracker.report(pixels[0]).verdicts} == kinds
        assert set(kinds) >= {"human", "proxy", "prefetch", "scanner", "bot"}
        assert sum(one.counted for one in opens) == pixels[0].opens.counted.number

    def test_the_rates_are_those_of_a_real_newsletter(self, pixels):
        assert 200 < pixels[0].opened.counted < 350
        assert 200 < pixels[0].prefetched < 400
        assert pixels[0].opened.raw > 2 * pixels[0].opened.counted

    def test_a_gateway_without_a_name_is_found_by_its_behaviour(self, tracker, pixels):
        reasons = {one.verdict.reasons[0] for one in tracker.iter_opens(pixels[0]) if one.verdict.kind == "scanner"}
        assert reasons >= {"microsoft-365-protection", "barracuda-network", "browser-without-language"}

    def test_every_mail_is_marked_as_sent_and_opened_later_but_not_in_the_future(self, tracker, pixels):
        for pixel in pixels:
            recipients = {one.id: one for one in tracker.iter_recipients(pixel)}
            assert all(one.sent_at for one in recipients.values())
            opens = list(tracker.iter_opens(pixel))
            assert opens
            assert all(recipients[one.recipient_id].sent_at < one.opened_at <= NOW for one in opens)

    def test_each_invoice_has_a_reference_and_data(self, tracker, pixels):
        (invoices,) = (one for one in pixels if one.name == "Invoices")
        recipients = list(tracker.iter_recipients(invoices))
        assert len({one.ref for one in recipients}) == len(recipients) == 72
        assert all(set(one.data) == {"name", "amount"} for one in recipients)
        assert len({one.email for one in recipients}) == 24

    def test_one_newsletter_is_archived(self, pixels):
        assert [one.name for one in pixels if one.archived] == ["November newsletter"]

    def test_newsletters_are_named_after_different_months_whatever_the_day(self):
        people = make_people(PEOPLE, load_programs(), random.Random(1))
        for day in range(366):
            made = make_mailings(people, NOW + timedelta(days=day), random.Random(1))
            assert len({one.name for one in made}) == 5

    @pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
    def test_a_seed_stands_for_the_figures(self, tracker, pixels, seed, same):
        with open_storage("memory://") as storage:
            simulate(storage, "http://127.0.0.1:8000", NOW, seed=seed)
            other = Tracker(storage)
            opens = [(one.opened_at, one.user_agent, one.ip, one.verdict) for one in other.iter_opens(_newest(other))]
        ours = [(one.opened_at, one.user_agent, one.ip, one.verdict) for one in tracker.iter_opens(pixels[0])]
        assert (opens == ours) is same


def _newest(tracker):
    return next(tracker.iter_pixels())


@pytest.fixture(scope="module")
def webhooks(tracker):
    """The two webhooks, the one that works first."""
    add_webhooks(tracker._storage, NOW)
    return tracker.webhooks.list()


class TestWebhooks:
    @staticmethod
    def states(tracker, webhook):
        """Return the last thousand deliveries of a webhook by state."""
        found = {state: [] for state in DeliveryState}
        for one in tracker.webhooks.list_deliveries(webhook, limit=1000).items:
            found[one.state].append(one)
        return found

    def test_one_works_but_for_a_time_out_now_and_then(self, tracker, webhooks):
        found = self.states(tracker, webhooks[0])
        assert len(found["delivered"]) > 100
        assert {one.tries for one in found["delivered"]} == {1, 2}
        assert found["failed"] == []
        assert webhooks[0].failing_since is None

    def test_one_fails_with_deliveries_in_every_state(self, tracker, webhooks):
        found = self.states(tracker, webhooks[1])
        assert all(found.values())
        assert {one.tries for one in found["failed"]} == {10}
        assert {one.last_status for one in found["pending"]} == {503}
        assert all(one.next_try_at > NOW for one in found["pending"])
        assert webhooks[1].enabled
        assert NOW - webhooks[1].failing_since < timedelta(days=5)

    def test_their_hosts_are_names_that_lead_nowhere(self, webhooks):
        assert {urlsplit(one.url).hostname.rpartition(".")[2] for one in webhooks} == {"example"}


class TestEnd:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
    )
    def test_nothing_is_left(self, tmp_path, number, code):
        running = start(tmp_path, MAILTRACK_DATABASE="sqlite:///mine.db", MAILTRACK_SPOOL="mine")
        idle = socket.create_connection(("127.0.0.1", urlsplit(running.urls[0]).port))  # as browsers keep them
        with idle:
            code_and_rest = end(running, number)
        assert code_and_rest[0] == code
        assert "Traceback" not in code_and_rest[1]
        assert list((tmp_path / "work").iterdir()) == []
        assert list((tmp_path / "temporary").iterdir()) == []


class TestPort:
    @pytest.fixture
    def taken(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            yield other.getsockname()[1]

    def test_one_that_is_taken_is_an_error_where_it_was_asked_for(self, run, taken):
        result = run("demo", "--port", taken, exits=1)
        assert result.stderr == f"Error: Can't listen on 127.0.0.1, port {taken}: Address already in use.\n"

    def test_by_default_a_free_one_is_used_instead_of_a_taken_one(self, monkeypatch, taken):
        monkeypatch.setattr(demo_server, "_PORT", taken)
        with demo_server.listen(None) as server:
            assert server.server_port not in (0, taken)

    def test_the_default_is_used_where_it_is_free(self, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
        monkeypatch.setattr(demo_server, "_PORT", free)
        with demo_server.listen(None) as server:
            assert server.url == f"http://127.0.0.1:{free}"

    def test_one_that_does_not_exist_is_wrong_usage(self, run):
        run("demo", "--port", "65536", exits=2)
