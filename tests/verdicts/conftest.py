import json
from pathlib import Path

import pytest

from mailtrack.verdicts import Judge, Rule

LABELLED = [
    json.loads(line) for line in Path(__file__).with_name("labelled.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture(scope="session")
def labelled():
    """Real hits, and what each was."""
    return LABELLED


@pytest.fixture(scope="session")
def judge():
    """The judge with the rules that come with mailtrack."""
    return Judge()


@pytest.fixture(scope="session")
def make_rule():
    """Make a rule that needs nothing but a user agent, with what is given changed."""

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
