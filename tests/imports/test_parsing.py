"""The accepted kinds of rows, and their results."""

import csv
import io
import os
import sqlite3
import tempfile
import threading

import pytest

from mailtrack._addresses import canonical
from mailtrack._errors import InvalidArgument, InvalidImport
from mailtrack._imports import parse

ANN, BOB = "ann@example.org", "bob@example.org"
CSV = "Name;E-Mail\r\nM\u00fcller;ann@example.org\r\nB;bob@example.org\r\n"


def addresses(rows, **options):
    return [entry.new and entry.new.email for entry in parse(rows, canonical, **options).entries]


def rejected(rows, **options):
    return [(one.line, one.value, one.reason) for one in parse(rows, canonical, **options).entries if one.new is None]


def piped(data):
    """Yield the reading end of a pipe that a thread writes to."""
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb") as file:
        yield file
    thread.join()


def people():
    """Return database rows, which are neither mappings nor tuples."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    found = connection.execute(
        "SELECT 'Ann' AS name, 'ann@example.org' AS email, 'x@example.org' AS boss"
        " UNION ALL SELECT 'Bob', 'bob@example.org', 'x@example.org'"
    ).fetchall()
    connection.close()
    return found


@pytest.mark.parametrize(
    "rows",
    [
        CSV,
        CSV.encode("cp1252"),
        bytearray(CSV.encode()),
        memoryview(CSV.encode("utf-16")),
        io.BytesIO(CSV.encode()),
        io.StringIO(CSV),
        csv.DictReader(io.StringIO(CSV), delimiter=";"),
        [ANN, f"Bob <{BOB}>"],
        (one for one in (ANN, BOB)),
        {ANN: 1, BOB: 2}.keys(),
        [{"name": "Ann", "email": ANN}, {"email": BOB, "age": 7}],
        people(),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_of_each_kind_are_taken(rows):
    assert addresses(rows) == [ANN, BOB]


def test_a_pipe_is_read_to_its_end_though_it_can_not_be_sought():
    number = 20_000  # more than the capacity of a pipe
    for file in piped(b"".join(b"u%d@example.org\n" % place for place in range(number))):
        assert not file.seekable()
        assert addresses(file) == [f"u{place}@example.org" for place in range(number)]


def test_a_file_that_was_opened_as_a_text_is_taken():
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        file.write(CSV)
        file.seek(0)
        assert addresses(file) == [ANN, BOB]


def test_a_text_file_in_another_encoding_is_an_error_that_says_what_to_do():
    file = io.TextIOWrapper(io.BytesIO(CSV.encode("cp1252")), encoding="utf-8")
    with pytest.raises(InvalidImport, match="Open it in binary"):
        parse(file, canonical)


@pytest.mark.parametrize(
    "rows",
    [None, 5, {"email": ANN}, [(ANN,)], [[ANN, "Ann"]], [ANN.encode()], csv.reader(io.StringIO(CSV))],
    ids=lambda rows: type(rows).__name__,
)
def test_what_can_not_be_rows_is_refused_by_name(rows):
    with pytest.raises(InvalidArgument, match="rows"):
        parse(rows, canonical)


def test_a_column_that_is_no_text_is_refused_by_name():
    with pytest.raises(InvalidArgument, match="email"):
        parse(CSV, canonical, email=2)


@pytest.mark.parametrize("rows", ["", b"", "\n \n", [], [{}]])
def test_where_nothing_is_given_nothing_is_found(rows):
    assert not any(addresses(rows))


def test_each_row_that_is_given_alone_stands_for_one_address():
    rows = [ANN, "", f"{ANN}, {BOB}", None, float("nan"), "ann lee@example.org", f"'{BOB}'"]
    assert addresses(rows) == [ANN, None, None, None, None, None, BOB]
    assert [line for line, _, _ in rejected(rows)] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("value", [float("nan"), None, 5, "", "none", [1], b"x"])
def test_a_mapping_whose_value_is_no_address_is_listed(value):
    rows = [{"email": ANN, "n": 1}, {"email": value, "n": 2}, {"n": 3}]
    assert addresses(rows) == [ANN, None, None]
    assert all(reason for _, _, reason in rejected(rows))


@pytest.mark.parametrize("email", ["boss", "Boss", "3"])
def test_the_column_of_mappings_may_be_asked_for(email):
    assert addresses(people(), email=email) == ["x@example.org"] * 2


def test_a_column_that_mappings_do_not_have_is_an_error_that_names_theirs():
    with pytest.raises(InvalidImport, match="name, email, boss"):
        parse(people(), canonical, email="mail")


def test_texts_that_are_given_one_by_one_have_no_columns():
    with pytest.raises(InvalidImport, match="no columns"):
        parse([ANN], canonical, email="Email")


def test_cells_without_a_heading_do_not_disturb_a_reader_of_mappings():
    rows = csv.DictReader(io.StringIO(f"Email,Name\n{ANN},Ann,x@example.org,y@example.org\n{BOB}\n"))
    assert addresses(rows) == [ANN, BOB]


@pytest.mark.parametrize(
    ("columns", "ref"),
    [("Name;Email;Invoice", "Invoice"), ("Name;Manager email;Email", None)],
    ids=["another's reference", "another's address"],
)
def test_a_shifted_row_of_a_reader_of_mappings_is_rejected_whole(columns, ref):
    text = f"{columns}\nLee; Ann;{ANN};{BOB}\nBob;{ANN};{BOB}\nCarl;{ANN};{BOB}\n"
    source = parse(csv.DictReader(io.StringIO(text), delimiter=";"), canonical, email="Email", ref=ref)
    shifted, *others = source.entries
    assert (shifted.line, shifted.new, shifted.raw) == (1, None, f"Lee, Ann,{ANN},{BOB}")
    assert all(entry.new for entry in others)


def test_a_last_column_without_a_name_shifts_no_mapping():
    text = f"Name,Manager email,Email\nAnn,{BOB},{ANN},x\nAnn,{BOB},{ANN},y\n"
    assert addresses(csv.DictReader(io.StringIO(text))) == [ANN, ANN]


def test_a_mapping_is_kept_in_the_order_of_the_heading():
    source = parse([{"name": "A", "email": ANN}, {"email": "bad", "name": "B,b"}], canonical)
    assert (source.heading, [entry.raw for entry in source.entries][1]) == ("name,email", '"B,b",bad')


def test_rows_are_read_as_they_are_asked_for():
    def endless():
        while True:
            yield ANN

    entries = parse(endless(), canonical).entries
    assert [next(entries).line for _ in range(300)] == [*range(1, 301)]


def test_a_long_value_is_shown_in_part_and_kept_whole():
    (entry,) = parse("x" * 5000, canonical).entries
    assert (entry.value, entry.raw) == ("x" * 199 + "\u2026", "x" * 5000)


@pytest.mark.parametrize(
    "text",
    [
        f"{ANN}\n{BOB}",
        f"{ANN}\r\n\r\n  {BOB}  \r\n",
        f"{ANN}, {BOB}",
        f"{ANN};{BOB}",
        f"{ANN}\t{BOB}",
        f"Ann <{ANN}>, Bob <{BOB}>",
        f'"Baker, Ann" <{ANN}>\n"Bob" <{BOB}>',
        f"Email\n{ANN}\n{BOB}",
        f"name,E-Mail,note\nAnn,{ANN},x@y\nBob,{BOB},",
        f"Name;Email address;\nAnn;{ANN};\nBob;{BOB};",
        f"1,Ann,{ANN}\n2,Bob,{BOB}",
        f"Email,Token\r\n{ANN},tok_0\r\n{BOB},tok_1\r\n",
        f"{ANN}\nbob@EXAMPLE.org",
    ],
)
def test_forms_that_were_taken_from_the_beginning_are_taken(text):
    assert addresses(text) == [ANN, BOB]


@pytest.mark.parametrize(
    ("text", "line"),
    [("ann@\n", 1), ("\n\nann", 3), (f"{ANN}\nname,x", 2), (f"email,name\n{ANN},x\n,y", 3), ("a@b@example.org", 1)],
)
def test_a_line_that_can_not_be_taken_is_listed_with_its_number_and_reason(text, line):
    ((number, value, reason),) = rejected(text)
    assert (number, bool(value), bool(reason)) == (line, True, True)
