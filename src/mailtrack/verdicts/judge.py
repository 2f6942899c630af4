"""`Judge`: tells what kind of fetch a hit was, from what is known of the hit alone."""

import math
import re
from collections.abc import Callable, Collection
from functools import lru_cache, partial

import attrs

from mailtrack.errors import InvalidSetting
from mailtrack.model import MAX_TEXT_LENGTH, Verdict, VerdictKind
from mailtrack.verdicts.networks import Networks
from mailtrack.verdicts.rule import EARLY, INNOCENT, NETWORK, Rule
from mailtrack.verdicts.rules import RuleTable, default_rules

DEFAULT_COUNTED = frozenset({VerdictKind.HUMAN, VerdictKind.PROXY, VerdictKind.UNKNOWN})
"""The kinds of opens that are taken for a person's."""

DEFAULT_WINDOW = 10.0
"""Seconds after the making of a mail within which an open is early: trackers in use take from 2 to 120."""

NO_RULE = "no-rule"
"""The reason of a verdict where no rule held."""

_CACHED_USER_AGENTS = 4096


@attrs.frozen
class _Facts:
    """What a hit shows beside its user agent."""

    ip: str | None
    signs: Collection[str]
    early: bool


_Condition = Callable[[_Facts], bool]


class Judge:
    """Judges hits by a table of rules: the first rule that holds decides.

    The verdict comes of the arguments and the table alone, so judging again gives the same. No network is asked.
    Threads may share a judge. A user agent that was seen lately takes about a microsecond.

    Args:
        table: the rules; those that come with mailtrack by default.
        window: how many seconds after the making of its mail an open is early, 0 or more.
        counted: the kinds that are taken for a person's.

    Raises:
        InvalidSetting: `window` or `counted` can't be used.
    """

    def __init__(
        self,
        table: RuleTable | None = None,
        *,
        window: float = DEFAULT_WINDOW,
        counted: Collection[VerdictKind | str] = DEFAULT_COUNTED,
    ) -> None:
        if not (math.isfinite(window) and window >= 0):
            raise InvalidSetting("window", "must be 0 seconds or more")
        self.table = default_rules() if table is None else table
        self.window = window
        self.counted = _to_kinds(counted)
        self._rules = [_Prepared(rule, self.table) for rule in self.table.rules]
        # A method with a cache would keep all judges alive.
        self._candidates = lru_cache(maxsize=_CACHED_USER_AGENTS)(partial(_candidates, self._rules))
        self._nothing = Verdict(reasons=(NO_RULE,), rules_version=self.table.version)

    def __repr__(self) -> str:
        return f"<Judge {self.table!r}>"

    def judge(
        self,
        user_agent: str,
        *,
        ip: str | None = None,
        signs: Collection[str] = (),
        age: float | None = None,
    ) -> Verdict:
        """Tell what kind of fetch a hit was. Equal outcomes are one object.

        Args:
            user_agent: what the client calls itself, "" where it says nothing; 512 characters of it count.
            ip: the address that it came from; what is none is in no network.
            signs: what it shows besides, as in `SIGNS`; others count for nothing.
            age: the seconds since its mail was made; a negative one (clocks differ) is not early.

        Returns:
            A verdict whose first reason is the code of the rule that decided; the second signs that held follow. Where
            no rule holds it is `unknown`, for the reason `no-rule`.
        """
        facts = _Facts(ip, signs, age is not None and 0 <= age < self.window)
        for rule in self._candidates(user_agent[:MAX_TEXT_LENGTH]):
            verdict = rule.judge(facts)
            if verdict is not None:
                return verdict
        return self._nothing

    def counts(self, verdict: Verdict) -> bool:
        """Tell whether an open with this verdict is taken for a person's."""
        return verdict.kind in self.counted


class _Prepared:
    """A rule of a table with its conditions as functions, and the verdicts that it has given."""

    def __init__(self, rule: Rule, table: RuleTable) -> None:
        self.names = re.compile(rule.user_agent).search if rule.user_agent is not None else None
        self._rule = rule
        self._version = table.version
        self._conditions = tuple(_conditions(rule, table))
        self._second = tuple((name, _second(name, table)) for name in rule.second)
        self._needs_second = bool(rule.second) and rule.kind not in INNOCENT
        self._verdicts: dict[tuple[str, ...], Verdict] = {}  # at most one for each set of second signs

    @property
    def is_unconditional(self) -> bool:
        """Whether nothing but the user agent matters."""
        return not self._conditions and not self._needs_second

    def judge(self, facts: _Facts) -> Verdict | None:
        for holds in self._conditions:
            if not holds(facts):
                return None
        supported = tuple(name for name, holds in self._second if holds(facts)) if self._second else ()
        if self._needs_second and not supported:
            return None
        return self._verdicts.get(supported) or self._verdicts.setdefault(supported, self._verdict(supported))

    def _verdict(self, supported: tuple[str, ...]) -> Verdict:
        return Verdict(
            kind=self._rule.kind,
            vendor=self._rule.vendor,
            reasons=(self._rule.code, *supported),
            certainty=self._rule.certainty,
            rules_version=self._version,
        )


def _candidates(rules: list[_Prepared], user_agent: str) -> tuple[_Prepared, ...]:
    """Return the rules that this user agent leaves possible, up to the first that needs nothing else."""
    found = []
    for rule in rules:
        if rule.names is None or rule.names(user_agent):
            found.append(rule)
            if rule.is_unconditional:
                break
    return tuple(found)


def _conditions(rule: Rule, table: RuleTable) -> list[_Condition]:
    """Return what must hold of a hit beside its user agent, the cheapest first."""
    found = []
    if rule.early:
        found.append(_is_early)
    if rule.sign is not None:
        found.append(partial(_shows, rule.sign))
    if rule.network is not None:
        found.append(partial(_is_in, table.networks[rule.network]))
    return found


def _second(name: str, table: RuleTable) -> _Condition:
    if name == EARLY:
        return _is_early
    if name.startswith(NETWORK):
        return partial(_is_in, table.networks[name.removeprefix(NETWORK)])
    return partial(_shows, name)


def _is_early(facts: _Facts) -> bool:
    return facts.early


def _shows(sign: str, facts: _Facts) -> bool:
    return sign in facts.signs


def _is_in(networks: Networks, facts: _Facts) -> bool:
    return facts.ip in networks


def _to_kinds(counted: Collection[VerdictKind | str]) -> frozenset[VerdictKind]:
    try:
        return frozenset(VerdictKind(kind) for kind in counted)
    except ValueError:
        raise InvalidSetting("counted", f"must be of {', '.join(VerdictKind)}") from None
