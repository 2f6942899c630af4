"""`mailtrack recipients add`: lists and tables, what is refused, and what is left to mend."""

import json
import subprocess

import pytest

TABLE = "Name,Mail\nAnn,ann@example.org\nBob,bob\nCem,cem@example.org\nDee,\n"


@pytest.fixture
def emails(tracker, pixel):
    """The addresses of the pixel's recipients, in order of creation."""
    return lambda: [recipient.email for recipient in tracker.iter_recipients(pixel.id)]


@pytest.fixture
def add(run, pixel, tmp_path):
    """Adds the addresses in a file."""

    def add_file(data, *options, **more):
        (tmp_path / "people.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
        return run("recipients", "add", pixel.short_id, "people.csv", *options, **more)

    return add_file


def many(count):
    return [f"reader{number}@example.org" for number in range(count)]


class TestTaking:
    def test_a_list_is_added_in_its_order(self, add, emails):
        result = add("b@example.org\na@example.org\n")
        assert emails() == ["b@example.org", "a@example.org"]
        assert result.stdout == ""
        assert result.stderr == "Added: 2. Already there: 0. Rejected: 0.\nThe pixel's recipients: 2.\n"

    @pytest.mark.parametrize("arguments", [[], ["-"]])
    def test_standard_input_is_added(self, run, pixel, emails, arguments):
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
            pytest.param("a@example.org\nb@example.org\na@EXAMPLE.org\nA@example.org\n", id="twice"),
            pytest.param("a@example.org, b@example.org\n", id="several in a line"),
            pytest.param('"Lee, Ann" <a@example.org>; "Lee, Bob" <b@example.org>', id="as mail programs copy them"),
            pytest.param("Name;E-Mail-Adresse\nAnn;a@example.org\nBob;b@example.org\n", id="CSV with semicolons"),
            pytest.param("Name,Email\nAnn,a@example.org\nBob,b@example.org\n".encode("utf-16"), id="UTF-16"),
            pytest.param("Näme,Email\nÄnn,a@example.org\nBob,b@example.org\n".encode("cp1252"), id="cp1252"),
        ],
    )
    def test_the_forms_that_files_have_are_taken(self, add, emails, data):
        add(data)
        assert emails() == ["a@example.org", "b@example.org"]

    @pytest.mark.parametrize("column", ["Private", "3"])
    def test_a_column_is_named_by_its_heading_or_its_number(self, add, emails, column):
        add("Name,Email,Private\nAnn,a1@example.org,a2@example.org\n", "--email", column)
        assert emails() == ["a2@example.org"]

    @pytest.mark.parametrize("data", ["", "\n", "\ufeff", " \r\n\r\n"])
    def test_an_empty_file_is_nothing(self, add, emails, data):
        assert add(data).stderr.startswith("Added: 0. ")
        assert emails() == []

    @pytest.mark.parametrize("options", [[], ["--skip-invalid"]])
    def test_more_than_a_step_is_added(self, add, emails, options):
        add("\n".join(many(10_001)), *options)
        assert emails() == many(10_001)

    def test_adding_again_changes_nothing(self, add, tracker, pixel):
        add("a@example.org\n")
        before = list(tracker.iter_recipients(pixel.id))
        assert add("A@example.org\nb@example.org\n").stderr.startswith("Added: 1. Already there: 1. ")
        assert list(tracker.iter_recipients(pixel.id))[:1] == before

    def test_special_domains_are_taken_where_they_are_allowed(self, add, emails):
        add("ann@intranet.local\n", exits=1)
        add("ann@intranet.local\n", "--allow-special-domains")
        assert emails() == ["ann@intranet.local"]

    def test_json_has_the_numbers_and_what_was_rejected(self, add):
        add("cem@example.org")
        assert json.loads(add(TABLE, "--skip-invalid", "--json").stdout) == {
            "added": 1,
            "present": 1,
            "rejected": [
                {"line": 3, "value": "bob", "reason": "No email address found."},
                {"line": 5, "value": "Dee,", "reason": "No email address found."},
            ],
            "recipients": 2,
        }


class TestRefusing:
    @pytest.mark.parametrize(
        ("data", "line"),
        [
            pytest.param("bad\n", 1, id="first"),
            pytest.param("\ufeffbad@\n", 1, id="first, after a byte order mark"),
            pytest.param("a@example.org\n\n\nbad\nb@example.org\n", 4, id="after blank lines"),
            pytest.param("a@example.org\r\n\r\nbad\r\n", 3, id="CRLF"),
            pytest.param("a@example.org\n" + "x" * 1_000_000 + "\n", 2, id="1 MB"),
            pytest.param(TABLE, 3, id="CSV"),
        ],
    )
    def test_a_bad_line_is_named_and_nothing_is_added(self, add, emails, data, line):
        result = add(data, exits=1)
        assert result.stdout == ""
        assert result.stderr.startswith(f"line {line}: ")
        assert result.stderr.splitlines()[-1].startswith("Error: Nothing was added: ")
        assert emails() == []

    def test_nothing_is_added_where_the_last_of_many_lines_is_bad(self, add, emails):
        add("\n".join([*many(10_001), "bad"]), exits=1)
        assert emails() == []

    def test_a_bad_line_is_shown_with_its_reason_and_without_control_characters(self, add):
        (line, _) = add("ann@exa\x1b[2Jmple.org\n", exits=1).stderr.splitlines()
        assert line.startswith(r"line 1: 'ann@exa\x1b[2Jmple.org")
        assert line.endswith(".")

    def test_the_first_20_bad_lines_are_named(self, add):
        lines = add("bad\n" * 30, exits=1).stderr.splitlines()
        assert [line.partition(":")[0] for line in lines[:20]] == [f"line {number}" for number in range(1, 21)]
        assert lines[20].startswith("and 10 more; --rejects FILE ")
        assert len(lines) == 22

    @pytest.mark.parametrize(
        "data",
        [b"PK\x03\x04 a spreadsheet", b"%PDF-1.7"],
        ids=["zip", "PDF"],
    )
    def test_what_is_no_text_is_refused(self, add, emails, data):
        assert add(data, exits=1).stderr.startswith("Error: The file is ")
        assert emails() == []

    def test_a_column_that_is_missing_is_refused(self, add, emails):
        result = add(TABLE, "--email", "Telephone", exits=1)
        assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)
        assert emails() == []


class TestSkipping:
    def test_what_is_valid_is_added_and_the_rest_is_named(self, add, emails):
        result = add(TABLE, "--skip-invalid")
        assert emails() == ["ann@example.org", "cem@example.org"]
        assert [line.partition(":")[0] for line in result.stderr.splitlines()[:2]] == ["line 3", "line 5"]
        assert result.stderr.splitlines()[2] == "Added: 2. Already there: 0. Rejected: 2."

    def test_rejected_rows_are_written_in_the_form_of_the_input(self, add, emails, tmp_path):
        add(TABLE, "--rejects", "rejected.csv")
        assert emails() == ["ann@example.org", "cem@example.org"]
        assert (tmp_path / "rejected.csv").read_text() == "Name,Mail\nBob,bob\nDee,\n"

    def test_the_file_of_rejects_can_be_mended_and_added(self, add, emails, tmp_path):
        add(TABLE, "--rejects", "rejected.csv")
        mended = (tmp_path / "rejected.csv").read_text().replace("bob\n", "bob@example.org\n").replace("Dee,\n", "")
        add(mended, "--rejects", "rejected.csv")
        assert emails() == ["ann@example.org", "cem@example.org", "bob@example.org"]
        assert (tmp_path / "rejected.csv").read_text() == ""

    def test_a_rejected_line_of_a_list_is_written_as_it_was(self, add, tmp_path):
        add("a@example.org\nbob@\n  \nno address\n", "--rejects", "rejected.txt")
        assert (tmp_path / "rejected.txt").read_text() == "bob@\nno address\n"

    def test_all_rejected_rows_are_written(self, add, tmp_path):
        add("bad\n" * 300, "--rejects", "rejected.txt")
        assert (tmp_path / "rejected.txt").read_text() == "bad\n" * 300

    def test_rejected_rows_may_go_to_standard_output(self, add):
        assert add(TABLE, "--rejects", "-").stdout_bytes == b"Name,Mail\nBob,bob\nDee,\n"

    def test_rejected_rows_are_written_in_utf_8(self, add, tmp_path):
        add("Näme,Mail\nÄnn,ann\nBob,bob@example.org\n".encode("cp1252"), "--rejects", "rejected.csv")
        assert (tmp_path / "rejected.csv").read_text(encoding="utf-8") == "Näme,Mail\nÄnn,ann\n"

    def test_the_file_that_is_read_is_not_overwritten(self, add, emails, tmp_path):
        result = add(TABLE, "--rejects", "./people.csv", exits=2)
        assert result.stderr.splitlines()[-1] == "Error: --rejects names the input file."
        assert (emails(), (tmp_path / "people.csv").read_text()) == ([], TABLE)

    @pytest.mark.parametrize("file", ["missing/rejected.csv", "."])
    def test_nothing_is_added_where_the_file_of_rejects_can_not_be_written(self, add, emails, file):
        assert add(TABLE, "--rejects", file, exits=1).stderr.startswith(f"Error: {file}: ")
        assert emails() == []

    def test_an_import_that_fails_leaves_the_former_file_of_rejects(self, add, tmp_path):
        (tmp_path / "rejected.csv").write_text("former\n")
        add("%PDF-1.7", "--rejects", "rejected.csv", exits=1)
        assert (tmp_path / "rejected.csv").read_text() == "former\n"


class TestReferences:
    INVOICES = "Number,Mail\nINV-1,ann@example.org\nINV-2,ann@example.org\n,bob@example.org\n"

    @pytest.fixture
    def references(self, tracker, pixel):
        """Returns the address and the reference of each recipient, in order of creation."""
        return lambda: [(one.email, one.ref) for one in tracker.iter_recipients(pixel.id)]

    @pytest.mark.parametrize("column", ["Number", "1"])
    def test_each_reference_has_a_recipient_of_its_own(self, add, references, column):
        assert add(self.INVOICES, "--ref", column).stderr.startswith("Added: 3. Already there: 0. Rejected: 0.")
        assert references() == [("ann@example.org", "INV-1"), ("ann@example.org", "INV-2"), ("bob@example.org", None)]

    def test_without_the_option_there_are_none(self, add, references):
        add(self.INVOICES.replace("Number", "Reference"))
        assert references() == [("ann@example.org", None), ("bob@example.org", None)]

    def test_a_bad_reference_is_named_and_nothing_is_added(self, add, references):
        first, last = add(self.INVOICES.replace("INV-2", "x" * 129), "--ref", "Number", exits=1).stderr.splitlines()
        assert first == "line 3: The reference is longer than 128 characters."
        assert last.startswith("Error: Nothing was added: ")
        assert references() == []

    def test_the_file_of_rejects_can_be_mended_and_added(self, add, references, tmp_path):
        add(self.INVOICES.replace("INV-2", "x" * 129), "--ref", "Number", "--rejects", "rejected.csv")
        left = (tmp_path / "rejected.csv").read_text()
        assert left == f"Number,Mail\n{'x' * 129},ann@example.org\n"
        add(left.replace("x" * 129, "INV-2"), "--ref", "Number", "--rejects", "rejected.csv")
        assert references()[-1] == ("ann@example.org", "INV-2")

    @pytest.mark.parametrize("data", [INVOICES, "ann@example.org\n"])
    def test_a_column_that_is_missing_is_refused(self, add, references, data):
        assert add(data, "--ref", "Order", exits=1).stderr.startswith("Error: ")
        assert references() == []

    def test_a_pipe_is_read_with_references_and_its_rejects_go_to_another(self, program, end, pixel, references):
        process = program(
            "recipients", "add", pixel.id, "-", "--ref", "1", "--rejects", "-", stdin=subprocess.PIPE
        )  # fmt: skip
        code, output, _ = end(process, b"Number,Mail\r\nINV-1,ann@example.org\r\nINV-2,ann\r\n")
        assert (code, output) == (0, "Number,Mail\nINV-2,ann\n")
        assert references() == [("ann@example.org", "INV-1")]
