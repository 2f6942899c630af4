"""The time to judge a new user agent and to name its program; with `--src DIR`, that of older code, too.

The user agents are real ones, of `tests/verdicts`, and texts that are made to be slow. Each run is a process of its
own, which has handled a tenth of them before and times the others. Both sides take turns. Times are the
processor's.

    python benchmarks/new_user_agents.py --src ../old
"""

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import mean, median
from time import thread_time

from common import arguments, print_table

from mailtrack.verdicts import Judge, name_client

HERE = Path(__file__).parent
VERDICTS = HERE.parent / "tests" / "verdicts"
OURS, OTHER = "this code", "--src"
SLOW = "made to be slow"
_BEGINNINGS = ["", "a/1 ", "Mozilla/5.0 (", "Mozilla/5.0 (iPhone; ", "Mozilla/5.0 (Linux; Android 14; ", "Opera/9.80 ("]
_REPEATED = [
    "a",
    "a ",
    "a-",
    "1.",
    "; ",
    "(",
    "bot",
    "mail ",
    "HTC",
    "MIDP",
    "Opera",
    "CrKey",
    "Safari/1 ",
    "x@",
    "en-US",
]
_ENDS = ["", "!", "mail", "bot"]
_LENGTH = 512
_FEWEST = 20

Figures = dict[str, dict[str, float]]  # microseconds by what they are of, by group


def read_groups() -> dict[str, list[str]]:
    """Return user agents by group, each in one group."""
    groups: dict[str, str] = {}
    for name in ("labelled", "people"):
        for line in (VERDICTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            groups.setdefault(entry["user_agent"], entry["group"])
    for line in (VERDICTS / "people.txt").read_text(encoding="utf-8").splitlines():
        is_web_view = "; wv)" in line or "Version/4.0 Chrome/" in line
        groups.setdefault(line, "Android web view" if is_web_view else "people of all kinds")
    for begin, part, end in product(_BEGINNINGS, _REPEATED, _ENDS):
        groups.setdefault((begin + part * _LENGTH)[: _LENGTH - len(end)] + end, SLOW)
    found: dict[str, list[str]] = defaultdict(list)
    for user_agent, group in groups.items():
        found[group].append(user_agent)
    return {group: user_agents for group, user_agents in found.items() if len(user_agents) >= _FEWEST}


def time_groups() -> Figures:
    groups, judge = read_groups(), Judge()
    for user_agents in groups.values():
        for user_agent in user_agents[9::10]:
            name_client(user_agent, judge.judge(user_agent))
    found: Figures = {}
    for group, user_agents in groups.items():
        times = [_time(judge, one) for place, one in enumerate(user_agents) if place % 10 != 9]
        judged, named = zip(*times, strict=True)
        both = [sum(pair) for pair in times]
        found[group] = {"judged": mean(judged), "named": mean(named), "both": mean(both), "slowest": max(both)}
    return found


def _time(judge: Judge, user_agent: str) -> tuple[float, float]:
    start = thread_time()
    verdict = judge.judge(user_agent)
    middle = thread_time()
    name_client(user_agent, verdict)
    return (middle - start) * 1e6, (thread_time() - middle) * 1e6


def run(source: Path) -> Figures:
    environment = os.environ | {"PYTHONPATH": str(source / "src")}
    command = [sys.executable, __file__, "--one"]
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(found)


def compare(options: Namespace) -> None:
    sources = {OURS: HERE.parent} | ({OTHER: options.src.absolute()} if options.src else {})
    rounds: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(2 if options.quick else 7):
        for name, source in sources.items():
            rounds[name].append(run(source))
    rows = []
    for group in read_groups():
        row = [group]
        for figures in rounds.values():
            row += [f"{median(one[group][what] for one in figures):,.0f}" for what in ("judged", "named", "both")]
            row.append(f"{min(one[group]['slowest'] for one in figures):,.0f}")  # others disturb only some rounds
        rows.append(tuple(row))
    header = [f"{what}, {name}" for name in sources for what in ("judged", "named", "both", "slowest")]
    print_table("µs for a new user agent; target: 150 for both, 5,000 for the slowest", ("what", *header), rows)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--src", type=Path, help="a checkout of older code, to compare with")
    parser.add_argument("--one", action="store_true", help="print the figures of one run as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(time_groups()))
    else:
        compare(options)


if __name__ == "__main__":
    main()
