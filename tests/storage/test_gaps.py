"""Gaps in a log are passed over, however they lie to where the passing over begins and ends."""

import pytest

from mailtrack.storage._counting.gaps import Gap, pass_over


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("skip", range(6))
@pytest.mark.parametrize("gaps", [[], [Gap(3, 5)], [Gap(5, 5), Gap(2, 3)], [Gap(1, 1)]], ids=str)
def test_passing_over_equals_a_walk_down_the_log(gaps: list[Gap], number: int, skip: int) -> None:
    log = [at for at in range(number, 0, -1) if not any(gap.first <= at <= gap.last for gap in gaps)]
    found = pass_over([gap for gap in gaps if gap.first <= number], number, skip)
    assert [at for at in log if at <= found] == log[skip:]
    assert not any(gap.first <= found <= gap.last for gap in gaps) or skip == 0
