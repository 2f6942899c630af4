"""Literals without which an expression can't match, so that the judge need not try it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack.verdicts import default_rules
from mailtrack.verdicts._literals import LiteralIndex, needed_literals

EXPRESSIONS = [rule.user_agent for rule in default_rules().rules if rule.user_agent]
WORDS = [
    "Mozilla/5.0 (",
    "Windows NT",
    "X11",
    ") ",
    "; ",
    "Bot",
    "curl/",
    "Outlook",
    "(via x proxy",
    "mail",
    "K",
    "ſ",
    "ı",
]
WORDS += [
    "HTTP",
    "Safari/1 ",
    "Scan",
    "google",
    "Preview",
    "+https://",
    "www.a",
    "@b.c",
    "Chrome/120.0.1.2",
    "agent",
    "İ",
]


@pytest.mark.parametrize(
    ("expression", "literals"),
    [
        ("curl", {"curl"}),
        ("(?i)CURL/", {"curl/"}),
        (r"\b(?:curl|wget)/\d", {"curl", "wget"}),
        ("a(?:bc)?de", {"de"}),
        ("(?:abc)+", {"abc"}),
        ("(?=.*abc)x", {"abc"}),
        ("x(?!abc)", {"x"}),
        ("abc|.", None),
        (r"\d+", None),
        ("", None),
        (r"(a)\1", {"a"}),
        ("cat|xcat", {"cat"}),
    ],
)
def test_one_of_the_literals_is_in_each_text_that_matches(expression, literals):
    assert needed_literals(expression) == literals


def test_most_rules_are_screened():
    assert sum(needed_literals(expression) is not None for expression in EXPRESSIONS) > len(EXPRESSIONS) * 0.9


def test_screening_changes_no_verdict_on_real_user_agents(labelled):
    for expression in EXPRESSIONS:
        needed, search = needed_literals(expression), re.compile(expression).search
        for line in labelled:
            user_agent = line["user_agent"]
            if needed is not None and user_agent.isascii() and search(user_agent):
                assert any(literal in user_agent.lower() for literal in needed), (expression, user_agent)


@given(st.lists(st.sampled_from(WORDS), max_size=8).map("".join))
def test_the_judge_says_what_trying_every_expression_says(user_agent):
    from mailtrack.verdicts import Judge

    plain = [rule for rule in default_rules().rules if not (rule.signal or rule.network or rule.early)]
    holding = (rule for rule in plain if not (rule.second and rule.kind in ("bot", "scanner", "prefetch")))
    first = next((rule.code for rule in holding if re.search(rule.user_agent, user_agent)), "no-rule")
    assert Judge().judge(user_agent).reasons[0] == first


@given(
    st.frozensets(st.text("abc", min_size=1, max_size=6)),
    st.text("abcd", max_size=40),
)
def test_an_index_finds_the_literals_that_are_in_a_text(literals, text):
    assert LiteralIndex(literals).found_in(text) == {literal for literal in literals if literal in text}
