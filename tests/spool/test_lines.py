"""Lines become the hits that they were made of, in both versions, and damaged or foreign ones are noticed."""

from datetime import UTC, datetime
from zlib import crc32

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack._ingest.drain import drain
from mailtrack._ingest.lines import UnreadableLine, from_line, make_line
from mailtrack._ingest.request import Request
from mailtrack._model import Hit
from mailtrack._text import clean_text
from mailtrack._times import to_utc
from mailtrack.testing import make_hit
from mailtrack.testing._factories import to_line

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
    def test_any_hit_is_one_line_of_eleven_fields(self, hit: Hit) -> None:
        line = to_line(hit)
        assert (line.count(b"\n"), line.endswith(b"\n")) == (1, True)
        assert len(line.split(b"\t")) == 11
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
            f"2\t{hit.id}\t2025-11-06T12:00:00.007Z\to\ta1b2c3d4\t{hit.token}\t192.0.2.1\tGrüße\t\tno-language range\t"
        ).encode()
        assert to_line(hit) == with_checksum(body)

    def test_a_line_is_made_of_the_parts_of_a_request(self) -> None:
        line = make_line("0" * 32, 1762430400007, Request("a1b2c3d4", None, "192.0.2.1", "Mail/1", "x", ("range",)))
        at = datetime(2025, 11, 6, 12, 0, 0, 7000, UTC)
        assert from_line(line) == Hit(
            id="0" * 32, pixel="a1b2c3d4", at=at, ip="192.0.2.1", user_agent="Mail/1", referer="x", signals=("range",)
        )

    def test_what_a_hit_does_not_have_is_a_dash(self) -> None:
        assert fields_of(Hit(id="0" * 32, pixel="a1b2c3d4", at=make_hit("a1b2c3d4").at))[5:7] == ["-", "-"]

    @pytest.mark.parametrize("text", ["-", "", " ", "\N{ZERO WIDTH JOINER}", "\U0001f600"])
    def test_texts_that_look_like_none_are_kept(self, text: str) -> None:
        hit = attrs.evolve(make_hit("a1b2c3d4"), user_agent=text, referer=text)
        assert from_line(to_line(hit)) == hit


VERSION_1 = [  # as mailtrack wrote them before lines had a kind
    (
        b"1\t019a5909b60700112233445566778899\t2025-11-06T12:00:00.007Z\ta1b2c3d4\t"
        b"tok_ffffffffffffffffffffffffffffffff\t192.0.2.1\tGr\xc3\xbc\xc3\x9fe\thttps://mail.example.com/\t"
        b"no-language range\t1403e274\n"
    ),
    (
        b"1\t019a5909b60800112233445566778899\t2025-11-06T12:00:00.008Z\ta1b2c3d4-0000-4000-8000-000000000000\t"
        b"-\t-\t\t\t-\t2ffae685\n"
    ),
]
NOON = datetime(2025, 11, 6, 12, tzinfo=UTC)
HITS_OF_VERSION_1 = [
    Hit(
        id="019a5909b60700112233445566778899",
        pixel="a1b2c3d4",
        token="tok_" + "f" * 32,
        at=NOON.replace(microsecond=7000),
        ip="192.0.2.1",
        user_agent="Grüße",
        referer="https://mail.example.com/",
        signals=("no-language", "range"),
    ),
    Hit(
        id="019a5909b60800112233445566778899",
        pixel="a1b2c3d4-0000-4000-8000-000000000000",
        at=NOON.replace(microsecond=8000),
    ),
]


class TestOtherVersions:
    def test_lines_of_version_1_are_read(self) -> None:
        assert [from_line(line) for line in VERSION_1] == HITS_OF_VERSION_1

    def test_they_have_no_room_for_more_fields(self) -> None:
        fields = VERSION_1[0].decode().split("\t")[:-1]
        for changed in (fields[:-1], [*fields, "more"]):
            with pytest.raises(UnreadableLine, match="malformed"):
                from_line(line_of(changed))

    @given(HITS, st.lists(st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"])), max_size=3))
    def test_fields_that_a_later_release_appends_are_ignored(self, hit: Hit, more: list[str]) -> None:
        assert from_line(line_of([*fields_of(hit), *more])) == hit

    def test_a_segment_may_hold_both_versions(self, leave, make_reader, folder) -> None:
        new = [make_hit("a1b2c3d4", at=NOON), make_hit("a1b2c3d4", at=NOON.replace(second=1))]
        leave(VERSION_1[1], to_line(new[1]), VERSION_1[0], to_line(new[0]))
        stored: list[Hit] = []
        assert drain(make_reader(), stored.extend) == 4
        assert stored == [new[0], *HITS_OF_VERSION_1, new[1]]  # in the order of their arrival
        assert list(folder.iterdir()) == []

    def test_lines_of_unknown_kinds_and_versions_are_kept_and_keep_no_other_back(
        self, leave, make_reader, folder, caplog
    ) -> None:
        hit = make_hit("a1b2c3d4")
        fields = fields_of(hit)
        foreign = [line_of([*fields[:3], "c", *fields[4:]]), line_of(["3", *fields[1:]]), line_of(["3", "?"])]
        leave(foreign[0], to_line(hit), *foreign[1:])
        stored: list[Hit] = []
        assert drain(make_reader(), stored.extend) == 1
        assert stored == [hit]
        assert sorted((folder / "set-aside.lines").read_bytes().splitlines(keepends=True)) == sorted(foreign)
        assert sorted(caplog.messages) == [
            "A line of the spool was moved to set-aside.lines: its kind is unknown.",
            "A line of the spool was moved to set-aside.lines: its version is unknown.",
            "A line of the spool was moved to set-aside.lines: its version is unknown.",
        ]

    def test_a_hit_of_version_1_that_the_storage_refuses_is_kept_as_it_was(self, leave, make_reader, folder) -> None:
        def store(hits) -> int:
            if any(hit.user_agent == "Grüße" for hit in hits):
                raise ValueError("refused")
            return len(hits)

        leave(*VERSION_1)
        assert drain(make_reader(), store) == 1
        assert (folder / "set-aside.lines").read_bytes() == VERSION_1[0]


class TestDamageIsNoticed:
    @given(HITS, st.data())
    def test_any_byte_that_was_changed(self, hit: Hit, data: st.DataObject) -> None:
        line = bytearray(to_line(hit))
        place = data.draw(st.integers(0, len(line) - 1))
        line[place] ^= data.draw(st.integers(1, 255))
        with pytest.raises(UnreadableLine):
            from_line(bytes(line))

    @given(HITS, st.data())
    def test_any_cut(self, hit: Hit, data: st.DataObject) -> None:
        line = to_line(hit)
        with pytest.raises(UnreadableLine):
            from_line(line[: data.draw(st.integers(0, len(line) - 2))])

    @given(HITS, HITS, st.data())
    def test_half_a_line_with_another_behind_it(self, hit: Hit, other: Hit, data: st.DataObject) -> None:
        line = to_line(hit)
        half = line[: data.draw(st.integers(1, len(line) - 1))]
        with pytest.raises(UnreadableLine):
            from_line(half + to_line(other))


class TestForeignLinesAreUnreadable:
    @pytest.mark.parametrize(
        "line",
        [b"", b"\n", b"\r\n", b"\t" * 8, b"\x00" * 64, b"\xff\xfe", b"00000000", b'"GET /" 200\n', b"a" * 10**6],
        ids=["nothing", "line break", "two of them", "tabs", "zeros", "no text", "digits", "request", "long"],
    )
    def test_what_is_no_record(self, line: bytes) -> None:
        with pytest.raises(UnreadableLine):
            from_line(line)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            pytest.param(0, "3", id="version"),
            pytest.param(0, "", id="no version"),
            pytest.param(3, "c", id="kind"),
            pytest.param(3, "", id="no kind"),
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
        with pytest.raises(UnreadableLine):
            from_line(line_of(fields))

    @pytest.mark.parametrize("missing", range(1, 11))
    def test_too_few_fields(self, missing: int) -> None:
        fields = fields_of(make_hit("a1b2c3d4"))
        with pytest.raises(UnreadableLine):
            from_line(line_of(fields[:-missing]))

    def test_the_reason_is_stated_without_any_content(self) -> None:
        fields = fields_of(make_hit("a1b2c3d4"))
        for place, value, reason in [
            (0, "3", "its version is unknown"),
            (3, "secret", "its kind is unknown"),
            (2, "secret", "its fields are malformed"),
            (2, "2025-11-06T12:00:00", "its time is not in UTC"),
        ]:
            with pytest.raises(UnreadableLine, match=f"^{reason}$"):
                from_line(line_of([*fields[:place], value, *fields[place + 1 :]]))
        with pytest.raises(UnreadableLine, match=r"^the checksum is wrong$"):
            from_line(b"secret")

    @pytest.mark.parametrize("more", [" ", "\t", "\r", "X", "0"])
    def test_anything_behind_the_checksum_but_a_line_break(self, more: str) -> None:
        line = to_line(make_hit("a1b2c3d4"))
        assert from_line(line[:-1]) == from_line(line)
        with pytest.raises(UnreadableLine):
            from_line(line[:-1] + more.encode() + b"\n")

    def test_bytes_that_are_no_text(self) -> None:
        body = to_line(make_hit("a1b2c3d4"))[:-9].replace(b"Mozilla", b"\xff\xfe")
        with pytest.raises(UnreadableLine):
            from_line(with_checksum(body))

    @given(st.binary() | st.binary().map(with_checksum))
    def test_any_bytes_at_all(self, line: bytes) -> None:
        with pytest.raises(UnreadableLine):
            from_line(line)

    @given(st.lists(TEXTS, min_size=8, max_size=12))
    @pytest.mark.parametrize("version", ["1", "2"])
    def test_any_fields_with_a_right_checksum_but_without_a_time(self, version: str, fields: list[str]) -> None:
        fields[1] += "?"
        body = "".join(f"{field}\t" for field in [version, *fields]).encode("utf-8", "surrogatepass")
        with pytest.raises(UnreadableLine):
            from_line(with_checksum(body))
