"""Ids, tokens and cursors: what is made is read back, and any other text is none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailtrack import _ids as ids
from mailtrack._errors import InvalidPaging
from mailtrack.storage import _cursors as cursors

hexish = st.text("0123456789abcdefABCDEF-_tok\n\uff11", max_size=40)
texts = st.one_of(hexish, st.text(max_size=40), st.uuids().map(str), st.uuids().map(lambda one: str(one)[:8]))


class TestPixelKeys:
    """A key is a UUID or a short id in lower case; every other text is none."""

    @given(st.uuids())
    def test_every_uuid_is_one(self, uuid) -> None:
        assert ids.parse_pixel_key(str(uuid).upper()) == str(uuid)
        assert ids.parse_pixel_key(str(uuid).upper()[:8]) == str(uuid)[:8]

    @given(texts)
    def test_what_is_read_is_of_the_form(self, text: str) -> None:
        key = ids.parse_pixel_key(text)
        if key is not None:
            assert key == text.lower()
            assert [len(part) for part in key.split("-")] in ([8], [8, 4, 4, 4, 12])
            assert set(key) <= set("0123456789abcdef-")

    @given(texts)
    def test_reading_again_changes_nothing(self, text: str) -> None:
        key = ids.parse_pixel_key(text)
        assert key is None or ids.parse_pixel_key(key) == key


class TestTokens:
    """A token is `tok_` and 32 hex digits; every other text is none."""

    @given(st.integers(0, 2**128 - 1))
    def test_every_number_is_one(self, number: int) -> None:
        assert ids.parse_token(f"tok_{number:032x}") == f"tok_{number:032x}"

    @given(texts)
    def test_anything_else_is_none(self, text: str) -> None:
        form = len(text) == 36 and text[:4] == "tok_" and set(text[4:]) <= set("0123456789abcdef")
        assert ids.parse_token(text) == (text if form else None)


class TestRecipientIds:
    """A recipient's id is 24 hex digits that begin with its pixel's short id."""

    @given(st.uuids().map(lambda one: str(one)[:8]), st.integers(0, 50))
    def test_new_ones_are_of_the_form(self, short_id: str, count: int) -> None:
        made = list(ids.new_recipient_ids(short_id, count))
        assert len(set(made)) == count
        assert all(ids.is_recipient_id(one) and one.startswith(short_id) for one in made)

    @given(texts)
    def test_anything_else_is_none(self, text: str) -> None:
        assert ids.is_recipient_id(text) == (len(text) == 24 and set(text) <= set("0123456789abcdef"))


class TestCursors:
    """A cursor of the bundled storages is the place that it was made of; every other text is refused."""

    @given(st.integers(0, 10**18 - 1))
    def test_a_place_is_read_back(self, place: int) -> None:
        assert cursors.to_place(cursors.from_place(place)) == place

    @example("\uff11")
    @example("9" * 19)
    @given(st.one_of(st.text(max_size=25), st.integers().map(str), st.text("0123456789+-_. \uff11\u0661", max_size=25)))
    def test_what_is_read_fits_into_63_bits_and_anything_else_is_refused(self, text: str) -> None:
        if set(text) <= set("0123456789") and 0 < len(text) <= 18:
            assert 0 <= cursors.to_place(text) < 2**63
        else:
            with pytest.raises(InvalidPaging):
                cursors.to_place(text)
