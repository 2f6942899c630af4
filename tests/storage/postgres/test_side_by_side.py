"""All storages that come with mailtrack side by side: each step on all of them, and every answer compared."""

import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs
import pytest
from hypothesis import settings

from mailtrack import Open, Pixel, Storage, StorageError, open_storage
from mailtrack.storage import SupportsSettings, SupportsWebhooks
from mailtrack.testing import SettingsContract, StorageContract, StorageMachine, WebhookContract
from mailtrack.testing._contract.helpers import all_events
from mailtrack.testing._factories import make_api_key

_BETWEEN = "|"  # the cursors of the storages in one text
_CURSORS = {"after", "cursor", "next"}  # fields of values
_GIVE_CURSORS = {"get_feed_end", "take_reader"}


class SideBySide:
    """A storage that is several: it does everything on all of them, and returns what all of them answer.

    An answer that not all give alike fails the test, an error's words included. Only cursors are of each storage's own
    form: here they are one text.
    """

    def __init__(self, *storages: Storage) -> None:
        self._storages = storages
        self._pixels: list[str] = []
        self._lock = threading.RLock()  # what threads do at once has another order on each

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for storage in self._storages:
            storage.close()

    def sweep(self) -> int:
        """Sweep. How much is left to be removed is each storage's own affair."""
        with self._lock:
            return max(storage.sweep() for storage in self._storages)

    def add_pixel(self, pixel: Pixel, *image: Any, **named: Any) -> None:
        self._pixels.append(pixel.id)
        self._ask("add_pixel", (pixel, *image), named)

    def add_opens(self, opens: Sequence[Open]) -> list[Open]:
        """Add opens, in the order of their pixels: that of the events of several pixels is not promised in one call."""
        place = {pixel_id: number for number, pixel_id in enumerate(self._pixels)}
        ordered = sorted(opens, key=lambda one: place.get(one.pixel_id, -1))
        added = {(one.pixel_id, one.id): one for one in self._ask("add_opens", (ordered,), {})}
        return [added.pop(key) for one in opens if (key := (one.pixel_id, one.id)) in added]

    def get_events(self, cursors: Sequence[str]) -> Any:
        with self._lock:
            parts = [storage.get_events(_part(cursors, place)) for place, storage in enumerate(self._storages)]
        wholes = [
            {one: next(it for it in cursors if _part(it, place) == one) for one in part}
            for place, part in enumerate(parts)
        ]
        by_whole = [{whole[one]: part[one] for one in part} for part, whole in zip(parts, wholes, strict=True)]
        return _join([dict(sorted(part.items())) for part in by_whole], "get_events")

    def find_feed_place(self, *, since: datetime) -> str | None:
        """Return the place before the most events. Which older ones are behind it is each storage's own affair."""
        with self._lock:
            behind = max(len(all_events(one, after=one.find_feed_place(since=since))) for one in self._storages)
            events = [all_events(one) for one in self._storages]
        if all(len(some) == behind for some in events):
            return None
        return str(_join([some[-behind - 1].cursor for some in events], "cursor"))

    def _ask(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        answers, errors = list[Any](), list[Exception]()
        with self._lock:
            for place, storage in enumerate(self._storages):
                try:
                    answers.append(getattr(storage, name)(*_part(given, place), **_part(named, place)))
                except Exception as error:  # noqa: BLE001  # any that all of them raise is an answer
                    errors.append(error)
        if errors:
            assert not answers, f"{name}: {errors} beside {answers}"
            said = [(type(one), "" if isinstance(one, StorageError) else str(one)) for one in errors]
            assert len(set(said)) == 1, f"{name}: {said}"
            raise errors[0]
        return _join(answers, name)


def _asking(name: str) -> Callable[..., Any]:
    return lambda self, *given, **named: self._ask(name, given, named)


for _protocol in (Storage, SupportsSettings, SupportsWebhooks):
    for _name, _ in inspect.getmembers(_protocol, inspect.isfunction):
        if not _name.startswith("_") and _name not in vars(SideBySide):
            setattr(SideBySide, _name, _asking(_name))


def _part(given: Any, place: int) -> Any:
    """Return what one of the storages is given: its own cursors."""
    if isinstance(given, str):
        parts = given.split(_BETWEEN)
        return parts[place] if len(parts) == 3 else given
    if isinstance(given, dict):
        return {key: _part(value, place) for key, value in given.items()}
    if isinstance(given, tuple | list | set | frozenset) and not hasattr(given, "_fields"):
        return type(given)(_part(one, place) for one in given)
    if attrs.has(type(given)) and _CURSORS & vars_of(given).keys():
        return attrs.evolve(
            given, **{key: _part(value, place) for key, value in vars_of(given).items() if key in _CURSORS}
        )
    return given


def vars_of(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


def _join(answers: Sequence[Any], name: str) -> Any:
    """Return the one answer of all storages; fail where they differ in more than cursors."""
    first = answers[0]
    if all(type(one) is type(first) and one == first for one in answers):
        return first
    if name in _CURSORS | _GIVE_CURSORS and None not in answers:
        return _BETWEEN.join(answers)
    assert len({type(one) for one in answers}) == 1 or isinstance(first, list | tuple), f"{name}: {answers}"
    if isinstance(first, list | tuple):
        assert len({len(one) for one in answers}) == 1, f"{name}: {answers}"
        return type(first)(_join(some, name) for some in zip(*answers, strict=True))
    if isinstance(first, dict):
        assert all(one.keys() == first.keys() for one in answers), f"{name}: {answers}"
        return {key: _join([one[key] for one in answers], name) for key in first}
    assert attrs.has(type(first)), f"{name}: {answers}"
    fields = [vars_of(one) for one in answers]
    differ = [key for key in fields[0] if any(one[key] != fields[0][key] for one in fields)]
    return attrs.evolve(first, **{key: _join([one[key] for one in fields], key) for key in differ})


class Opening:
    """Opens new storages side by side, each empty."""

    def __init__(self, folder: Path, new_database: Callable[[Path], Path], tables: Callable[[], str]) -> None:
        self._folder, self._new_database, self._tables = folder, new_database, tables
        self._number = 0

    def __call__(self) -> SideBySide:
        self._number += 1
        file = self._new_database(self._folder / f"{self._number}.db")
        with ExitStack() as stack:
            storages = [
                stack.enter_context(open_storage(url)) for url in ("memory://", f"sqlite:///{file}", self._tables())
            ]
            stack.pop_all()
        return SideBySide(*storages)


@pytest.fixture
def open_all(tmp_path: Path, new_database: Callable[[Path], Path], tables: Callable[[], str]) -> Opening:
    return Opening(tmp_path, new_database, tables)


class TestAllStorages(SettingsContract, WebhookContract, StorageContract):
    @pytest.fixture
    def storage(self, open_all: Opening) -> Iterator[SideBySide]:
        with open_all() as storage:
            yield storage


class MachineOfAll(StorageMachine):
    open_all: ClassVar[Opening]

    def open_storage(self) -> Any:
        return self.open_all()


@pytest.fixture(autouse=True)
def _opening(open_all: Opening) -> None:
    MachineOfAll.open_all = open_all


TestMachineOfAll = MachineOfAll.TestCase
TestMachineOfAll.settings = settings(max_examples=6, stateful_step_count=20, deadline=None)


class TestTheComparison:
    """What the storages have not in common is noticed."""

    def test_a_different_answer_fails(self, open_all: Opening) -> None:
        with open_all() as storage:
            storage._storages[1].add_key(make_api_key())
            with pytest.raises(AssertionError, match="list_keys"):
                storage._ask("list_keys", (), {})
