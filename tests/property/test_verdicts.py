"""Any hit is judged and its client named, and any set of networks is searched."""

import ipaddress
import random
from datetime import timedelta

import attrs
from hypothesis import given
from hypothesis import strategies as st

from mailtrack import open_storage
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.storing import store_hits
from mailtrack._model import Client, VerdictKind
from mailtrack.testing import make_hit, make_pixel, make_recipients
from mailtrack.testing._factories import NOON
from mailtrack.verdicts import SIGNALS, Judge, Networks, RuleTable, default_rules, name_client
from mailtrack.verdicts._networks import fingerprint

words = st.one_of(
    st.sampled_from(["Mozilla/5.0", "(Macintosh; Intel Mac OS X 10_15_7)", "AppleWebKit/605.1.15", "Chrome/104.0.0.0"]),
    st.sampled_from(["(KHTML, like Gecko)", "Safari/604.1", "Thunderbird/78", "GoogleImageProxy", "mail/1", "bot"]),
    st.sampled_from(["+http://a.example", "curl/8"]),
)
user_agents = st.one_of(st.text(max_size=600), st.lists(words, max_size=6).map(" ".join))
addresses = st.one_of(
    st.none(),
    st.text(max_size=70),
    st.ip_addresses().map(str),
    st.sampled_from(["17.1.2.3", "40.92.0.1", "66.102.8.1"]),
)
signals = st.lists(st.one_of(st.sampled_from(sorted(SIGNALS)), st.text(max_size=12)), max_size=7)
ages = st.one_of(st.none(), st.floats(), st.floats(0, 20))
hits = st.fixed_dictionaries({"user_agent": user_agents, "ip": addresses, "signals": signals, "age": ages})
networks = st.lists(
    st.one_of(
        st.tuples(st.ip_addresses(v=4, network="192.0.0.0/20"), st.integers(20, 32)),
        st.tuples(st.ip_addresses(v=6, network="2001:db8::/108"), st.integers(100, 128)),
    ).map(lambda made: ipaddress.ip_network(made, strict=False)),
    max_size=12,
)
near = st.one_of(st.ip_addresses(v=4, network="192.0.0.0/20"), st.ip_addresses(v=6, network="2001:db8::/108"))

JUDGE = Judge()
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1"


class TestJudging:
    """A verdict comes of the hit and the table alone."""

    @given(hits)
    def test_every_hit_gets_a_verdict_with_a_reason_and_the_version(self, hit) -> None:
        verdict = JUDGE.judge(**hit)
        assert verdict.kind in VerdictKind
        assert verdict.reasons[0] == "no-rule" or default_rules().text(verdict.reasons[0])
        assert verdict.rules_version == default_rules().version

    @given(hits)
    def test_judging_again_gives_the_same(self, hit) -> None:
        verdict = JUDGE.judge(**hit)
        assert JUDGE.judge(**hit) is verdict
        assert Judge().judge(**hit) == verdict

    @given(hits, st.randoms(use_true_random=False))
    def test_the_order_in_which_rules_are_given_does_not_matter(self, hit, order: random.Random) -> None:
        rules = list(default_rules().rules)
        order.shuffle(rules)
        shuffled = RuleTable(version=default_rules().version, rules=rules, networks=default_rules().networks)
        assert Judge(shuffled).judge(**hit) == JUDGE.judge(**hit)

    @given(hits)
    def test_a_probable_accusation_has_a_second_signal(self, hit) -> None:
        verdict = JUDGE.judge(**hit)
        if verdict.kind in ("prefetch", "scanner", "bot") and verdict.certainty == "probable":
            assert len(verdict.reasons) > 1


class TestBatches:
    """Opens end up the same in whatever batches their hits are stored."""

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0.03, 1.0, 2.0, 0.0, 9.0, 30.0, -0.5, -40.0]),  # seconds since the hit before
                st.integers(0, 7),  # the recipient
                st.sampled_from([CHROME, CHROME, CHROME, THUNDERBIRD, GMAIL]),
                st.sampled_from([("no-language",), ("no-language",), ()]),
                st.sampled_from(["192.0.2.1", "192.0.2.1", "198.51.100.1", "2001:db8::1", "2001:db8::2"]),
                st.booleans(),  # whether a batch ends here
            ),
            min_size=8,
            max_size=40,
        ),
        st.lists(st.sampled_from([0.03, 0.5, 20.0]), min_size=7, max_size=7),
        st.sampled_from([["192.0.2.1"] * 7, [f"10.{place}.0.1" for place in range(7)]]),
    )
    def test_any_split_gives_the_same_opens(self, specs, gaps, ips) -> None:
        burst = [(gap, place, CHROME, ("no-language",), ips[place], True) for place, gap in enumerate(gaps)]
        pixel = make_pixel()
        emails = [f"r{number}@{'gmail.com' if number == 3 else 'example.org'}" for number in range(8)]
        recipients = [attrs.evolve(one, created_at=NOON) for one in make_recipients(pixel, emails)]
        hits, batches, at = [], [[]], NOON
        for seconds, place, user_agent, shown, ip, ends in [*specs[:4], *burst, *specs[4:]]:
            at += timedelta(seconds=seconds)
            hit = make_hit(pixel, token=recipients[place].token, at=at)
            hits.append(attrs.evolve(hit, user_agent=user_agent, signals=shown, ip=ip))
            batches[-1].append(hits[-1])
            if ends:
                batches.append([])
        at_once, in_batches, one_by_one = (
            _stored(pixel, recipients, parts) for parts in ([hits], batches, [[hit] for hit in hits])
        )
        assert in_batches == at_once
        assert one_by_one == at_once


def _stored(pixel, recipients, batches):
    with open_storage("memory://") as storage:
        storage.add_pixel(pixel)
        storage.add_recipients(pixel.id, recipients)
        enricher = Enricher(JUDGE)
        for hits in batches:
            store_hits(storage, enricher, hits)
        return storage.list_opens(pixel.id, limit=1000), storage.get_figures(pixel.id, top=9)


class TestNaming:
    """Every client can be named, if only as unknown."""

    @given(hits)
    def test_no_text_is_too_much(self, hit) -> None:
        client = name_client(hit["user_agent"], JUDGE.judge(**hit))
        assert isinstance(client, Client)
        assert all(0 < len(part) <= 64 for part in (client.name, client.os, client.device))
        assert len(client.version) <= 64


class TestNetworks:
    """A set of networks says what the module `ipaddress` says."""

    @given(networks, st.lists(near, min_size=1, max_size=20))
    def test_an_address_is_in_the_set_if_it_is_in_one_of_them(self, made, tried) -> None:
        found = Networks(map(str, made))
        for address in tried:
            assert (str(address) in found) == any(address in one for one in made)

    @given(networks)
    def test_the_first_and_last_addresses_are_in_it(self, made) -> None:
        found = Networks(map(str, made))
        for one in made:
            assert str(one[0]) in found
            assert str(one[-1]) in found

    @given(networks, st.randoms(use_true_random=False))
    def test_the_order_does_not_matter(self, made, order: random.Random) -> None:
        other = list(made)
        order.shuffle(other)
        assert fingerprint(Networks(map(str, made))) == fingerprint(Networks(map(str, other)))

    @given(st.text(max_size=70))
    def test_any_text_is_in_no_network_unless_it_is_an_address(self, text: str) -> None:
        assert text not in Networks()
