"""Thousands of people's user agents: the share that is taken for machines stays small.

`people.txt` has one a line: browsers, mail programs, apps, phones and television sets from the test data of browscap,
device-detector, uap-core, WhichBrowser, Mobile-Detect and ua-parser-js, without their robots. They were picked at
random, not by what the rules say of them, so some are judged wrongly.
"""

from collections import Counter
from pathlib import Path

MACHINES = {"prefetch", "scanner", "bot"}
MOST = 0.002  # at the first look 24 of 2,820, or 0.85 %


def test_at_most_two_in_a_thousand_people_are_taken_for_machines(judge):
    people = Path(__file__).with_name("people.txt").read_text(encoding="utf-8").splitlines()
    wrong = {one: judge.judge(one).reasons[0] for one in people if judge.judge(one).kind in MACHINES}
    assert len(people) > 2500
    assert len(wrong) <= MOST * len(people), f"{len(wrong) / len(people):.2%}: {Counter(wrong.values())}"
