"""The judge decides by the first rule that matches."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtrack._errors import InvalidSetting
from mailtrack._model import Certainty, Verdict, VerdictKind
from mailtrack.verdicts import DEFAULT_COUNTED, Judge, RuleTable, default_rules

CHROME_104 = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/104.0.0.0 Safari/537.36"
)
APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.fixture
def judge_by():
    """Make a judge with one or several rules."""

    def make(*rules, **networks):
        table = RuleTable(version=7, rules=()).with_networks(**networks).with_rules(*rules)
        return Judge(table)

    return make


def test_a_verdict_has_kind_vendor_reason_certainty_and_version(judge):
    assert judge.judge(GMAIL_PROXY) == Verdict(
        kind=VerdictKind.PROXY,
        vendor="Google",
        reasons=("gmail-image-proxy",),
        certainty=Certainty.CERTAIN,
        rules_version=default_rules().version,
    )


def test_where_no_rule_holds_the_verdict_is_unknown_and_says_so(judge):
    assert judge.judge("Some mail thing") == Verdict(reasons=("no-rule",), rules_version=default_rules().version)


def test_the_bare_name_of_apples_privacy_protection_is_a_prefetch_at_any_address_and_time(judge):
    verdict = judge.judge("Mozilla/5.0", ip="198.51.100.20", age=86_400)
    assert (verdict.kind, verdict.vendor) == ("prefetch", "Apple")


def test_a_probable_rule_alone_does_not_decide_for_a_machine(judge):
    assert judge.judge(APPLE_MAIL, ip="198.51.100.20", age=3600).kind == "human"


@pytest.mark.parametrize(
    ("hit", "reasons"),
    [
        ({"age": 3.0}, ("apple-mail-privacy-as-webkit", "early")),
        ({"ip": "17.58.97.10"}, ("apple-mail-privacy-as-webkit", "network:apple")),
        ({"ip": "17.58.97.10", "age": 3.0}, ("apple-mail-privacy-as-webkit", "network:apple", "early")),
    ],
)
def test_the_second_signals_that_held_are_listed_after_the_deciding_rule(judge, hit, reasons):
    assert judge.judge(APPLE_MAIL, **hit).reasons == reasons


def test_a_network_does_not_accuse_another_program(judge):
    assert judge.judge(CHROME_104.replace("104", "122"), ip="66.249.84.132").kind == "human"


def test_a_proxy_is_no_scanner_however_many_recipients_it_fetches_for(judge):
    assert judge.judge(GMAIL_PROXY, signals=["burst"], age=1.0).kind == "proxy"


@pytest.mark.parametrize("age", [None, -1.0, -1e9, 10.0, 11.0, math.nan, math.inf])
def test_what_is_not_within_the_window_is_not_early(judge, age):
    assert judge.judge(CHROME_104, age=age).kind == "human"


@pytest.mark.parametrize("age", [0.0, 0, 9.99])
def test_what_is_within_the_window_is_early(judge, age):
    assert judge.judge(CHROME_104, age=age).kind == "prefetch"


def test_the_window_can_be_another():
    judge = Judge(window=120)
    assert judge.judge(CHROME_104, age=119.0).kind == "prefetch"
    assert judge.judge(CHROME_104, age=120.0).kind == "human"


def test_a_window_of_nothing_makes_nothing_early():
    assert Judge(window=0).judge(CHROME_104, age=0.0).kind == "human"


@pytest.mark.parametrize("window", [-1.0, math.nan, math.inf])
def test_a_window_must_be_a_number_of_seconds(window):
    with pytest.raises(InvalidSetting, match=r"^window: "):
        Judge(window=window)


def test_an_address_in_ipv6_notation_is_found_in_its_ipv4_network(judge):
    assert judge.judge(CHROME_104, ip="::ffff:40.92.0.1").kind == "scanner"


def test_the_networks_of_an_address_are_found_by_name(judge):
    assert judge.find_networks("17.58.97.10") == ("apple",)
    assert [judge.find_networks(ip) for ip in (None, "", "no address", "192.0.2.1")] == [()] * 4


def test_a_name_of_a_network_counts_like_an_address_in_it(judge):
    user_agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    by_address = judge.judge(user_agent, ip="17.58.97.10")
    assert by_address.kind is VerdictKind.PREFETCH
    for networks in (["apple"], ("apple", "no-network"), {"apple"}):
        assert judge.judge(user_agent, networks=networks) is by_address
        assert judge.judge(user_agent, ip="192.0.2.1", networks=networks) is by_address
    assert judge.judge(user_agent, networks=["no-network"]).kind is not VerdictKind.PREFETCH


def test_unknown_signals_count_for_nothing(judge):
    assert judge.judge(CHROME_104, signals=["network:google", "early", "loud"]).kind == "human"


def test_only_512_characters_of_a_user_agent_count(judge):
    assert judge.judge("mail" * 128 + "Googlebot").reasons == ("no-rule",)
    assert judge.judge("mail" * 125 + "x Googlebot").reasons != ("no-rule",)


def test_people_proxies_and_the_unknown_are_counted(judge):
    counted = {kind for kind in VerdictKind if judge.counts(Verdict(kind=kind))}
    assert counted == {"human", "proxy", "unknown"}
    assert counted == set(DEFAULT_COUNTED)


def test_what_is_counted_can_be_another():
    judge = Judge(counted=["human"])
    assert judge.counts(Verdict(kind="human"))
    assert not judge.counts(Verdict(kind="proxy"))


def test_what_is_counted_must_be_kinds_of_verdicts():
    with pytest.raises(InvalidSetting, match=r"^counted: "):
        Judge(counted=["people"])


def test_equal_outcomes_are_one_object(judge):
    assert judge.judge(APPLE_MAIL, age=1.0) is judge.judge(APPLE_MAIL + "", ip="192.0.2.1", age=2.0)
    assert judge.judge("curl/8.1") is judge.judge("Wget/1.21")
    assert judge.judge("One thing") is judge.judge("Another thing")


def test_the_lowest_rank_decides(judge_by, make_rule):
    judge = judge_by(make_rule("b", rank=2), make_rule("c", rank=1, kind="human"), make_rule("a", rank=2))
    assert judge.judge("ours").reasons == ("c",)


def test_of_one_rank_the_first_code_in_the_alphabet_decides(judge_by, make_rule):
    assert judge_by(make_rule("b"), make_rule("a")).judge("ours").reasons == ("a",)


def test_all_conditions_of_a_rule_must_hold(judge_by, make_rule):
    rule = make_rule(signal="range", network="office", early=True)
    judge = judge_by(rule, office=["192.0.2.0/24"])
    hit = {"ip": "192.0.2.7", "signals": ["range"], "age": 1.0}
    assert judge.judge("ours", **hit).kind == "bot"
    for missing in ({"ip": None}, {"signals": []}, {"age": None}):
        assert judge.judge("ours", **(hit | missing)).kind == "unknown"
    assert judge.judge("theirs", **hit).kind == "unknown"


def test_a_rule_without_a_user_agent_holds_for_all(judge_by, make_rule):
    judge = judge_by(make_rule(user_agent=None, signal="range"))
    assert judge.judge("", signals=["range"]).kind == "bot"


def test_a_probable_rule_for_a_person_needs_no_second_signal(judge_by, make_rule):
    judge = judge_by(make_rule(kind="human", certainty="probable", second=["early"]))
    assert judge.judge("ours").reasons == ("own",)
    assert judge.judge("ours", age=1.0).reasons == ("own", "early")


def test_a_judge_shows_its_table_and_nothing_else(judge):
    assert repr(judge) == f"<Judge <RuleTable {default_rules().version} of {len(default_rules().rules)} rules>>"


def test_threads_that_share_a_judge_get_the_same_verdicts(labelled):
    lines = labelled * 3
    shared, alone = Judge(), Judge()

    def verdicts(judge):
        return [
            judge.judge(line["user_agent"], ip=line["ip"], signals=line["signals"], age=line["age"]) for line in lines
        ]

    barrier = threading.Barrier(4)

    def work(_):
        barrier.wait()
        return verdicts(shared)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))
    assert all(one == verdicts(alone) for one in found)
    assert len({id(verdict) for one in found for verdict in one}) == len(set(found[0]))
