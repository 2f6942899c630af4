"""Hits as lines: each line says its hit exactly, and what is damaged or foreign is noticed."""

from datetime import UTC, datetime
from zlib import crc32

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack._model import Hit
from mailtrack._spool.lines import UnreadableRecord, from_line, make_line, to_line
from mailtrack._text import clean_text
from mailtrack._times import to_utc
from mailtrack.testing import make_hit

# Any character at all, halves of surrogate pairs among them, and more often those that could end a field or a line.
TEXTS = st.text(st.characters() | st.sampled_from("\t\n\r\v\f\x00\x1c\x85\u2028\u2029\ud800\udfff\ufeff-"))
CLEAN_TEXTS = (TEXTS | st.text(min_size=510, max_size=600)).map(clean_text)  # as a tracker makes hits

HITS = st.builds(
    Hit,
    id=st.integers(0, 2**128 - 1).map("{:032x}".format),
    pixel=st.uuids().map(str) | st.integers(0, 2**32 - 1).map("{:08x}".format),
    token=st.none() | st.integers(0, 2**128 - 1).map("tok_{:032x}".format),
    at=st.datetimes(timezones=st.just(UTC)).map(to_utc),
    ip=st.none() | st.ip_addresses().map(str),
    user_agent=CLEAN_TEXTS,
    referer=CLEAN_TEXTS,
)


def with_checksum(body: bytes) -> bytes:
    return b"%b%08x\n" % (body, crc32(body))


def fields_of(hit: Hit) -> list[str]:
    return to_line(hit).decode().split("\t")[:-1]


def line_of(fields: list[str]) -> bytes:
    return with_checksum("".join(f"{field}\t" for field in fields).encode())


class TestWhatIsWrittenIsRead:
    @given(HITS)
    def test_any_hit_comes_back_as_it_was(self, hit: Hit) -> None:
        assert from_line(to_line(hit)) == hit

    @given(HITS)
    def test_a_line_may_be_given_without_its_end(self, hit: Hit) -> None:
        assert from_line(to_line(hit)[:-1]) == hit

    @given(HITS)
    def test_any_hit_is_one_line_of_ten_fields(self, hit: Hit) -> None:
        line = to_line(hit)
        assert (line.count(b"\n"), line.endswith(b"\n")) == (1, True)
        assert len(line.split(b"\t")) == 10
        assert len(line.decode().splitlines()) == 1

    def test_the_line_is_as_documented(self) -> None:
        hit = Hit(
            id="0" * 31 + "1",
            pixel="a1b2c3d4",
            token="tok_" + "f" * 32,
            at=datetime(2025, 11, 6, 12, 0, 0, 7000, UTC),
            ip="192.0.2.1",
            user_agent="Grüße",
            referer="",
            signals=("no-language", "range"),
        )
        body = (
            f"1\t{hit.id}\t2025-11-06T12:00:00.007Z\ta1b2c3d4\t{hit.token}\t192.0.2.1\tGrüße\t\tno-language range\t"
        ).encode()
        assert to_line(hit) == with_checksum(body)

    def test_a_line_is_made_of_the_fields_of_a_hit(self) -> None:
        line = make_line("0" * 32, 1762430400007, "a1b2c3d4", None, "192.0.2.1", "Mail/1", "x", ("range",))
        at = datetime(2025, 11, 6, 12, 0, 0, 7000, UTC)
        assert from_line(line) == Hit(
            id="0" * 32, pixel="a1b2c3d4", at=at, ip="192.0.2.1", user_agent="Mail/1", referer="x", signals=("range",)
        )

    def test_what_a_hit_does_not_have_is_a_dash(self) -> None:
        assert fields_of(Hit(id="0" * 32, pixel="a1b2c3d4", at=make_hit("a1b2c3d4").at))[4:6] == ["-", "-"]

    @pytest.mark.parametrize("text", ["-", "", " ", "\N{ZERO WIDTH JOINER}", "\U0001f600"])
    def test_texts_that_look_like_none_are_kept(self, text: str) -> None:
        hit = attrs.evolve(make_hit("a1b2c3d4"), user_agent=text, referer=text)
        assert from_line(to_line(hit)) == hit


class TestDamageIsNoticed:
    @given(HITS, st.data())
    def test_any_byte_that_was_changed(self, hit: Hit, data: st.DataObject) -> None:
        line = bytearray(to_line(hit))
        place = data.draw(st.integers(0, len(line) - 1))
        line[place] ^= data.draw(st.integers(1, 255))
        with pytest.raises(UnreadableRecord):
            from_line(bytes(line))

    @given(HITS, st.data())
    def test_any_cut(self, hit: Hit, data: st.DataObject) -> None:
        line = to_line(hit)
        with pytest.raises(UnreadableRecord):
            from_line(line[: data.draw(st.integers(0, len(line) - 2))])

    @given(HITS, HITS, st.data())
    def test_half_a_line_with_another_behind_it(self, hit: Hit, other: Hit, data: st.DataObject) -> None:
        line = to_line(hit)
        half = line[: data.draw(st.integers(1, len(line) - 1))]
        with pytest.raises(UnreadableRecord):
            from_line(half + to_line(other))


class TestForeignLinesAreUnreadable:
    @pytest.mark.parametrize(
        "line",
        [b"", b"\n", b"\r\n", b"\t" * 8, b"\x00" * 64, b"\xff\xfe", b"00000000", b'"GET /" 200\n', b"a" * 10**6],
        ids=lambda line: repr(line[:12]),
    )
    def test_what_is_no_record(self, line: bytes) -> None:
        with pytest.raises(UnreadableRecord):
            from_line(line)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            pytest.param(0, "2", id="version"),
            pytest.param(2, "yesterday", id="no time"),
            pytest.param(2, "", id="empty time"),
            pytest.param(2, "2025-11-06T12:00:00.000", id="time without a zone"),
            pytest.param(2, "2025-11-06T12:00:00.000+01:00", id="time of another zone"),
        ],
    )
    def test_a_field_that_can_not_be(self, field: int, value: str) -> None:
        fields = fields_of(make_hit("a1b2c3d4"))
        assert from_line(line_of(fields))
        fields[field] = value
        with pytest.raises(UnreadableRecord):
            from_line(line_of(fields))

    @pytest.mark.parametrize("change", [lambda fields: fields[:-1], lambda fields: [*fields, "more"]])
    def test_another_number_of_fields(self, change) -> None:
        with pytest.raises(UnreadableRecord):
            from_line(line_of(change(fields_of(make_hit("a1b2c3d4")))))

    def test_bytes_that_are_no_text(self) -> None:
        body = to_line(make_hit("a1b2c3d4"))[:-9].replace(b"Mozilla", b"\xff\xfe")
        with pytest.raises(UnreadableRecord):
            from_line(with_checksum(body))

    @given(st.binary() | st.binary().map(with_checksum))
    def test_any_bytes_at_all(self, line: bytes) -> None:
        with pytest.raises(UnreadableRecord):
            from_line(line)

    @given(st.lists(TEXTS, min_size=7, max_size=7))
    def test_any_fields_with_a_right_checksum_but_without_a_time(self, fields: list[str]) -> None:
        fields[1] += "?"
        body = "".join(f"{field}\t" for field in ["1", *fields]).encode("utf-8", "surrogatepass")
        with pytest.raises(UnreadableRecord):
            from_line(with_checksum(body))
