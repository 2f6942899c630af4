"""CSV exports, byte for byte and in bounded memory."""

import csv
import io
from itertools import count, islice

import attrs
import pytest

from mailtrack import Recipient, Urls
from mailtrack._export import RECIPIENT_COLUMNS, guard, recipients_csv
from mailtrack.testing import make_pixel, make_recipient, make_recipients

URLS = Urls("https://mail.example.com")
PIXEL = make_pixel()


def _csv(recipients: list[Recipient], *, raw: bool = False) -> bytes:
    return b"".join(recipients_csv(PIXEL, recipients, urls=URLS, raw=raw))


def _rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


class TestRecipientsCsv:
    def test_it_is_as_documented_byte_for_byte(self) -> None:
        one = make_recipient(PIXEL, "ann@example.org")
        assert (
            _csv([one])
            == (
                "Email,Token,Tracking URL,Created At\r\n"
                f"ann@example.org,{one.token},"
                f"https://mail.example.com/tracker/{PIXEL.short_id}.png?token={one.token},2025-11-06T12:00:00.000Z\r\n"
            ).encode()
        )

    def test_without_recipients_it_is_the_header_alone(self) -> None:
        assert _csv([]) == b"Email,Token,Tracking URL,Created At\r\n"

    @pytest.mark.parametrize(
        "email",
        [
            "ann@example.org",
            "jürgen@bücher.example",
            'q"uote@example.org',
            '""@example.org',
            "com,ma@example.org",
            "line\nfeed@example.org",
            "carriage\rreturn@example.org",
            "semi;colon@example.org",
            "'@example.org",
        ],
    )
    def test_whatever_is_in_a_cell_is_read_back(self, email: str) -> None:
        one = make_recipient(PIXEL, email)
        rows = _rows(_csv([one], raw=True))
        assert rows == [
            list(RECIPIENT_COLUMNS),
            [email, one.token, URLS.tracking(PIXEL, one), "2025-11-06T12:00:00.000Z"],
        ]

    @pytest.mark.parametrize("email", ["=1+1@example.org", "+a@example.org", "-a@example.org", "@a@example.org"])
    def test_a_formula_is_guarded(self, email: str) -> None:
        assert _rows(_csv([make_recipient(PIXEL, email)]))[1][0] == f"'{email}"

    @pytest.mark.parametrize("email", ["=1+1@example.org", "+a@example.org"])
    def test_raw_cells_are_as_they_are(self, email: str) -> None:
        assert _rows(_csv([make_recipient(PIXEL, email)], raw=True))[1][0] == email

    @pytest.mark.parametrize("number", [1, 999, 1000, 1001, 2500])
    def test_no_row_is_lost_between_pieces(self, number: int) -> None:
        recipients = make_recipients(PIXEL, [f"r{n}@example.org" for n in range(number)])
        assert [row[0] for row in _rows(_csv(recipients))[1:]] == [one.email for one in recipients]

    def test_each_recipient_has_its_own_time(self) -> None:
        one = make_recipient(PIXEL)
        other = attrs.evolve(one, created_at=one.created_at.replace(hour=13))
        assert [row[3] for row in _rows(_csv([one, other]))[1:]] == [
            "2025-11-06T12:00:00.000Z",
            "2025-11-06T13:00:00.000Z",
        ]

    def test_the_header_does_not_wait_for_recipients(self) -> None:
        def none() -> None:
            raise AssertionError

        pieces = recipients_csv(PIXEL, (none() for _ in range(1)), urls=URLS)  # type: ignore[misc]  # never reached
        assert next(pieces) == b"Email,Token,Tracking URL,Created At\r\n"

    def test_it_takes_recipients_only_as_it_goes(self) -> None:
        endless = (make_recipient(PIXEL) for _ in count())
        assert len(list(islice(recipients_csv(PIXEL, endless, urls=URLS), 3))) == 3


class TestAllColumns:
    @staticmethod
    def _read(ref: str | None, *, raw: bool = False) -> list[list[str]]:
        one = attrs.evolve(make_recipient(PIXEL), ref=ref)
        return _rows(b"".join(recipients_csv(PIXEL, [one], urls=URLS, raw=raw, all_columns=True)))

    def test_they_begin_with_the_documented_four(self) -> None:
        header, row = self._read("INV-1")
        assert header == [*RECIPIENT_COLUMNS, "Reference", "Recipient ID", "State"]
        assert (row[4], row[5][:8], row[6]) == ("INV-1", PIXEL.short_id, "none")

    def test_no_reference_is_an_empty_cell(self) -> None:
        assert self._read(None)[1][4] == ""

    @pytest.mark.parametrize("ref", ['=HYPERLINK("https://evil.example")', "+1", "-5", "@a", "\uff1da"])
    def test_a_reference_that_is_a_formula_is_guarded(self, ref: str) -> None:
        assert self._read(ref)[1][4] == f"'{ref}"
        assert self._read(ref, raw=True)[1][4] == ref

    @pytest.mark.parametrize("ref", ["a,b", 'a"b', "a;b", "'a", " a "])
    def test_a_reference_is_read_back(self, ref: str) -> None:
        assert self._read(ref)[1][4] == ref


class TestGuard:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_what_a_spreadsheet_computes_is_guarded(self, start: str) -> None:
        assert guard(f"{start}A1") == f"'{start}A1"

    @pytest.mark.parametrize("cell", ["", "a=1", "'=1", "ann@example.org", "1"])
    def test_anything_else_is_left(self, cell: str) -> None:
        assert guard(cell) == cell
