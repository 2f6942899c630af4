"""A copy of a storage holds what the source holds, and a copy that was cut goes on where it ended."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailtrack import Storage, StorageError, StorageUnavailable, open_storage
from mailtrack._copying import Copying
from mailtrack._model import Client, Pixel, Verdict, VerdictKind
from mailtrack.storage._carrying import Carries
from mailtrack.testing import make_hit, make_image, make_open, make_pixel, make_recipient
from mailtrack.testing._contract.helpers import all_opens, all_recipients, make_judgement
from mailtrack.testing._factories import NOON, make_api_key, make_recipients

HUMAN = Verdict(kind=VerdictKind.HUMAN, reasons=("ok",), rules_version=3)
PREFETCH = Verdict(kind=VerdictKind.PREFETCH, vendor="Apple", reasons=("apple",), certainty="certain", rules_version=3)
CLIENTS = [Client(name=f"Mail {number}", version="1", os="Linux", device="desktop") for number in range(3)]

Open_ = Callable[[], Storage]


@pytest.fixture(params=["memory", "sqlite"])
def make_storage(request: pytest.FixtureRequest, tmp_path: Path, new_database: Any) -> Iterator[Callable[[], Storage]]:
    """Makes new storages of one kind, and closes them."""
    made: list[Storage] = []

    def make() -> Storage:
        if request.param == "memory":
            made.append(open_storage("memory://"))
        else:
            made.append(open_storage(f"sqlite:///{new_database(tmp_path / f'{len(made)}.db')}"))
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@pytest.fixture
def source(make_storage: Open_) -> Storage:
    return make_storage()


@pytest.fixture(params=["memory", "sqlite"])
def target(request: pytest.FixtureRequest, tmp_path: Path, new_database: Any) -> Iterator[Storage]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{new_database(tmp_path / 'target.db')}"
    with open_storage(url) as storage:
        yield storage


def fill(storage: Storage) -> list[Pixel]:
    """Add two pixels, the second one with all that a pixel may have."""
    plain = make_pixel("Plain", at=NOON - timedelta(days=1))
    pixel = attrs.evolve(make_pixel("All of it", image="a.png"), archived=True, note="Spring")
    storage.add_pixel(plain)
    storage.add_pixel(pixel, make_image(b"image"))
    storage.update_pixel(pixel.id, archived=True, note="Spring")
    storage.add_recipients(plain.id, [make_recipient(plain, "ann@example.org")])
    people = [
        make_recipient(pixel, "ann@example.org"),
        make_recipient(pixel, "ann@example.org", ref="INV-1", data={"name": "Ann", "ü": [1, None]}),
        make_recipient(pixel, "erased@example.org"),
        make_recipient(pixel, "deleted@example.org"),
        *make_recipients(pixel, [f"r{number}@example.org" for number in range(20)]),
    ]
    storage.add_recipients(pixel.id, people)
    storage.mark_sent(pixel.id, [people[0].id, people[4].id], at=NOON + timedelta(minutes=1))
    storage.mark_sent(pixel.id, [people[5].id], at=NOON + timedelta(minutes=2))
    opens = [
        make_open(
            pixel,
            None if number % 9 == 8 else people[number % len(people)],
            at=NOON + timedelta(minutes=7 * (number % 50) + 5),
            signals=("repeat",) if number % 5 == 0 else (),
            verdict=PREFETCH if number % 3 == 0 else HUMAN,
            client=CLIENTS[number % 3],
            counted=number % 3 != 0,
        )
        for number in range(120)
    ]
    for start in range(0, len(opens), 25):
        storage.add_opens(opens[start : start + 25])
    storage.rejudge(pixel.id, [make_judgement(one, verdict=PREFETCH, counted=False) for one in opens[10:20]])
    storage.delete_recipient(people[3].id)
    storage.erase("erased@example.org")
    while storage.sweep():
        pass
    storage.add_key(make_api_key("first"))
    storage.add_key(make_api_key("second"))
    return [storage.get_pixel(plain.id), storage.get_pixel(pixel.id)]


def copy(source: Storage, target: Storage) -> Copying:
    copying = Copying(source, target)
    rows = copying.plan()
    assert sum(copying.run()) == rows
    assert list(copying.verify()) == []
    return copying


def assert_equal(source: Storage, target: Storage) -> None:
    pixels = source.list_pixels(limit=1000, archived=None).items
    assert target.list_pixels(limit=1000, archived=None).items == pixels
    for pixel in pixels:
        assert target.get_figures(pixel.id, top=100) == source.get_figures(pixel.id, top=100)
        assert all_recipients(target, pixel) == all_recipients(source, pixel)
        assert all_opens(target, pixel) == all_opens(source, pixel)
        if pixel.image:
            assert target.get_image(pixel.id) == source.get_image(pixel.id)
    assert target.list_keys() == source.list_keys()


def events(storage: Storage) -> list[Any]:
    return [(one.pixel.id, one.open, one.recipient) for one in storage.list_events(limit=1000).items]


def test_a_copy_holds_all_of_it_and_shows_the_same(source: Storage, target: Storage) -> None:
    pixels = fill(source)
    copied = copy(source, target).copied
    assert_equal(source, target)
    assert (copied.pixels, copied.recipients, copied.opens) == (2, 23, 120)
    assert not copied.changed
    assert sorted(map(str, events(target))) == sorted(map(str, events(source)))
    for pixel in pixels:
        assert [one for one in events(target) if one[0] == pixel.id] == [
            one for one in events(source) if one[0] == pixel.id
        ]


def test_it_goes_both_ways(source: Storage, target: Storage, make_storage: Open_) -> None:
    fill(source)
    copy(source, target)
    back = make_storage()
    copy(target, back)
    assert_equal(source, back)


def test_a_copy_takes_new_opens_and_recipients_as_the_source_does(source: Storage, target: Storage) -> None:
    _, pixel = fill(source)
    copy(source, target)
    people = all_recipients(source, pixel)
    later = NOON + timedelta(days=2)
    more = [make_open(pixel, people[number % 5], at=later, verdict=HUMAN) for number in range(10)]
    for storage in (source, target):
        assert len(storage.add_opens(more)) == 10
        storage.add_recipients(pixel.id, [attrs.evolve(people[1], id="0" * 24, token="tok_x")])
        storage.purge_opens(pixel.id, before=later, limit=1000)
    assert_equal(source, target)


class Cut:
    """A storage that fails after so many changes, as a process does that is killed."""

    def __init__(self, storage: Storage, left: int) -> None:
        self._storage, self._left = storage, left

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)
        if not name.startswith(("add_", "update_", "mark_")):
            return found

        def change(*arguments: Any, **named: Any) -> Any:
            if not self._left:
                raise StorageUnavailable("It was killed.")
            self._left -= 1
            return found(*arguments, **named)

        return change


@pytest.fixture
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailtrack._copying._AT_ONCE", 7)
    monkeypatch.setattr("mailtrack._copying.MAX_LIMIT", 3)


@pytest.mark.usefixtures("_small_steps")
@pytest.mark.parametrize("left", [0, 1, 2, 3, 5, 8, 13, 21, 25])
def test_a_copy_that_was_cut_anywhere_goes_on_and_adds_nothing_twice(
    source: Storage, target: Storage, left: int
) -> None:
    fill(source)
    copying = Copying(source, Cut(target, left))  # type: ignore[arg-type]  # it has all methods
    copying.plan()
    with suppress(StorageUnavailable):
        deque(copying.run(), maxlen=0)
    copy(source, target)
    assert_equal(source, target)
    again = copy(source, target).copied
    assert (again.pixels, again.recipients, again.opens) == (0, 0, 0)


def test_a_later_run_takes_what_was_added_since(source: Storage, target: Storage) -> None:
    _, pixel = fill(source)
    copy(source, target)
    person = make_recipient(pixel, "new@example.org")
    source.add_recipients(pixel.id, [person])
    source.add_opens([make_open(pixel, person)])
    source.add_pixel(make_pixel("Newest"))
    copied = copy(source, target).copied
    assert (copied.pixels, copied.recipients, copied.opens) == (1, 1, 1)
    assert_equal(source, target)


def test_opens_that_arrive_meanwhile_do_not_mix_up_the_order(
    source: Storage, target: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailtrack._copying._AT_ONCE", 10)
    _, pixel = fill(source)
    arriving = iter(range(4))
    list_opens = source.list_opens

    def add_and_list(*arguments: Any, **named: Any) -> Any:
        page = list_opens(*arguments, **named)
        if next(arriving, None) is not None:
            source.add_opens([make_open(pixel)])
        return page

    monkeypatch.setattr(source, "list_opens", add_and_list, raising=False)
    copying = Copying(source, target)
    copying.plan()
    assert sum(copying.run()) == 23 + 120 + 4
    assert copying.copied.changed
    assert list(copying.verify()) == []
    assert_equal(source, target)


def test_a_source_that_changes_all_the_time_is_given_up(
    source: Storage, target: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pixel = fill(source)
    list_opens = source.list_opens
    monkeypatch.setattr(
        source,
        "list_opens",
        lambda *given, **named: (list_opens(*given, **named), source.add_opens([make_open(pixel)]))[0],
        raising=False,
    )
    copying = Copying(source, target)
    copying.plan()
    with pytest.raises(StorageError, match="changes all the time"):
        deque(copying.run(), maxlen=0)


class TestRefusals:
    def test_a_target_with_pixels_of_its_own(self, source: Storage, target: Storage) -> None:
        fill(source)
        target.add_pixel(make_pixel())
        with pytest.raises(StorageError, match="it is no copy of it"):
            Copying(source, target).plan()

    def test_a_target_with_keys_of_its_own(self, source: Storage, target: Storage) -> None:
        target.add_key(make_api_key())
        with pytest.raises(StorageError, match="it is no copy of it"):
            Copying(source, target).plan()

    def test_a_target_that_was_used_since(self, source: Storage, target: Storage) -> None:
        pixel, _ = fill(source)
        copy(source, target)
        target.add_opens([make_open(pixel)])
        with pytest.raises(StorageError, match="that the source lacks"):
            Copying(source, target).plan()

    def test_a_target_with_other_opens(self, source: Storage, target: Storage) -> None:
        pixel, _ = fill(source)
        copy(source, target)
        target.add_opens([make_open(pixel)])
        source.add_opens([make_open(pixel), make_open(pixel)])
        copying = Copying(source, target)
        copying.plan()
        with pytest.raises(StorageError, match="are others than the first ones"):
            deque(copying.run(), maxlen=0)


def test_figures_that_differ_are_found(source: Storage, target: Storage) -> None:
    plain, pixel = fill(source)
    copying = copy(source, target)
    (newest,) = source.list_opens(pixel.id, limit=1).items
    source.rejudge(pixel.id, [make_judgement(newest, verdict=HUMAN, client=CLIENTS[0])])
    assert list(copying.verify()) == [pixel.short_id]
    source.delete_pixel(plain.id)
    assert list(copying.verify()) == [plain.short_id, pixel.short_id]


def test_settings_are_carried_over(source: Storage, target: Storage) -> None:
    source.set_setting("base_url", "https://mail.example.com")
    copy(source, target)
    assert target.get_setting("base_url") == "https://mail.example.com"


def test_late_hits_of_erased_people_are_theirs_in_a_copy_too(source: Storage, target: Storage) -> None:
    pixel = make_pixel()
    people = [make_recipient(pixel, f"r{number}@example.org") for number in range(3)]
    source.add_pixel(pixel)
    source.add_recipients(pixel.id, people)
    source.erase(people[0].email)
    source.erase(people[1].email)
    copying = copy(source, target)
    found = target.resolve([make_hit(pixel=pixel.id, token=one.token) for one in people])
    if isinstance(source, Carries) and isinstance(target, Carries):
        assert [one is not None and one.erased for one in found] == [True, True, False]
        assert copying.copied.left_out.erased == 0
        assert target.list_erased(pixel.id) == source.list_erased(pixel.id)
    elif isinstance(source, Carries):
        assert copying.copied.left_out.erased == 2


def test_what_was_purged_is_reported(source: Storage, target: Storage) -> None:
    _, pixel = fill(source)
    purged = source.purge_opens(pixel.id, before=NOON + timedelta(hours=1), limit=1000)
    copying = copy(source, target)
    assert copying.copied.left_out.purged == purged > 0
    assert all_opens(target, pixel) == all_opens(source, pixel)
