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
        [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)],
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


CUSTOMERS = """Name;E-mail;Invoice\r
"Lee; Ann";ann@example.org;INV-1\r
"Lee; Ann";ANN@example.org ;INV-1\r
"Lee; Ann";ann@example.org;INV-2\r
Roy; Bob;bob@example.org;INV-3\r
Öz;cem@example;INV-4\r
"""


def test_a_customer_list_becomes_one_mail_for_each_invoice_and_a_file_of_the_rejected_rows(tmp_path, mail_server):
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8-sig", newline="")
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Invoices").short_id
        done = run("customer_mail.py", pixel, "customers.csv", mail_server.hostname, mail_server.port, cwd=tmp_path)
        assert done.stdout == "2 mails, 2 rows in rejected.csv.\n"
        assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["row 5", "row 6"]
        tokens = {one.ref: one.token for one in tracker.iter_recipients(pixel)}
        assert all(one.sent_at for one in tracker.iter_recipients(pixel))
    for message, ref in zip(mail_server.messages, ["INV-1", "INV-2"], strict=True):
        assert (message["To"], message["Subject"]) == ("ann@example.org", f"Your invoice {ref}")
        assert f"?token={tokens[ref]}" in message.get_body(["html"]).get_content()
    rejected = (tmp_path / "rejected.csv").read_text(encoding="utf-8-sig")
    assert rejected == "Name;E-mail;Invoice\nRoy; Bob;bob@example.org;INV-3\nÖz;cem@example;INV-4\n"


def test_a_customer_whom_the_mail_server_refuses_keeps_no_other_from_a_mail(tmp_path, mail_server):
    mail_server.refused.add("ann@example.org")
    (tmp_path / "customers.csv").write_text(
        "Name;E-mail;Invoice\nAnn;ann@example.org;1\nBob;bob@example.org;2\n", encoding="utf-8-sig"
    )
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        pixel = Tracker(storage).create_pixel("Invoices").short_id
    done = run("customer_mail.py", pixel, "customers.csv", mail_server.hostname, mail_server.port, cwd=tmp_path)
    assert done.stderr.startswith("ann@example.org: ")
    assert [message["To"] for message in mail_server.messages] == ["bob@example.org"]


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


def test_events_are_followed_from_where_the_last_run_ended(server, tmp_path):
    with open_storage(f"sqlite:///{tmp_path}/mailtrack.db") as storage:
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Spring launch")
        for email in ("ann@example.org", "bob@example.org"):
            (recipient,) = tracker.generate_tokens(pixel, [email])
            tracker.record(pixel.id, token=recipient.token, user_agent="Thunderbird/128.3")
            done = run("follow_events.py", f"http://127.0.0.1:{server}", "place.txt", "--once", cwd=tmp_path)
            assert (done.stdout, done.stderr) == (f"{email} has read Spring launch\n", "")
