"""`mailtrack recipients`."""

import csv
import io

import pytest


@pytest.fixture
def emails(tracker, pixel):
    """Tells the addresses of the pixel's recipients, in order of creation."""
    return lambda: [recipient.email for recipient in tracker.iter_recipients(pixel.id)]


@pytest.fixture
def add(run, pixel, tmp_path):
    """Adds the addresses in a file."""

    def add_file(data, **options):
        (tmp_path / "addresses.txt").write_bytes(data if isinstance(data, bytes) else data.encode())
        return run("recipients", "add", pixel.short_id, "addresses.txt", **options)

    return add_file


def many(count):
    return [f"reader{number}@example.org" for number in range(count)]


def test_add_takes_a_file_with_one_address_a_line(add, emails):
    result = add("b@example.org\na@example.org\n")
    assert emails() == ["b@example.org", "a@example.org"]
    assert result.stderr.endswith("2 addresses taken; the pixel has 2 recipients.\n")


def test_add_prints_nothing_on_standard_output(add):
    assert add("a@example.org\n").stdout == ""


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_add_reads_standard_input(run, pixel, emails, arguments):
    run("recipients", "add", pixel.id, *arguments, stdin="a@example.org\nb@example.org\n")
    assert emails() == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("a@example.org\nb@example.org", id="no line break at the end"),
        pytest.param("\ufeffa@example.org\nb@example.org\n", id="byte order mark"),
        pytest.param("a@example.org\r\nb@example.org\r\n", id="CRLF"),
        pytest.param("\n\na@example.org\n  \n\t\nb@example.org\n\n", id="blank lines"),
        pytest.param("  a@example.org\t\n b@example.org \n", id="blanks around"),
        pytest.param("\ufeff\r\na@example.org\r\n\r\nb@example.org", id="all at once"),
        pytest.param("a@example.org\nb@example.org\na@EXAMPLE.org\n", id="twice"),
    ],
)
def test_add_takes_the_forms_that_files_have(add, emails, data):
    add(data)
    assert emails() == ["a@example.org", "b@example.org"]


def test_add_takes_addresses_in_utf_8(add, emails):
    add("\ufeffänn@bücher.example\n")
    assert emails() == ["änn@bücher.example"]


@pytest.mark.parametrize("data", ["", "\n", "\ufeff", " \r\n\r\n"])
def test_add_takes_nothing_from_an_empty_file(add, emails, data):
    result = add(data)
    assert result.stderr.endswith("0 addresses taken; the pixel has 0 recipients.\n")
    assert emails() == []


def test_add_takes_more_than_a_batch(add, emails):
    result = add("\n".join(many(25_000)))
    assert emails() == many(25_000)
    assert result.stderr.endswith("25,000 addresses taken; the pixel has 25,000 recipients.\n")


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["--allow-special-domains"], {}), ([], {"MAILTRACK_ALLOW_SPECIAL_DOMAINS": "yes"})],
)
def test_add_takes_special_domains_where_they_are_allowed(run, pixel, emails, options, environment):
    arguments = ("recipients", "add", *options, pixel.short_id)
    run(*arguments, stdin="ann@localhost\nbob@shop.test\n", environment=environment)
    assert emails() == ["ann@localhost", "bob@shop.test"]


def test_add_takes_no_special_domains_by_default(run, pixel, emails):
    run("recipients", "add", pixel.short_id, stdin="ann@localhost\n", exits=1)
    assert emails() == []


def test_add_again_changes_nothing(add, tracker, pixel):
    add("a@example.org\n")
    before = list(tracker.iter_recipients(pixel.id))
    result = add("a@example.org\n")
    assert list(tracker.iter_recipients(pixel.id)) == before
    assert result.stderr.endswith("1 addresses taken; the pixel has 1 recipients.\n")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param("bad\n", 1, id="first"),
        pytest.param("\ufeffbad\n", 1, id="first, after a byte order mark"),
        pytest.param("a@example.org\n\n\nbad\nb@example.org\n", 4, id="after blank lines"),
        pytest.param("a@example.org\r\n\r\nbad\r\n", 3, id="CRLF"),
        pytest.param(b"a@example.org\n\xff@example.org\n", 2, id="no UTF-8"),
        pytest.param("a@example.org\n" + "x" * 1_000_000 + "\n", 2, id="1 MB"),
        pytest.param("a@example.org\nb@example.org, c@example.org\n", 2, id="two in one line"),
        pytest.param("a@example.org\nb@example.org\x00\n", 2, id="NUL"),
    ],
)
def test_add_tells_the_number_of_a_bad_line_and_takes_nothing_of_its_batch(add, emails, data, line):
    result = add(data, exits=1)
    told = result.stderr.splitlines()[-2:]
    assert told[0].endswith("Error: 0 lines were taken.")
    assert told[1].startswith(f"line {line}: ")
    assert emails() == []


def test_add_does_not_repeat_a_bad_line(add):
    assert "SECRET" not in add("SECRET@\n", exits=1).output


def test_add_keeps_the_batches_before_a_bad_line_and_counts_their_lines(add, emails):
    result = add("\n".join([*many(10_000), "", "c@example.org", "bad"]), exits=1)
    told = result.stderr.splitlines()[-2:]
    assert told[0].endswith("Error: 10,000 lines were taken.")
    assert told[1].startswith("line 10003: ")
    assert emails() == many(10_000)


def test_add_goes_on_when_the_file_is_mended(add, emails):
    add("\n".join([*many(10_000), "bad"]), exits=1)
    add("\n".join([*many(10_000), "b@example.org"]))
    assert emails() == [*many(10_000), "b@example.org"]


def test_add_tells_of_the_first_20_bad_lines(add):
    told = add("bad\n" * 30, exits=1).stderr.splitlines()
    assert [line.partition(":")[0] for line in told if line.startswith("line ")] == [
        f"line {number}" for number in range(1, 21)
    ]


@pytest.mark.parametrize("arguments", [["add"], ["export"], ["export", "--raw"]])
@pytest.mark.parametrize("key", ["00000000", "x"])
def test_an_unknown_pixel_is_not_found(run, arguments, key):
    result = run("recipients", *arguments, key, stdin="a@example.org\n", exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")


def test_export_writes_csv_to_standard_output(run, pixel, recipient):
    result = run("recipients", "export", pixel.short_id)
    header, row = csv.reader(io.StringIO(result.stdout_bytes.decode(), newline=""), strict=True)
    assert header == ["Email", "Token", "Tracking URL", "Created At"]
    assert row[:3] == [
        "ann@example.org",
        recipient.token,
        f"http://127.0.0.1:8000/tracker/{pixel.short_id}.png?token={recipient.token}",
    ]


def test_export_ends_lines_with_crlf(run, pixel, recipient):
    data = run("recipients", "export", pixel.id).stdout_bytes
    assert (data.count(b"\r\n"), data.count(b"\n"), recipient.email.encode() in data) == (2, 2, True)


@pytest.mark.usefixtures("recipient")
def test_export_writes_the_same_to_a_file(run, pixel, tmp_path):
    printed = run("recipients", "export", pixel.id).stdout_bytes
    result = run("recipients", "export", pixel.id, "--output", "recipients.csv")
    assert result.output == ""
    assert (tmp_path / "recipients.csv").read_bytes() == printed


@pytest.mark.parametrize(("options", "cell"), [([], b"\n'=1+1@b.com,"), (["--raw"], b"\n=1+1@b.com,")])
def test_export_guards_formulas_unless_raw(run, tracker, pixel, options, cell):
    tracker.generate_tokens(pixel.id, ["=1+1@b.com"])
    assert cell in run("recipients", "export", pixel.id, *options).stdout_bytes


@pytest.mark.usefixtures("recipient")
@pytest.mark.parametrize("way", ["option", "environment"])
def test_export_makes_urls_from_the_settings(run, pixel, way):
    base = "https://mail.example.com/track"
    options = ["--base-url", base] if way == "option" else []
    environment = {"MAILTRACK_BASE_URL": base} if way == "environment" else {}
    result = run("recipients", "export", pixel.id, *options, environment=environment)
    assert f",{base}/tracker/{pixel.short_id}.png?token=tok_" in result.stdout


@pytest.mark.parametrize(
    ("options", "names"), [([], ["ann", "bob", "cem"]), (["--opened"], ["ann"]), (["--not-opened"], ["bob", "cem"])]
)
def test_export_writes_those_that_have_opened_or_have_not(run, tracker, pixel, thunderbird, robot, options, names):
    ann, bob, _ = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem")])
    tracker.record(pixel.id, token=ann.token, user_agent=thunderbird)
    tracker.record(pixel.id, token=bob.token, user_agent=robot)
    lines = run("recipients", "export", pixel.id, *options).stdout.splitlines()[1:]
    assert [line.partition("@")[0] for line in lines] == names


def test_export_to_a_folder_that_is_missing_fails(run, pixel):
    result = run("recipients", "export", pixel.id, "--output", "missing/recipients.csv", exits=1)
    assert result.stderr.startswith("Error: ")


def test_delete_deletes_a_recipient(run, recipient, emails):
    result = run("recipients", "delete", recipient.id)
    assert result.output == f"Deleted {recipient.id}.\n"
    assert emails() == []


def test_delete_leaves_the_opens_without_the_address(run, tracker, pixel, recipient):
    tracker.record(pixel.id, token=recipient.token)
    run("recipients", "delete", recipient.id)
    (left,) = tracker.list_opens(pixel.id).items
    assert (left.recipient_id, left.token) == (recipient.id, None)


@pytest.mark.parametrize("key", ["0" * 24, "x", "ann@example.org", "A" * 24, "../../etc/passwd"])
def test_delete_does_not_find_an_unknown_recipient(run, recipient, emails, key):
    result = run("recipients", "delete", key, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Recipient not found\n")
    assert emails() == [recipient.email]
