"""What commands print suits where it goes: any encoding, a terminal of any width, a pipe."""

import json

import pytest

from mailtrack._times import to_text
from mailtrack.cli._output import visible
from mailtrack.cli._tables import Table
from mailtrack.testing import make_pixel

NAME = "Grüße 😀 日本語"
EMAIL = "änn@bücher.example"
HOSTILE = "a\x1b[2J\x07b\x9b2Jc\u202ed\u2028e"
ESCAPED = r"a\x1b[2J\x07b\x9b2Jc\u202ed\u2028e"
LACKING = ["cp1252", "latin-1", "ascii"]
TEXT = [["pixels", "list"], ["pixels", "show", "PIXEL"], ["recipients", "list", "PIXEL"], ["opens", "PIXEL"],
        ["report", "PIXEL"], ["keys", "list"], ["spool", "status"], ["doctor"]]  # fmt: skip
JSON = [["pixels", "list"], ["pixels", "show", "PIXEL"], ["recipients", "list", "PIXEL"], ["opens", "PIXEL"],
        ["report", "PIXEL"], ["keys", "list"], ["spool", "status"]]  # fmt: skip
as_words = " ".join


@pytest.fixture
def named(tracker):
    """A pixel, a recipient, an open and a key, with characters that few encodings have."""
    pixel = tracker.create_pixel(NAME)
    (ann,) = tracker.generate_tokens(pixel.id, [EMAIL])
    tracker.record(pixel.id, token=ann.token, user_agent="😀 日本語")
    tracker.keys.create(NAME)
    return pixel


def of(pixel, arguments):
    return [pixel.short_id if argument == "PIXEL" else argument for argument in arguments]


class TestEncodings:
    @pytest.mark.parametrize("encoding", [*LACKING, "utf-8"])
    @pytest.mark.parametrize("arguments", TEXT, ids=as_words)
    def test_no_command_fails_where_the_output_lacks_characters(self, run, named, arguments, encoding):
        run(*of(named, arguments), encoding=encoding)

    @pytest.mark.parametrize("encoding", [*LACKING, "utf-8"])
    @pytest.mark.parametrize("arguments", JSON, ids=as_words)
    def test_json_says_the_same_in_any_encoding(self, run, named, arguments, encoding):
        found = run(*of(named, arguments), "--json", encoding=encoding).stdout_bytes.decode(encoding)
        expected = run(*of(named, arguments), "--json").stdout
        assert [json.loads(line) for line in found.splitlines()] == [json.loads(line) for line in expected.splitlines()]

    def test_json_in_utf_8_has_letters_as_they_are(self, run, named):
        assert f'"name": "{NAME}"' in run("pixels", "show", named.id, "--json").stdout

    @pytest.mark.usefixtures("named")
    def test_what_an_encoding_lacks_is_escaped(self, run):
        line = run("pixels", "list", encoding="cp1252").stdout_bytes.decode("cp1252").splitlines()[1]
        assert line.endswith(r"  Grüße \U0001f600 \u65e5\u672c\u8a9e")

    @pytest.mark.parametrize("encoding", LACKING)
    @pytest.mark.parametrize(
        "arguments", [["recipients", "export", "PIXEL"], ["opens", "PIXEL", "--csv"]], ids=as_words
    )
    def test_csv_is_in_utf_8_whatever_the_terminal(self, run, named, arguments, encoding):
        assert EMAIL in run(*of(named, arguments), encoding=encoding).stdout_bytes.decode()

    @pytest.mark.parametrize("encoding", LACKING)
    def test_errors_and_questions_are_escaped_as_well(self, run, named, encoding):
        refused = run("pixels", "list", "日本語", exits=2, encoding=encoding)
        asked = run("pixels", "delete", named.id, stdin="n\n", exits=1, encoding=encoding)
        assert r"\u65e5\u672c\u8a9e" in refused.stderr_bytes.decode(encoding)
        assert r"\u65e5\u672c\u8a9e" in asked.stdout_bytes.decode(encoding)

    @pytest.mark.usefixtures("named")
    @pytest.mark.parametrize("encoding", LACKING)
    def test_a_process_prints_in_the_encoding_of_its_environment(self, program, monkeypatch, encoding):
        monkeypatch.setenv("PYTHONIOENCODING", encoding)
        process = program("pixels", "list")
        printed = process.communicate(timeout=60)[0].decode(encoding)
        assert (process.returncode, r"\U0001f600" in printed) == (0, True)


class TestControlCharacters:
    @pytest.fixture
    def hostile(self, tracker):
        """A pixel whose name no version of mailtrack has checked."""
        pixel = make_pixel(HOSTILE)
        tracker._storage.add_pixel(pixel)
        return pixel

    @pytest.mark.parametrize(
        "arguments", [*TEXT, ["pixels", "list", "--json"], ["report", "PIXEL", "--json"]], ids=as_words
    )
    def test_none_of_a_name_is_printed_as_it_is(self, run, hostile, arguments):
        printed = run(*of(hostile, arguments)).output
        assert not any(char in printed for char in "\x1b\x07\x9b\u202e\u2028")

    def test_they_are_shown_as_escapes(self, run, hostile):
        assert run("pixels", "show", hostile.id).stdout.splitlines()[0].endswith(ESCAPED)

    def test_json_keeps_them(self, run, hostile):
        assert json.loads(run("pixels", "show", hostile.id, "--json").stdout)["name"] == HOSTILE

    def test_none_is_printed_in_the_question_before_a_deletion(self, run, hostile):
        assert "\x1b" not in run("pixels", "delete", hostile.id, stdin="n\n", exits=1).output

    @pytest.mark.parametrize(
        "arguments",
        [
            [HOSTILE],
            ["pixels", "list", HOSTILE],
            ["opens", "x", "--limit", HOSTILE],
            ["pixels", "create", "x", "--image", HOSTILE],
        ],
    )
    def test_none_is_printed_in_an_error(self, run, arguments):
        assert not any(char in run(*arguments, exits=2).output for char in "\x1b\x07\x9b\u202e\u2028")

    @pytest.mark.parametrize("text", ["", "plain", "Grüße 😀 日本語", "\u200d\u200c می‌خواهم 👩‍👩‍👧"])
    def test_other_text_is_left_as_it_is(self, text):
        assert visible(text) == text


class TestTables:
    def test_wide_and_combining_characters_are_counted_by_the_cells_that_they_take(self, capsys):
        Table("A", "B").echo([("日本", "x"), ("e\u0301", "y"), ("abcd", "z")])
        assert capsys.readouterr().out.splitlines() == ["A     B", "日本  x", "e\u0301     y", "abcd  z"]

    def test_numbers_are_aligned_to_the_right(self, capsys):
        Table("N", "B", right=(0,)).echo([("1", "x"), ("100", "y")])
        assert capsys.readouterr().out.splitlines() == ["  N  B", "  1  x", "100  y"]

    def test_the_heads_are_printed_once(self, capsys):
        table = Table("A", "B")
        table.echo([("long cell", "x")])
        table.echo([("c", "y")])
        assert capsys.readouterr().out.splitlines() == ["A          B", "long cell  x", "c          y"]


class TestTerminals:
    @pytest.fixture
    def shown(self, program, make_terminal):
        """What a command prints on a terminal of so many columns."""

        def show(columns, *arguments):
            terminal = make_terminal(columns)
            process = program(*arguments, stdin=terminal.end, stdout=terminal.end)
            assert process.wait(60) == 0
            return terminal.read().splitlines()

        return show

    def test_a_table_is_cut_to_the_width_of_the_terminal(self, shown, tracker):
        pixel = tracker.create_pixel("A long name for a pixel " * 8)
        lines = shown(72, "pixels", "list")
        assert [len(line) for line in lines] == [55 + len("NAME"), 72]
        assert lines[1].startswith(pixel.short_id)
        assert lines[1].endswith("…")

    def test_wide_characters_are_cut_by_their_cells(self, shown, tracker):
        tracker.create_pixel("日本語" * 20)
        (line,) = shown(72, "pixels", "list")[1:]
        assert line[55:] == "日本語日本語日本…"  # two cells each, of 17

    def test_ids_are_never_cut_where_there_is_room_for_them(self, shown, tracker, pixel):
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        lines = shown(80, "recipients", "list", pixel.id)
        assert lines[-1].startswith(f"{ann.id}  ")
        assert [len(line) <= 80 for line in lines] == [True] * 2

    def test_addresses_are_cut_after_urls_only(self, shown, tracker, pixel):
        tracker.generate_tokens(pixel, ["ann.somebody@example.org"])
        assert "  ann.somebody@example.org             http://127.…" in shown(98, "recipients", "list", pixel.id)[-1]

    def test_where_columns_do_not_fit_each_cell_gets_a_line(self, shown, tracker):
        pixel = tracker.create_pixel("A long name for a pixel " * 2)
        assert shown(40, "pixels", "list") == [
            f"ID          {pixel.short_id}",
            f"CREATED     {to_text(pixel.created_at)}",
            *("RECIPIENTS  0", "OPENS       0", f"NAME        {pixel.name}", ""),
        ]

    def test_a_table_that_goes_elsewhere_is_never_cut(self, run, tracker):
        name = "A long name for a pixel " * 8
        tracker.create_pixel(name)
        assert run("pixels", "list", environment={"COLUMNS": "40"}).stdout.splitlines()[1].endswith(name.rstrip())

    def test_a_report_keeps_the_width(self, shown, tracker, pixel, recipient, thunderbird):
        tracker.record(pixel.id, token=recipient.token, user_agent=thunderbird)
        assert max(len(line) for line in shown(66, "report", pixel.id)) <= 66
