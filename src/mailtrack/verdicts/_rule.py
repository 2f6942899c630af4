"""`Rule`: conditions and a verdict, and the validation of rules."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from mailtrack._errors import InvalidRules, RuleProblem
from mailtrack._model import HEADER_SIGNALS, RECENT_SIGNALS, Certainty, VerdictKind

SIGNALS = frozenset({*HEADER_SIGNALS, *RECENT_SIGNALS})
"""The signals of a hit. `RecentHits` derives the bursts and `repeat` from recent hits, headers show the others."""

EARLY = "early"
"""The second signal of a hit so soon after the creation of its mail that few people would have seen it."""

NETWORK = "network:"
"""The prefix of a network's name as a second signal."""

NON_MACHINE_KINDS = frozenset({VerdictKind.HUMAN, VerdictKind.PROXY, VerdictKind.UNKNOWN})
"""The kinds of verdicts that do not claim that a machine fetched the image."""

_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", re.ASCII)
_MAX_NAME_LENGTH = 64  # of codes, vendors and networks
_MAX_TEXT_LENGTH = 300


def is_name(value: object) -> bool:
    """Return whether a value is a valid code or network name: lower-case words with hyphens or underscores."""
    return isinstance(value, str) and len(value) <= _MAX_NAME_LENGTH and _NAME.fullmatch(value) is not None


def _to_second(value: Any) -> Any:
    """Convert `signal:burst` to `burst`, leaving invalid values for the validation."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return tuple(name.removeprefix("signal:") if isinstance(name, str) else name for name in value)


@attrs.frozen(kw_only=True)
class Rule:
    """A rule: the verdict for a hit that meets all conditions.

    Attributes:
        code: its name, unique in a table: lower-case words with hyphens.
        kind: the kind of the verdict.
        vendor: the program's vendor, if known.
        certainty: a `certain` rule decides alone; a `probable` one for a machine also needs a `second` signal.
        rank: rules are checked in ascending order, ties by code, and the first that matches decides.
        text: the reason, in one sentence for users.
        user_agent: a regular expression, searched in the first 512 characters of the user agent.
        signal: one of `SIGNALS`, required.
        network: the name of the network that must contain the address.
        early: whether the hit must be early.
        second: signals, at least one of which must be present: `early`, one of `SIGNALS`, or `network:` and a name.

    Raises:
        InvalidRules: the rule is invalid; the error lists all problems.
    """

    code: str
    kind: VerdictKind
    vendor: str | None = None
    certainty: Certainty
    rank: int
    text: str
    user_agent: str | None = None
    signal: str | None = None
    network: str | None = None
    early: bool = False
    second: tuple[str, ...] = attrs.field(default=(), converter=_to_second)

    def __attrs_post_init__(self) -> None:
        place = f"rule {self.code}" if is_name(self.code) else "a rule"
        problems = [RuleProblem(place, reason) for check in _CHECKS for reason in check(self)]
        if problems:
            raise InvalidRules(problems)
        object.__setattr__(self, "kind", VerdictKind(self.kind))
        object.__setattr__(self, "certainty", Certainty(self.certainty))

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of the networks in its conditions."""
        second = tuple(name.removeprefix(NETWORK) for name in self.second if name.startswith(NETWORK))
        return second if self.network is None else (self.network, *second)


def _check_words(rule: Rule) -> Iterator[str]:
    if not is_name(rule.code):
        yield "the code must be lower-case words with hyphens, at most 64 characters"
    if not _is_line(rule.text, _MAX_TEXT_LENGTH):
        yield "the text must be one line of 1 to 300 characters"
    if rule.vendor is not None and not _is_line(rule.vendor, _MAX_NAME_LENGTH):
        yield "the vendor must be one line of 1 to 64 characters"
    if type(rule.rank) is not int:
        yield "the rank must be a whole number"


def _check_outcome(rule: Rule) -> Iterator[str]:
    if rule.kind not in list(VerdictKind):
        yield f"the kind must be one of {', '.join(VerdictKind)}"
    elif rule.certainty == Certainty.PROBABLE and rule.kind not in NON_MACHINE_KINDS and not rule.second:
        yield "a probable rule for a machine needs a second signal"
    if rule.certainty not in list(Certainty):
        yield f"the certainty must be one of {', '.join(Certainty)}"
    elif rule.certainty == Certainty.CERTAIN and rule.second:
        yield "a certain rule must not have second signals"


def _check_conditions(rule: Rule) -> Iterator[str]:
    if rule.user_agent is None and rule.signal is None and rule.network is None and rule.early is False:
        yield "it needs a condition"
    if rule.user_agent is not None:
        yield from _check_expression(rule.user_agent)
    if rule.signal is not None and not _is_signal(rule.signal):
        yield f"the signal must be one of {', '.join(sorted(SIGNALS))}"
    if rule.network is not None and not is_name(rule.network):
        yield "the network must be a name"
    early: object = rule.early
    if not isinstance(early, bool):
        yield "early must be true or false"


def _check_second(rule: Rule) -> Iterator[str]:
    second: object = rule.second
    if not isinstance(second, tuple) or not all(map(_is_second, second)):
        yield f"a second signal must be one of {EARLY}, {', '.join(sorted(SIGNALS))}, or {NETWORK} and a name"


_CHECKS = (_check_words, _check_outcome, _check_conditions, _check_second)


def _check_expression(value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield "the user agent must be a regular expression"
        return
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"the user agent is not a regular expression: {error}"


def _is_second(value: object) -> bool:
    if isinstance(value, str) and value.startswith(NETWORK):
        return is_name(value.removeprefix(NETWORK))
    return value == EARLY or _is_signal(value)


def _is_signal(value: object) -> bool:
    return isinstance(value, str) and value in SIGNALS


def _is_line(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
