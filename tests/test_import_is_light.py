"""What is slow to load is loaded when it is first used."""

import os
import subprocess
import sys

import pytest

HEAVY = {
    *("PIL", "cattrs", "click", "email_validator", "granian", "jinja2", "limits", "sqlite_utils", "ua_parser"),
    *("psycopg", "werkzeug"),
}


def _loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    # What measures the coverage loads modules of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    return set(ran.stdout.split())


def test_importing_mailtrack_loads_nothing_heavy() -> None:
    assert _loaded_by("import mailtrack") & (HEAVY | {"sqlite3", "pytest", "hypothesis"}) == set()


def test_tracking_in_memory_loads_nothing_heavy() -> None:
    code = """
from mailtrack import Tracker, open_storage
with open_storage("memory://") as storage:
    tracker = Tracker(storage)
    pixel = tracker.create_pixel("Spring launch")
    recipient, = tracker.generate_tokens(pixel.id, ["ann@example.org"])
    tracker.record(pixel.id, token=recipient.token)
"""
    assert _loaded_by(code) & HEAVY == set()


def test_importing_mailtrack_wsgi_loads_no_framework() -> None:
    loaded = _loaded_by("import mailtrack_wsgi")
    assert loaded & {"a2wsgi", "flask", "mailtrack_wsgi.asgi", "mailtrack_wsgi.flask"} == set()
    assert "flask" in _loaded_by("import mailtrack_wsgi.flask")


@pytest.mark.parametrize("framework", ["asgiref", "django", "flask"])
def test_only_the_adapter_of_a_framework_loads_it(framework: str) -> None:
    assert framework not in _loaded_by("import mailtrack, mailtrack.mail, mailtrack_wsgi, mailtrack.cli")


@pytest.mark.parametrize("module", ["pytest", "hypothesis"])
def test_only_testing_needs_the_tools_of_tests(module: str) -> None:
    code = "import mailtrack.storage._sqlite, mailtrack._wire, mailtrack._export, mailtrack.cli._settings"
    assert module not in _loaded_by(code)
    assert module not in _loaded_by("from mailtrack.testing import FakeClock, open_mail")
    assert module in _loaded_by("from mailtrack.testing import StorageContract")
