"""Bursts and repeats among the hits of the last seconds."""

from datetime import timedelta
from itertools import count

import attrs
import pytest

from mailtrack._errors import InvalidSetting
from mailtrack._model import Certainty, Verdict, VerdictKind
from mailtrack.testing import make_hit
from mailtrack.testing._factories import NOON
from mailtrack.verdicts import RecentHits, _bursts, _recent_hits
from mailtrack.verdicts._latest import Latest
from mailtrack.verdicts._recent_hits import renew

serial = count()


def hit(after, token=None, **changes):
    """Make a hit some seconds after noon, by default for a recipient of its own, from one address."""
    token = f"tok_{next(serial):032x}" if token is None else token
    made = make_hit("0123abcd", token=token or None, at=NOON + timedelta(seconds=after))
    return attrs.evolve(made, **changes)


def bursts(recent_hits, hits):
    return ["burst" in signals for signals in recent_hits.signals(hits)]


def repeats(recent_hits, hits):
    return ["repeat" in signals for signals in recent_hits.signals(hits)]


class TestBursts:
    def test_five_recipients_from_one_address_within_ten_seconds_are_a_burst_from_the_first_on(self):
        assert bursts(RecentHits(), [hit(second) for second in (0, 2, 4, 6, 10)]) == [True] * 5

    def test_four_are_none(self):
        assert bursts(RecentHits(), [hit(0) for _ in range(4)]) == [False] * 4

    def test_five_over_a_longer_time_are_none(self):
        assert bursts(RecentHits(), [hit(second) for second in (0, 3, 6, 9, 10.001)]) == [False] * 5

    def test_only_hits_of_the_same_seconds_belong_to_a_burst(self):
        assert bursts(RecentHits(), [hit(second) for second in (0, 20, 20, 21, 22, 23, 60)]) == [
            False, True, True, True, True, True, False,
        ]  # fmt: skip

    def test_a_burst_that_goes_on_marks_what_follows(self):
        assert bursts(RecentHits(), [hit(second) for second in range(0, 40, 2)]) == [True] * 20

    def test_the_same_recipient_many_times_is_none(self):
        assert bursts(RecentHits(), [hit(0, "tok_a") for _ in range(20)]) == [False] * 20

    def test_hits_of_recipients_who_are_in_the_burst_again_belong_to_it(self):
        hits = [hit(0, "tok_a"), hit(0, "tok_a"), *(hit(1) for _ in range(4))]
        assert bursts(RecentHits(), hits) == [True] * 6

    def test_hits_from_several_addresses_are_none(self):
        assert bursts(RecentHits(), [hit(0, ip=f"192.0.2.{place}") for place in range(20)]) == [False] * 20

    def test_a_hit_without_address_or_token_belongs_to_none(self):
        hits = [hit(0, ip=None) for _ in range(9)] + [hit(0, "") for _ in range(9)]
        assert bursts(RecentHits(), hits) == [False] * 18

    def test_a_burst_reaches_from_one_batch_into_the_next(self):
        recent_hits = RecentHits()
        assert bursts(recent_hits, [hit(0), hit(0), hit(0)]) == [False] * 3
        assert bursts(recent_hits, [hit(1), hit(2), hit(30)]) == [True, True, False]

    def test_other_numbers_can_be_set(self):
        recent_hits = RecentHits(burst_recipients=2, burst_seconds=1)
        assert bursts(recent_hits, [hit(0), hit(1), hit(9)]) == [True, True, False]


class TestSites:
    """Of IPv6, the computers of one network have the first 64 bits of their addresses in common."""

    def test_addresses_that_rotate_within_a_64_are_one(self):
        assert bursts(RecentHits(), [hit(0, ip=f"2001:db8:0:1:{place:x}::1") for place in range(5)]) == [True] * 5

    def test_those_of_different_networks_are_others(self):
        assert bursts(RecentHits(), [hit(0, ip=f"2001:db8:0:{place:x}::1") for place in range(5)]) == [False] * 5

    def test_a_text_that_is_no_address_is_compared_as_it_is(self):
        assert bursts(RecentHits(), [hit(0, ip=":x") for _ in range(5)]) == [True] * 5


CERTAIN = ["human", "proxy", "prefetch"]


class TestCertainVerdicts:
    """Who fetched is certain, so that no burst says anything of it."""

    @pytest.mark.parametrize("kind", CERTAIN)
    def test_a_person_or_a_mail_provider_is_in_no_burst(self, kind):
        verdict = Verdict(kind=VerdictKind(kind), certainty=Certainty.CERTAIN)
        hits = [no_language(0) for _ in range(9)]
        found = RecentHits().signals(hits, verdicts=[verdict] * 9, companies=["example.org"] * 9)
        assert found == [()] * 9

    @pytest.mark.parametrize(
        "verdict",
        [
            *(Verdict(kind=VerdictKind(kind), certainty=Certainty.PROBABLE) for kind in CERTAIN),
            Verdict(kind=VerdictKind.BOT, certainty=Certainty.CERTAIN),
            Verdict(kind=VerdictKind.SCANNER, certainty=Certainty.CERTAIN),
        ],
    )
    def test_others_are(self, verdict):
        assert RecentHits().signals([hit(0) for _ in range(5)], verdicts=[verdict] * 5) == [("burst",)] * 5

    def test_it_still_may_repeat_a_fetch(self):
        verdict = Verdict(kind=VerdictKind.PROXY, certainty=Certainty.CERTAIN)
        assert RecentHits().signals([hit(0, "tok_a")] * 2, verdicts=[verdict] * 2) == [(), ("repeat",)]

    def test_it_does_not_make_a_burst_of_others(self):
        proxy = Verdict(kind=VerdictKind.PROXY, certainty=Certainty.CERTAIN)
        verdicts = [proxy, proxy, *[Verdict(certainty=Certainty.PROBABLE)] * 4]
        assert RecentHits().signals([hit(0) for _ in range(6)], verdicts=verdicts) == [()] * 6


class TestRepeats:
    def test_the_same_fetch_within_five_seconds_is_a_repeat(self):
        assert repeats(RecentHits(), [hit(second, "tok_a") for second in (0, 1, 5.5, 10.501)]) == [
            False, True, True, False,
        ]  # fmt: skip

    @pytest.mark.parametrize("change", [{"token": "tok_b"}, {"pixel": "99999999"}, {"ip": "::1"}, {"user_agent": "x"}])
    def test_a_fetch_by_another_is_none(self, change):
        first = hit(0, "tok_a")
        assert repeats(RecentHits(), [first, attrs.evolve(first, **change)]) == [False, False]

    def test_a_recipient_whose_address_is_not_known_is_still_the_same(self):
        assert repeats(RecentHits(), [hit(0, "tok_a", ip=None), hit(1, "tok_a", ip=None)]) == [False, True]

    def test_without_a_token_the_same_client_is_the_same(self):
        assert repeats(RecentHits(), [hit(0, ""), hit(1, "")]) == [False, True]

    def test_without_token_and_address_nothing_shows_that_it_is_the_same(self):
        assert repeats(RecentHits(), [hit(0, "", ip=None), hit(1, "", ip=None)]) == [False, False]

    def test_a_repeat_is_found_in_the_next_batch(self):
        recent_hits = RecentHits()
        recent_hits.signals([hit(0, "tok_a")])
        assert repeats(recent_hits, [hit(1, "tok_a")]) == [True]

    def test_another_time_can_be_set(self):
        assert repeats(RecentHits(repeat_seconds=60), [hit(0, "tok_a"), hit(59, "tok_a")]) == [False, True]


class TestClocks:
    def test_a_jump_back_begins_anew(self):
        hits = [hit(3600, "tok_a"), hit(0, "tok_a"), hit(1, "tok_a")]
        assert repeats(RecentHits(), hits) == [False, False, True]

    def test_a_burst_does_not_reach_over_a_jump_back(self):
        hits = [*(hit(3600) for _ in range(4)), *(hit(0) for _ in range(4))]
        assert bursts(RecentHits(), hits) == [False] * 8

    def test_a_jump_forward_and_back_leaves_nothing_behind(self):
        hits = [hit(0), hit(31_536_000), *(hit(1) for _ in range(5)), hit(30)]
        assert bursts(RecentHits(), hits) == [False, False, True, True, True, True, True, False]

    def test_hits_a_little_out_of_order_belong_together(self):
        assert bursts(RecentHits(), [hit(second) for second in (2, 1.9, 2.1, 1.8, 2)]) == [True] * 5


class TestBounds:
    def test_what_is_remembered_has_a_bound(self, monkeypatch):
        monkeypatch.setattr(_bursts, "_MAX_KEYS", 6)
        monkeypatch.setattr(_recent_hits, "_MAX_FETCHES", 6)
        recent_hits = RecentHits()
        recent_hits.signals([hit(0, f"tok_{place}", ip=f"192.0.2.{place}") for place in range(50)])
        for recent in (recent_hits._bursts._groups, recent_hits._repeats._seen):
            assert 3 <= len(recent._old) + len(recent._new) <= 6

    def test_at_least_half_of_that_is_remembered(self, monkeypatch):
        monkeypatch.setattr(_recent_hits, "_MAX_FETCHES", 6)
        for others in range(12):
            recent_hits = RecentHits()
            recent_hits.signals([hit(0, f"tok_{place}") for place in range(others)])
            hits = [hit(1, f"tok_{place}") for place in ("a", "b", "c", "a", "b", "c")]
            assert repeats(recent_hits, hits) == [False, False, False, True, True, True]

    def test_of_one_address_no_more_recipients_are_remembered_than_make_a_burst(self):
        recent_hits = RecentHits()
        recent_hits.signals([hit(0) for _ in range(50)])
        assert [len(group.asked) for group in recent_hits._bursts._groups._new.values()] == [5]

    @pytest.mark.parametrize("after", [10.001, 3600])
    def test_hits_that_can_be_in_no_burst_any_more_are_forgotten(self, after):
        recent_hits = RecentHits()
        recent_hits.signals([hit(0) for _ in range(4)])
        last = [hit(after, ip="192.0.2.9"), hit(after, ip="192.0.2.9")]
        recent_hits.signals(last)
        assert [fetch.hit for _, fetch in recent_hits._bursts._waiting] == last

    def test_the_hits_that_may_yet_be_in_a_burst_have_a_bound(self, monkeypatch):
        monkeypatch.setattr(_bursts, "_MAX_WAITING", 6)
        recent_hits = RecentHits()
        recent_hits.signals([hit(0, "tok_a") for _ in range(50)])
        (group,) = recent_hits._bursts._groups._new.values()
        assert len(recent_hits._bursts._waiting) == len(group.waiting) == 6

    def test_an_address_with_a_single_fetch_takes_no_more_than_the_fetch(self):
        recent_hits = RecentHits()
        recent_hits.signals([hit(0, ip=f"192.0.2.{place}") for place in range(9)])
        assert not recent_hits._bursts._waiting
        assert {type(group) for group in recent_hits._bursts._groups._new.values()} == {_bursts.Fetch}


def no_language(after, **changes):
    return hit(after, signals=("no-language",), **changes)


def slow_bursts(hits):
    return ["slow-burst" in signals for signals in RecentHits().signals(hits)]


class TestSlowBursts:
    def test_six_recipients_within_three_minutes_without_a_language_are_one(self):
        assert slow_bursts([no_language(36 * place) for place in range(6)]) == [True] * 6

    def test_five_are_none(self):
        assert slow_bursts([no_language(36 * place) for place in range(5)]) == [False] * 5

    def test_six_over_a_longer_time_are_none(self):
        assert slow_bursts([no_language(36.01 * place) for place in range(6)]) == [False] * 6

    def test_an_office_carrier_or_class_room_whose_browsers_send_a_language_is_none(self):
        assert slow_bursts([hit(6 * place) for place in range(30)]) == [False] * 30

    def test_different_programs_behind_one_address_are_none(self):
        assert slow_bursts([no_language(6 * place, user_agent=f"Mail/{place}") for place in range(30)]) == [False] * 30

    def test_different_addresses_are_none(self):
        assert slow_bursts([no_language(6 * place, ip=f"192.0.2.{place}") for place in range(30)]) == [False] * 30


def from_everywhere(number, **changes):
    """Make hits from addresses that have nothing in common."""
    return [hit(place, ip=f"{10 + place}.0.0.1", **changes) for place in range(number)]


def company_bursts(hits, *companies):
    found = RecentHits().signals(hits, companies=companies or ["example.org"] * len(hits))
    return ["company-burst" in signals for signals in found]


class TestCompanyBursts:
    def test_five_recipients_of_a_company_within_ten_seconds_by_one_program_are_one(self):
        assert company_bursts(from_everywhere(5)) == [True] * 5

    def test_four_are_none(self):
        assert company_bursts(from_everywhere(4)) == [False] * 4

    def test_other_programs_are_others(self):
        assert company_bursts([*from_everywhere(4), *from_everywhere(4, user_agent="x")]) == [False] * 8

    def test_other_companies_are_others(self):
        assert company_bursts(from_everywhere(8), *["example.org", "example.com"] * 4) == [False] * 8

    def test_hits_that_may_be_in_none_are_in_none(self):
        assert company_bursts(from_everywhere(6), *["example.org"] * 5, None) == [True] * 5 + [False]

    def test_its_first_hits_may_be_late(self):
        recent_hits = RecentHits()
        first, last = from_everywhere(5)[:4], from_everywhere(5)[4:]
        assert recent_hits.signals(first, companies=["example.org"] * 4) == [()] * 4
        assert recent_hits.signals(last, companies=["example.org"]) == [("company-burst",)]
        assert recent_hits.late == [(one, ("company-burst",)) for one in first]


class TestLateHits:
    """Hits of earlier calls that turn out to be in a burst."""

    def test_they_are_given_with_the_call_that_shows_the_burst_and_no_other(self):
        recent_hits = RecentHits()
        hits = [hit(0), hit(1), hit(2), hit(3), hit(4), hit(5)]
        shown = []
        for one in hits:
            recent_hits.signals([one])
            shown.append(recent_hits.late)
        assert shown == [[], [], [], [], [(one, ("burst",)) for one in hits[:4]], []]

    def test_they_keep_their_other_signals(self):
        recent_hits = RecentHits(burst_recipients=2)
        first = hit(0, "tok_a")
        recent_hits.signals([first])
        recent_hits.signals([first])
        recent_hits.signals([hit(1)])
        assert recent_hits.late == [(first, ("burst",)), (first, ("burst", "repeat"))]

    def test_a_hit_may_be_late_twice(self):
        recent_hits = RecentHits()
        hits = [no_language(place) for place in range(6)]
        for one in hits:
            recent_hits.signals([one])
        assert recent_hits.late == [(one, ("burst", "slow-burst")) for one in hits[:5]]

    def test_a_clock_that_jumps_back_leaves_none(self):
        recent_hits = RecentHits(burst_recipients=2)
        recent_hits.signals([hit(3600)])
        recent_hits.signals([hit(0)])
        assert recent_hits.late == []


def test_a_hit_may_show_both():
    hits = [hit(0, f"tok_{place}") for place in range(5)]
    assert RecentHits().signals([*hits, hits[0]])[-1] == ("burst", "repeat")


@pytest.mark.parametrize(
    "setting",
    [
        {"burst_recipients": 1},
        {"burst_seconds": -1},
        {"burst_seconds": float("nan")},
        {"repeat_seconds": 3601},
    ],
)
def test_settings_out_of_their_range_are_refused(setting):
    with pytest.raises(InvalidSetting, match=f"^{next(iter(setting))}: "):
        RecentHits(**setting)


def test_it_shows_nothing_of_what_it_remembers():
    recent_hits = RecentHits()
    recent_hits.signals([hit(0)])
    assert repr(recent_hits) == "<RecentHits>"


@pytest.mark.parametrize("setting", [{"burst_recipients": 1}, {"burst_seconds": -1}])
def test_a_setting_is_refused_with_what_it_must_be(setting):
    with pytest.raises(InvalidSetting) as raised:
        RecentHits(**setting)
    assert raised.value.reason.startswith("must be ")


@pytest.mark.parametrize("setting", [{"burst_recipients": 2}, {"burst_seconds": 3600}, {"repeat_seconds": 0}])
def test_settings_at_the_end_of_their_range_are_taken(setting):
    assert RecentHits(**setting)._thresholds == tuple(
        setting.get(name, usual)
        for name, usual in (("burst_recipients", 5), ("burst_seconds", 10.0), ("repeat_seconds", 5.0))
    )


def test_a_fresh_one_has_the_same_thresholds_and_remembers_nothing():
    recent_hits = RecentHits(burst_recipients=2, burst_seconds=1, repeat_seconds=60)
    recent_hits.signals([hit(0, "tok_a")])
    fresh = renew(recent_hits)
    assert repeats(fresh, [hit(1, "tok_a"), hit(60, "tok_a")]) == [False, True]
    assert bursts(fresh, [hit(70, "tok_b"), hit(71, "tok_c"), hit(73, "tok_d")]) == [True, True, False]


class TestLatest:
    """The latest keys keep their values; at least half of the most, and never more than the most, are kept."""

    def test_a_key_that_is_asked_for_is_one_of_the_latest(self):
        recent = Latest(4)
        for key in "ab":
            recent.put(key, key * 2)
        assert recent.get("a") == "aa"
        for key in "cd":
            recent.put(key, key * 2)
        assert [recent.get(key) for key in "ab"] == ["aa", None]

    def test_no_more_than_the_most_are_kept(self):
        recent = Latest(6)
        kept = []
        for key in range(20):
            recent.put(key, key)
            kept.append(len(recent._old) + len(recent._new))
        assert max(kept) <= 6
        assert min(kept[2:]) >= 3


class TestExactTimes:
    """What comes just at the end of a time still belongs to it."""

    def test_a_repeat_after_exactly_five_seconds(self):
        assert repeats(RecentHits(), [hit(0, "tok_a"), hit(5, "tok_a"), hit(10.001, "tok_a")]) == [False, True, False]

    def test_a_hit_that_is_late_by_the_longest_time_is_no_jump_of_the_clock(self):
        assert repeats(RecentHits(repeat_seconds=10), [hit(10, "tok_a"), hit(0, "tok_a")]) == [False, True]

    def test_a_recipient_that_asks_again_is_as_old_as_its_last_hit(self):
        hits = [hit(0, "tok_a"), hit(1, "tok_b"), hit(12, "tok_a"), hit(12.5, "tok_c")]
        assert bursts(RecentHits(burst_recipients=3, burst_seconds=10), hits) == [False] * 4
