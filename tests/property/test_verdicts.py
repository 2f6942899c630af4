"""Any hit is judged and its client named, and any set of networks is searched."""

import ipaddress
import random

from hypothesis import given
from hypothesis import strategies as st

from mailtrack._model import Client, VerdictKind
from mailtrack.verdicts import SIGNALS, Judge, Networks, RuleTable, default_rules, name_client

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
        assert Networks(map(str, made)).fingerprint == Networks(map(str, other)).fingerprint

    @given(st.text(max_size=70))
    def test_any_text_is_in_no_network_unless_it_is_an_address(self, text: str) -> None:
        assert text not in Networks()
