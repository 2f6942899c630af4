"""Numbers in pairs: counted and raw."""

from mailtrack import Count


class TestCount:
    def test_counts_are_added_and_subtracted_number_by_number(self) -> None:
        assert Count(1, 5) + Count(2, 3) == Count(3, 8)
        assert Count(1, 5) - Count(2, 3) == Count(-1, 2)

    def test_the_counted_number_comes_first(self) -> None:
        assert Count(1, 5) == Count(counted=1, raw=5)
