"""Rows and cells of a text, with any quotation marks."""

import csv
import io

import pytest

from mailtrack._imports.tables import Table


def cells(text):
    return [row.cells for row in Table(text)]


@pytest.mark.parametrize("separator", list(",;\t|"))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_separator_and_each_end_of_a_line_is_recognized(separator, end):
    lines = [separator.join(row) for row in (("a", "b c", "d"), ("1", '"2"', "3"), ("", "5", ""))]
    assert cells(end.join(lines)) == [("a", "b c", "d"), ("1", "2", "3"), ("", "5", "")]


@pytest.mark.parametrize("declared", ["sep=:", '"sep=:"', "SEP=:\t"])
def test_a_separator_that_is_declared_is_the_one(declared):
    assert cells(f"{declared}\na:b,c\n") == [("a", "b,c")]


@pytest.mark.parametrize(
    "blank", ["", "  ", ",,", '"",""', "--,--", "----+----", "|:---|---:|", "(2 rows)", "\ufeff", "\u00a0"]
)
def test_a_row_with_nothing_in_it_is_passed_over(blank):
    assert [(row.line, row.cells) for row in Table(f"a,b\n{blank}\n1,2\n")][-1] == (3, ("1", "2"))
    assert len(cells(f"a,b\n{blank}\n1,2\n")) == (3 if blank == "--,--" else 2)


@pytest.mark.parametrize("text", ["-", "- -", "(2 rows) ann", "n/a"])
def test_a_line_with_little_in_it_is_a_row(text):
    assert [row.raw for row in Table(text)] == [text]


def test_lines_are_numbered_as_an_editor_numbers_them():
    assert [row.line for row in Table('\n\na,b\n\n1,"x\ny"\r\n2,z')] == [3, 5, 7]


def test_a_row_is_kept_as_it_was():
    assert [row.raw for row in Table('a, "b" ,c\n"x\ny",1,2')] == ['a, "b" ,c', '"x\ny",1,2']


@pytest.mark.parametrize("place", range(3))
def test_a_mark_that_is_never_closed_costs_its_line_only(place):
    row = ["ann@example.org", "Ann", "ok"]
    row[place] = '"' + row[place]
    lines = ["email,name,note", "u@example.org,U,ok", ",".join(row), "v@example.org,V,ok", '"w@example.org","W","o,k"']
    assert [(one.line, one.cells) for one in Table("\n".join(lines)) if one.line != 3] == [
        (1, ("email", "name", "note")),
        (2, ("u@example.org", "U", "ok")),
        (4, ("v@example.org", "V", "ok")),
        (5, ("w@example.org", "W", "o,k")),
    ]
    assert [one.raw for one in Table("\n".join(lines)) if not one.cells] == [",".join(row)]


def test_a_mark_within_a_cell_is_part_of_it():
    assert cells('a,b\n5" pipe,say "hi" now\n') == [("a", "b"), ('5" pipe', 'say "hi" now')]


def test_a_cell_of_900_lines_is_a_cell():
    assert cells('a,b\n1,"' + "x\n" * 900 + '"\n2,3')[1:] == [("1", ("x\n" * 900).strip()), ("2", "3")]


def test_a_cell_of_a_megabyte_costs_its_row_only():
    assert cells("a,b\n" + "x" * 10**6 + ',"y"\n1,"' + "x" * 10**6 + '"\n2,3')[-1] == ("2", "3")


def test_lines_within_cells_do_not_decide_on_the_separator():
    text = "a;b;c\n" + '1;2;"Dear Ann,\nthanks, bye\nx, y"\n' * 5
    assert cells(text)[1:] == [("1", "2", "Dear Ann,\nthanks, bye\nx, y")] * 5


@pytest.mark.parametrize(
    "line", ['u@example.org,"5 inch', 'z",x,"', 'z",x@y.example,"', '"a","b","c"', '"""', '"' + "x" * 50], ids=range(6)
)
def test_the_time_grows_with_the_lines_and_not_with_their_square(line, monkeypatch):
    """The measure is the number of lines that the module csv reads, since times vary."""
    given = 0
    real = csv.reader

    def counting(lines, **options):
        def counted():
            nonlocal given
            for one in lines:
                given += 1
                yield one

        return real(counted(), **options)

    number = 5_000
    table = Table("\n".join(["a,b,c", *[line] * number]))
    monkeypatch.setattr(csv, "reader", counting)
    assert sum(row.raw.count("\n") + 1 for row in table) == number + 1
    assert given < 16 * number


def test_what_the_module_csv_writes_is_read_back():
    rows = [("a", "b"), ("x,y", 'say "hi"'), ("line\nline", "z"), ("; |", "")]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    assert cells(out.getvalue()) == rows
