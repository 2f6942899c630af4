"""The judge's accuracy and speed, against two libraries that recognise robots.

Each decides for the labelled hits in `tests/verdicts` whether a person or a machine fetched the image. A mail proxy
fetches for a person. The libraries use only the user agent, so their results are shown once for all hits, and once for
those that the user agent identifies.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import crawleruseragents
import ua_parser
from common import arguments, interleave, print_table, seconds

from mailtrack.verdicts import Judge

LABELLED = Path(__file__).parents[1] / "tests" / "verdicts" / "labelled.jsonl"
MACHINES = {"prefetch", "scanner", "bot"}
OURS = "mailtrack"

Hit = dict[str, object]
Says = Callable[[Hit], bool]  # whether a machine fetched it


def make_mailtrack() -> Says:
    judge = Judge()

    def says(hit: Hit) -> bool:
        return judge.judge(hit["user_agent"], ip=hit["ip"], signals=hit["signals"], age=hit["age"]).kind in MACHINES

    return says


def make_crawler_user_agents() -> Says:
    return lambda hit: crawleruseragents.is_crawler(hit["user_agent"])


def make_ua_parser() -> Says:
    parser = ua_parser.Parser.from_matchers(ua_parser.load_builtins())

    def says(hit: Hit) -> bool:
        device = parser.parse_device(hit["user_agent"])
        return device is not None and device.family == "Spider"

    return says


TOOLS = {
    OURS: make_mailtrack,
    "crawler-user-agents": make_crawler_user_agents,
    "ua-parser, spiders": make_ua_parser,
}


def is_machine(hit: Hit) -> bool:
    return hit["kind"] in MACHINES


def is_told_by_user_agent(hit: Hit) -> bool:
    return not hit["signals"] and hit["ip"] is None and hit["age"] is None


def right(says: Says, hits: list[Hit]) -> str:
    share = sum(says(hit) == is_machine(hit) for hit in hits) / len(hits)
    return f"{share:.1%}"


def accuracy_row(name: str, says: Says, hits: list[Hit]) -> tuple[str, ...]:
    alone = [hit for hit in hits if is_told_by_user_agent(hit)]
    mail = [hit for hit in hits if hit["group"] in ("mail client", "proxy") and not is_machine(hit)]
    machines = [hit for hit in hits if is_machine(hit)]
    return (
        name,
        right(says, hits),
        right(says, alone),
        f"{sum(map(says, mail))} of {len(mail)}",
        f"{sum(not says(hit) for hit in machines)} of {len(machines)}",
    )


def time_one(says: Says, hits: list[Hit]) -> float:
    """Return the seconds per hit."""
    return seconds(lambda: [says(hit) for hit in hits]) / len(hits)


def time_new(make: Callable[[], Says], hits: list[Hit]) -> float:
    """Time hits whose user agents have not been seen before."""
    says = make()
    says(hits[0])  # the first call also runs lazy imports
    return time_one(says, hits[1:])


def main() -> None:
    options = arguments(__doc__).parse_args()
    hits = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    different = list({hit["user_agent"]: hit for hit in hits}.values())
    tools = {name: make() for name, make in TOOLS.items()}
    rounds = 2 if options.quick else 10
    print_table(
        f"{len(hits):,} labelled hits",
        ("what", "right", "right, by user agent", "mail programs judged machines", "machines missed"),
        [accuracy_row(name, says, hits) for name, says in tools.items()],
    )
    new = interleave({name: partial(time_new, make, different) for name, make in TOOLS.items()}, rounds)
    again = interleave({name: partial(time_one, says, hits) for name, says in tools.items()}, rounds)
    print_table(
        "Time for a hit",
        ("what", "µs, new user agent", "µs, seen lately"),
        [(name, f"{median(new[name]) * 1e6:,.1f}", f"{median(again[name]) * 1e6:,.1f}") for name in TOOLS],
    )


if __name__ == "__main__":
    main()
