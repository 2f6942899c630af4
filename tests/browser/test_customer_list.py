"""From a messy list of 5,000 customers to personal mails, and to what the pages and commands show of each."""

import csv
import io
import json
import random
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path

import attrs
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="the group `browser` is not installed").expect

HEADING = ["Number", "Name", "E-mail", "Account manager", "Invoice"]
MANAGER = "manager@example.com"
EXAMPLE = Path(__file__).parents[2] / "examples" / "customer_mail.py"

# Names as sales people type them, each with a separator, a quotation mark, a line break, markup or a formula in it.
NAMES = [
    "Lee, Ann",
    "Åsa Öberg",
    "Müller; Söhne",
    'Bob "The Boss" Roy',
    "Two\nLines",
    "<b>Bold & Co</b>",
    "=1+1",
    "Zoë",
]

# An address as it is found in a cell, and as it is meant.
SPELLINGS = ["{}", " {} ", "{}\u00a0", "mailto:{}", "Customer <{}>", "\u200b{}"]
NO_ADDRESSES = [
    "",
    "none",
    "info(at)example.org",
    "ann@",
    "ann@example",
    "a@example.org; b@example.org",
    "@example.org",
]


@attrs.frozen
class CustomerList:
    """A list as a file, the mails that its rows mean, by address and invoice, and the indexes of its bad rows."""

    data: bytes
    rows: list[list[str]]
    names: dict[tuple[str, str], str]
    bad: list[int]


def make_list(length: int) -> CustomerList:
    """Make a list of so many rows, of which an eighth is bad in some way, and an eighth repeats a row from before."""
    chance, numbers = random.Random(14), count(1)
    rows, names, good, bad = [], {}, [], []
    for index in range(length):
        number = next(numbers)
        address, invoice, name = f"customer{number // 3}@example.org", f"INV-{number}", chance.choice(NAMES)
        kind = chance.randrange(16)
        if kind < 2 and good:
            address, invoice, name = chance.choice(good)
            address = address.replace("example", chance.choice(["example", "EXAMPLE"]))
        cell = chance.choice(SPELLINGS).format(address)
        if kind == 2:
            cell = chance.choice(NO_ADDRESSES)
        row = [str(number), name, cell, MANAGER, invoice]
        if kind == 3:
            row = ["", "", "", "", ""] if index % 2 else [*row[:1], "Roy", *row[1:]]  # shifted by what was no separator
        rows.append(row)
        if kind in (2, 3):
            bad.append(index)
        else:
            good.append((address.lower(), invoice, name))
            names[address.lower(), invoice] = name
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([HEADING, *rows])
    return CustomerList(text.getvalue().encode("utf-8-sig"), rows, names, bad)


@pytest.fixture
def send(new_site, mail_server, tmp_path):
    """Runs the example with a file, as a user would; returns what it printed."""
    pixel = new_site.tracker.create_pixel("Invoices")

    def run(path):
        done = subprocess.run(
            [sys.executable, "-W", "error", EXAMPLE, pixel.short_id, path, mail_server.hostname, str(mail_server.port)],
            cwd=tmp_path,
            env={"MAILTRACK_BASE_URL": new_site.url, "PATH": ""},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=True,
        )
        return done.stdout

    return run


def html_of(message):
    return message.get_body(["html"]).get_content()


def find(tmp_path, email):
    """Return what `mailtrack recipients find` prints of a person."""
    command = [sys.executable, "-m", "mailtrack", "recipients", "find", email, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def read_rejected(tmp_path):
    data = (tmp_path / "rejected.csv").read_bytes()
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_each_good_row_of_a_messy_list_is_one_mail_whose_opens_are_seen(
    new_site, send, mail_server, tmp_path, open_page, thunderbird
):
    customers = make_list(5_000)
    (tmp_path / "customers.csv").write_bytes(customers.data)
    assert send("customers.csv") == f"{len(customers.names)} mails, {len(customers.bad)} rows in rejected.csv.\n"

    tokens = {
        one.token: one for pixel in new_site.tracker.iter_pixels() for one in new_site.tracker.iter_recipients(pixel)
    }
    sent = {}
    for message in mail_server.messages:
        html = html_of(message)
        recipient = tokens[html.partition("?token=")[2].partition('"')[0]]
        sent[recipient.email, recipient.ref] = message
        assert message["To"] == recipient.email
        assert f"invoice {recipient.ref} is due" in html
        text = message.get_body(["plain"]).get_content().replace("\r\n", "\n")
        assert f"Dear {customers.names[recipient.email, recipient.ref]}," in text
        assert "<b>" not in html
    assert Counter(sent.keys()) == Counter(customers.names.keys())
    assert len(mail_server.messages) == len(sent)
    assert read_rejected(tmp_path) == [HEADING, *(customers.rows[index] for index in customers.bad)]

    several = next(email for email, number in Counter(email for email, _ in sent).items() if number == 3)
    refs = sorted(ref for email, ref in sent if email == several)
    mail = open_page(user_agent=thunderbird)
    for ref in refs[:2]:
        mail.set_content(html_of(sent[several, ref]))
        mail.wait_for_load_state("networkidle")
        assert mail.evaluate("document.images[0].naturalWidth") == 1

    page = open_page()
    page.goto(new_site.url)
    page.get_by_role("search").get_by_role("searchbox").fill(several)
    page.get_by_role("search").get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(several)
    expect(page.locator(".timeline li")).to_have_count(2)
    opened = page.locator("#mails tbody tr", has=page.get_by_role("link", name="1 Invoices"))
    expect(opened).to_have_count(2)
    for ref in refs[:2]:
        expect(page.locator("#mails tbody tr", has_text=ref)).to_contain_text("Opened")
    expect(page.locator("#mails tbody tr", has_text=refs[2])).to_contain_text("Not opened")
    found = {one["ref"]: one["counted"]["number"] for one in find(tmp_path, several.upper())}
    assert found == {refs[0]: 1, refs[1]: 1, refs[2]: 0}


def test_the_mended_rows_are_sent_and_no_mail_goes_out_twice(send, mail_server, tmp_path):
    customers = make_list(200)
    (tmp_path / "customers.csv").write_bytes(customers.data)
    send("customers.csv")
    first = len(mail_server.messages)
    heading, *rejected = read_rejected(tmp_path)
    mended = [
        [*row[:1], "Roy", f"mended{number}@example.org", MANAGER, f"M-{number}"] for number, row in enumerate(rejected)
    ]
    with (tmp_path / "rejected.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows([heading, *mended])
    assert send("rejected.csv") == f"{len(mended)} mails, 0 rows in rejected.csv.\n"
    assert {message["To"] for message in mail_server.messages[first:]} == {row[2] for row in mended}
    assert send("customers.csv") == f"0 mails, {len(customers.bad)} rows in rejected.csv.\n"
    assert len(mail_server.messages) == first + len(mended)
