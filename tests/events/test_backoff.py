"""The waits between tries."""

from mailtrack._events.backoff import backoff


def test_waits_double_from_a_second_to_five_minutes_less_a_quarter_at_most() -> None:
    for failures, seconds in [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (100_000, 300)]:
        waits = {backoff(failures) for _ in range(100)}
        assert seconds * 0.75 <= min(waits) < max(waits) <= seconds
