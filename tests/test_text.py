"""Texts and IP addresses of requests are cleaned before they are kept."""

import pytest

from mailtrack._text import MAX_TEXT_LENGTH, clean_text, parse_ip


class TestCleanText:
    def test_ordinary_text_stays(self) -> None:
        assert clean_text("Mozilla/5.0 (X11; Linux) é 日本") == "Mozilla/5.0 (X11; Linux) é 日本"

    @pytest.mark.parametrize("char", ["\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\ud800"])
    def test_what_cannot_be_printed_is_replaced(self, char: str) -> None:
        assert clean_text(f"a{char}b") == "a\ufffdb"

    def test_it_is_cut_to_512_characters(self) -> None:
        assert clean_text("x" * 65_536) == "x" * MAX_TEXT_LENGTH == "x" * 512


class TestParseIp:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:201", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::192.0.2.1", "::c000:201"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ],
    )
    def test_an_address_has_one_spelling(self, given: str, expected: str) -> None:
        assert parse_ip(given) == expected

    @pytest.mark.parametrize(
        "given",
        [
            None,
            "",
            "unknown",
            "<script>",
            "192.0.2.1:5678",
            "[2001:db8::1]",
            "192.0.2.256",
            "192.0.2.01",
            "192.0.2.1 ",
            "192.0.2.1\n",
            "192.0.2.1\0",
            "192.0.2",
            "\udc80",
            "3221225985",
            "192.0.2.0/24",
            "\uff11.2.3.4",
            "1" * 65_536,
        ],
    )
    def test_anything_else_is_none(self, given: str | None) -> None:
        assert parse_ip(given) is None
