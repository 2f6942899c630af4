"""Literals without which an expression can't match, so that the judge need not try it."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack.verdicts import default_rules
from mailtrack.verdicts._literals import ExpressionIndex, needed_literals

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
        ("[Bb]o[Tt]", {"bot"}),
        ("bo[tx]", {"bo"}),
        ("bo[^t]", {"bo"}),
        ("Mozilla.*(GSA)", {"gsa"}),  # rare ones first
        ("Mozilla.*Safari", {"mozilla"}),
        ("\u00fcber.x", {"ber"}),
    ],
)
def test_one_of_the_literals_is_in_each_text_that_matches(expression, literals):
    assert needed_literals(expression) == literals


def test_most_rules_are_screened():
    assert sum(needed_literals(expression) is not None for expression in EXPRESSIONS) > len(EXPRESSIONS) * 0.9


def test_screening_changes_no_verdict_on_real_user_agents(labelled):
    index = ExpressionIndex(EXPRESSIONS)
    for line in labelled:
        found = {number for number, one in enumerate(EXPRESSIONS) if re.search(one, line["user_agent"])}
        assert found <= set(index.candidates(line["user_agent"])), line["user_agent"]


def test_only_a_few_expressions_are_tried_on_a_user_agent(labelled):
    index = ExpressionIndex(EXPRESSIONS)
    tried = [len(index.candidates(line["user_agent"])) for line in labelled]
    assert sum(tried) / len(tried) < len(EXPRESSIONS) / 4


@pytest.mark.parametrize("text", ["HTTP K\u0131l K\u0130l", "\u017fcan", "\u212aerio"])
def test_letters_that_match_others_without_regard_to_case_are_found(text):
    expressions = [f"(?i){literal}" for literal in ("http kil kil", "scan", "kerio")]
    matching = [number for number, one in enumerate(expressions) if re.search(one, text)]
    assert matching
    assert ExpressionIndex(expressions).candidates(text) == matching


def test_there_are_no_more_such_letters():
    others = "".join(map(chr, range(0x80, sys.maxunicode + 1)))
    assert set(re.findall("(?i)[a-z]", others)) == {"\u0130", "\u0131", "\u017f", "\u212a"}


@given(st.lists(st.sampled_from(WORDS), max_size=8).map("".join))
def test_the_judge_says_what_trying_every_expression_says(user_agent):
    from mailtrack.verdicts import Judge

    plain = [rule for rule in default_rules().rules if not (rule.signal or rule.network or rule.early)]
    holding = (rule for rule in plain if not (rule.second and rule.kind in ("bot", "scanner", "prefetch")))
    first = next((rule.code for rule in holding if re.search(rule.user_agent, user_agent)), "no-rule")
    assert Judge().judge(user_agent).reasons[0] == first


@given(
    st.lists(st.text("abc\u017f", min_size=1, max_size=6), max_size=20),
    st.text("abcdS", max_size=40),
)
def test_an_index_finds_the_expressions_that_can_match_in_order(literals, text):
    matching = [number for number, literal in enumerate(literals) if literal in text.lower() and literal.isascii()]
    found = ExpressionIndex(literals).candidates(text)
    assert found == sorted(found)
    assert [number for number in found if literals[number].isascii()] == matching
