"""Rejected rows can be corrected and imported."""

import pytest

from mailtrack._imports import ImportResult, RejectedRow


def row(line, raw):
    return RejectedRow(line, raw, "No.", raw)


@pytest.mark.parametrize(
    ("heading", "rows", "text"),
    [
        ("", [], ""),
        ("Email,Name", [], "Email,Name\n"),
        ("", [row(1, "a"), row(3, "b")], "a\nb\n"),
        ("Email,Name", [row(2, 'x,"y\nz"'), row(2, 'x,"y\nz"'), row(4, "w")], 'Email,Name\nx,"y\nz"\nw\n'),
        ("", [row(1, "a"), row(1, "b"), row(2, "a")], "a\nb\na\n"),
    ],
)
def test_each_row_comes_once_below_the_heading(heading, rows, text):
    assert ImportResult(added=0, present=0, recipients=(), rejected=tuple(rows), heading=heading).rejects() == text


def test_the_representation_repeats_no_address():
    result = ImportResult(added=0, present=0, recipients=(None,), rejected=(), heading="ann@example.org")
    assert "@" not in repr(result)
