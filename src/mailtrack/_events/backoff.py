"""How long to wait before something that has failed is tried again."""

import random

_FIRST_SECONDS = 1.0
_MOST_SECONDS = 300.0


def backoff(failures: int) -> float:
    """Return the seconds to wait after a number of failures in a row: about 1, 2, 4, and so on, at most 300.

    Up to a quarter is taken off at random, so that those who failed at once do not come back at once.
    """
    doublings = min(failures, 10) - 1
    return min(_FIRST_SECONDS * 2.0**doublings, _MOST_SECONDS) * random.uniform(0.75, 1.0)  # noqa: S311  # no secret
