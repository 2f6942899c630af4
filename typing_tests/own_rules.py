"""A judge with rules and networks of one's own."""

from typing import assert_type

from mailtrack import Certainty, Client, InvalidRules, Tracker, Verdict, VerdictKind, open_storage
from mailtrack.verdicts import (
    DEFAULT_COUNTED,
    Judge,
    Networks,
    RecentHits,
    Rule,
    RuleProblem,
    RuleTable,
    default_rules,
    load_networks,
    load_rules,
    name_client,
)

rule = Rule(
    code="our-monitor",
    kind=VerdictKind.BOT,
    certainty=Certainty.CERTAIN,
    rank=1,
    text="Our own monitor.",
    user_agent=r"^OurMonitor/",
)
table = default_rules().with_rules(rule).without_rules("curl").with_networks(office=["192.0.2.0/24"])
assert_type(table, RuleTable)
table.with_rules([rule])  # type: ignore[arg-type]
Rule("our-monitor", VerdictKind.BOT)  # type: ignore[call-arg]

judge = Judge(table, window=20.0, counted=DEFAULT_COUNTED | {VerdictKind.PREFETCH})
Judge(counted=["human", "proxy"])
Judge(table=["human"])  # type: ignore[arg-type]
verdict = judge.judge("OurMonitor/1.0", ip="192.0.2.7", signals=["prefetch"], age=3.5)
assert_type(verdict, Verdict)
assert_type(name_client("OurMonitor/1.0", verdict), Client)
assert_type(verdict.certainty, Certainty | None)
assert_type("192.0.2.7" in Networks(["192.0.2.0/24"]), bool)
assert_type(load_networks("networks.txt"), Networks)

Tracker(open_storage("memory://"), judge=judge, recent_hits=RecentHits(burst_recipients=10))
Tracker(open_storage("memory://"), judge=table)  # type: ignore[arg-type]

try:
    load_rules("rules.toml", base=default_rules())
except InvalidRules as error:
    assert_type(error.problems, tuple[RuleProblem, ...])
    print([f"{problem.place}: {problem.reason}" for problem in error.problems])
