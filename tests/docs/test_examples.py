"""The examples run as a user would run them."""

import csv
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import pytest
from werkzeug.test import Client

from mailtrack import Tracker, open_storage

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_mail_merge_has_a_row_for_each_address_of_a_file(tmp_path):
    (tmp_path / "addresses.txt").write_text("cat@example.org\ndan@example.org\n", encoding="utf-8")
    done = run("mail_merge.py", "addresses.txt", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["Email"] for row in rows] == ["cat@example.org", "dan@example.org"]
    assert all('<img src="https://mail.example.com/track/tracker/' in row["Pixel"] for row in rows)


def test_the_mail_merge_marks_its_mails_as_sent(tmp_path):
    pixel = run("mail_merge.py", cwd=tmp_path).stderr.removeprefix("The pixel is ").removesuffix(".\n")
    assert run("mail_merge.py", "--sent", pixel, cwd=tmp_path).stderr == "2 mails are marked as sent.\n"
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        assert all(one.sent_at for one in Tracker(storage).iter_recipients(pixel))


def test_the_mail_merge_reports_the_invalid_address(tmp_path):
    (tmp_path / "addresses.txt").write_text("cat@example.org\nnot-an-address\n", encoding="utf-8")
    done = run("mail_merge.py", "addresses.txt", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("address 2: ")


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    monkeypatch.setenv("MAILTRACK_DATABASE", f"sqlite:///{tmp_path}/mounted.db")
    spec = importlib.util.spec_from_file_location("mounted", EXAMPLES / "mounted.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.storage:
        yield Client(module.application)


def test_the_mounted_application_answers_beside_the_tracker(mounted):
    assert "Our site" in mounted.get("/").text
    assert mounted.get("/track").status_code == 200


def test_the_mounted_tracker_makes_urls_below_its_prefix(mounted):
    pixel = mounted.post("/track/api/v1/pixels", json={"name": "Spring"}).json
    assert pixel["trackingUrl"] == f"http://localhost/track/tracker/{pixel['id'][:8]}.png"
    assert mounted.get(f"/track/tracker/{pixel['id'][:8]}.png").status_code == 200
    assert mounted.get(f"/track/api/v1/pixels/{pixel['id']}").json["opens"]["number"] == 1
