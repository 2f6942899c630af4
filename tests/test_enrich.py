"""Hits become opens, with what shows only beside other hits, and stored opens are judged again."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import attrs
import pytest

from mailtrack import (
    Count,
    Hit,
    Open,
    OpenSpan,
    Pixel,
    Recipient,
    RejudgeProgress,
    Storage,
    StorageUnavailable,
    Tracker,
    VerdictKind,
)
from mailtrack._ingest import enrich as module
from mailtrack._ingest import rejudging
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.rejudging import rejudge
from mailtrack._ingest.storing import store_hits
from mailtrack._model import Target
from mailtrack.testing import make_hit, make_open, make_pixel, make_recipients
from mailtrack.testing._contract.helpers import at_once
from mailtrack.testing._factories import NOON
from mailtrack.verdicts import Judge, RecentHits, RuleTable, default_rules

PIXEL = make_pixel()
SECOND = timedelta(seconds=1)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
EVERYTHING = [*VerdictKind]


@pytest.fixture
def enricher() -> Enricher:
    return Enricher(Judge())


def _hits(number: int, *, step: timedelta = SECOND) -> list[Hit]:
    """Return hits of one client, one after another."""
    return [make_hit(PIXEL, at=NOON + place * step) for place in range(number)]


def _enrich(enricher: Enricher, hits: list[Hit]) -> list[Open]:
    return enricher.enrich(hits, [Target(pixel_id=PIXEL.id)] * len(hits))


def _signals(enricher: Enricher, hits: list[Hit]) -> list[tuple[str, ...]]:
    return [one.signals for one in _enrich(enricher, hits)]


class TestExamining:
    def test_an_open_has_what_the_hit_and_its_target_tell(self, enricher: Enricher, thunderbird: str) -> None:
        (recipient,) = make_recipients(PIXEL, ["ann@example.org"])
        hit = attrs.evolve(make_hit(PIXEL, at=NOON + 90 * SECOND), user_agent=thunderbird, signals=("range",))
        target = Target(pixel_id=PIXEL.id, recipient_id=recipient.id, token_made_at=recipient.created_at)
        (found,) = enricher.enrich([hit], [target])
        assert (found.id, found.pixel_id, found.recipient_id, found.opened_at) == (
            hit.id,
            PIXEL.id,
            recipient.id,
            hit.at,
        )
        assert (found.ip, found.user_agent, found.referer) == (hit.ip, thunderbird, hit.referer)
        assert (found.signals, found.age) == (("range",), 90.0)

    def test_without_a_token_it_has_no_age(self, enricher: Enricher) -> None:
        assert [one.age for one in _enrich(enricher, _hits(1))] == [None]

    def test_before_the_token_was_made_its_age_is_negative(self, enricher: Enricher) -> None:
        target = Target(pixel_id=PIXEL.id, recipient_id="0" * 24, token_made_at=NOON + SECOND)
        assert [one.age for one in enricher.enrich(_hits(1), [target])] == [-1.0]

    @pytest.mark.parametrize(("sent", "age"), [(None, 90.0), (60, 30.0), (90, 0.0), (91, 90.0)])
    def test_its_age_runs_from_the_sent_time_if_that_is_not_after_the_open(
        self, enricher: Enricher, sent: int | None, age: float
    ) -> None:
        sent_at = None if sent is None else NOON + sent * SECOND
        target = Target(pixel_id=PIXEL.id, recipient_id="0" * 24, token_made_at=NOON, sent_at=sent_at)
        (found,) = enricher.enrich([make_hit(PIXEL, at=NOON + 90 * SECOND)], [target])
        assert found.age == age

    def test_it_has_the_networks_that_contain_its_address(self) -> None:
        enricher = Enricher(Judge(default_rules().with_networks(office=["192.0.2.0/24"], home=["192.0.2.1"])))
        addresses = ["192.0.2.1", "192.0.2.2", "198.51.100.1", None]
        hits = [attrs.evolve(make_hit(PIXEL), ip=ip) for ip in addresses]
        assert [one.networks for one in _enrich(enricher, hits)] == [("home", "office"), ("office",), (), ()]

    def test_it_has_verdict_client_and_weight(self, enricher: Enricher, thunderbird: str, robot: str) -> None:
        hits = [attrs.evolve(make_hit(PIXEL), user_agent=user_agent) for user_agent in (thunderbird, robot)]
        human, bot = _enrich(enricher, hits)
        assert (human.verdict.kind, human.client.name, human.counted) == (VerdictKind.HUMAN, "Thunderbird", True)
        assert (bot.verdict.kind, bot.counted) == (VerdictKind.BOT, False)

    def test_what_counts_is_for_the_judge_to_say(self, robot: str) -> None:
        hit = attrs.evolve(make_hit(PIXEL), user_agent=robot)
        assert [one.counted for one in _enrich(Enricher(Judge(counted=EVERYTHING)), [hit])] == [True]

    def test_a_hit_without_a_target_is_no_open(self, enricher: Enricher) -> None:
        one, other = _hits(2)
        assert [open_.id for open_ in enricher.enrich([one, other], [None, Target(pixel_id=PIXEL.id)])] == [other.id]

    def test_no_hits_are_no_opens(self, enricher: Enricher) -> None:
        assert enricher.enrich([], []) == []


class TestSignals:
    def test_the_same_fetch_again_within_seconds_is_a_repeat(self, enricher: Enricher) -> None:
        assert _signals(enricher, _hits(3)) == [(), ("repeat",), ("repeat",)]

    def test_those_of_the_request_come_first(self, enricher: Enricher) -> None:
        hits = [attrs.evolve(hit, signals=("no-language", "range")) for hit in _hits(2)]
        assert _signals(enricher, hits)[1] == ("no-language", "range", "repeat")

    def test_a_hit_given_twice_at_once_is_no_repeat_of_itself(self, enricher: Enricher) -> None:
        (hit,) = _hits(1)
        assert _signals(enricher, [hit, hit]) == [(), ()]

    def test_hits_that_were_expected_again_get_what_they_got_before(self, enricher: Enricher) -> None:
        hits = _hits(3)
        first = _enrich(enricher, hits)
        for again in (hits, hits, hits[:2]):
            enricher.expect_retry(first)
            assert _enrich(enricher, again) == first[: len(again)]

    def test_hits_expected_again_among_new_ones_get_what_they_got_before(self, enricher: Enricher) -> None:
        old, later = _hits(2)[:1], _hits(3)[2:]
        enricher.expect_retry(before := _enrich(enricher, old))
        assert _signals(enricher, old + later) == [before[0].signals, ("repeat",)]

    def test_a_fresh_one_has_the_same_judge_and_thresholds_and_no_memory(self, robot: str) -> None:
        enricher = Enricher(Judge(counted=EVERYTHING), RecentHits(repeat_seconds=1))
        hits = [attrs.evolve(hit, user_agent=robot) for hit in _hits(2)]
        apart = [attrs.evolve(hit, user_agent=robot) for hit in _hits(2, step=2 * SECOND)]
        assert _signals(enricher, hits) == [(), ("repeat",)]
        found = _enrich(enricher.fresh(), apart)
        assert [(one.signals, one.counted) for one in found] == [((), True)] * 2

    def test_others_are_others(self, enricher: Enricher) -> None:
        hits = _hits(1)
        _enrich(enricher, hits)
        assert _signals(enricher, hits) == [("repeat",)]

    def test_what_is_never_stored_does_not_pile_up(self, enricher: Enricher, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MAX_RETRIES", 3)
        lost, *others = _hits(4)
        enricher.expect_retry(_enrich(enricher, [lost]))
        enricher.expect_retry(_enrich(enricher, others))
        assert _signals(enricher, others) == [("repeat",)] * 3
        assert _signals(enricher, [lost]) == [("repeat",)]

    def test_a_failed_store_does_not_change_what_is_stored_later(self, memory: Storage) -> None:
        tracker = Tracker(memory)
        pixel = tracker.create_pixel("Spring launch")
        hits = [make_hit(pixel, at=NOON + place * SECOND) for place in range(3)]
        add_opens, failures = memory.add_opens, [OSError(), OSError()]

        def fail_twice(opens: list[Open]) -> int:
            if failures:
                raise failures.pop()
            return add_opens(opens)

        memory.add_opens = fail_twice  # type: ignore[method-assign]  # of this object only
        for _ in range(2):
            with pytest.raises(OSError):  # noqa: PT011  # the one above
                tracker.store(hits)
        assert tracker.store(hits) == 3
        assert [one.signals for one in tracker.iter_opens(pixel.id)] == [("repeat",), ("repeat",), ()]


class TestBursts:
    """A burst marks its first hits, which are stored before it shows."""

    @pytest.fixture
    def pixel(self, memory: Storage) -> Pixel:
        memory.add_pixel(PIXEL)
        return PIXEL

    @pytest.fixture
    def hits(self, memory: Storage, pixel: Pixel) -> list[Hit]:
        """Ten hits within two seconds, for as many recipients, an hour after the mail."""
        recipients = memory.add_recipients(pixel.id, make_recipients(pixel, [f"r{n}@example.org" for n in range(10)]))
        return [
            attrs.evolve(
                make_hit(pixel, token=one.token, at=NOON + timedelta(hours=1, seconds=place / 5)),
                user_agent=CHROME,
                signals=("no-language",),
            )
            for place, one in enumerate(recipients)
        ]

    def _kinds(self, memory: Storage, pixel: Pixel) -> list[VerdictKind]:
        return [one.verdict.kind for one in reversed(memory.list_opens(pixel.id, limit=99).items)]

    @pytest.mark.parametrize("size", [1, 3, 10])
    def test_all_are_a_scanners_however_late_and_in_whatever_batches(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, hits: list[Hit], size: int
    ) -> None:
        for start in range(0, 10, size):
            store_hits(memory, enricher, hits[start : start + size])
        assert self._kinds(memory, pixel) == [VerdictKind.SCANNER] * 10
        assert {one.signals[:2] for one in memory.list_opens(pixel.id, limit=99).items} == {("no-language", "burst")}
        assert memory.get_pixel(pixel.id).opened == Count(0, 10)

    def test_a_slow_one_of_one_machine_is_a_scanners(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, hits: list[Hit]
    ) -> None:
        for place, hit in enumerate(hits[:6]):
            store_hits(memory, enricher, [attrs.evolve(hit, at=NOON + timedelta(hours=1, seconds=30 * place))])
        assert self._kinds(memory, pixel) == [VerdictKind.SCANNER] * 6

    @pytest.mark.parametrize("seconds", [0.2, 30])
    def test_an_office_a_class_room_or_a_carrier_is_people(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, hits: list[Hit], seconds: float
    ) -> None:
        for place, hit in enumerate(hits):
            at = NOON + timedelta(hours=1, seconds=seconds * place)
            store_hits(memory, enricher, [attrs.evolve(hit, at=at, signals=())])
        assert self._kinds(memory, pixel) == [VerdictKind.HUMAN] * 10
        assert memory.get_pixel(pixel.id).opened == Count(10, 10)

    @pytest.mark.parametrize("seconds", [0.2, 30])
    @pytest.mark.parametrize(
        "user_agent",
        [
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            "hey.com/imageproxy Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
            "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.6326; Pro)",
        ],
    )
    def test_proxies_and_mail_programs_on_virtual_desktops_stay_people(
        self,
        memory: Storage,
        enricher: Enricher,
        pixel: Pixel,
        hits: list[Hit],
        user_agent: str,
        seconds: float,
    ) -> None:
        for place, hit in enumerate(hits):
            at = NOON + timedelta(hours=1, seconds=seconds * place)
            store_hits(memory, enricher, [attrs.evolve(hit, at=at, user_agent=user_agent)])
        assert {one.counted for one in memory.list_opens(pixel.id, limit=99).items} == {True}

    def test_hits_that_are_stored_again_after_a_crash_change_nothing(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, hits: list[Hit]
    ) -> None:
        for hit in hits:
            store_hits(memory, enricher, [hit])
        before = memory.list_opens(pixel.id, limit=99), memory.get_figures(pixel.id, top=9)
        fresh = enricher.fresh()
        for _ in range(2):
            for hit in hits:
                assert store_hits(memory, fresh, [hit]) == []
        assert (memory.list_opens(pixel.id, limit=99), memory.get_figures(pixel.id, top=9)) == before

    @pytest.mark.parametrize(
        ("error", "first"), [(StorageUnavailable("locked"), VerdictKind.SCANNER), (OSError(), VerdictKind.HUMAN)]
    )
    def test_hits_are_stored_even_if_judging_the_first_again_fails(
        self,
        memory: Storage,
        enricher: Enricher,
        pixel: Pixel,
        hits: list[Hit],
        error: Exception,
        first: VerdictKind,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_: object) -> int:
            raise error

        for hit in hits[:4]:
            store_hits(memory, enricher, [hit])
        with monkeypatch.context() as patch:
            patch.setattr(memory, "rejudge", fail)
            assert len(store_hits(memory, enricher, [hits[4]])) == 1
        assert self._kinds(memory, pixel) == [VerdictKind.HUMAN] * 4 + [VerdictKind.SCANNER]
        store_hits(memory, enricher, [attrs.evolve(hits[5], ip="192.0.2.99", signals=())])
        assert self._kinds(memory, pixel) == [first] * 4 + [VerdictKind.SCANNER, VerdictKind.HUMAN]

    def test_a_first_hit_that_could_not_be_stored_yet_is_judged_again_once_it_is(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, hits: list[Hit], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> list[Open]:
            raise StorageUnavailable("locked")

        with monkeypatch.context() as patch:
            patch.setattr(memory, "add_opens", fail)
            with pytest.raises(StorageUnavailable):
                store_hits(memory, enricher, hits[:2])
        store_hits(memory, enricher, hits[2:])
        store_hits(memory, enricher, hits[:2])
        assert self._kinds(memory, pixel) == [VerdictKind.SCANNER] * 10

    def test_hits_of_several_threads_are_judged_again_once_all_are_stored(
        self, memory: Storage, enricher: Enricher, hits: list[Hit]
    ) -> None:
        targets = memory.resolve(hits)
        first = enricher.enrich(hits[:4], targets[:4])  # by a thread that has not stored them yet
        store_hits(memory, enricher, hits[4:])
        memory.add_opens(first)
        late = enricher.settle(first)
        assert [hit.id for hit, _ in late] == [hit.id for hit in hits[:4]]
        assert enricher.settle(first) == []

    def test_first_hits_of_a_pixel_that_was_deleted_are_passed_over(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, hits: list[Hit]
    ) -> None:
        store_hits(memory, enricher, hits[:4])
        memory.delete_pixel(pixel.id)
        assert store_hits(memory, enricher, hits[4:]) == []

    def test_late_hits_do_not_pile_up(self, enricher: Enricher, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MAX_LATE", 3)
        hits = _hits(5)
        enricher.keep_late((hit, ("burst",)) for hit in hits)
        assert [hit for hit, _ in enricher.settle([])] == hits[2:]


class TestOrder:
    def test_the_same_hits_are_the_same_opens_in_every_process(self) -> None:
        hits = _hits(20, step=timedelta(seconds=3))
        assert _enrich(Enricher(Judge()), hits) == _enrich(Enricher(Judge()), hits)

    def test_they_are_the_same_in_whatever_batches_they_come(self) -> None:
        hits = _hits(20, step=timedelta(seconds=3))
        by_one, at_a_time = Enricher(Judge()), Enricher(Judge())
        assert [one for hit in hits for one in _enrich(by_one, [hit])] == _enrich(at_a_time, hits)


class TestThreads:
    def test_none_disturbs_the_others(self, enricher: Enricher) -> None:
        def hits(thread: int) -> Iterator[Hit]:
            for place in range(200):
                yield attrs.evolve(make_hit(PIXEL, at=NOON + place * timedelta(seconds=6)), ip=f"192.0.2.{thread}")

        own = [list(hits(thread)) for thread in range(8)]
        found = at_once([partial(_enrich, enricher, mine) for mine in own])
        assert [[one.id for one in opens] for opens in found] == [[hit.id for hit in mine] for mine in own]

    def test_what_is_expected_again_by_some_is_theirs(self, enricher: Enricher) -> None:
        def fail_and_try_again(mine: list[Hit]) -> tuple[list[Open], list[Open]]:
            enricher.expect_retry(before := _enrich(enricher, mine))
            return before, _enrich(enricher, mine)

        for before, after in at_once([partial(fail_and_try_again, _hits(50)) for _ in range(8)]):
            assert after == before


def _again(enricher: Enricher, stored: Open, recipient: Recipient | None = None) -> Open:
    """Return an open as it is after it was judged again."""
    target = Target(pixel_id=PIXEL.id)
    if recipient is not None:
        target = Target(
            pixel_id=PIXEL.id,
            recipient_id=recipient.id,
            token_made_at=recipient.created_at,
            sent_at=recipient.sent_at,
        )
    (judgement,) = enricher.rejudge([stored], [target])
    return stored if judgement is None else judgement.apply(stored)


class TestJudgingAgain:
    def test_it_gives_what_the_first_time_gave(self, enricher: Enricher, thunderbird: str, robot: str) -> None:
        hits = [attrs.evolve(hit, user_agent=agent) for hit in _hits(3) for agent in (thunderbird, robot, "", "Mail/1")]
        target = Target(pixel_id=PIXEL.id, recipient_id="0" * 24, token_made_at=NOON - SECOND)
        opens = enricher.enrich(hits, [target] * len(hits))
        for targets in ([target] * len(hits), [None] * len(hits)):
            assert enricher.rejudge(opens, targets) == [None] * len(hits)

    def test_its_age_is_measured_from_the_sent_time_of_now(self, enricher: Enricher) -> None:
        (recipient,) = make_recipients(PIXEL, ["ann@example.org"])
        stored = attrs.evolve(make_open(PIXEL, recipient, at=NOON + 90 * SECOND), age=90.0)
        sent = [None, NOON + 60 * SECOND, NOON + 90 * SECOND, NOON + 91 * SECOND]
        found = [_again(enricher, stored, attrs.evolve(recipient, sent_at=at)).age for at in sent]
        assert found == [90.0, 30.0, 0.0, 90.0]
        assert _again(enricher, stored).age == 90.0

    def test_the_sent_time_decides_what_is_early(self, enricher: Enricher) -> None:
        (recipient,) = make_recipients(PIXEL, ["ann@example.org"])
        apple_mail = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        stored = attrs.evolve(make_open(PIXEL, recipient, at=NOON + 90 * SECOND), user_agent=apple_mail, age=90.0)
        sent = attrs.evolve(recipient, sent_at=NOON + 85 * SECOND)
        assert _again(enricher, stored, recipient).verdict.kind is VerdictKind.HUMAN
        assert _again(enricher, stored, sent).verdict.kind is VerdictKind.PREFETCH

    def test_without_its_address_an_open_is_judged_by_the_networks_that_it_was_found_in(
        self, enricher: Enricher
    ) -> None:
        apple_mail = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        hit = attrs.evolve(make_hit(PIXEL), user_agent=apple_mail, ip="17.58.97.10")
        (stored,) = _enrich(enricher, [hit])
        assert (stored.networks, stored.verdict.kind) == (("apple",), VerdictKind.PREFETCH)
        again = _again(enricher, attrs.evolve(stored, ip=None))
        assert (again.verdict, again.networks) == (stored.verdict, ("apple",))

    def test_with_its_address_the_networks_are_looked_up_anew(self, enricher: Enricher) -> None:
        stored = attrs.evolve(make_open(PIXEL), ip="192.0.2.1", networks=("apple",))
        table = default_rules().with_networks(office=["192.0.2.0/24"], works=["192.0.2.1"])
        assert _again(enricher, stored).networks == ()
        assert _again(Enricher(Judge(table)), stored).networks == ("office", "works")

    @pytest.fixture
    def pixel(self, memory: Storage) -> Pixel:
        memory.add_pixel(PIXEL)
        return PIXEL

    def test_it_stores_ages_and_networks_that_change_no_verdict(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, robot: str
    ) -> None:
        ann, gone = memory.add_recipients(pixel.id, make_recipients(pixel, ["ann@example.org", "bob@example.org"]))
        at = NOON + 90 * SECOND
        hits = [
            attrs.evolve(make_hit(pixel, token=one.token, at=at), user_agent=robot, ip="17.58.97.10")
            for one in (ann, gone)
        ]
        memory.add_opens(enricher.enrich(hits, memory.resolve(hits)))
        memory.mark_sent(pixel.id, None, at=NOON + 80 * SECOND)
        memory.delete_recipient(gone.id)
        plain = Enricher(Judge(default_rules().with_networks(apple=[])))
        assert list(rejudge(memory, plain, pixel.id)) == [RejudgeProgress(opens=2, changed=0)]
        found = memory.list_opens(pixel.id, limit=9).items
        assert [(one.age, one.networks) for one in found] == [(90.0, ()), (10.0, ())]

    @pytest.fixture
    def fill(self, memory: Storage, pixel: Pixel, robot: str):
        """Adds opens of a robot that nothing has judged."""

        def fill(number: int) -> list[Open]:
            opens = [attrs.evolve(make_open(pixel), user_agent=robot) for _ in range(number)]
            memory.add_opens(opens)
            return opens

        return fill

    def test_it_corrects_verdicts_and_counts(self, memory: Storage, enricher: Enricher, pixel: Pixel, fill) -> None:
        fill(3)
        assert list(rejudge(memory, enricher, pixel.id)) == [RejudgeProgress(opens=3, changed=3)]
        found = memory.get_pixel(pixel.id)
        assert (found.opens.raw.number, found.opens.counted, found.views) == (3, OpenSpan(), Count(0, 3))
        assert {one.verdict.kind for one in memory.list_opens(pixel.id, limit=9).items} == {VerdictKind.BOT}

    def test_a_second_time_changes_nothing(self, memory: Storage, enricher: Enricher, pixel: Pixel, fill) -> None:
        fill(3)
        list(rejudge(memory, enricher, pixel.id))
        before = memory.get_figures(pixel.id, top=9), memory.list_opens(pixel.id, limit=9)
        assert list(rejudge(memory, enricher, pixel.id)) == [RejudgeProgress(opens=3, changed=0)]
        assert (memory.get_figures(pixel.id, top=9), memory.list_opens(pixel.id, limit=9)) == before

    @pytest.mark.parametrize("number", [1, 1000, 1001, 2500])
    def test_it_yields_after_each_thousand_and_at_the_end(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, fill, number: int
    ) -> None:
        fill(number)
        steps = [(state.opens, state.changed) for state in rejudge(memory, enricher, pixel.id)]
        assert steps == [(done, done) for done in [*range(1000, number, 1000), number]]
        assert memory.get_pixel(pixel.id).opens.counted.number == 0

    def test_many_changes_are_written_in_parts(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, fill, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rejudging, "_CHANGED_AT_ONCE", 1000)
        fill(2500)
        counted = [memory.get_pixel(pixel.id).opens.counted.number for _ in rejudge(memory, enricher, pixel.id)]
        assert counted == [1500, 500, 0]

    def test_what_is_judged_the_same_by_newer_rules_is_kept_as_theirs_but_is_no_change(
        self, memory: Storage, pixel: Pixel, fill
    ) -> None:
        fill(1)
        old, new = (Judge(RuleTable(version=version, rules=())) for version in (1, 2))
        assert list(rejudge(memory, Enricher(old), pixel.id)) == [RejudgeProgress(opens=1, changed=1)]
        assert list(rejudge(memory, Enricher(new), pixel.id)) == [RejudgeProgress(opens=1, changed=0)]
        assert [one.verdict.rules_version for one in memory.list_opens(pixel.id, limit=9).items] == [2]

    def test_opens_that_came_meanwhile_are_left_as_they_were_judged(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, fill
    ) -> None:
        fill(1500)
        steps = rejudge(memory, enricher, pixel.id)
        next(steps)
        (later,) = fill(1)
        assert [state.opens for state in steps] == [1500]
        assert memory.list_opens(pixel.id, limit=1).items == (later,)
        assert memory.get_pixel(pixel.id).opens.counted.number == 1

    def test_a_pixel_without_opens_is_done_at_once(self, memory: Storage, enricher: Enricher, pixel: Pixel) -> None:
        assert list(rejudge(memory, enricher, pixel.id)) == [RejudgeProgress(opens=0, changed=0)]

    def test_it_ends_early_where_the_pixel_is_deleted(
        self, memory: Storage, enricher: Enricher, pixel: Pixel, fill
    ) -> None:
        fill(1500)
        steps = rejudge(memory, enricher, pixel.id)
        next(steps)
        memory.delete_pixel(pixel.id)
        assert [state.opens for state in steps] == [1000]
