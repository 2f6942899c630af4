"""Addresses as people paste or upload them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack_wsgi.address_lists import decode, parse

ANN, BOB = "ann@example.org", "bob@example.com"


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
        f"Email,Token\r\n{ANN},tok_0\r\n{ANN},tok_0\r\n{BOB},tok_1\r\n",
        f"{ANN}\nbob@EXAMPLE.com",
    ],
)
def test_addresses_are_found(text):
    found = parse(text)
    assert (found.addresses, found.rejected) == ((ANN, BOB), ())


def test_a_cell_that_our_own_csv_guards_is_an_address():
    assert parse("Email\n'=1+1@example.org\n'+ann@example.org\n'x'@example.org").addresses == (
        "=1+1@example.org",
        "+ann@example.org",
        "'x'@example.org",
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [("ann@\n", 1), ("\n\nann", 3), (f"{ANN}\nname,x", 2), (f"email,name\n{ANN},x\n,y", 3), ("a@b@example.org", 1)],
)
def test_a_line_that_can_not_be_taken_is_told_with_its_number(text, number):
    (rejected,) = parse(text).rejected
    assert (rejected.number, rejected.reason != "") == (number, True)


def test_a_long_line_is_told_in_part():
    (rejected,) = parse("x" * 5000).rejected
    assert rejected.text == "x" * 79 + "…"


def test_a_cell_without_an_end_is_told_and_nothing_hangs():
    assert parse('"' + "x" * 200_000).rejected[0].text == "…"


@pytest.mark.parametrize(
    "data",
    [
        "Email\nmüller@example.org".encode(),
        "Email\nmüller@example.org".encode("utf-8-sig"),
        "Email\nmüller@example.org".encode("utf-16"),
        "Email\nmüller@example.org".encode("cp1252"),
    ],
)
def test_files_are_read_as_spreadsheets_write_them(data):
    assert parse(decode(data)).addresses == ("müller@example.org",)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_of_some_kind(data):
    found = parse(decode(data))
    assert len(found.addresses) == len(set(found.addresses))


@given(st.lists(st.tuples(st.text(max_size=20), st.sampled_from([ANN, BOB, "cem@example.net"])), min_size=1))
def test_a_column_of_any_csv_file_is_found(rows):
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["name", "email"])
    writer.writerows((name.replace("\x00", ""), email) for name, email in rows)
    found = parse(file.getvalue())
    assert (set(found.addresses), found.rejected) == ({email for _, email in rows}, ())
