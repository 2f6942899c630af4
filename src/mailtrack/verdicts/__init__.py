"""Judge hits: which kind of client fetched an image, and why."""

from mailtrack._errors import RuleProblem
from mailtrack.verdicts._clients import name_client
from mailtrack.verdicts._judge import DEFAULT_COUNTED, Judge
from mailtrack.verdicts._networks import Networks, load_networks
from mailtrack.verdicts._recent_hits import RecentHits
from mailtrack.verdicts._rule import SIGNALS, Rule
from mailtrack.verdicts._rule_table import RuleTable, default_rules, load_rules

__all__ = [
    "DEFAULT_COUNTED",
    "SIGNALS",
    "Judge",
    "Networks",
    "RecentHits",
    "Rule",
    "RuleProblem",
    "RuleTable",
    "default_rules",
    "load_networks",
    "load_rules",
    "name_client",
]
