"""The judge: what kind of fetch a hit was, by whom, and why."""

from mailtrack.verdicts.clients import name_client
from mailtrack.verdicts.judge import DEFAULT_COUNTED, DEFAULT_WINDOW, Judge
from mailtrack.verdicts.networks import Networks, load_networks
from mailtrack.verdicts.patterns import Patterns
from mailtrack.verdicts.rule import SIGNS, Rule
from mailtrack.verdicts.rules import RuleTable, default_rules, load_rules

__all__ = [
    "DEFAULT_COUNTED",
    "DEFAULT_WINDOW",
    "SIGNS",
    "Judge",
    "Networks",
    "Patterns",
    "Rule",
    "RuleTable",
    "default_rules",
    "load_networks",
    "load_rules",
    "name_client",
]
