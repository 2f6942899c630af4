"""What the tests of verdicts share: labelled hits, a judge with the bundled rules, and a factory of rules."""

import json
from pathlib import Path

import pytest

from mailtrack.verdicts import Judge, Rule

LABELLED = [
    json.loads(line) for line in Path(__file__).with_name("labelled.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture(scope="session")
def labelled():
    """Labelled real hits."""
    return LABELLED


@pytest.fixture(scope="session")
def judge():
    """The judge with the bundled rules."""
    return Judge()


@pytest.fixture(scope="session")
def make_rule():
    """Make a rule with only a user agent as its condition, and with the given changes."""

    def make(code="own", **changes):
        values = {
            "code": code,
            "kind": "bot",
            "certainty": "certain",
            "rank": 1,
            "text": "It is ours.",
            "user_agent": "ours",
        }
        return Rule(**(values | changes))

    return make
