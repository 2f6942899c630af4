"""What errors say, and that they survive a trip to another process."""

import pickle

import pytest

import mailtrack
from mailtrack import EmailProblem, InvalidArgument, InvalidEmails, InvalidRules, MailtrackError
from mailtrack._addresses import canonical
from mailtrack._errors import RuleProblem
from mailtrack._new_recipients import check_all


def refused(emails: list[object]) -> InvalidEmails:
    with pytest.raises(InvalidEmails) as caught:
        check_all(emails, canonical)
    return caught.value


class TestInvalidEmails:
    def test_the_message_names_each_offender_with_place_value_and_reason(self) -> None:
        error = refused(["ann@example.org", "foo", "a@b@example.org"])
        assert str(error) == (
            "Invalid email format: 2 of 3 addresses:"
            f" index 1: 'foo' ({error.problems[0].reason}); index 2: 'a@b@example.org' ({error.problems[1].reason})"
        )

    def test_of_many_the_message_names_the_first_ten_and_counts_the_others(self) -> None:
        error = refused([f"bad{number}" for number in range(2500)])
        assert "2,500 of 2,500 addresses: index 0: 'bad0' (" in str(error)
        assert str(error).count("index ") == 10
        assert str(error).endswith("; and 2,490 more")

    def test_a_value_is_escaped_and_cut_so_that_the_message_stays_one_line(self) -> None:
        error = refused(["\x1b[31mred\r\nBcc: \u202e" + "x" * 1_000_000])
        assert str(error).isprintable()
        assert r"'\x1b[31mred\r\nBcc: \u202exxx" in str(error)
        assert len(str(error)) < 250

    def test_what_is_no_text_is_named_by_its_type(self) -> None:
        assert "index 0: of type bytes (The address is not a string.)" in str(refused([b"ann@example.org"]))

    def test_the_values_are_there_for_programs(self) -> None:
        assert [(one.index, one.value) for one in refused(["ann@example.org", "foo", 7]).problems] == [
            (1, "foo"),
            (2, 7),
        ]

    def test_without_a_total_the_message_has_none(self) -> None:
        error = InvalidEmails([EmailProblem(0, "It is bad.", "foo")])
        assert str(error) == "Invalid email format: index 0: 'foo' (It is bad.)"


def test_the_message_of_invalid_rules_names_the_first_ten_problems() -> None:
    error = InvalidRules([RuleProblem(f"line {number}", "is not a network") for number in range(1, 13)])
    assert str(error).startswith("line 1: is not a network; line 2: is not")
    assert str(error).endswith("line 10: is not a network; and 2 more")


@pytest.mark.parametrize(
    "error",
    [
        mailtrack.PixelNotFound(),
        mailtrack.InvalidEmail("It is bad."),
        InvalidEmails([EmailProblem(3, "It is bad.", "foo")], 5),
        InvalidArgument("kind", "must be one of human"),
        InvalidRules([RuleProblem("line 1", "is not a network")]),
        mailtrack.ImageTooLarge(5),
        mailtrack.InvalidSetting("base_url", "must be text"),
        mailtrack.StorageUnavailable("It is locked.", retry_after=7),
        mailtrack.ShortIdTaken(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_be_sent_to_another_process(error: MailtrackError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.args, vars(copy)) == (type(error), str(error), error.args, vars(error))
