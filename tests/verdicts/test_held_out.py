"""Hits that were collected and labelled apart from the rules, without a look at them.

No rule was written by them before they came here: see "Accuracy" in docs/verdicts.md for what was right at first sight.
A line's `source` says where its user agent was seen, or that it was constructed after the form of others.
"""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KINDS = {"human", "proxy", "prefetch", "scanner", "bot"}


def lines(name):
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def held_out():
    return lines("held_out.jsonl")


def test_each_kind_is_held_out_with_reasons_and_sources(held_out):
    assert {hit["kind"] for hit in held_out} == KINDS
    assert all(hit["why"] and hit["source"] and hit["group"] for hit in held_out)


def test_no_hit_is_also_in_the_sets_that_rules_are_written_by(held_out):
    known = {(hit["user_agent"], tuple(hit["signals"])) for hit in lines("labelled.jsonl") if hit["ip"] is None}
    plain = {hit["user_agent"] for hit in lines("people.jsonl")}
    for hit in held_out:
        if not hit["signals"] and hit["group"] not in ("Gmail", "Yahoo, AOL"):
            assert hit["user_agent"] not in plain
            assert (hit["user_agent"], ()) not in known or hit["kind"] == "prefetch"


def test_none_of_them_is_among_the_many_people(held_out):
    many = set((HERE / "people.txt").read_text(encoding="utf-8").splitlines())
    assert many.isdisjoint(hit["user_agent"] for hit in held_out)
