"""Any cell of a CSV export is read back, and none is a formula."""

import csv
import io

import attrs
from hypothesis import given
from hypothesis import strategies as st

from mailtrack import Urls
from mailtrack._export import guard, quote, recipients_csv
from mailtrack._times import from_milliseconds, to_text
from mailtrack.testing import make_pixel, make_recipient

cells = st.text(st.one_of(st.sampled_from("=+-@\t\r\n\"',;"), st.characters(exclude_categories=["Cs"])), max_size=20)
times = st.integers(0, 4_000_000_000_000).map(from_milliseconds)
bases = st.sampled_from(["https://mail.example.com", "https://mail.example.com/a,b", "http://[::1]:8000/x"])

PIXEL = make_pixel()


def _read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


class TestRoundTrip:
    """What a reader of RFC 4180 reads is what was written, whatever the cells hold."""

    @given(st.lists(st.tuples(cells, times), max_size=5), bases)
    def test_raw_rows_are_read_back(self, values: list[tuple], base: str) -> None:
        urls = Urls(base)
        recipients = [attrs.evolve(make_recipient(PIXEL), email=email, created_at=at) for email, at in values]
        found = _read(b"".join(recipients_csv(PIXEL, recipients, urls=urls, raw=True)))
        assert found[1:] == [
            [one.email, one.token, urls.tracking(PIXEL, one), to_text(one.created_at)] for one in recipients
        ]


class TestQuoting:
    """A quoted cell is what the module `csv` makes of it, or a longer way to say the same."""

    @given(cells, cells)
    def test_it_is_read_back(self, one: str, other: str) -> None:
        line = f"{quote(one)},{quote(other)}\r\n"
        assert next(csv.reader(io.StringIO(line, newline=""), strict=True)) == [one, other]


class TestGuard:
    """No cell begins as a formula does, and none is otherwise changed."""

    @given(cells)
    def test_it_is_harmless(self, cell: str) -> None:
        assert not guard(cell).startswith(("=", "+", "-", "@", "\t", "\r"))

    @given(cells)
    def test_it_keeps_the_text(self, cell: str) -> None:
        assert guard(cell) in (cell, f"'{cell}")
