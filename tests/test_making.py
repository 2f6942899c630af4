"""Many values at once: made without a loop in Python, and without the garbage collector."""

import gc
import pickle
from collections.abc import Iterator

import attrs
import pytest

from mailtrack import Open, OpenSpan, Recipient
from mailtrack._collector import collector_paused
from mailtrack._slots import maker_of
from mailtrack.testing import make_open, make_pixel, make_recipients


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave the garbage collector on, whatever a test does."""
    yield
    gc.enable()


def test_values_with_slots_are_those_that_the_class_makes() -> None:
    given = make_recipients(make_pixel(), ["ann@example.org", "bob@example.org"])
    columns = [[getattr(one, field.name) for one in given] for field in attrs.fields(Recipient)]
    assert maker_of(Recipient)(2, columns) == given
    assert maker_of(OpenSpan)(0, [[], [], []]) == []


def test_opens_made_at_once_are_those_that_the_class_makes() -> None:
    given = [make_open(make_pixel()) for _ in range(3)]
    columns = [[getattr(one, field.name) for one in given] for field in attrs.fields(Open)]
    made = maker_of(Open)(3, columns)
    assert made == given
    assert [hash(one) for one in made] == [hash(one) for one in given]
    assert [repr(one) for one in made] == [repr(one) for one in given]
    assert pickle.loads(pickle.dumps(made)) == given
    assert attrs.evolve(made[0], ip=None) == attrs.evolve(given[0], ip=None)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made[0].id = ""  # type: ignore[misc]


def _fail() -> None:
    with collector_paused():
        raise RuntimeError(gc.isenabled())


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_paused_and_is_then_as_it_was(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    with pytest.raises(RuntimeError, match="False"):
        _fail()
    assert gc.isenabled() is enabled
