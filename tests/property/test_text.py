"""Any text and any IP address of a request, cleaned."""

import ipaddress
import re

from hypothesis import given
from hypothesis import strategies as st

from mailtrack._text import MAX_TEXT_LENGTH, clean_text, parse_ip

texts = st.one_of(st.text(max_size=600), st.text(st.characters(codec=None), max_size=20))
ALMOST_IP = re.compile(r"([0-9a-f]{0,5}:){0,8}(:[0-9a-f]{0,5}){0,8}(:?[0-9]{1,4}(\.[0-9]{0,3}){0,4})?", re.ASCII)
ips = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda one: one.exploded.upper()),
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.ip_addresses(v=6).map("{}%eth0".format),
)


class TestCleanText:
    """Cleaned text can be shown and stored as it is."""

    @given(texts)
    def test_it_can_be_printed_and_encoded(self, text: str) -> None:
        cleaned = clean_text(text)
        assert cleaned.isprintable()
        assert "\0" not in cleaned
        assert cleaned.encode().decode() == cleaned

    @given(texts)
    def test_no_character_moves(self, text: str) -> None:
        assert [new in (old, "\ufffd") for old, new in zip(text[:512], clean_text(text), strict=True)].count(False) == 0

    @given(texts)
    def test_cleaning_again_changes_nothing(self, text: str) -> None:
        assert clean_text(clean_text(text)) == clean_text(text)

    @given(st.text(st.characters(categories=["L", "N", "P"]), max_size=MAX_TEXT_LENGTH))
    def test_letters_and_digits_stay(self, text: str) -> None:
        assert clean_text(text) == text


class TestIps:
    """An address has one spelling, and what is none is none."""

    @given(ips)
    def test_every_address_is_read(self, text: str) -> None:
        found = parse_ip(text)
        assert found is not None
        assert str(ipaddress.ip_address(found)) == found

    @given(ips)
    def test_reading_again_changes_nothing(self, text: str) -> None:
        assert parse_ip(parse_ip(text)) == parse_ip(text)

    @given(st.ip_addresses(v=4))
    def test_an_address_within_ipv6_is_the_same(self, address) -> None:
        assert parse_ip(f"::ffff:{address}") == parse_ip(str(address))

    @given(st.one_of(st.text(max_size=70), st.text("0123456789abcdef.:%[]/ ", max_size=70)))
    def test_any_text_is_an_address_or_none(self, text: str) -> None:
        found = parse_ip(text)
        assert found is None or str(ipaddress.ip_address(found)) == found

    @given(st.one_of(ips, st.from_regex(r"[0-9a-f:.]{1,45}", fullmatch=True), st.from_regex(ALMOST_IP, fullmatch=True)))
    def test_it_is_what_the_standard_library_reads(self, text: str) -> None:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            assert parse_ip(text) is None
        else:
            assert parse_ip(text) == str(getattr(address, "ipv4_mapped", None) or address)
