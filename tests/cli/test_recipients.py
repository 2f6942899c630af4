"""`mailtrack recipients`, except for `add`."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailtrack import NewRecipient, Urls
from mailtrack import _wire as wire


@pytest.fixture
def emails(tracker, pixel):
    """Returns the addresses of the pixel's recipients, in order of creation."""
    return lambda: [recipient.email for recipient in tracker.iter_recipients(pixel.id)]


def many(count):
    return [f"reader{number}@example.org" for number in range(count)]


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("arguments", [["add"], ["list"], ["export"], ["export", "--raw"], ["sent"]])
@pytest.mark.parametrize("key", ["00000000", "x"])
def test_an_unknown_pixel_is_not_found(run, arguments, key):
    result = run("recipients", *arguments, key, stdin="a@example.org\n", exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")


def test_sent_marks_all_recipients_now(run, tracker, pixel):
    tracker.generate_tokens(pixel.id, many(3))
    before = datetime.now(UTC)
    result = run("recipients", "sent", pixel.short_id)
    assert (result.stdout, result.stderr) == ("", "Marked 3 recipients as sent.\n")
    times = {one.sent_at for one in tracker.iter_recipients(pixel.id)}
    assert len(times) == 1
    assert before - timedelta(milliseconds=1) <= times.pop() <= datetime.now(UTC)


def test_sent_marks_some_at_a_time(run, tracker, pixel):
    ann, bob, _ = tracker.generate_tokens(pixel.id, many(3))
    at = tracker.get_recipient(bob).created_at
    result = run(
        "recipients", "sent", pixel.id, "--recipient", ann.id, "--recipient", bob.id, "--recipient", "0" * 24,
        "--at", at.astimezone(timezone(timedelta(hours=1))).isoformat(),
    )  # fmt: skip
    assert result.stderr == "Marked 2 recipients as sent.\n"
    assert [one.sent_at for one in tracker.iter_recipients(pixel.id)] == [at, at, None]


@pytest.mark.parametrize(
    ("at", "exits", "reason"),
    [
        ("2025-11-06T12:00:00", 2, "must be a time with its offset from UTC"),
        ("yesterday", 2, "must be a time with its offset from UTC"),
        ("9999-01-01T00:00:00Z", 1, "at must not be in the future"),
        ("2025-11-06T12:00:00Z", 1, "The sent time is before the token of a recipient was made."),
    ],
)
def test_sent_refuses_another_time(run, tracker, pixel, recipient, at, exits, reason):
    assert reason in run("recipients", "sent", pixel.id, "--at", at, exits=exits).stderr
    assert tracker.get_recipient(recipient).sent_at is None


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
    assert result.stdout == ""
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


class TestDeletingByAddress:
    @pytest.fixture
    def delete(self, run, pixel):
        return lambda email, **options: run(
            "recipients", "delete", "--pixel", pixel.short_id, "--email", email, **options
        )

    @pytest.mark.parametrize("email", ["ann@example.org", "ANN@Example.ORG", " ann@example.org "])
    def test_it_deletes_the_recipient_whatever_the_case(self, delete, tracker, pixel, emails, email):
        ann, _ = tracker.generate_tokens(pixel.id, ["Ann@example.org", "bob@example.org"])
        assert delete(email).output == f"Deleted {ann.id}.\n"
        assert emails() == ["bob@example.org"]

    def test_an_international_domain_is_found_in_either_form(self, delete, tracker, pixel, emails):
        tracker.generate_tokens(pixel.id, ["ann@bücher.example"])
        delete("ann@xn--bcher-kva.example")
        assert emails() == []

    def test_other_pixels_keep_theirs(self, delete, tracker, recipient):
        other = tracker.create_pixel("Autumn")
        (kept,) = tracker.generate_tokens(other.id, [recipient.email])
        delete(recipient.email)
        assert list(tracker.iter_recipients(other.id)) == [kept]

    @pytest.mark.parametrize("email", ["bob@example.org", "ann@example.com"])
    def test_an_address_that_the_pixel_does_not_have_is_not_found(self, delete, recipient, emails, email):
        assert delete(email, exits=1).stderr == "Error: Recipient not found\n"
        assert emails() == [recipient.email]

    def test_what_is_no_address_fails(self, delete):
        assert delete("ann", exits=1).stderr.startswith("Error: ")

    @pytest.mark.usefixtures("recipient")
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--pixel", "PIXEL"],
            ["--email", "ann@example.org"],
            ["0" * 24, "--pixel", "PIXEL"],
            ["0" * 24, "--email", "ann@example.org"],
            ["0" * 24, "--pixel", "PIXEL", "--email", "ann@example.org"],
        ],
    )
    def test_anything_but_an_id_or_both_options_is_wrong_usage(self, run, arguments):
        result = run("recipients", "delete", *arguments, exits=2)
        assert result.stderr.splitlines()[-1] == "Error: Give either an ID, or --pixel and --email."


class TestListing:
    @pytest.fixture
    def people(self, tracker, pixel, thunderbird, robot):
        """Ann has opened, a machine has fetched Bob's, and nothing is known of Cem."""
        found = tracker.generate_tokens(pixel.id, [f"{name}@example.org" for name in ("ann", "bob", "cem")])
        tracker.record(pixel.id, token=found[0].token, user_agent=thunderbird)
        tracker.record(pixel.id, token=found[1].token, user_agent=robot)
        return found

    @pytest.fixture
    def listed(self, run, pixel):
        return lambda *options: run("recipients", "list", pixel.short_id, "--base-url", "https://t.example", *options)

    def test_it_shows_ids_counts_addresses_and_urls_in_order_of_creation(self, listed, people, pixel):
        head, *rows = listed().stdout.splitlines()
        assert head.split() == ["ID", "STATE", "OPENS", "COUNTED", "EMAIL", "REFERENCE", "TRACKING", "URL"]
        assert [row.split() for row in rows] == [
            [one.id, *counts, one.email, f"https://t.example/tracker/{pixel.short_id}.png?token={one.token}"]
            for one, counts in zip(
                people, (("opened", "1", "1"), ("scanned", "1", "0"), ("none", "0", "0")), strict=True
            )
        ]

    @pytest.mark.usefixtures("people")
    @pytest.mark.parametrize(
        ("options", "names"),
        [
            (["--state", "scanned,none"], ["bob", "cem"]),
            (["--state", "none , opened"], ["ann", "cem"]),
            (["--state", "prefetched"], []),
            (["--state", "scanned,opened", "--not-opened"], ["bob"]),
            (["--state", "none", "--opened"], []),
        ],
    )
    def test_it_shows_those_in_some_states(self, listed, options, names):
        lines = listed("--json", *options).stdout.splitlines()
        assert [json.loads(line)["email"].partition("@")[0] for line in lines] == names

    @pytest.mark.usefixtures("people")
    def test_a_state_that_is_none_is_wrong_usage(self, run, pixel):
        for command in ("list", "export"):
            error = run("recipients", command, pixel.id, "--state", "read", exits=2).stderr
            assert "must be some of opened, prefetched, scanned, none, separated by commas." in error

    @pytest.mark.usefixtures("people")
    def test_a_file_has_states_where_they_are_asked_for(self, run, pixel):
        data = run("recipients", "export", pixel.id, "--columns", "all", "--state", "scanned,none").stdout_bytes
        header, *rows = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        assert header == ["Email", "Token", "Tracking URL", "Created At", "Reference", "Recipient ID", "State"]
        assert [(row[0], row[-1]) for row in rows] == [("bob@example.org", "scanned"), ("cem@example.org", "none")]

    def test_an_id_can_be_deleted(self, listed, run, people, emails):
        run("recipients", "delete", listed().stdout.splitlines()[1].split()[0])
        assert emails() == [one.email for one in people[1:]]

    def test_json_is_one_recipient_a_line_as_the_api_answers(self, listed, tracker, people, pixel):
        found = [json.loads(line) for line in listed("--json").stdout.splitlines()]
        now = tracker.get_recipients([one.id for one in people])
        urls = Urls("https://t.example")
        assert found == [wire.recipient(now[one.id], pixel, urls) for one in people]

    @pytest.mark.parametrize(("option", "names"), [("--opened", ["ann"]), ("--not-opened", ["bob", "cem"])])
    @pytest.mark.usefixtures("people")
    def test_it_shows_those_that_have_opened_or_have_not(self, listed, option, names):
        emails = [json.loads(line)["email"] for line in listed(option, "--json").stdout.splitlines()]
        assert emails == [f"{name}@example.org" for name in names]

    @pytest.mark.usefixtures("people")
    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_it_is_printed_in_parts_where_that_is_asked_for(self, listed, options):
        first = listed("--limit", 2, *options)
        hint, cursor = first.stderr.rsplit(maxsplit=1)
        rest = listed("--cursor", cursor, *options)
        heads = 0 if options else 1
        assert (hint, rest.stderr) == ("There is more: --cursor", "")
        printed = first.stdout.splitlines() + rest.stdout.splitlines()[heads:]
        assert [line.split() for line in printed] == [line.split() for line in listed(*options).stdout.splitlines()]

    def test_all_are_printed_where_no_limit_is_given(self, listed, tracker, pixel):
        tracker.generate_tokens(pixel.id, many(1001))  # one more than a page of a list has
        assert len(listed("--json").stdout.splitlines()) == 1001
        assert len(listed().stdout.splitlines()) == 1002

    def test_a_pixel_without_recipients_has_only_heads(self, listed):
        assert len(listed().stdout.splitlines()) == 1
        assert listed("--json").stdout == ""

    @pytest.mark.parametrize("cursor", ["x", "", "-1"])
    def test_a_bad_cursor_fails(self, run, pixel, cursor):
        result = run("recipients", "list", pixel.id, "--base-url", "https://t.example", "--cursor", cursor, exits=1)
        assert (result.stdout, result.stderr) == ("", "Error: The cursor is not valid.\n")


class TestReferences:
    @pytest.fixture(autouse=True)
    def _filled(self, tracker, pixel):
        given = [("ann@example.org", "INV-1"), ("ann@example.org", "INV-2"), ("bob@example.com", "=3")]
        tracker.generate_tokens(pixel, [NewRecipient(*one, {"n": 1}) for one in given])
        tracker.generate_tokens(pixel, ["ann@example.org"])

    @pytest.fixture
    def listed(self, run, pixel):
        """Returns the references that a command lists as JSON."""
        return lambda *options: [
            json.loads(line)["ref"]
            for line in run("recipients", "list", pixel.id, "--json", *options).stdout.splitlines()
        ]

    @pytest.mark.parametrize(
        ("options", "refs"),
        [
            ([], ["INV-1", "INV-2", "=3", None]),
            (["--ref", "INV-2"], ["INV-2"]),
            (["--ref", "inv-2"], []),
            (["--search", "inv"], ["INV-1", "INV-2"]),
            (["--search", "BOB@"], ["=3"]),
            (["--search", "ann", "--opened"], []),
        ],
        ids=str,
    )
    def test_recipients_are_listed_by_reference_and_by_a_part_of_it(self, listed, options, refs):
        assert listed(*options) == refs

    def test_the_table_has_the_references(self, run, pixel):
        heads, first, *_, last = run("recipients", "list", pixel.id).stdout.splitlines()
        assert heads.split()[4:6] == ["EMAIL", "REFERENCE"]
        assert first.split()[4:6] == ["ann@example.org", "INV-1"]
        assert "tracker" in last.split()[5]

    def test_the_export_has_them_with_all_columns(self, run, pixel):
        data = run("recipients", "export", pixel.id, "--columns", "all", "--search", "bob").stdout_bytes
        header, row = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        assert (header[4:], row[4]) == (["Reference", "Recipient ID", "State"], "'=3")

    def test_an_address_is_deleted_with_all_of_its_references(self, run, pixel, listed):
        run("recipients", "delete", "--pixel", pixel.id, "--email", "ANN@example.org")
        assert listed() == ["=3"]

    def test_no_other_pixel_loses_a_reference_of_the_address(self, run, tracker, pixel, listed):
        other = tracker.create_pixel("Autumn")
        kept = tracker.generate_tokens(other, [NewRecipient("ann@example.org", ref) for ref in ("INV-1", "INV-3")])
        result = run("recipients", "delete", "--pixel", pixel.short_id, "--email", "ann@example.org")
        assert (result.output.count("Deleted "), listed()) == (3, ["=3"])
        assert list(tracker.iter_recipients(other)) == kept
