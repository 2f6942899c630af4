"""The judge's accuracy on user agents of public collections, by kind, compared with robot lists.

Pass a folder with checkouts of matomo-org/device-detector, WhichBrowser/Parser-PHP, nielsbasjes/yauaa,
ua-parser/uap-core, monperrus/crawler-user-agents, arcjet/well-known-bots and omrilotan/isbot, each in a folder of
the repository's name. Only the held-out half is measured; `--development` measures the other one.

Three of these are themselves robot lists: crawler-user-agents, isbot and device_detector are tested partly on their own
examples, so they look better here than on unknown ones.
"""

import json
from pathlib import Path
from random import Random

import regex
from common import arguments, print_table
from corpora import MACHINES, PEOPLE, is_held_out, read_corpora
from robot_lists import Says, crawler_user_agents, device_detector

from mailtrack.verdicts import Judge


def make_mailtrack() -> Says:
    judge = Judge()
    return lambda user_agent: not judge.counts(judge.judge(user_agent))


def make_isbot(folder: Path) -> Says:
    patterns = json.loads((folder / "isbot" / "src" / "patterns.json").read_bytes())
    # Python reads a hyphen after a class as a range, JavaScript does not.
    expressions = [regex.sub(r"(\\[dws])-", r"\1\-", pattern) for pattern in patterns]
    search = regex.compile("|".join(expressions), regex.IGNORECASE).search
    return lambda user_agent: search(user_agent) is not None


def wrong(says: Says, user_agents: list[str], is_machine: bool) -> str:
    count = sum(says(user_agent) != is_machine for user_agent in user_agents)
    return f"{count:,} ({count / len(user_agents):.2%})" if user_agents else ""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("folder", type=Path, help="where the checkouts are")
    parser.add_argument("--development", action="store_true", help="the half that the rules were written by")
    parser.add_argument("--sample", type=int, default=1000, help="at most so many of a kind (default: 1,000); 0: all")
    options = parser.parse_args()
    tools = {
        "mailtrack": make_mailtrack(),
        "isbot's list": make_isbot(options.folder),
        "crawler-user-agents": crawler_user_agents,
        "device_detector": device_detector,
    }
    if options.sample == 0:
        del tools["device_detector"]  # takes hours
    found = read_corpora(options.folder)
    rows = []
    for kind in (*PEOPLE, *MACHINES):
        of_kind = [one for one in found if found[one] == kind and is_held_out(one) is not options.development]
        size = options.sample // (10 if options.quick else 1)
        sample = Random(1).sample(of_kind, size) if 0 < size < len(of_kind) else of_kind
        share = [wrong(says, sample, kind in MACHINES) for says in tools.values()]
        rows.append((kind, f"{len(sample):,}", *share))
    print_table("Wrong, of user agents alone", ("kind", "number", *tools), rows)


if __name__ == "__main__":
    main()
