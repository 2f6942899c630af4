"""Any text as an address: valid ones have one canonical form, invalid ones a reason that does not quote them."""

import string
import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from mailtrack import InvalidEmail, InvalidEmails
from mailtrack._addresses import MAX_LENGTH, canonical, comparable
from mailtrack._new_recipients import check_all

atoms = st.text(string.ascii_letters + string.digits + "+-_.", min_size=1, max_size=70)
labels = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,4}[A-Za-z0-9])?", fullmatch=True),
    atoms,
    st.sampled_from(["xn--bcher-kva", "xn--", "bücher", "BÜCHER", "ß", "\ufdfa", "日本", "1", "a" * 63, "a" * 64]),
)
tops = st.sampled_from(
    ["org", "COM", "example", "test", "local", "ARPA", "localhost", "c", "1", "o1", "xn--p1ai", "рф"]
)
domains = st.builds(lambda parts, top: ".".join([*parts, top]), st.lists(labels, min_size=1, max_size=4), tops)
plain = st.builds("{}@{}".format, st.lists(atoms, min_size=1, max_size=4).map(".".join), domains)
hostile = st.builds("{}@{}".format, st.text(max_size=8), st.one_of(domains, st.text(max_size=12)))
emails = st.one_of(plain, hostile, st.text(max_size=20), st.text("ab.@-_+\r\n \"<>,;:'é\u0308", max_size=20))
good_labels = st.one_of(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9]{0,4}[A-Za-z0-9])?", fullmatch=True),
    st.sampled_from(["xn--bcher-kva", "bücher", "BU\u0308CHER", "faß", "日本", "ﬁne", "Ⓐ"]),
)
good_locals = st.one_of(
    st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,10}(\.[A-Za-z0-9]{1,5})?", fullmatch=True),
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8),
)
mostly_valid = st.builds(
    lambda local, parts, top: f"{local}@{'.'.join([*parts, top])}",
    good_locals,
    st.lists(good_labels, min_size=1, max_size=4),
    st.sampled_from(["org", "COM", "example", "xn--p1ai", "рф"]),
)


def _judged(email: str) -> str | None:
    """Return what email-validator makes of an address, the local part as written."""
    if len(email) > MAX_LENGTH:
        return None
    try:
        found = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return None
    return f"{unicodedata.normalize('NFC', email.rpartition('@')[0])}@{found.domain}"


def _canonical(email: str) -> str | None:
    try:
        return canonical(email)
    except InvalidEmail:
        return None


class TestValidity:
    """An address is valid, and has the form, that email-validator says, whichever way it takes."""

    @given(st.one_of(emails, mostly_valid))
    @example("a@b.local")
    @example("a@b.org.")
    @example("a@b-.org")
    @example("a@b--c.org")
    @example("a@xn--bcher-kva.org")
    @example("Info@example.org")
    @example(f"a@{'b' * 64}.org")
    @example("a@b.o\n")
    @example("\u212a@b.org")
    @example("a@b.\u212aom")
    @example("a@\u0131b.org")
    @example("a\uff20b.org")
    def test_it_is_what_the_validator_says(self, email: str) -> None:
        assert _canonical(email) == _judged(email)


class TestOneForm:
    """The canonical form of a canonical form is itself."""

    @given(st.one_of(mostly_valid, mostly_valid, emails))
    def test_it_is_stable(self, email: str) -> None:
        once = _canonical(email)
        assert once is None or canonical(once) == once

    @given(st.one_of(mostly_valid, mostly_valid, emails))
    def test_it_stays_within_the_limit(self, email: str) -> None:
        once = _canonical(email)
        assert once is None or len(once) <= MAX_LENGTH

    @given(st.one_of(mostly_valid, plain).filter(str.isascii))
    def test_the_case_of_a_domain_makes_no_difference(self, email: str) -> None:
        local, _, domain = email.rpartition("@")
        assert _canonical(f"{local}@{domain.upper()}") == _canonical(f"{local}@{domain.lower()}")


class TestSafety:
    """A valid address holds nothing that could leave its place in a mail's header, a page or a CSV row."""

    @given(st.one_of(mostly_valid, mostly_valid, emails))
    def test_it_has_no_blank_quote_or_bracket(self, email: str) -> None:
        once = _canonical(email)
        if once is not None:
            assert not set(once) & set('\r\n\t\0 "<>,;:\\()[]')
            assert once.isprintable()
            assert once.count("@") == 1


class TestLists:
    """Of a list of addresses come the distinct canonical forms, as first written, or all the places of bad ones."""

    @given(st.lists(st.one_of(emails, st.sampled_from(["a@b.org", "a@B.org", "A@b.org"]), st.none()), max_size=8))
    def test_it_is_all_or_the_problems(self, given_: list[str | None]) -> None:
        forms = [one if one is None else _canonical(one) for one in given_]
        bad = [index for index, form in enumerate(forms) if form is None]
        if bad:
            with pytest.raises(InvalidEmails) as caught:
                check_all(given_, canonical)
            assert [problem.index for problem in caught.value.problems] == bad
        else:
            first: dict[str, str | None] = {}
            for form in forms:
                first.setdefault(comparable(form or ""), form)
            assert [one.email for one in check_all(given_, canonical)] == list(first.values())


class TestReasons:
    """A reason never repeats what was given."""

    @given(st.builds(lambda before, after: before + "qzxjqzxj" + after, emails, emails))
    def test_it_holds_no_word_of_the_address(self, email: str) -> None:
        try:
            canonical(email)
        except InvalidEmail as error:
            assert "qzxj" not in error.reason  # noqa: PT017  # valid ones are as good


class TestComparing:
    """The form in which addresses are compared has no case, and is compared as itself."""

    @given(st.one_of(mostly_valid, mostly_valid, emails))
    def test_it_is_stable(self, email: str) -> None:
        once = _canonical(email)
        assert once is None or comparable(comparable(once)) == comparable(once)

    @given(st.one_of(mostly_valid, plain).filter(str.isascii))
    def test_the_case_of_a_local_part_makes_no_difference(self, email: str) -> None:
        once = _canonical(email)
        if once is not None:
            local, at, domain = once.rpartition("@")
            assert comparable(local.upper() + at + domain) == comparable(local.lower() + at + domain)

    @given(mostly_valid, mostly_valid)
    def test_addresses_of_different_domains_are_different(self, one: str, other: str) -> None:
        first, second = _canonical(one), _canonical(other)
        if first and second and first.rpartition("@")[2] != second.rpartition("@")[2]:
            assert comparable(first) != comparable(second)
