"""Nothing that strangers send to the parsers makes an error that is not meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .targets import TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
@given(st.data())
def test_no_bytes_are_an_error_that_is_not_meant(target, data):
    target(data.draw(inputs(TARGETS[target])))


@pytest.mark.parametrize(
    ("target", "data"),
    [
        pytest.param(target, data, id=f"{target.__name__}-{n}")
        for target in TARGETS
        for n, data in enumerate(TARGETS[target])
    ],
)
def test_what_the_fuzzer_begins_with_is_none_either(target, data):
    target(data)


@st.composite
def inputs(draw, seeds):
    """Bytes, or one of the seeds with something put in place of a part of it."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    seed = draw(st.sampled_from(seeds))
    start, end = sorted((draw(st.integers(0, len(seed))), draw(st.integers(0, len(seed)))))
    return seed[:start] + draw(st.binary(max_size=20)) + seed[end:]
