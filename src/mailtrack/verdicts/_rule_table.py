"""`RuleTable`: the rules in the order of the judge, the networks in their conditions, and their version."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any
from zlib import crc32

import attrs

from mailtrack._arguments import check_type
from mailtrack._errors import InvalidRules, RuleProblem
from mailtrack.verdicts._networks import Networks, fingerprint
from mailtrack.verdicts._rule import Rule, is_name

MAX_VERSION = 2000
"""The highest version of a file of rules."""

_CUSTOM_VERSIONS = 1_000_000  # the number of versions for tables derived from one version


def _in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: (rule.rank, rule.code)))


@attrs.frozen(kw_only=True)
class RuleTable:
    """Rules in the order in which they are checked, and their networks. Immutable and thread-safe.

    Attributes:
        version: the version that verdicts record. The bundled table has a small number, incremented with each change.
            Every other table has a number over a million, derived from its contents: the same in every process, and
            different after any change to a rule or network.
        rules: the rules, sorted by `rank`, then `code`.
        networks: the networks by name.

    Raises:
        InvalidRules: a code occurs twice, or a rule names a network that does not exist.
    """

    version: int
    rules: tuple[Rule, ...] = attrs.field(converter=_in_order)
    networks: Mapping[str, Networks] = attrs.field(factory=dict, converter=dict)

    def __attrs_post_init__(self) -> None:
        problems = [*_duplicate_codes(self.rules), *_unknown_networks(self.rules, self.networks)]
        if problems:
            raise InvalidRules(problems)

    def __repr__(self) -> str:
        return f"<RuleTable {self.version} of {len(self.rules)} rules>"

    def text(self, code: str) -> str | None:
        """Return the text of a rule, or `None` if no rule has this code."""
        return next((rule.text for rule in self.rules if rule.code == code), None)

    def with_rules(self, *rules: Rule) -> "RuleTable":
        """Return a table with these rules added; they replace rules with the same codes.

        Raises:
            InvalidRules: a code is given twice, or a rule names a network that does not exist.
        """
        for rule in rules:
            check_type(rule, Rule, "rule")
        given = {rule.code for rule in rules}
        return self._changed(rules=(*(rule for rule in self.rules if rule.code not in given), *rules))

    def without_rules(self, *codes: str) -> "RuleTable":
        """Return a table without the rules with these codes.

        Raises:
            InvalidArgument: a code is not a string, but, for example, a list.
        """
        for code in codes:
            check_type(code, str, "code")
        return self._changed(rules=tuple(rule for rule in self.rules if rule.code not in codes))

    def with_networks(self, **networks: Networks | Iterable[str]) -> "RuleTable":
        """Return a table with these networks added; they replace networks with the same names.

        Raises:
            InvalidRules: a string is not a network.
        """
        made = {name: _to_networks(name, given) for name, given in networks.items()}
        return self._changed(networks={**self.networks, **made})

    def _changed(self, **changes: Any) -> "RuleTable":
        changed = attrs.evolve(self, **changes)
        return attrs.evolve(changed, version=_custom_version(changed))


def load_rules(path: str | PathLike[str], *, base: RuleTable | None = None) -> RuleTable:
    """Load a table from a TOML file in the format of the bundled one.

    Args:
        path: the file. It has a `version` from 1 to 2000, `[networks]` and `[[rules]]`.
        base: a table to add the file's rules and networks to, as with `with_rules`. Without it, the file is the whole
            table.

    Raises:
        InvalidRules: the file is not TOML or has invalid rules; the error lists all problems.
        OSError: the file can't be read.
    """
    table = _parse(Path(path).read_bytes(), base)
    return attrs.evolve(table, version=_custom_version(table))


@cache
def default_rules() -> RuleTable:
    """Return the bundled table."""
    from importlib.resources import files  # rarely needed, and slow to load

    return _parse((files("mailtrack.verdicts") / "rules.toml").read_bytes(), None)


def _parse(data: bytes, base: RuleTable | None) -> RuleTable:
    found = _read_toml(data)
    problems = [RuleProblem("the file", f"has an unknown section {key[:64]!r}") for key in found.keys() - _PARTS]
    version = found.get("version")
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        problems.append(RuleProblem("version", f"must be a whole number from 1 to {MAX_VERSION:,}"))
    networks = _parse_networks(found.get("networks", {}), problems)
    rules = _parse_rules(found.get("rules", []), problems)
    if base is not None:
        networks = {**base.networks, **networks}
        given = {rule.code for rule in rules}
        rules = [*(rule for rule in base.rules if rule.code not in given), *rules]
    # Report problems of the whole table together with the others.
    problems += [*_duplicate_codes(rules), *_unknown_networks(rules, networks)]
    if problems:
        raise InvalidRules(problems)
    return RuleTable(version=version, rules=rules, networks=networks)  # type: ignore[arg-type]  # checked above


_PARTS = {"version", "networks", "rules"}
_KEYS = {field.name for field in attrs.fields(Rule)}
_NEEDED = [field.name for field in attrs.fields(Rule) if field.default is attrs.NOTHING]


def _read_toml(data: bytes) -> dict[str, Any]:
    import tomllib  # rarely needed, and slow to load

    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRules([RuleProblem("the file", f"is not TOML: {error}")]) from None


def _parse_networks(given: Any, problems: list[RuleProblem]) -> dict[str, Networks]:
    if not isinstance(given, dict):
        problems.append(RuleProblem("networks", "must be a table of lists"))
        return {}
    found = {}
    for name, texts in given.items():
        try:
            found[name] = _to_networks(name, texts)
        except InvalidRules as error:
            problems.extend(error.problems)
            found[name] = Networks()  # it exists, for the rules that name it
    return found


def _to_networks(name: str, given: Any) -> Networks:
    place = f"network {name[:64]}"
    if not is_name(name):
        raise InvalidRules([RuleProblem(place, "the name must be lower-case words with hyphens or underscores")])
    if isinstance(given, Networks):
        return given
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidRules([RuleProblem(place, "must be a list of networks")])
    try:
        return Networks(given)
    except InvalidRules as error:
        raise InvalidRules([RuleProblem(f"{place}, {found.place}", found.reason) for found in error.problems]) from None


def _parse_rules(given: Any, problems: list[RuleProblem]) -> list[Rule]:
    if not isinstance(given, list):
        problems.append(RuleProblem("rules", "must be an array of tables"))
        return []
    found = []
    for number, data in enumerate(given, 1):
        try:
            found.append(_parse_rule(number, data))
        except InvalidRules as error:
            problems.extend(error.problems)
    return found


def _parse_rule(number: int, data: Any) -> Rule:
    if not isinstance(data, dict):
        raise InvalidRules([RuleProblem(f"rule {number}", "must be a table")])
    place = f"rule {data['code']}" if is_name(data.get("code")) else f"rule {number}"
    problems = [RuleProblem(place, f"has an unknown key {key[:64]!r}") for key in data if key not in _KEYS]
    problems += [RuleProblem(place, f"has no {key}") for key in _NEEDED if key not in data]
    if problems:
        raise InvalidRules(problems)
    try:
        return Rule(**data)
    except InvalidRules as error:
        raise InvalidRules([RuleProblem(place, problem.reason) for problem in error.problems]) from None


def _duplicate_codes(rules: Iterable[Rule]) -> Iterator[RuleProblem]:
    for code, times in Counter(rule.code for rule in rules).items():
        if times > 1:
            yield RuleProblem(f"rule {code}", f"is defined {times} times")


def _unknown_networks(rules: Iterable[Rule], networks: Mapping[str, Networks]) -> Iterator[RuleProblem]:
    for rule in rules:
        for name in rule.networks:
            if name not in networks:
                yield RuleProblem(f"rule {rule.code}", f"names the network {name}, which does not exist")


def _custom_version(table: RuleTable) -> int:
    """Return the version in millions, plus a number below a million derived from the table's contents."""
    version = table.version // _CUSTOM_VERSIONS or table.version
    fingerprints = sorted((name, fingerprint(networks)) for name, networks in table.networks.items())
    content = repr((table.rules, fingerprints)).encode()
    return version * _CUSTOM_VERSIONS + crc32(content) % _CUSTOM_VERSIONS
