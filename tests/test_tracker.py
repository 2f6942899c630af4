"""The tracker, on a storage in memory and with a clock that stands still."""

import io
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from mailtrack import (
    ImageNotFound,
    ImageTooLarge,
    InvalidArgument,
    InvalidEmails,
    InvalidImage,
    InvalidName,
    InvalidPaging,
    InvalidSentTime,
    InvalidSetting,
    Open,
    OpenSpan,
    OpenSpans,
    Pixel,
    PixelNotFound,
    RecipientNotFound,
    RecipientState,
    ShortIdTaken,
    Storage,
    StorageError,
    Tracker,
)
from mailtrack import (
    _ids as ids,
)
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack._times import to_utc
from mailtrack.testing import FakeClock, make_hit, make_pixel, make_recipient
from mailtrack.testing._factories import NOON

FOREIGN_TOKEN = "tok_" + "0" * 32


@pytest.fixture
def png() -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (2, 3), "red").save(out, "PNG")
    return out.getvalue()


class TestCreatePixel:
    def test_it_has_a_name_and_a_time_and_no_image(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        assert (pixel.name, pixel.created_at, pixel.image) == ("Spring launch", NOON, None)

    def test_it_can_be_read_by_its_ids_in_either_case(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        keys = (pixel.id, pixel.short_id, pixel.id.upper(), pixel.short_id.upper())
        assert [tracker.get_pixel(key) for key in keys] == [pixel] * 4

    def test_blanks_around_a_name_are_cut_off(self, tracker: Tracker) -> None:
        assert tracker.create_pixel(" \t Spring launch\n").name == "Spring launch"

    @pytest.mark.parametrize(
        "name",
        ["x", "x" * 256, "Soldes d’été\u00a0: 50\u202f%", "春の\u3000セール", "\U0001f469\u200d\U0001f4bb launch"],
    )
    def test_a_name_may_have_any_letters_and_signs(self, tracker: Tracker, name: str) -> None:
        assert tracker.get_pixel(tracker.create_pixel(name).id).name == name

    @pytest.mark.parametrize("name", ["", " ", "\u3000\t\n"])
    def test_a_blank_name_is_refused(self, tracker: Tracker, name: str) -> None:
        with pytest.raises(InvalidName, match=r"^Pixel name is required\.$"):
            tracker.create_pixel(name)

    @pytest.mark.parametrize("name", ["x" * 257, "x" * 100_000])
    def test_a_long_name_is_refused(self, tracker: Tracker, name: str) -> None:
        with pytest.raises(InvalidName, match="at most 256"):
            tracker.create_pixel(name)

    @pytest.mark.parametrize("char", ["\x00", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
    def test_a_name_with_control_characters_is_refused(self, tracker: Tracker, char: str) -> None:
        with pytest.raises(InvalidName, match="control characters"):
            tracker.create_pixel(f"Spring{char}launch")

    def test_a_refused_pixel_leaves_nothing(self, tracker: Tracker) -> None:
        with pytest.raises(InvalidImage):
            tracker.create_pixel("Spring launch", image=b"no image")
        assert tracker.list_pixels().items == ()

    def test_a_taken_short_id_is_tried_again(self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
        taken = tracker.create_pixel("One")
        free = ids.new_pixel_id()
        new_ids = iter([taken.id, taken.short_id + free[8:], free])
        monkeypatch.setattr(ids, "new_pixel_id", lambda: next(new_ids))
        assert tracker.create_pixel("Two").id == free
        assert tracker.get_pixel(taken.id) == taken

    def test_it_gives_up_when_every_short_id_is_taken(self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
        taken = tracker.create_pixel("One")
        monkeypatch.setattr(ids, "new_pixel_id", lambda: taken.id)
        with pytest.raises(ShortIdTaken):
            tracker.create_pixel("Two")
        assert tracker.list_pixels().items == (taken,)


class TestImages:
    def test_an_image_is_found_by_its_file_name(self, tracker: Tracker, png: bytes) -> None:
        pixel = tracker.create_pixel("Spring launch", image=png)
        assert pixel.image == f"{pixel.id}.png"
        image = tracker.get_image(pixel.image)
        assert (image.media_type, PIL.Image.open(io.BytesIO(image.data)).size) == ("image/png", (2, 3))

    def test_its_pixel_shows_it(self, tracker: Tracker, png: bytes) -> None:
        pixel = tracker.create_pixel("Spring launch", image=png)
        assert tracker.get_pixel_image(pixel.short_id) == tracker.get_image(f"{pixel.id}.png")

    def test_a_pixel_without_image_shows_the_transparent_one(self, tracker: Tracker) -> None:
        assert tracker.get_pixel_image(tracker.create_pixel("Spring launch").id) == TRANSPARENT_PNG

    @pytest.mark.parametrize("key", ["00000000", "../../etc", "", "x" * 10_000])
    def test_what_is_no_pixel_shows_the_transparent_one(self, tracker: Tracker, key: str) -> None:
        assert tracker.get_pixel_image(key) == TRANSPARENT_PNG

    def test_a_deleted_pixel_shows_the_transparent_one(self, tracker: Tracker, png: bytes) -> None:
        pixel = tracker.create_pixel("Spring launch", image=png)
        keys = (pixel.id, pixel.short_id)
        assert [tracker.get_pixel_image(key) == TRANSPARENT_PNG for key in keys] == [False, False]
        tracker.delete_pixel(pixel.id)
        assert [tracker.get_pixel_image(key) for key in keys] == [TRANSPARENT_PNG] * 2

    def test_it_is_taken_as_bytes_of_any_kind_or_as_a_path(self, tracker: Tracker, png: bytes, tmp_path: Path) -> None:
        file = tmp_path / "logo of ours.png"
        file.write_bytes(png)
        images = [png, bytearray(png), memoryview(png), memoryview(b"--" + png)[2:], file, str(file)]
        pixels = [tracker.create_pixel("Spring launch", image=image) for image in images]
        assert len({tracker.get_pixel_image(pixel).data for pixel in pixels}) == 1
        assert {pixel.image for pixel in pixels} == {f"{pixel.id}.png" for pixel in pixels}

    def test_a_file_that_can_not_be_read_is_named_and_leaves_nothing(self, tracker: Tracker, tmp_path: Path) -> None:
        for image, error in ((tmp_path / "logo.png", FileNotFoundError), (tmp_path, IsADirectoryError)):
            with pytest.raises(error, match=re.escape(str(image))):
                tracker.create_pixel("Spring launch", image=image)
        assert tracker.list_pixels().items == ()

    def test_a_file_that_is_too_large_is_not_read_to_its_end(self, tracker: Tracker, tmp_path: Path) -> None:
        file = tmp_path / "logo.png"
        with file.open("wb") as endless:
            endless.truncate(2**34)
        with pytest.raises(ImageTooLarge):
            tracker.create_pixel("Spring launch", image=file)

    def test_an_empty_file_is_no_image(self, tracker: Tracker, tmp_path: Path) -> None:
        file = tmp_path / "logo.png"
        file.touch()
        with pytest.raises(InvalidImage, match="empty"):
            tracker.create_pixel("Spring launch", image=file)

    @pytest.mark.parametrize("image", [io.BytesIO(b""), 7, ["logo.png"]], ids=lambda image: type(image).__name__)
    def test_nothing_else_is_an_image(self, tracker: Tracker, image: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^image must be bytes or the path of a file, not \w+$"):
            tracker.create_pixel("Spring launch", image=image)

    def test_other_names_are_not_found(self, tracker: Tracker, png: bytes) -> None:
        pixel = tracker.create_pixel("Spring launch", image=png)
        other = tracker.create_pixel("Without")
        names = [
            "",
            pixel.id,
            f"{pixel.id}.jpg",
            f"{pixel.id}.png.png",
            f"{pixel.id}.PNG",
            f"{pixel.id.upper()}.png",
            f"{pixel.short_id}.png",
            f"../{pixel.id}.png",
            f"{pixel.id}.png\x00",
            f"{other.id}.png",
            f"{ids.new_pixel_id()}.png",
        ]
        for name in names:
            with pytest.raises(ImageNotFound):
                tracker.get_image(name)


class TestPixels:
    def test_they_are_listed_the_newest_first_page_by_page(self, tracker: Tracker) -> None:
        pixels = [tracker.create_pixel(str(n)) for n in range(5)]
        first = tracker.list_pixels(limit=3)
        assert first.items + tracker.list_pixels(limit=3, cursor=first.next).items == tuple(reversed(pixels))

    def test_they_can_be_walked_through(self, tracker: Tracker) -> None:
        pixels = [tracker.create_pixel(str(n)) for n in range(3)]
        assert list(tracker.iter_pixels()) == pixels[::-1]

    @pytest.mark.parametrize("limit", [0, -1, 1001, 2**63])
    def test_a_limit_out_of_range_is_refused(self, tracker: Tracker, limit: int) -> None:
        with pytest.raises(InvalidPaging, match="between 1 and 1,000"):
            tracker.list_pixels(limit=limit)

    def test_deleting_one_returns_it_as_it_was(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        tracker.generate_tokens(pixel.id, ["ann@example.org"])
        deleted = tracker.delete_pixel(pixel.short_id)
        assert (deleted.id, deleted.recipients) == (pixel.id, 1)

    def test_a_deleted_one_is_gone(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        tracker.delete_pixel(pixel.id)
        with pytest.raises(PixelNotFound):
            tracker.get_pixel(pixel.id)

    @pytest.mark.parametrize("key", ["", "00000000", "0" * 36, "../../..", "%00", "x" * 10_000])
    def test_what_is_no_pixel_is_not_found_by_any_method(self, tracker: Tracker, key: str) -> None:
        for call in (
            tracker.get_pixel,
            tracker.delete_pixel,
            lambda key: tracker.generate_tokens(key, ["ann@example.org"]),
            tracker.list_recipients,
            tracker.iter_recipients,
            tracker.list_opens,
            tracker.iter_opens,
            tracker.report,
            tracker.rejudge,
        ):
            with pytest.raises(PixelNotFound):
                call(key)


class TestGenerateTokens:
    def test_each_distinct_address_gets_one_in_the_order_of_first_appearance(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        given = ["bob@example.org", "ann@EXAMPLE.org", "bob@example.org", "ann@example.org"]
        assert [one.email for one in tracker.generate_tokens(pixel.id, given)] == ["bob@example.org", "ann@example.org"]

    def test_recipients_have_ids_and_tokens_of_their_form(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (one,) = tracker.generate_tokens(pixel.short_id, ["ann@example.org"])
        assert (one.pixel_id, one.created_at, one.opens) == (pixel.id, NOON, OpenSpans())
        assert ids.is_recipient_id(one.id)
        assert one.id.startswith(pixel.short_id)
        assert ids.parse_token(one.token) == one.token

    def test_asking_again_returns_the_same(self, tracker: Tracker, clock: FakeClock) -> None:
        pixel = tracker.create_pixel("Spring launch")
        first = tracker.generate_tokens(pixel.id, ["ann@example.org", "bob@example.org"])
        clock.advance(days=1)
        assert tracker.generate_tokens(pixel.id, ["bob@example.org", "ann@example.org"]) == first[::-1]

    def test_bad_addresses_are_listed_with_their_places(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        with pytest.raises(InvalidEmails, match="Invalid email format") as caught:
            tracker.generate_tokens(pixel.id, ["ann@example.org", "bad", "<b>@example.org"])
        assert [problem.index for problem in caught.value.problems] == [1, 2]
        assert all(problem.reason for problem in caught.value.problems)

    def test_one_bad_address_among_many_leaves_nothing(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        with pytest.raises(InvalidEmails):
            tracker.generate_tokens(pixel.id, [*(f"r{n}@example.org" for n in range(999)), "bad"])
        assert tracker.get_pixel(pixel.id).recipients == 0

    def test_it_takes_any_iterable(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        assert len(tracker.generate_tokens(pixel.id, (f"r{n}@example.org" for n in range(3)))) == 3

    def test_no_addresses_are_no_recipients(self, tracker: Tracker) -> None:
        assert tracker.generate_tokens(tracker.create_pixel("Spring launch").id, []) == []

    def test_special_domains_are_taken_where_they_are_allowed(self, memory: Storage) -> None:
        tracker = Tracker(memory, allow_special_domains=True)
        pixel = tracker.create_pixel("Spring launch")
        given = ["ann@localhost", "bob@shop.test", "carl@example.org"]
        assert [one.email for one in tracker.generate_tokens(pixel, given)] == given
        with pytest.raises(InvalidEmails, match="1 of 2 addresses: index 1: 'dora'"):
            tracker.generate_tokens(pixel, ["ann@localhost", "dora"])


class TestRecipients:
    def test_they_can_be_walked_through_over_many_pages(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        given = tracker.generate_tokens(pixel.id, [f"r{n}@example.org" for n in range(2500)])
        assert list(tracker.iter_recipients(pixel.short_id)) == given

    def test_a_walk_ends_early_when_the_pixel_is_deleted(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        tracker.generate_tokens(pixel.id, [f"r{n}@example.org" for n in range(2500)])
        walk = tracker.iter_recipients(pixel.id)
        next(walk)
        tracker.delete_pixel(pixel.id)
        assert len(list(walk)) == 999

    def test_they_are_listed_by_whether_they_opened(self, tracker: Tracker, thunderbird: str) -> None:
        pixel = tracker.create_pixel("Spring launch")
        ann, bob = tracker.generate_tokens(pixel.id, ["ann@example.org", "bob@example.org"])
        tracker.record(pixel.id, token=bob.token, user_agent=thunderbird)
        found = [tracker.list_recipients(pixel.id, opened=opened).items for opened in (True, False)]
        assert [[one.id for one in items] for items in found] == [[bob.id], [ann.id]]

    def test_they_are_listed_by_their_state(self, tracker: Tracker, thunderbird: str, robot: str) -> None:
        pixel = tracker.create_pixel("Spring launch")
        names = ("ann", "bob", "cem", "dee")
        ann, bob, cem, _ = tracker.generate_tokens(pixel, [f"{name}@example.org" for name in names])
        for recipient, user_agent in ((ann, thunderbird), (bob, "Mozilla/5.0"), (cem, robot)):
            tracker.record(pixel, token=recipient.token, user_agent=user_agent)

        def listed(**chosen: Any) -> str:
            items = tracker.list_recipients(pixel, **chosen).items
            assert tuple(tracker.iter_recipients(pixel, **chosen)) == items
            return " ".join(one.email.partition("@")[0] for one in items)

        assert [listed(states=[state]) for state in RecipientState] == ["ann", "bob", "cem", "dee"]
        assert listed(states=["scanned", RecipientState.NONE]) == "cem dee"
        assert listed(states=("none",), opened=False) == "dee"
        assert (listed(opened=True), listed(opened=False), listed(states=None)) == (
            "ann",
            "bob cem dee",
            "ann bob cem dee",
        )
        assert listed(states=[]) == listed(states=["none"], opened=True) == ""
        assert [one.state for one in tracker.list_recipients(pixel).items] == list(RecipientState)
        assert tracker.get_pixel(pixel).prefetched == 1

    @pytest.mark.parametrize("states", ["opened", ["read"], [None], 7])
    def test_only_states_are_taken_for_states(self, tracker: Tracker, states: Any) -> None:
        pixel = tracker.create_pixel("Spring launch")
        for call in (tracker.list_recipients, tracker.iter_recipients):
            with pytest.raises(InvalidArgument, match=r"^states must be"):
                call(pixel, states=states)

    def test_they_are_got_by_id_and_what_is_no_id_is_left_out(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        unknown = make_recipient(make_pixel()).id
        assert tracker.get_recipients([None, "", "x" * 10_000, unknown, ann.id]) == {ann.id: ann}

    def test_deleting_one_returns_it_and_keeps_its_opens(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        tracker.record(pixel.id, token=ann.token)
        assert tracker.delete_recipient(ann.id).email == "ann@example.org"
        assert [(one.recipient_id, one.token) for one in tracker.list_opens(pixel.id).items] == [(ann.id, None)]

    @pytest.mark.parametrize("recipient_id", ["", "0" * 24, "../" * 8, "x" * 10_000, "0" * 23 + "\x00"])
    def test_one_that_does_not_exist_cannot_be_deleted(self, tracker: Tracker, recipient_id: str) -> None:
        with pytest.raises(RecipientNotFound):
            tracker.delete_recipient(recipient_id)


class TestUrls:
    def test_a_recipient_has_its_own(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        expected = f"https://mail.example.com/track/tracker/{pixel.short_id}.png"
        assert tracker.tracking_url(pixel, ann) == f"{expected}?token={ann.token}"
        assert tracker.tracking_url(pixel) == expected

    def test_without_a_base_there_are_none(self, memory: Storage) -> None:
        tracker = Tracker(memory)
        assert tracker.urls is None
        with pytest.raises(InvalidSetting, match="base_url"):
            tracker.tracking_url(make_pixel())

    def test_a_bad_base_is_refused_at_once(self, memory: Storage) -> None:
        with pytest.raises(InvalidSetting, match="base_url"):
            Tracker(memory, base_url="mail.example.com")


def _record(tracker: Tracker, **parts: Any) -> Open:
    """Record a request for a new pixel, and return its open."""
    pixel = tracker.create_pixel("Spring launch")
    tracker.record(pixel, **parts)
    (found,) = tracker.list_opens(pixel).items
    return found


class TestRecording:
    def test_a_request_becomes_an_open_of_its_recipient(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        tracker.record(pixel.short_id, token=ann.token, ip="192.0.2.1", user_agent="Mail/1", referer="x")
        (found,) = tracker.list_opens(pixel.id).items
        assert (found.pixel_id, found.recipient_id, found.token) == (pixel.id, ann.id, ann.token)
        assert (found.opened_at, found.ip, found.user_agent, found.referer) == (NOON, "192.0.2.1", "Mail/1", "x")

    def test_so_does_a_hit_that_is_stored(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        hit = make_hit(pixel.short_id, token=ann.token)
        tracker.store([hit])
        (found,) = tracker.list_opens(pixel.id).items
        assert (found.id, found.pixel_id, found.recipient_id, found.token) == (hit.id, pixel.id, ann.id, ann.token)
        assert (found.opened_at, found.ip) == (hit.at, hit.ip)
        assert (found.user_agent, found.referer) == (hit.user_agent, hit.referer)

    def test_the_id_of_a_pixel_may_be_in_upper_case(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        tracker.record(pixel.id.upper())
        tracker.record(pixel.short_id.upper())
        assert len(tracker.list_opens(pixel).items) == 2

    def test_what_strangers_say_is_cleaned(self, tracker: Tracker) -> None:
        said = {"token": "tok_1", "ip": "::ffff:192.0.2.1", "user_agent": "a\x1b[0m\t\n\ud800", "referer": "x" * 600}
        found = _record(tracker, **said)
        cleaned = (None, "192.0.2.1", "a\ufffd[0m\ufffd\ufffd\ufffd", "x" * 512)
        assert (found.token, found.ip, found.user_agent, found.referer) == cleaned

    def test_what_the_headers_announce_comes_in_one_order_once_and_anything_else_is_dropped(
        self, tracker: Tracker
    ) -> None:
        found = _record(tracker, signals=["range", "repeat", "no-language", "range", "x\ty"])
        assert found.signals == ("no-language", "range")

    @pytest.mark.parametrize("token", [None, "", "x", "tok_", "x" * 1_000_000, "tok_\ud800"])
    def test_what_cannot_be_a_token_is_none(self, tracker: Tracker, token: str | None) -> None:
        assert _record(tracker, token=token).token is None

    @pytest.mark.parametrize("text", ["", None])
    def test_texts_may_be_missing(self, tracker: Tracker, text: str | None) -> None:
        found = _record(tracker, user_agent=text, referer=text)
        assert (found.user_agent, found.referer) == ("", "")

    @pytest.mark.parametrize("ip", ["unknown", "192.0.2.1:5678", "", None])
    def test_an_address_that_is_none_is_none(self, tracker: Tracker, ip: str | None) -> None:
        assert _record(tracker, ip=ip).ip is None

    @pytest.mark.parametrize("name", ["", "x", "a1b2c3d", "A1B2C3DG", "../../etc", "\ud800" * 8, "x" * 10_000])
    def test_what_can_not_be_the_id_of_a_pixel_makes_no_open(
        self, tracker: Tracker, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr(tracker._recorder, "record", lambda *_: pytest.fail("it was recorded"))
        tracker.record(name)

    def test_a_hit_arrives_when_the_clock_says_in_whole_milliseconds(self, memory: Storage) -> None:
        tracker = Tracker(memory, clock=lambda: NOON.replace(microsecond=1999))
        assert _record(tracker).opened_at == NOON.replace(microsecond=1000)

    def test_without_a_clock_it_arrives_now(self, memory: Storage) -> None:
        before = to_utc(datetime.now(UTC))
        at = _record(Tracker(memory)).opened_at
        assert before <= at <= datetime.now(UTC)

    def test_no_two_hits_have_the_same_id(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        for _ in range(1000):
            tracker.record(pixel)
        assert len({one.id for one in tracker.iter_opens(pixel)}) == 1000

    def test_a_token_of_another_pixel_is_that_of_no_recipient(self, tracker: Tracker) -> None:
        pixel, other = tracker.create_pixel("One"), tracker.create_pixel("Two")
        (ann,) = tracker.generate_tokens(other.id, ["ann@example.org"])
        tracker.record(pixel.id, token=ann.token)
        assert [one.recipient_id for one in tracker.list_opens(pixel.id).items] == [None]
        assert tracker.list_opens(other.id).items == ()

    def test_an_unknown_token_is_that_of_no_recipient(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        tracker.record(pixel.id, token=FOREIGN_TOKEN)
        assert [(one.recipient_id, one.token) for one in tracker.list_opens(pixel.id).items] == [(None, None)]

    def test_a_hit_of_an_unknown_pixel_is_passed_over(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        tracker.record(make_pixel().id)
        assert tracker.get_pixel(pixel.id).opens.raw.number == 0

    def test_storing_returns_how_many_were_new(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        hits = [make_hit(pixel.id), make_hit(make_pixel()), make_hit(pixel.short_id)]
        assert [tracker.store(hits), tracker.store(hits), tracker.store([])] == [2, 0, 0]

    def test_opens_are_counted(self, tracker: Tracker, clock: FakeClock, thunderbird: str) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        for _ in range(2):
            tracker.record(pixel.id, token=ann.token, user_agent=thunderbird)
            clock.advance(hours=1)
        span = OpenSpan(number=2, first=NOON, last=NOON + timedelta(hours=1))
        owners = [tracker.get_pixel(pixel.id), tracker.get_recipients([ann.id])[ann.id]]
        assert [one.opens for one in owners] == [OpenSpans(counted=span, raw=span)] * 2

    def test_the_log_keeps_the_order_of_arrival_when_the_clock_jumps_back(
        self, tracker: Tracker, clock: FakeClock
    ) -> None:
        pixel = tracker.create_pixel("Spring launch")
        for hours in (0, -1, 8760):
            clock.set(NOON + timedelta(hours=hours))
            tracker.record(pixel.id, user_agent=str(hours))
        assert [one.user_agent for one in tracker.list_opens(pixel.id).items] == ["8760", "-1", "0"]

    def test_a_closed_storage_is_an_error(self, tracker: Tracker, memory: Storage) -> None:
        memory.close()
        for call in (lambda: tracker.record("a1b2c3d4"), tracker.ping, tracker.list_pixels):
            with pytest.raises(StorageError):
                call()


class TestListOpens:
    def test_pages_and_skips_go_together(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        hits = [make_hit(pixel) for _ in range(6)]
        tracker.store(hits)
        page = tracker.list_opens(pixel.short_id, limit=2, skip=1)
        rest = tracker.list_opens(pixel.id, cursor=page.next)
        assert [one.id for one in page.items + rest.items] == [hit.id for hit in hits[4::-1]]

    @pytest.mark.parametrize(
        "paging", [{"limit": 0}, {"limit": 1001}, {"skip": -1}, {"skip": 2**63}, {"cursor": "x"}, {"cursor": ""}]
    )
    def test_what_is_out_of_range_is_refused(self, tracker: Tracker, paging: dict[str, object]) -> None:
        pixel = tracker.create_pixel("Spring launch")
        with pytest.raises(InvalidPaging):
            tracker.list_opens(pixel.id, **paging)

    def test_the_largest_skip_is_an_empty_page(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        assert tracker.list_opens(pixel.id, skip=2**63 - 1).items == ()


class TestReprs:
    def test_a_tracker_shows_no_address_and_no_token(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        (ann,) = tracker.generate_tokens(pixel.id, ["ann@example.org"])
        for shown in map(repr, (tracker, pixel, ann, make_hit(pixel, token=ann.token))):
            assert "ann@" not in shown
            assert ann.token not in shown
            assert "Spring" not in shown

    def test_an_error_shows_no_address(self, tracker: Tracker) -> None:
        pixel = tracker.create_pixel("Spring launch")
        with pytest.raises(InvalidEmails) as caught:
            tracker.generate_tokens(pixel.id, ["<zebra>@example.org"])
        assert "zebra" not in f"{caught.value!r} {caught.value.summary} {caught.value.problems}"


class TestSentTimes:
    """Marking recipients as sent to."""

    @pytest.fixture
    def pixel(self, tracker: Tracker) -> Pixel:
        pixel = tracker.create_pixel("Spring launch")
        tracker.generate_tokens(pixel, ["ann@example.org", "bob@example.org"])
        return pixel

    def test_all_are_marked_now_by_default(self, tracker: Tracker, pixel: Pixel, clock: FakeClock) -> None:
        clock.advance(seconds=60)
        assert tracker.mark_sent(pixel) == 2
        assert {one.sent_at for one in tracker.iter_recipients(pixel)} == {clock()}

    def test_recipients_are_given_as_such_or_by_id_and_others_passed_over(
        self, tracker: Tracker, pixel: Pixel, clock: FakeClock
    ) -> None:
        ann, bob = tracker.iter_recipients(pixel)
        other = make_recipient(make_pixel())
        assert tracker.mark_sent(pixel.short_id, iter([ann, bob.id, bob, other, "", "x"])) == 2
        assert tracker.mark_sent(pixel, []) == 0
        assert tracker.get_recipient(ann).sent_at == clock()

    def test_the_time_may_be_given_in_any_zone(self, tracker: Tracker, pixel: Pixel, clock: FakeClock) -> None:
        clock.advance(seconds=60)
        at = (clock() - timedelta(seconds=30)).astimezone(timezone(timedelta(hours=5)))
        tracker.mark_sent(pixel, at=at)
        assert {one.sent_at for one in tracker.iter_recipients(pixel)} == {at}

    def test_a_time_in_the_future_or_without_a_zone_is_refused(
        self, tracker: Tracker, pixel: Pixel, clock: FakeClock
    ) -> None:
        for at, reason in (
            (clock() + timedelta(milliseconds=1), "must not be in the future"),
            (clock().replace(tzinfo=None), "needs a time zone"),
            ("2025-11-06", "must be a datetime"),
        ):
            with pytest.raises(InvalidArgument, match=f"^at {reason}"):
                tracker.mark_sent(pixel, at=at)

    def test_a_time_before_a_token_is_refused(self, tracker: Tracker, pixel: Pixel, clock: FakeClock) -> None:
        with pytest.raises(InvalidSentTime, match=r"^The sent time is before the token of a recipient was made\.$"):
            tracker.mark_sent(pixel, at=clock() - timedelta(seconds=1))

    def test_a_single_text_is_no_list_of_recipients(self, tracker: Tracker, pixel: Pixel) -> None:
        with pytest.raises(InvalidArgument, match=r"^recipients must be a list"):
            tracker.mark_sent(pixel, "0" * 24)

    def test_rejudging_follows_the_sent_time(self, tracker: Tracker, pixel: Pixel, clock: FakeClock) -> None:
        ann, _ = tracker.iter_recipients(pixel)
        apple_mail = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        clock.advance(seconds=900)
        sent_at = clock()
        clock.advance(seconds=2)
        tracker.record(pixel, token=ann.token, user_agent=apple_mail)
        kinds = [[one.verdict.kind.value for one in tracker.list_opens(pixel).items]]
        tracker.mark_sent(pixel, at=sent_at)
        list(tracker.rejudge(pixel))
        kinds.append([one.verdict.kind.value for one in tracker.list_opens(pixel).items])
        assert kinds == [["human"], ["prefetch"]]
        assert tracker.get_recipient(ann).state is RecipientState.PREFETCHED
