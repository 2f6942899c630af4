"""What is refused before a token is made: bad addresses, references and data, with the place and the reason of each."""

import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from mailtrack import EmailProblem, InvalidEmails, InvalidRecipients, NewRecipient, RecipientProblem, Tracker
from mailtrack._addresses import canonical
from mailtrack._new_recipients import check_all
from mailtrack.storage import open_storage

ANN = "ann@example.org"
NO_JSON = "The data has a value that JSON can't represent."
TOO_LARGE = "The data is larger than 2,048 bytes of JSON."
CONTROL = "The reference has a control character."


def reasons(*given: object) -> list[str]:
    with pytest.raises(InvalidRecipients) as caught:
        check_all(given, canonical)
    return [problem.reason for problem in caught.value.problems]


def nested(levels: int) -> dict[str, object]:
    data: dict[str, object] = {}
    for _ in range(levels - 1):
        data = {"a": data}
    return data


def itself() -> dict[str, object]:
    data: dict[str, object] = {}
    data["a"] = [data, data]
    return data


class TestAddresses:
    def test_each_address_comes_once_in_the_order_of_first_appearance(self) -> None:
        given = ["bob@example.org", ANN, "bob@EXAMPLE.org", "Bob@example.org", NewRecipient("ANN@example.org")]
        assert check_all(given, canonical) == [NewRecipient("bob@example.org"), NewRecipient(ANN)]

    def test_none_are_none(self) -> None:
        assert check_all([], canonical) == []

    def test_all_problems_are_listed_with_their_places(self) -> None:
        with pytest.raises(InvalidEmails) as caught:
            check_all(["bad", ANN, 7, None, NewRecipient("a@b"), ("a", "b")], canonical)
        assert [problem.index for problem in caught.value.problems] == [0, 2, 3, 4, 5]
        assert caught.value.total == 6

    def test_what_is_not_a_string_is_a_problem(self) -> None:
        with pytest.raises(InvalidEmails) as caught:
            check_all([b"ann@example.org"], canonical)
        assert caught.value.problems == (EmailProblem(0, "The address is not a string."),)

    def test_bad_addresses_come_before_bad_references(self) -> None:
        with pytest.raises(InvalidEmails) as caught:
            check_all([NewRecipient(ANN, ref=""), NewRecipient("bad", ref="")], canonical)
        assert [problem.index for problem in caught.value.problems] == [1]


class TestPairs:
    def test_an_address_with_two_references_is_two(self) -> None:
        given = [NewRecipient(ANN, ref) for ref in ("a", None, "A", "a")]
        assert check_all(given, canonical) == given[:3]

    def test_of_data_that_is_given_twice_the_last_counts(self) -> None:
        given = [NewRecipient(ANN, "a", {"n": 1}), NewRecipient("Ann@example.org", "a", {"n": 2})]
        assert check_all(given, canonical) == [NewRecipient(ANN, "a", {"n": 2})]

    def test_data_that_is_not_given_again_stays(self) -> None:
        given = [NewRecipient(ANN, "a", {"n": 1}), NewRecipient(ANN, "a"), NewRecipient(ANN, "b"), ANN]
        assert [one.data for one in check_all(given, canonical)] == [{"n": 1}, None, None]

    def test_empty_data_is_data(self) -> None:
        given = [NewRecipient(ANN, data={"n": 1}), NewRecipient(ANN, data={})]
        assert check_all(given, canonical) == [NewRecipient(ANN, data={})]


class TestReferences:
    @pytest.mark.parametrize("ref", ["a", " ", "x" * 128, "\U0001f4e7" * 128, "'\"<>&%_\\", "=1+1", "\u200d", "\u00a0"])
    def test_these_are_taken_as_written(self, ref: str) -> None:
        assert check_all([NewRecipient(ANN, ref)], canonical)[0].ref == ref

    @pytest.mark.parametrize(
        ("ref", "reason"),
        [
            ("", "The reference is empty."),
            ("x" * 129, "The reference is longer than 128 characters."),
            ("a\nb", CONTROL),
            ("\0", CONTROL),
            ("\x7f", CONTROL),
            ("\x85", CONTROL),
            ("\u2028", CONTROL),
            ("\ud800", CONTROL),
            (7, "The reference is not a string."),
            (False, "The reference is not a string."),
        ],
    )
    def test_these_are_refused(self, ref: Any, reason: str) -> None:
        assert reasons(NewRecipient(ANN, ref)) == [reason]


class TestData:
    @pytest.mark.parametrize(
        "data",
        [{}, {"": ""}, {"a": [1, -0.5, True, None, "\U0001f4e7"]}, {"\u2028": "\n\t"}, {"n": 10**300}],
    )
    def test_these_are_taken(self, data: dict[str, object]) -> None:
        (found,) = check_all([NewRecipient(ANN, data=data)], canonical)
        assert found.data == data

    def test_any_mapping_is_taken(self) -> None:
        given = MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})
        assert check_all([NewRecipient(ANN, data=given)], canonical)[0].data == {"a": {"b": [1, 2]}}

    def test_sixteen_levels_are_taken_and_seventeen_are_not(self) -> None:
        assert check_all([NewRecipient(ANN, data=nested(16))], canonical)[0].data == nested(16)
        assert reasons(NewRecipient(ANN, data=nested(17))) == ["The data is nested deeper than 16 levels."]
        assert reasons(NewRecipient(ANN, data={"a": nested(15) | {"b": [[]]}} | nested(16) | {"c": [nested(15)]}))

    @pytest.mark.parametrize("letter", ["x", "\u00e4", "\U0001f4e7", '"'])
    def test_two_thousand_and_forty_eight_bytes_are_taken_and_one_more_is_not(self, letter: str) -> None:
        size = 2 if letter == '"' else len(letter.encode())
        longest = letter * ((2048 - len('{"a":""}')) // size)
        assert check_all([NewRecipient(ANN, data={"a": longest})], canonical)[0].data == {"a": longest}
        assert reasons(NewRecipient(ANN, data={"a": longest + letter})) == [TOO_LARGE]

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ("text", "The data is not an object."),
            ([], "The data is not an object."),
            (0, "The data is not an object."),
            ({"a": float("nan")}, NO_JSON),
            ({"a": [float("-inf")]}, NO_JSON),
            ({"a": datetime(2025, 1, 1, tzinfo=UTC)}, NO_JSON),
            ({"a": b"bytes"}, NO_JSON),
            ({"a": "\ud800"}, NO_JSON),
            ({"\udfff": 1}, NO_JSON),
            ({"a": 10**5000}, NO_JSON),
            ({"a": 10**3000}, TOO_LARGE),
            ({"a": "x\0"}, "The data has a NUL character."),
            ({"a": [{"\0": 1}]}, "The data has a NUL character."),
            ({1: "a"}, "The data has a key that is not text."),
            ({"a": {None: "a"}}, "The data has a key that is not text."),
            ({str(n): n for n in range(1_000_000)}, TOO_LARGE),
            ({"a": [0] * 1_000_000}, TOO_LARGE),
            (itself(), "The data is nested deeper than 16 levels."),
        ],
    )
    def test_these_are_refused(self, data: Any, reason: str) -> None:
        assert reasons(NewRecipient(ANN, data=data)) == [reason]

    def test_a_later_change_does_not_reach_what_was_given(self) -> None:
        data: dict[str, Any] = {"a": [1]}
        (found,) = check_all([NewRecipient(ANN, data=data)], canonical)
        data["a"].append(2)
        assert found.data == {"a": [1]}


class TestErrors:
    def test_all_problems_are_listed(self) -> None:
        given = [NewRecipient(ANN, ""), NewRecipient(ANN, "a"), NewRecipient(ANN, "b", {"a": b""})]
        with pytest.raises(InvalidRecipients) as caught:
            check_all(given, canonical)
        error = caught.value
        assert error.problems == (RecipientProblem(0, "The reference is empty."), RecipientProblem(2, NO_JSON))
        assert str(error) == f"Invalid recipient: 2 of 3: index 0: The reference is empty.; index 2: {NO_JSON}"
        assert (error.total, error.summary) == (3, "Invalid recipient")
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # made here

    def test_nothing_is_stored(self) -> None:
        with open_storage("memory://") as storage:
            tracker = Tracker(storage)
            pixel = tracker.create_pixel("Invoices")
            with pytest.raises(InvalidRecipients):
                tracker.generate_tokens(pixel, [NewRecipient(ANN, "a"), NewRecipient(ANN, "")])
            assert tracker.get_pixel(pixel).recipients == 0


class TestReadOnlyData:
    @pytest.fixture
    def data(self) -> Any:
        return check_all([NewRecipient(ANN, data={"a": [1], "b": 2})], canonical)[0].data

    def test_it_is_a_mapping_that_equals_a_dict(self, data: Any) -> None:
        assert (dict(data), list(data), len(data), data["b"]) == ({"a": [1], "b": 2}, ["a", "b"], 2, 2)
        assert data == {"b": 2, "a": [1]}
        assert data != {"a": [1]}

    @pytest.mark.parametrize(
        "change", [lambda data: data.update(a=1), lambda data: data.pop("a"), lambda data: data.__setitem__("a", 1)]
    )
    def test_it_can_not_be_changed(self, data: Any, change: Callable[[Any], object]) -> None:
        with pytest.raises((AttributeError, TypeError)):
            change(data)

    def test_what_it_holds_can_not_be_changed(self, data: Any) -> None:
        data["a"].append(2)
        assert data["a"] == [1]

    def test_its_repr_shows_nothing_of_it(self, data: Any) -> None:
        assert repr(data) == "<JsonData of 15 characters>"
