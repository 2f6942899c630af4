"""Ids and tokens: their forms when made, and the texts that are accepted as such."""

import subprocess
import sys
import textwrap
from uuid import UUID

import pytest

from mailtrack import _ids as ids
from mailtrack.testing._contract.forks import in_child

NOON = 1762430400000  # in milliseconds
UUID_TEXT = "a1b2c3d4-e5f6-7890-1234-567890abcdef"


class TestPixelIds:
    def test_a_new_id_is_a_random_uuid_in_its_usual_spelling(self) -> None:
        text = ids.new_pixel_id()
        assert UUID(text).version == 4
        assert str(UUID(text)) == text

    @pytest.mark.parametrize("text", [UUID_TEXT, UUID_TEXT[:8]])
    def test_a_uuid_and_a_short_id_are_keys(self, text: str) -> None:
        assert ids.parse_pixel_key(text) == text

    @pytest.mark.parametrize("text", [UUID_TEXT, UUID_TEXT[:8]])
    def test_keys_are_read_in_either_case(self, text: str) -> None:
        assert ids.parse_pixel_key(text.upper()) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a1b2c3d",
            "a1b2c3d4e",
            "g1b2c3d4",
            "a1b2c3d\n",
            "../../..",
            "%00%00%0",
            "\uff11" * 8,
            "\u0130" * 8,
            UUID_TEXT.replace("-", ""),
            "{" + UUID_TEXT[1:-1] + "}",
            UUID_TEXT[:35] + "\n",
            UUID_TEXT.replace("-", "_"),
            "a" * 36,
            "a" * 10_000,
        ],
    )
    def test_anything_else_is_none(self, text: str) -> None:
        assert ids.parse_pixel_key(text) is None

    def test_a_text_that_is_too_long_takes_no_place_in_the_cache(self) -> None:
        before = ids._parse_pixel_key.cache_info().currsize
        assert ids.parse_pixel_key("b" * 37) is None
        assert ids._parse_pixel_key.cache_info().currsize == before


class TestRecipientIds:
    def test_they_begin_with_the_short_id_of_their_pixel(self) -> None:
        assert [one[:8] for one in ids.new_recipient_ids("a1b2c3d4", 3)] == ["a1b2c3d4"] * 3

    def test_new_ones_have_their_form_and_differ(self) -> None:
        made = list(ids.new_recipient_ids("a1b2c3d4", 1000))
        assert len(set(made)) == 1000
        assert all(map(ids.is_recipient_id, made))

    def test_none_are_made_where_none_are_wanted(self) -> None:
        assert list(ids.new_recipient_ids("a1b2c3d4", 0)) == []

    @pytest.mark.parametrize("text", ["", "a" * 23, "a" * 25, "A" * 24, "g" * 24, "a" * 23 + "\n", "\uff11" * 24])
    def test_anything_else_is_none(self, text: str) -> None:
        assert not ids.is_recipient_id(text)


class TestTokens:
    def test_new_ones_have_their_form_and_differ(self) -> None:
        made = list(ids.new_tokens(1000))
        assert len(set(made)) == 1000
        assert [ids.parse_token(one) for one in made] == made

    def test_every_bit_of_them_varies(self) -> None:
        numbers = [int(one.removeprefix("tok_"), 16) for one in ids.new_tokens(200)]
        ever_set, always_set = 0, 2**128 - 1
        for number in numbers:
            ever_set |= number
            always_set &= number
        assert (ever_set, always_set) == (2**128 - 1, 0)

    @pytest.mark.parametrize(
        "text", [None, "", "tok_", "tok_" + "A" * 32, "tok_" + "a" * 31, "tok_" + "a" * 33, "a" * 36, "tok_" + "é" * 32]
    )
    def test_anything_else_is_none(self, text: str | None) -> None:
        assert ids.parse_token(text) is None

    @pytest.mark.parametrize("around", ["{}", "?token={}&x=1", "token%3D{}%26", "{}g", "tok_{}", "{}X{}"])
    def test_one_is_found_whatever_is_around_it(self, around: str) -> None:
        token = "tok_" + "0123456789abcdef" * 2
        assert ids.find_token(around.format(token, "tok_" + "f" * 32)) == token

    @pytest.mark.parametrize("text", ["", "tok_", "tok_" + "a" * 31, "tok_" + "a" * 33, "TOK_" + "a" * 32])
    def test_none_is_found_where_there_is_none(self, text: str) -> None:
        assert ids.find_token(text) is None

    def test_a_megabyte_is_none(self) -> None:
        assert ids.parse_token("tok_" + "a" * 1_000_000) is None


class TestOpenIds:
    def test_they_sort_by_time(self) -> None:
        made = [ids.new_open_id(NOON + milliseconds) for milliseconds in range(100)]
        assert made == sorted(made)

    def test_those_of_one_moment_differ(self) -> None:
        assert len({ids.new_open_id(NOON) for _ in range(1000)}) == 1000

    def test_they_are_32_hex_digits(self) -> None:
        assert set(ids.new_open_id(NOON)) <= set("0123456789abcdef")
        assert len(ids.new_open_id(NOON)) == 32

    def test_those_of_a_forked_child_differ(self) -> None:
        mine = ids.new_open_id(NOON)

        def task() -> None:
            theirs = ids.new_open_id(NOON)
            assert theirs[12:24] != mine[12:24]
            assert len(theirs) == 32
            assert set(theirs) <= set("0123456789abcdef")

        assert in_child(task) == ""

    def test_those_of_children_that_a_server_in_c_forks_differ(self) -> None:
        program = """
            import ctypes, os
            from mailtrack._ids import new_open_id

            new_open_id(0)
            for _ in range(2):
                if ctypes.PyDLL(None).fork() == 0:
                    print(new_open_id(0)[12:24], flush=True)
                    os._exit(0)
                os.wait()
            print(new_open_id(0)[12:24])
        """
        command = [sys.executable, "-c", textwrap.dedent(program)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        assert len(set(ran.stdout.split())) == 3

    def test_each_process_draws_bytes_of_its_own(self) -> None:
        before = ids.new_open_id(NOON)[12:24]
        ids._begin_process()
        after = ids.new_open_id(NOON)[12:24]
        assert after != before
        assert len(bytes.fromhex(after)) == 6
