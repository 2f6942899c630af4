"""Addresses are validated, converted to their canonical form, and compared."""

import pytest

from mailtrack import InvalidEmail
from mailtrack._addresses import canonical


class TestCanonical:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("ann@example.org", "ann@example.org"),
            ("Ann.Lee+news@EXAMPLE.Org", "Ann.Lee+news@example.org"),
            ("Info@example.org", "Info@example.org"),
            ("ann@BÜCHER.example", "ann@bücher.example"),
            ("ann@xn--bcher-kva.example", "ann@bücher.example"),
            ("ann@XN--BCHER-KVA.example", "ann@bücher.example"),
            ("ann@bu\u0308cher.example", "ann@bücher.example"),
            ("ju\u0308rgen@example.org", "jürgen@example.org"),
            ("=1+1@example.org", "=1+1@example.org"),
            ("+a@example.org", "+a@example.org"),
            ("o'neill@example.org", "o'neill@example.org"),
            ("a@1.example.org", "a@1.example.org"),
        ],
    )
    def test_a_valid_address_has_one_form(self, given: str, expected: str) -> None:
        assert canonical(given) == expected

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@example",
            "ann@@example.org",
            "ann@example..org",
            ".ann@example.org",
            "ann.@example.org",
            "a..b@example.org",
            "ann@-example.org",
            "ann@example-.org",
            "ann@example.org.",
            "ann@example.test",
            "ann@example.LOCAL",
            "ann@localhost",
            "ann@[192.0.2.1]",
            "ann@192.0.2.1",
            "Ann <ann@example.org>",
            '"ann, lee"@example.org',
            "<script>@example.org",
            "a@b.com\r\nBcc: x@y",
            "ann@example.org\n",
            " ann@example.org",
            "ann@exa mple.org",
            "ann@example.org\x00",
            "ann@ex\u200bample\u200b.org\u202e",
            "\ud800@example.org",
            f"ann@{'a' * 64}.org",
            f"ann@{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}.org",
        ],
    )
    def test_anything_else_is_refused(self, given: str) -> None:
        with pytest.raises(InvalidEmail):
            canonical(given)

    @pytest.mark.parametrize(("length", "valid"), [(254, True), (255, False)])
    def test_an_address_has_at_most_254_characters(self, length: int, valid: bool) -> None:
        email = f"{'a' * 62}@{'b' * 62}.{'c' * 62}.{'d' * (length - 193)}.org"
        assert len(email) == length
        if valid:
            assert canonical(email) == email
        else:
            with pytest.raises(InvalidEmail):
                canonical(email)

    def test_a_megabyte_is_refused_by_its_length(self) -> None:
        with pytest.raises(InvalidEmail, match="too long"):
            canonical("a" * 1_000_000 + "@example.org")

    @pytest.mark.parametrize(
        "given", ["zebra@@zebra", "<zebra>@zebra.org", "zebra@zebra.test", "zebra", "zebra@z_ebra.org"]
    )
    def test_the_reason_does_not_repeat_the_address(self, given: str) -> None:
        with pytest.raises(InvalidEmail) as caught:
            canonical(given)
        assert "zebra" not in caught.value.reason
        assert "<" not in caught.value.reason

    @pytest.mark.parametrize("given", ["ann@ex_ample.org", "ann@ex<ample.org", "ann@exa mple.org"])
    def test_the_reason_does_not_repeat_single_characters(self, given: str) -> None:
        with pytest.raises(InvalidEmail) as caught:
            canonical(given)
        assert caught.value.reason == "The part after the @-sign contains invalid characters."

    def test_the_reason_is_a_sentence(self) -> None:
        with pytest.raises(InvalidEmail) as caught:
            canonical("ann")
        assert caught.value.reason.endswith(".")
        assert str(caught.value) == caught.value.reason


SPECIAL = [
    ("ann@shop.test", "ann@shop.test"),
    ("ann@TEST", "ann@test"),
    ("ann@printer.LOCAL", "ann@printer.local"),
    ("Ann@LocalHost", "Ann@localhost"),
    ("ann@mail1", "ann@mail1"),
    ("ann@nowhere.invalid", "ann@nowhere.invalid"),
    ("ann@example", "ann@example"),
    ("ann@b\u00fccher.test", "ann@b\u00fccher.test"),
    ("ann@xn--bcher-kva.test", "ann@b\u00fccher.test"),
    ("ann@shop\u3002test", "ann@shop.test"),
    ("ann@hidden.onion", "ann@hidden.onion"),
    ("ann@1.0.0.127.in-addr.arpa", "ann@1.0.0.127.in-addr.arpa"),
]


class TestSpecialDomains:
    @pytest.mark.parametrize(("given", "expected"), SPECIAL)
    def test_they_are_taken_only_where_they_are_allowed(self, given: str, expected: str) -> None:
        assert canonical(given, allow_special_domains=True) == expected
        with pytest.raises(InvalidEmail):
            canonical(given)

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "ann",
            "ann@",
            "@localhost",
            "ann@localhost.",
            "ann@.test",
            "ann@shop..test",
            "ann@-shop.test",
            "ann@sh op.test",
            "ann@127",
            "ann@127.0.0.1",
            "ann@[127.0.0.1]",
            "ann@[::1]",
            "ann@shop.test\n",
            "ann@shop.123",
            "a..b@localhost",
            "Ann <ann@localhost>",
            "ann@localhost, bob",
            "ann@localhost@bob",
            f"ann@{'a' * 64}.test",
        ],
    )
    def test_what_is_no_address_is_none_there_either(self, given: str) -> None:
        with pytest.raises(InvalidEmail):
            canonical(given, allow_special_domains=True)

    @pytest.mark.parametrize("given", ["Ann.Lee+news@EXAMPLE.Org", "ann@xn--bcher-kva.example", "=1+1@example.org"])
    def test_other_addresses_are_what_they_are_without(self, given: str) -> None:
        assert canonical(given, allow_special_domains=True) == canonical(given)

    def test_the_reason_for_a_bad_address_is_the_same(self) -> None:
        reasons = set()
        for allowed in (True, False):
            with pytest.raises(InvalidEmail) as caught:
                canonical("ann@sh op.test", allow_special_domains=allowed)
            reasons.add(caught.value.reason)
        assert len(reasons) == 1
