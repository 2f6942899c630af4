"""`Judge`: derives the verdict of a hit from its data alone."""

import re
import sys
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache, partial

from mailtrack._arguments import check_type, is_within
from mailtrack._errors import InvalidSetting
from mailtrack._model import Verdict, VerdictKind
from mailtrack._text import MAX_TEXT_LENGTH
from mailtrack.verdicts._literals import ExpressionIndex
from mailtrack.verdicts._networks import NetworkTable
from mailtrack.verdicts._rule import EARLY, NETWORK, NON_MACHINE_KINDS, SIGNALS, Rule
from mailtrack.verdicts._rule_table import RuleTable, default_rules

DEFAULT_COUNTED = NON_MACHINE_KINDS
"""The kinds of opens that are attributed to a person: human, proxy, unknown."""

DEFAULT_WINDOW = 10.0
"""Seconds after the creation of a mail during which an open is early; other trackers use 2 to 120."""

NO_RULE = "no-rule"
"""The reason of a verdict without a matching rule."""

_CACHED_VERDICTS = 8192  # a few MiB at most; few programs read most of the mail
_CACHED_ADDRESSES = 4096
_CACHED_SIGNALS = 1024


class Judge:
    """Judges hits by a table of rules: the first rule that matches decides.

    The verdict depends only on the arguments and the table, so judging a hit again gives the same verdict. The judge
    makes no network requests. Thread-safe. A recently seen user agent takes about a microsecond, any other less
    than a hundred.

    Args:
        table: the rules, by default the bundled ones.
        window: seconds after the creation of its mail during which an open is early, 0 or more.
        counted: the kinds that are attributed to a person, as `VerdictKind` or strings.

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
    _stages: tuple[Callable[[str], tuple[str, ...]], Callable[..., Verdict]]

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
        self.window = window
        self.counted = _to_kinds(counted)
        use_table(self, default_rules() if table is None else table)

    def __repr__(self) -> str:
        return f"<Judge {self.table!r}>"

    def judge(
        self,
        user_agent: str,
        *,
        ip: str | None = None,
        signals: Collection[str] = (),
        age: float | None = None,
        networks: Collection[str] = (),
    ) -> Verdict:
        """Return the verdict of a hit. Equal verdicts are the same object.

        Args:
            user_agent: the user agent, `""` without one; only the first 512 characters count.
            ip: the client's IP address; an invalid one belongs to no network.
            signals: further signals, of `SIGNALS`; others are ignored.
            age: seconds since its mail was sent, or created; if negative, because clocks differ, the hit is not early.
            networks: names of networks that contain the client's address, in addition to those that `ip` is in. With
                those that `find_networks` returned, a hit can be judged without its address.

        Returns:
            A verdict. Its first reason is the code of the rule that decided, followed by the second signals that were
            present. Without a matching rule it is `unknown`, for the reason `no-rule`.
        """
        find_networks, decide = self._stages  # both of one table: another thread may replace it
        names = tuple(networks) if ip is None else (*networks, *find_networks(ip))
        present = _to_present(names, (signals,) if isinstance(signals, str) else tuple(signals))
        if is_early(age, self.window):
            present |= _EARLY
        return decide(user_agent[:MAX_TEXT_LENGTH], present)

    def find_networks(self, ip: str | None) -> tuple[str, ...]:
        """Return the names of the table's networks that contain an address, sorted; none for an invalid address."""
        return () if ip is None else self._stages[0](ip)

    def counts(self, verdict: Verdict) -> bool:
        """Return whether an open with this verdict is attributed to a person."""
        return verdict.kind in self.counted


_EARLY = frozenset({EARLY})


def is_early(age: float | None, window: float) -> bool:
    """Return whether a hit so many seconds after the mail is early."""
    return age is not None and 0 <= age < window


def use_table(judge: Judge, table: RuleTable) -> None:
    """Make a judge use a table from now on. A hit that is being judged meanwhile is judged by one of the two."""
    # A cached method would keep every judge alive.
    find_networks = lru_cache(_CACHED_ADDRESSES)(partial(_find_networks, NetworkTable(table.networks)))
    decide = lru_cache(_CACHED_VERDICTS)(partial(_decide, *_compile(table.rules, table.version)))
    judge._stages = (find_networks, decide)
    judge.table = table  # last, so that a thread that sees it judges by it


class _CompiledRule:
    """A rule, compiled for matching."""

    def __init__(self, rule: Rule, version: int) -> None:
        self.required = frozenset(_required(rule))
        self.matches = re.compile(rule.user_agent or "").search
        self.second = rule.second
        self.blames_machine = rule.kind not in NON_MACHINE_KINDS
        self._rule = rule
        self._version = version
        self._verdicts: dict[tuple[str, ...], Verdict] = {}  # by second signals

    def verdict(self, held: tuple[str, ...]) -> Verdict:
        """Return the verdict of this rule with these second signals; equal verdicts are the same object."""
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


def _required(rule: Rule) -> list[str]:
    found = [EARLY] if rule.early else []
    if rule.signal is not None:
        found.append(rule.signal)
    if rule.network is not None:
        found.append(NETWORK + rule.network)
    return found


@lru_cache(2)  # a program that makes many trackers compiles the bundled rules once
def _compile(rules: tuple[Rule, ...], version: int) -> tuple[list[_CompiledRule], ExpressionIndex, Verdict]:
    """Return the rules in order, an index of their expressions, and the verdict without a match."""
    compiled = [_CompiledRule(rule, version) for rule in rules]
    index = ExpressionIndex(rule.user_agent or "" for rule in rules)
    return compiled, index, Verdict(reasons=(NO_RULE,), rules_version=version)


def _decide(
    rules: list[_CompiledRule], index: ExpressionIndex, default: Verdict, user_agent: str, present: frozenset[str]
) -> Verdict:
    for number in index.candidates(user_agent):
        rule = rules[number]
        if not rule.required <= present:
            continue
        held = tuple(name for name in rule.second if name in present)
        if rule.second and rule.blames_machine and not held:
            continue
        if rule.matches(user_agent):
            return rule.verdict(held)
    return default


def _find_networks(networks: NetworkTable, ip: str) -> tuple[str, ...]:
    return _in_order(networks.names_of(ip))


@lru_cache(_CACHED_SIGNALS)
def _in_order(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


@lru_cache(_CACHED_SIGNALS)
def _to_present(networks: tuple[str, ...], signals: tuple[str, ...]) -> frozenset[str]:
    """Return the known signals, and a signal for each network."""
    return SIGNALS.intersection(signals) | {NETWORK + name for name in networks}


def _to_kinds(counted: Iterable[VerdictKind | str]) -> frozenset[VerdictKind]:
    try:
        return frozenset(VerdictKind(kind) for kind in ([counted] if isinstance(counted, str) else counted))
    except (TypeError, ValueError):
        raise InvalidSetting("counted", f"must be some of {', '.join(VerdictKind)}") from None
