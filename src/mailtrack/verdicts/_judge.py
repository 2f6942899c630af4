"""`Judge`: tells what kind of fetch a hit was, from what is known of the hit alone."""

import re
import sys
from collections.abc import Collection, Iterable
from functools import lru_cache, partial

from mailtrack._arguments import check_type, is_within
from mailtrack._errors import InvalidSetting
from mailtrack._model import MAX_TEXT_LENGTH, Verdict, VerdictKind
from mailtrack.verdicts._literals import LiteralIndex, needed_literals
from mailtrack.verdicts._networks import NetworkTable
from mailtrack.verdicts._rule import EARLY, INNOCENT, NETWORK, SIGNALS, Rule
from mailtrack.verdicts._rules import RuleTable, default_rules

DEFAULT_COUNTED = INNOCENT
"""The kinds of opens that are taken for a person's: human, proxy, unknown."""

DEFAULT_WINDOW = 10.0
"""Seconds after the making of a mail within which an open is early: trackers in use take from 2 to 120."""

NO_RULE = "no-rule"
"""The reason of a verdict where no rule held."""

_CACHED_VERDICTS = 8192  # a few MiB at most; most mail is read with few programs
_CACHED_ADDRESSES = 4096


class Judge:
    """Judges hits by a table of rules: the first rule that holds decides.

    The verdict comes of the arguments and the table alone, so judging again gives the same. Nothing is asked over the
    network. Threads may share a judge. A user agent that was seen lately takes about a microsecond, another one some
    hundred.

    Args:
        table: the rules; by default those that come with mailtrack.
        window: for how many seconds after the making of its mail an open is early, 0 or more.
        counted: the kinds that are taken for a person's, given as such or as their texts.

    Attributes:
        table: the rules.
        window: for how many seconds after the making of its mail an open is early.
        counted: the kinds that are taken for a person's.

    Raises:
        InvalidSetting: `window` or `counted` can't be used.
        InvalidArgument: `table` is not a `RuleTable`.
    """

    table: RuleTable
    window: float
    counted: frozenset[VerdictKind]

    def __init__(
        self,
        table: RuleTable | None = None,
        *,
        window: float = DEFAULT_WINDOW,
        counted: Iterable[VerdictKind | str] = DEFAULT_COUNTED,
    ) -> None:
        if not is_within(window, 0, sys.float_info.max):
            raise InvalidSetting("window", "must be 0 seconds or more")
        if table is not None:
            check_type(table, RuleTable, "table")
        self.table = default_rules() if table is None else table
        self.window = window
        self.counted = _to_kinds(counted)
        # A method with a cache would keep every judge alive.
        self._decide = lru_cache(_CACHED_VERDICTS)(partial(_decide, *_prepare(self.table)))
        networks = {NETWORK + name: found for name, found in self.table.networks.items()}
        self._shown = lru_cache(_CACHED_ADDRESSES)(partial(_shown, NetworkTable(networks)))

    def __repr__(self) -> str:
        return f"<Judge {self.table!r}>"

    def judge(
        self,
        user_agent: str,
        *,
        ip: str | None = None,
        signals: Collection[str] = (),
        age: float | None = None,
    ) -> Verdict:
        """Tell what kind of fetch a hit was. Equal outcomes are one object.

        Args:
            user_agent: what the client calls itself, "" where it says nothing; the first 512 characters count.
            ip: the address that it came from; what is no address is in no network.
            signals: what it shows besides, of `SIGNALS`; anything else counts for nothing.
            age: the seconds since its mail was made; below 0, as where clocks differ, it is not early.

        Returns:
            A verdict whose first reason is the code of the rule that decided; the second signals that held follow.
            Where no rule holds it is `unknown`, for the reason `no-rule`.
        """
        shown = self._shown(ip, (signals,) if isinstance(signals, str) else tuple(signals))
        if age is not None and 0 <= age < self.window:
            shown |= _EARLY
        return self._decide(user_agent[:MAX_TEXT_LENGTH], shown)

    def counts(self, verdict: Verdict) -> bool:
        """Tell whether an open with this verdict is taken for a person's."""
        return verdict.kind in self.counted


_EARLY = frozenset({EARLY})


class _Prepared:
    """A rule as it is asked: all that it needs, beside the user agent, by name."""

    def __init__(self, rule: Rule, version: int) -> None:
        self.needed = frozenset(_needed(rule))
        self.matches = re.compile(rule.user_agent or "").search
        self.literals = needed_literals(rule.user_agent or "")
        self.second = rule.second
        self.accuses = rule.kind not in INNOCENT
        self._rule = rule
        self._version = version
        self._verdicts: dict[tuple[str, ...], Verdict] = {}  # one for each set of second signals

    def verdict(self, held: tuple[str, ...]) -> Verdict:
        """Return the verdict of this rule with the second signals that held, one object for the same."""
        if found := self._verdicts.get(held):
            return found
        made = Verdict(
            kind=self._rule.kind,
            vendor=self._rule.vendor,
            reasons=(self._rule.code, *held),
            certainty=self._rule.certainty,
            rules_version=self._version,
        )
        return self._verdicts.setdefault(held, made)


def _needed(rule: Rule) -> list[str]:
    found = [EARLY] if rule.early else []
    if rule.signal is not None:
        found.append(rule.signal)
    if rule.network is not None:
        found.append(NETWORK + rule.network)
    return found


def _prepare(table: RuleTable) -> tuple[list[_Prepared], LiteralIndex, Verdict]:
    """Return the rules in order, an index of what they need to match, and the verdict where none holds."""
    rules = [_Prepared(rule, table.version) for rule in table.rules]
    index = LiteralIndex(literal for rule in rules for literal in rule.literals or ())
    return rules, index, Verdict(reasons=(NO_RULE,), rules_version=table.version)


def _decide(
    rules: list[_Prepared], index: LiteralIndex, otherwise: Verdict, user_agent: str, shown: frozenset[str]
) -> Verdict:
    # Letters beyond ASCII can match others without being their lower case.
    found = index.found_in(user_agent.lower()) if user_agent.isascii() else None
    for rule in rules:
        if not rule.needed <= shown:
            continue
        if found is not None and rule.literals is not None and rule.literals.isdisjoint(found):
            continue
        held = tuple(name for name in rule.second if name in shown)
        if rule.second and rule.accuses and not held:
            continue
        if rule.matches(user_agent):
            return rule.verdict(held)
    return otherwise


def _shown(networks: NetworkTable, ip: str | None, signals: tuple[str, ...]) -> frozenset[str]:
    """Return the signals that a table may know, and the networks in which an address is, as the names of signals."""
    found = SIGNALS.intersection(signals)
    return found if ip is None else found | networks.names_of(ip)


def _to_kinds(counted: Iterable[VerdictKind | str]) -> frozenset[VerdictKind]:
    try:
        return frozenset(VerdictKind(kind) for kind in ([counted] if isinstance(counted, str) else counted))
    except (TypeError, ValueError):
        raise InvalidSetting("counted", f"must be some of {', '.join(VerdictKind)}") from None
