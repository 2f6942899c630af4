"""API keys: how they are made, kept and found again."""

import re

import attrs
import pytest

from mailtrack import ApiKey, InvalidName, KeyNotFound, Storage, StorageError, StorageUnavailable, Tracker
from mailtrack._keys import CACHE_SECONDS, Keyring, find_key, from_text, new_key, to_digest
from mailtrack.testing import FakeClock, make_api_key

NO_KEYS = [
    pytest.param("", id="empty"),
    pytest.param("{0} ", id="blank behind"),
    pytest.param(" {0}", id="blank before"),
    pytest.param("{0}\n", id="line break behind"),
    pytest.param("{0}\x00", id="NUL behind"),
    pytest.param("{0}é", id="not ASCII"),
    pytest.param("\ud800", id="half of a surrogate pair"),
    pytest.param("{0:.43}", id="cut"),
    pytest.param("{0}0", id="longer"),
    pytest.param("{0}{0}", id="twice"),
    pytest.param("a" * 100_000, id="100 kB"),
]


class TestMaking:
    def test_a_key_is_recognised_and_has_160_random_bits(self) -> None:
        assert re.fullmatch(r"mtk_[0-9a-f]{40}", new_key())

    def test_no_two_keys_are_alike(self) -> None:
        assert len({new_key() for _ in range(100)}) == 100

    def test_a_key_of_elsewhere_has_the_same_id_in_every_process(self, clock: FakeClock) -> None:
        key = from_text("secret", at=clock())
        assert (key.id, key.digest) == ("2bb80d537b1d", to_digest("secret"))
        assert "secret" not in repr(key)
        assert key.digest not in repr(key)


class TestFinding:
    def test_each_of_several_keys_is_found(self, clock: FakeClock) -> None:
        texts = [new_key() for _ in range(3)]
        keys = [from_text(text, at=clock()) for text in texts]
        assert [find_key(text, keys) for text in texts] == keys

    @pytest.mark.parametrize("text", NO_KEYS)
    def test_what_is_no_key_is_not_found(self, clock: FakeClock, text: str) -> None:
        key = new_key()
        assert find_key(text.format(key), [from_text(key, at=clock())]) is None

    def test_the_hash_of_a_key_is_no_key(self) -> None:
        key = make_api_key()
        assert find_key(key.digest, [key]) is None

    def test_without_keys_none_is_found(self) -> None:
        assert find_key("", []) is None

    def test_all_keys_are_compared_in_constant_time(self, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
        import hmac

        compared = []

        def compare(one: str, other: str) -> bool:
            compared.append(one)
            return one == other

        monkeypatch.setattr(hmac, "compare_digest", compare)
        keys = [from_text("secret", at=clock()), make_api_key(), make_api_key()]
        assert find_key("secret", keys) == keys[0]
        assert compared == [key.digest for key in keys]


class Stored:
    """What a keyring reads of a storage: keys that can change and fail; and a clock to read them by."""

    def __init__(self) -> None:
        self.keys: list[ApiKey] = []
        self.error: StorageError | None = None
        self.reads = 0
        self.now = 100.0

    def list_keys(self) -> list[ApiKey]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return list(self.keys)


class TestKeyring:
    @pytest.fixture
    def stored(self, clock: FakeClock) -> Stored:
        stored = Stored()
        stored.keys = [from_text("secret", at=clock())]
        return stored

    @pytest.fixture
    def keyring(self, stored: Stored) -> Keyring:
        return Keyring(stored, monotonic=lambda: stored.now)

    def test_keys_are_read_once_a_second_whatever_is_asked(self, stored: Stored, keyring: Keyring) -> None:
        for text in ("secret", "wrong", "") * 10:
            keyring.find(text)
        assert stored.reads == 1
        stored.now += CACHE_SECONDS
        keyring.find("secret")
        assert stored.reads == 2

    def test_a_revoked_key_is_not_found_a_second_later(self, stored: Stored, keyring: Keyring) -> None:
        assert keyring.find("secret") == stored.keys[0]
        stored.keys.clear()
        stored.now += CACHE_SECONDS
        assert keyring.find("secret") is None

    def test_a_new_key_is_found_a_second_later(self, stored: Stored, keyring: Keyring, clock: FakeClock) -> None:
        assert keyring.find("new") is None
        stored.keys.append(from_text("new", at=clock()))
        stored.now += CACHE_SECONDS
        assert keyring.find("new") == stored.keys[1]

    def test_no_key_is_accepted_while_the_keys_can_not_be_read(self, stored: Stored, keyring: Keyring) -> None:
        keyring.find("secret")
        stored.error = StorageUnavailable("away")
        stored.now += CACHE_SECONDS
        for _ in range(3):
            with pytest.raises(StorageUnavailable):
                keyring.find("secret")
        stored.error = None
        assert keyring.find("secret") == stored.keys[0]


class TestTrackersKeys:
    def test_a_key_that_was_created_is_verified(self, tracker: Tracker, clock: FakeClock) -> None:
        key, text = tracker.keys.create(" Nightly export ")
        assert (key.name, key.created_at) == ("Nightly export", clock())
        assert tracker.keys.find(text) == key
        assert tracker.keys.all() == [key]

    def test_only_the_hash_of_a_key_is_stored(self, tracker: Tracker, memory: Storage) -> None:
        _, text = tracker.keys.create()
        (stored,) = memory.list_keys()
        assert stored.digest == to_digest(text)
        assert text.removeprefix("mtk_") not in str(attrs.asdict(stored))

    def test_a_new_key_is_verified_at_once_though_the_keys_were_just_read(self, tracker: Tracker) -> None:
        assert tracker.keys.find("wrong") is None
        key, text = tracker.keys.create()
        assert tracker.keys.find(text) == key

    def test_a_key_needs_no_name(self, tracker: Tracker) -> None:
        assert tracker.keys.create()[0].name == ""

    @pytest.mark.parametrize("name", ["a" * 257, "Night\x1bly", "a\nb", "\ud800"])
    def test_a_bad_name_is_refused(self, tracker: Tracker, name: str) -> None:
        with pytest.raises(InvalidName, match="Key name must"):
            tracker.keys.create(name)
        assert tracker.keys.all() == []

    def test_a_revoked_key_is_not_verified_and_the_others_are(self, tracker: Tracker) -> None:
        (gone, gone_text), (left, left_text) = tracker.keys.create(), tracker.keys.create()
        assert tracker.keys.find(gone_text) == gone
        assert tracker.keys.revoke(gone.id) == gone
        assert (tracker.keys.find(gone_text), tracker.keys.find(left_text)) == (None, left)

    @pytest.mark.parametrize("key_id", ["0" * 12, "", "x", "\ud800", "' OR 1=1 --", "a" * 10_240])
    def test_a_key_that_does_not_exist_is_not_revoked(self, tracker: Tracker, key_id: str) -> None:
        key, _ = tracker.keys.create()
        with pytest.raises(KeyNotFound):
            tracker.keys.revoke(key_id)
        assert tracker.keys.all() == [key]

    def test_a_key_is_not_named_by_its_text(self, tracker: Tracker) -> None:
        _, text = tracker.keys.create()
        with pytest.raises(KeyNotFound):
            tracker.keys.revoke(text)
