"""What public methods make of arguments as programs really pass them: values for ids, texts for enums, one for many."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mailtrack import (
    ImageNotFound,
    InvalidArgument,
    InvalidName,
    InvalidPaging,
    InvalidSetting,
    InvalidTimeZone,
    KeyNotFound,
    Pixel,
    PixelNotFound,
    Recipient,
    RecipientNotFound,
    Spool,
    Storage,
    Tracker,
    Urls,
    Verdict,
    VerdictKind,
    open_storage,
)
from mailtrack._images.check import TRANSPARENT_PNG
from mailtrack.testing import FakeClock, make_hit
from mailtrack.verdicts import Judge, Networks, RecentHits, RuleTable, default_rules, load_networks, load_rules
from mailtrack.verdicts._networks import parse_networks
from mailtrack_wsgi import create_app

BASE = "https://mail.example.com/track"
KINDS = "human, proxy, prefetch, scanner, bot, unknown"


each_storage = pytest.mark.parametrize("storage", ["memory", "sqlite"], indirect=True)


@pytest.fixture
def storage(request: pytest.FixtureRequest, tmp_path: Path, new_database: Callable[[Path], Path]) -> Iterator[Storage]:
    kind = getattr(request, "param", "memory")
    with open_storage(
        "memory://" if kind == "memory" else f"sqlite:///{new_database(tmp_path / 'mail.db')}"
    ) as storage:
        yield storage


@pytest.fixture
def tracker(storage: Storage, clock: FakeClock) -> Tracker:
    return Tracker(storage, base_url=BASE, clock=clock)


@pytest.fixture
def pixel(tracker: Tracker) -> Pixel:
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def ann(tracker: Tracker, pixel: Pixel, clock: FakeClock, thunderbird: str) -> Recipient:
    """Has opened once."""
    (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
    clock.advance(hours=1)
    tracker.record(pixel, token=ann.token, user_agent=thunderbird)
    return ann


class TestKinds:
    @each_storage
    @pytest.mark.parametrize("kind", ["human", VerdictKind.HUMAN])
    def test_a_kind_and_its_text_find_the_same_opens(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, kind: str
    ) -> None:
        assert [one.recipient_id for one in tracker.list_opens(pixel, kind=kind).items] == [ann.id]

    @pytest.mark.parametrize("kind", ["people", "HUMAN", "", b"human", 1, ["human"], {}])
    def test_an_unknown_kind_is_refused_with_those_that_there_are(
        self, tracker: Tracker, pixel: Pixel, kind: Any
    ) -> None:
        with pytest.raises(InvalidArgument, match=f"^kind must be one of {KINDS}$"):
            tracker.list_opens(pixel, kind=kind)

    def test_one_kind_may_be_all_that_counts(self) -> None:
        assert Judge(counted="human").counted == Judge(counted=[VerdictKind.HUMAN]).counted == {"human"}

    def test_what_counts_may_come_from_a_generator(self) -> None:
        assert Judge(counted=(kind for kind in ("human", VerdictKind.PROXY))).counted == {"human", "proxy"}

    @pytest.mark.parametrize("counted", ["human,proxy", ["people"], [None], None, 7])
    def test_unknown_kinds_can_not_count(self, counted: Any) -> None:
        with pytest.raises(InvalidSetting, match=KINDS):
            Judge(counted=counted)

    def test_a_durability_may_be_given_as_its_text(self, tmp_path: Path) -> None:
        assert Spool(tmp_path, durability="always")._syncs_each

    @pytest.mark.parametrize("durability", ["never", None, True, ["always"]])
    def test_an_unknown_durability_is_refused_with_those_that_there_are(self, tmp_path: Path, durability: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^durability must be one of everysec, always$"):
            Spool(tmp_path, durability=durability)


# Each method that takes a pixel, made a function of the tracker and the pixel.
TAKE_PIXEL: dict[str, Callable[[Tracker, Any], Any]] = {
    "get_pixel": Tracker.get_pixel,
    "get_pixel_image": Tracker.get_pixel_image,
    "generate_tokens": lambda tracker, pixel: tracker.generate_tokens(pixel, ["ann@example.org"]),
    "import_recipients": lambda tracker, pixel: tracker.import_recipients(pixel, ["ann@example.org"]),
    "list_recipients": Tracker.list_recipients,
    "iter_recipients": lambda tracker, pixel: list(tracker.iter_recipients(pixel)),
    "tracking_url": Tracker.tracking_url,
    "record": lambda tracker, pixel: tracker.record(pixel),
    "list_opens": Tracker.list_opens,
    "iter_opens": lambda tracker, pixel: list(tracker.iter_opens(pixel)),
    "report": Tracker.report,
    "count_by_day": lambda tracker, pixel: tracker.count_by_day([pixel], since=tracker.now()),
    "mark_sent": Tracker.mark_sent,
    "update_pixel": lambda tracker, pixel: tracker.update_pixel(pixel, archived=True),
    "rejudge": lambda tracker, pixel: list(tracker.rejudge(pixel)),
    "delete_pixel": Tracker.delete_pixel,
}

takes_pixel = pytest.mark.parametrize("call", TAKE_PIXEL.values(), ids=TAKE_PIXEL)


class TestPixels:
    @each_storage
    @takes_pixel
    @pytest.mark.parametrize(
        "to_key",
        [
            pytest.param(lambda pixel: pixel.id, id="id"),
            pytest.param(lambda pixel: pixel.short_id, id="short id"),
            pytest.param(lambda pixel: pixel.id.upper(), id="ID"),
            pytest.param(lambda pixel: pixel.short_id.upper(), id="SHORT ID"),
        ],
    )
    @pytest.mark.usefixtures("ann")
    def test_a_pixel_does_what_its_ids_do(
        self, tracker: Tracker, pixel: Pixel, call: Callable[[Tracker, Any], Any], to_key: Callable[[Pixel], str]
    ) -> None:
        if call is Tracker.delete_pixel:
            assert call(tracker, to_key(pixel)).id == pixel.id
        else:
            assert call(tracker, pixel) == call(tracker, to_key(pixel))

    @pytest.mark.usefixtures("ann")
    def test_a_pixel_itself_can_be_deleted(self, tracker: Tracker, pixel: Pixel) -> None:
        tracker.delete_pixel(pixel)
        assert tracker.list_pixels().items == ()

    @takes_pixel
    def test_a_recipient_is_no_pixel(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient, call: Callable[[Tracker, Any], Any]
    ) -> None:
        with pytest.raises(InvalidArgument, match=r"^pixel must be a Pixel or its id, not Recipient$"):
            call(tracker, ann)
        assert tracker.get_pixel(pixel).opens.raw.number == 1

    @takes_pixel
    @pytest.mark.parametrize("value", [None, b"a1b2c3d4", 7, ["a1b2c3d4"]])
    def test_neither_is_anything_else(self, tracker: Tracker, call: Callable[[Tracker, Any], Any], value: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^pixel must be a Pixel or its id, not \w+$"):
            call(tracker, value)

    def test_every_method_that_takes_a_pixel_is_tried(self) -> None:
        import inspect

        takers = {
            name
            for name, method in inspect.getmembers(Tracker, inspect.isfunction)
            if not name.startswith("_") and {"pixel", "pixels"} & inspect.signature(method).parameters.keys()
        }
        assert takers == set(TAKE_PIXEL) | {"purge", "plan_purge"}  # for which none means all

    def test_a_purge_takes_a_pixel_or_its_id_or_none(self, tracker: Tracker, pixel: Pixel, ann: Recipient) -> None:
        for given in (pixel, pixel.id, pixel.short_id, None):
            assert tracker.purge(before=tracker.now(), pixel=given) == 0
        with pytest.raises(InvalidArgument, match=r"^pixel must be a Pixel or its id, not Recipient$"):
            tracker.purge(before=tracker.now(), pixel=ann)


TAKE_RECIPIENT: dict[str, Callable[[Tracker, Pixel, Any], Any]] = {
    "get_recipient": lambda tracker, _, recipient: tracker.get_recipient(recipient),
    "get_recipients": lambda tracker, _, recipient: tracker.get_recipients([recipient]),
    "list_opens": lambda tracker, pixel, recipient: tracker.list_opens(pixel, recipient_id=recipient),
    "tracking_url": lambda tracker, pixel, recipient: tracker.tracking_url(pixel, recipient),
    "tracking_url by id": lambda tracker, pixel, recipient: tracker.tracking_url(pixel.short_id, recipient),
    "delete_recipient": lambda tracker, _, recipient: tracker.delete_recipient(recipient),
}

takes_recipient = pytest.mark.parametrize("call", TAKE_RECIPIENT.values(), ids=TAKE_RECIPIENT)


class TestRecipients:
    @each_storage
    @takes_recipient
    @pytest.mark.parametrize("by_id", [True, False])
    def test_a_recipient_does_what_its_id_does(
        self,
        tracker: Tracker,
        pixel: Pixel,
        ann: Recipient,
        call: Callable[[Tracker, Pixel, Any], Any],
        by_id: bool,
    ) -> None:
        now = tracker.get_recipient(ann.id)
        expected = {
            "get_recipients": {ann.id: now},
            "list_opens": tracker.list_opens(pixel),
            "tracking_url": f"{BASE}/tracker/{pixel.short_id}.png?token={ann.token}",
        }
        name = next(name for name, one in TAKE_RECIPIENT.items() if one is call).removesuffix(" by id")
        assert call(tracker, pixel, ann.id if by_id else ann) == expected.get(name, now)

    @takes_recipient
    @pytest.mark.parametrize("value", [b"0" * 24, 7, ["0" * 24]])
    def test_nothing_else_is_a_recipient(
        self, tracker: Tracker, pixel: Pixel, call: Callable[[Tracker, Pixel, Any], Any], value: Any
    ) -> None:
        with pytest.raises(InvalidArgument, match=r"^recipient(_id)? must be a Recipient or its id, not \w+$"):
            call(tracker, pixel, value)

    @takes_recipient
    def test_a_pixel_is_no_recipient(
        self, tracker: Tracker, pixel: Pixel, call: Callable[[Tracker, Pixel, Any], Any]
    ) -> None:
        with pytest.raises(InvalidArgument, match="not Pixel"):
            call(tracker, pixel, pixel)

    def test_there_is_no_url_for_the_recipient_of_another_pixel(self, tracker: Tracker, ann: Recipient) -> None:
        other = tracker.create_pixel("Autumn launch")
        for recipient in (ann, ann.id):
            with pytest.raises(InvalidArgument, match="one of another"):
                tracker.tracking_url(other, recipient)

    def test_there_is_no_url_for_what_does_not_exist(self, tracker: Tracker, pixel: Pixel) -> None:
        with pytest.raises(PixelNotFound):
            tracker.tracking_url("00000000")
        with pytest.raises(RecipientNotFound):
            tracker.tracking_url(pixel, "0" * 24)

    def test_a_deleted_recipients_opens_are_found_by_its_value(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient
    ) -> None:
        tracker.delete_recipient(ann)
        assert len(tracker.list_opens(pixel, recipient_id=ann).items) == 1


class TestSeveral:
    @pytest.mark.parametrize("emails", ["ann@example.org", b"ann@example.org", bytearray(b"ann@example.org"), None, 7])
    def test_one_address_alone_is_not_taken_apart(self, tracker: Tracker, pixel: Pixel, emails: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^emails must be a list or another iterable, not \w+$"):
            tracker.generate_tokens(pixel, emails)

    def test_addresses_may_come_from_anything_that_is_iterated(self, tracker: Tracker, pixel: Pixel) -> None:
        given = {"ann@example.org": 1, "bob@example.org": 2}
        for emails in (given, given.keys(), tuple(given), iter(given), (email for email in given)):
            assert [one.email for one in tracker.generate_tokens(pixel, emails)] == list(given)

    def test_a_generator_that_fails_leaves_nothing(self, tracker: Tracker, pixel: Pixel) -> None:
        def emails() -> Iterator[str]:
            yield "ann@example.org"
            raise KeyError("email")

        with pytest.raises(KeyError):
            tracker.generate_tokens(pixel, emails())
        assert tracker.get_pixel(pixel).recipients == 0

    def test_one_recipient_id_alone_is_refused(self, tracker: Tracker, ann: Recipient) -> None:
        with pytest.raises(InvalidArgument, match=r"^recipient_ids must be a list or"):
            tracker.get_recipients(ann.id)

    def test_one_pixel_alone_is_refused_where_several_are_counted(self, tracker: Tracker, pixel: Pixel) -> None:
        for pixels in (pixel, pixel.id):
            with pytest.raises(InvalidArgument, match=r"^pixels must be a list or"):
                tracker.count_by_day(pixels, since=tracker.now())  # type: ignore[arg-type]

    @each_storage
    def test_pixels_that_do_not_exist_are_left_out_where_several_are_counted(
        self, tracker: Tracker, pixel: Pixel, ann: Recipient
    ) -> None:
        assert ann
        found = tracker.count_by_day(["00000000", "no id", pixel.short_id], since=tracker.now())
        assert list(found) == [pixel.id]

    def test_hits_may_come_from_a_generator(self, tracker: Tracker, pixel: Pixel) -> None:
        assert tracker.store(make_hit(pixel) for _ in range(3)) == 3

    @pytest.mark.parametrize("networks", ["192.0.2.0/24", b"192.0.2.0/24", None])
    def test_one_network_alone_is_refused(self, networks: Any) -> None:
        for make in (Networks, parse_networks):
            with pytest.raises(InvalidArgument, match="must be a list or"):
                make(networks)

    def test_rules_are_changed_by_rules_and_codes_not_by_lists_of_them(self) -> None:
        table = default_rules()
        with pytest.raises(InvalidArgument, match=r"^rule must be a Rule, not list$"):
            table.with_rules([table.rules[0]])  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match=r"^code must be a str, not list$"):
            table.without_rules([table.rules[0].code])  # type: ignore[arg-type]

    def test_one_signal_alone_is_one_signal(self) -> None:
        judge = Judge()
        alone: Any = "prefetch"
        assert judge.judge("", signals=alone) == judge.judge("", signals=["prefetch"]) != judge.judge("")

    def test_one_host_alone_is_refused(self, tracker: Tracker) -> None:
        for hosts in ("localhost", b"localhost"):
            with pytest.raises(InvalidSetting, match="hosts"):
                create_app(tracker, hosts=hosts)  # type: ignore[arg-type]


class TestTimes:
    @each_storage
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-11)), ZoneInfo("Asia/Kolkata")])
    def test_a_time_may_be_in_any_zone(self, tracker: Tracker, pixel: Pixel, ann: Recipient, zone: tzinfo) -> None:
        assert ann
        since = tracker.now().astimezone(zone)
        assert [one.opens.raw for one in tracker.count_by_day([pixel], since=since)[pixel.id]] == [1]

    @pytest.mark.parametrize(
        ("since", "reason"),
        [
            (datetime(2025, 11, 6), "needs a time zone"),
            (date(2025, 11, 6), "must be a datetime, not date"),
            ("2025-11-06T00:00:00Z", "must be a datetime, not str"),
            (1_762_430_400, "must be a datetime, not int"),
            (None, "must be a datetime, not NoneType"),
            (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "must be from year 1 to 9999"),
            (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), "must be from year 1 to 9999"),
        ],
    )
    def test_anything_else_is_refused(self, tracker: Tracker, since: Any, reason: str) -> None:
        with pytest.raises(InvalidArgument, match=f"^since {reason}"):
            tracker.count_by_day([], since=since)

    @pytest.mark.parametrize("zone", ["Europe/Berlin", ZoneInfo("Europe/Berlin")])
    def test_a_report_takes_a_zone_or_its_name(self, tracker: Tracker, pixel: Pixel, zone: Any) -> None:
        assert tracker.report(pixel, time_zone=zone).time_zone == "Europe/Berlin"

    @pytest.mark.parametrize("zone", [None, 2, b"UTC", "", "Mars/Olympus", "../../etc/passwd"])
    def test_a_report_takes_no_other_zone(self, tracker: Tracker, pixel: Pixel, zone: Any) -> None:
        with pytest.raises(InvalidTimeZone):
            tracker.report(pixel, time_zone=zone)


class TestNumbersAndTexts:
    @pytest.mark.parametrize("limit", ["50", 50.0, None, [50]])
    def test_a_limit_is_a_whole_number(self, tracker: Tracker, pixel: Pixel, limit: Any) -> None:
        for call in (
            lambda: tracker.list_pixels(limit=limit),
            lambda: tracker.list_recipients(pixel, limit=limit),
            lambda: tracker.list_opens(pixel, limit=limit),
            lambda: tracker.list_opens(pixel, skip=limit),
            lambda: tracker.report(pixel, top=limit),
        ):
            with pytest.raises(InvalidPaging):
                call()

    @each_storage
    def test_a_number_of_another_library_is_one(self, tracker: Tracker, pixel: Pixel) -> None:
        class Number:
            def __index__(self) -> int:
                return 1

        one: Any = Number()
        assert tracker.list_pixels(limit=one).items == (pixel,)
        assert tracker.list_opens(pixel, limit=one, skip=one).items == ()

    @pytest.mark.parametrize("cursor", [7, b"7", "", "seven", ("7",)])
    def test_a_cursor_is_one_that_a_page_has(self, tracker: Tracker, pixel: Pixel, cursor: Any) -> None:
        for call in (
            lambda: tracker.list_pixels(cursor=cursor),
            lambda: tracker.list_recipients(pixel, cursor=cursor),
            lambda: tracker.list_opens(pixel, cursor=cursor),
        ):
            with pytest.raises(InvalidPaging, match="cursor"):
                call()

    @pytest.mark.parametrize("opened", ["false", "", 2, []])
    def test_whether_recipients_opened_is_true_or_false(self, tracker: Tracker, pixel: Pixel, opened: Any) -> None:
        for call in (tracker.list_recipients, tracker.iter_recipients):
            with pytest.raises(InvalidArgument, match=r"^opened must be True, False or None$"):
                call(pixel, opened=opened)

    @pytest.mark.parametrize("search", [b"Spring", 7, ["Spring"]])
    def test_a_search_is_for_text(self, tracker: Tracker, search: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^search must be a str"):
            tracker.list_pixels(search=search)

    @pytest.mark.parametrize("name", [None, b"Spring launch", 7])
    def test_a_name_is_text(self, tracker: Tracker, name: Any) -> None:
        for call in (tracker.create_pixel, tracker.keys.create):
            with pytest.raises(InvalidName, match="must be text"):
                call(name)

    def test_a_pixel_without_image_has_none_to_get(self, tracker: Tracker, pixel: Pixel) -> None:
        with pytest.raises(ImageNotFound):
            tracker.get_image(pixel.image)
        assert tracker.get_pixel_image(pixel) == TRANSPARENT_PNG

    def test_a_hit_may_lack_what_a_request_lacks(self, tracker: Tracker, pixel: Pixel) -> None:
        tracker.record(pixel, token=None, ip=None, user_agent=None, referer=None)
        (found,) = tracker.list_opens(pixel).items
        assert (found.user_agent, found.referer) == ("", "")


class TestKeys:
    def test_a_key_is_revoked_by_its_value_or_its_id(self, tracker: Tracker) -> None:
        (first, _), (second, _) = tracker.keys.create(), tracker.keys.create()
        assert [tracker.keys.revoke(first), tracker.keys.revoke(second.id)] == [first, second]

    @pytest.mark.parametrize("value", [None, b"0" * 12, 7])
    def test_nothing_else_is_a_key(self, tracker: Tracker, value: Any) -> None:
        with pytest.raises(InvalidArgument, match="ApiKey or its id"):
            tracker.keys.revoke(value)
        with pytest.raises(InvalidArgument, match="text must be a str"):
            tracker.keys.find(value)

    def test_a_key_that_is_text_but_none_is_not_found(self, tracker: Tracker) -> None:
        with pytest.raises(KeyNotFound):
            tracker.keys.revoke("key")
        assert tracker.keys.find("key") is None


class TestParts:
    """A tracker, a judge, a spool and an application are made of parts that are there already."""

    @pytest.mark.parametrize("url", ["mail.db", "://", "", None, 7, b"sqlite:///mail.db", Path("mail.db")])
    def test_a_storage_is_opened_by_its_url(self, url: Any) -> None:
        with pytest.raises(InvalidSetting, match="database"):
            open_storage(url)

    @pytest.mark.parametrize("storage", ["sqlite:///mail.db", Path("mail.db"), None])
    def test_a_tracker_needs_an_open_storage(self, storage: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^storage must be an open storage, as open_storage\(url\)"):
            Tracker(storage)

    @pytest.mark.parametrize(
        "parts",
        [{"judge": default_rules()}, {"judge": "rules.toml"}, {"spool": "mail.db.spool"}, {"recent_hits": 5}],
        ids=lambda parts: f"{next(iter(parts))}-{type(next(iter(parts.values()))).__name__}",
    )
    def test_a_tracker_takes_no_other_parts(self, storage: Storage, parts: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match=rf"^{next(iter(parts))} must be a \w+, not \w+$"):
            Tracker(storage, **parts)

    def test_a_tracker_takes_no_text_for_a_flag(self, storage: Storage) -> None:
        with pytest.raises(InvalidArgument, match=r"^allow_special_domains must be True, False or None$"):
            Tracker(storage, allow_special_domains="no")  # type: ignore[arg-type]

    @pytest.mark.parametrize("base_url", [b"https://mail.example.com", Path("/track"), 7])
    def test_a_base_url_is_text(self, storage: Storage, base_url: Any) -> None:
        with pytest.raises(InvalidSetting, match="base_url"):
            Tracker(storage, base_url=base_url)

    def test_urls_are_made_of_values(self, tracker: Tracker, pixel: Pixel, ann: Recipient) -> None:
        urls: Any = Urls(BASE)
        for call in (
            lambda: urls.tracking(pixel.id),
            lambda: urls.tracking(ann),
            lambda: urls.tracking(pixel, ann.id),
            lambda: urls.logs(pixel.short_id),
        ):
            with pytest.raises(InvalidArgument, match=r"must be a (Pixel|Recipient), not"):
                call()
        assert tracker.tracking_url(pixel, ann) == urls.tracking(pixel, ann)

    @pytest.mark.parametrize("table", ["rules.toml", Path("rules.toml"), [], Verdict()])
    def test_a_judge_judges_by_a_table(self, table: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^table must be a RuleTable"):
            Judge(table)

    @pytest.mark.parametrize("window", ["10", None, -1, float("nan")])
    def test_a_window_is_a_number_of_seconds(self, window: Any) -> None:
        with pytest.raises(InvalidSetting, match="window"):
            Judge(window=window)

    @pytest.mark.parametrize("name", ["max_bytes", "segment_bytes", "segment_seconds"])
    @pytest.mark.parametrize("value", ["1", None, -1, float("nan")])
    def test_the_limits_of_a_spool_are_numbers(self, tmp_path: Path, name: str, value: Any) -> None:
        with pytest.raises(InvalidArgument, match=f"^{name} must be a number of at least 0$"):
            Spool(tmp_path, **{name: value})

    @pytest.mark.parametrize("name", ["burst_recipients", "burst_seconds", "repeat_seconds"])
    @pytest.mark.parametrize("value", ["5", None, -1, float("nan")])
    def test_the_thresholds_of_recent_hits_are_numbers(self, name: str, value: Any) -> None:
        with pytest.raises(InvalidSetting, match=name):
            RecentHits(**{name: value})

    @pytest.mark.parametrize("tracker", [None, "sqlite:///mail.db"])
    def test_an_application_is_made_of_a_tracker(self, tracker: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"^tracker must be a Tracker"):
            create_app(tracker)

    @pytest.mark.parametrize(
        "options",
        [
            {"trusted_proxies": -1},
            {"trusted_proxies": "1"},
            {"max_slow": "2"},
            {"max_slow": None},
            {"rate_limit_storage": Path("limits.db")},
            {"rate_limit_storage": 7},
            {"api_keys": "key"},
        ],
        ids=str,
    )
    def test_an_application_takes_no_options_that_it_can_not_use(
        self, tracker: Tracker, options: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidSetting, match=next(iter(options))):
            create_app(tracker, **options)

    def test_files_may_be_given_as_texts_or_paths(self, tmp_path: Path) -> None:
        rules, networks = tmp_path / "rules.toml", tmp_path / "networks.txt"
        rules.write_text("version = 1\n")
        networks.write_text("192.0.2.0/24\n")
        for kind in (str, Path):
            assert isinstance(load_rules(kind(rules)), RuleTable)
            assert "192.0.2.7" in load_networks(kind(networks))
            assert Spool(kind(tmp_path)).folder == tmp_path

    @pytest.mark.parametrize("load", [load_rules, load_networks])
    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, load: Callable[[Path], object]) -> None:
        with pytest.raises(FileNotFoundError, match=r"missing\.toml"):
            load(tmp_path / "missing.toml")
