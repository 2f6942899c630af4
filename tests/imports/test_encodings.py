"""Files in the encodings of spreadsheets and editors."""

# ruff: noqa: E501  # a case is a line

import random

import pytest

from mailtrack._errors import InvalidImport
from mailtrack._imports.encodings import decode

GERMAN = "Name;E-Mail\r\nM\u00fcller;m\u00fcller@example.org\r\nGro\u00df;ann@example.org\r\n"
JAPANESE = "\u6c0f\u540d\t\u30e1\u30fc\u30eb\r\n\u5c71\u7530\u3000\u592a\u90ce\tann@example.org\r\n\u30a1\u9ad8\u6a4b\tbob@example.org\r\n"
CHINESE = "\u59d3\u540d,\u90ae\u7bb1\r\n\u5f20\u4e09,ann@example.org\r\n\u4e02\u674e,bob@example.org\r\n"
RUSSIAN = "\u0418\u043c\u044f;Email\r\n\u0418\u0432\u0430\u043d;ann@example.org\r\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_a_text_of_western_europe_is_read_in_each_encoding(encoding):
    assert decode(GERMAN.encode(encoding)) == GERMAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "cp932"),
        (JAPANESE, "utf-16-le"),
        (JAPANESE, "utf-16-be"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (CHINESE, "utf-16-le"),
    ],
)
def test_a_text_of_east_asia_is_read_in_its_encodings(text, encoding):
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"), [(RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (GERMAN, "mac-roman"), (CHINESE, "utf-16")]
)
def test_ascii_stays_what_it_is_in_every_other_encoding(text, encoding):
    found = decode(text.encode(encoding))
    assert "ann@example.org\r\n" in found
    assert found.count("\n") == text.count("\n")


def test_files_that_were_joined_may_have_two_encodings():
    assert decode("m\u00fc\n".encode() + "m\u00fc\r".encode("cp1252") + b"x") == "m\u00fc\nm\u00fc\rx"


def test_a_file_that_was_cut_within_a_character_is_read_up_to_there():
    assert decode("ab".encode("utf-16")[:-1]) == "a\ufffd"
    assert decode("m\u00fc".encode()[:-1]) == "m\u00c3"


def test_a_zero_byte_is_no_reason_to_refuse_a_file():
    assert decode(b"ann@example.org\0\nbob@example.org") == "ann@example.org\0\nbob@example.org"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04\x14\0", "a spreadsheet or an archive. Save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Excel"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"{\\rtf1\\ansi", "RTF"),
        (b"\x1f\x8b\x08", "Unpack it"),
        (b"SQLite format 3\0", "a database"),
        (b"\x89PNG\r\n", "an image"),
        (b"\xff\xd8\xff\xe0", "an image"),
        (b"GIF89a", "an image"),
        (b"\n <!DOCTYPE html>\n", "a web page"),
        (b"<HTML lang=en>", "a web page"),
        (random.Random(1).randbytes(4000), "not a text"),
        (b"\0" * 100, "not a text"),
    ],
)
def test_a_file_that_is_no_text_is_refused_by_what_it_is(data, reason):
    with pytest.raises(InvalidImport, match=reason):
        decode(data)


def test_an_empty_file_is_an_empty_text():
    assert decode(b"") == ""
