"""The judge's accuracy and speed, compared with lists of robots.

Each decides for the labelled and the held-out hits in `tests/verdicts` whether a person or a machine fetched the image.
The lists use only the user agent, so their results are also shown for the hits in which nothing else matters.
isbot runs in Node; `npm` fetches it. Without Node or the package it is left out.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import ua_parser
from accuracy import OURS, SETS, Hit, Says, header, make_mailtrack, markdown, read, rows
from common import arguments, interleave, print_table, seconds
from robot_lists import crawler_user_agents, device_detector, make_isbot


def by_name(says: Callable[[str], bool]) -> Says:
    return lambda hit: says(hit["user_agent"])


def make_ua_parser() -> Says:
    parser = ua_parser.Parser.from_matchers(ua_parser.load_builtins())

    def says(hit: Hit) -> bool:
        device = parser.parse_device(hit["user_agent"])
        return device is not None and device.family == "Spider"

    return says


TIMED = {
    OURS: make_mailtrack,
    "crawler-user-agents": lambda: by_name(crawler_user_agents),
    "ua-parser, spiders": make_ua_parser,
}


def make_tools(packages: Path | None) -> dict[str, Says]:
    user_agents = [hit["user_agent"] for name in SETS for hit in read(name)]
    with tempfile.TemporaryDirectory(prefix="mailtrack-bench-") as folder:
        isbot = make_isbot(user_agents, (packages or Path(folder)).absolute())
    lists = {"isbot": isbot, "crawler-user-agents": crawler_user_agents, "device_detector": device_detector}
    return {OURS: make_mailtrack()} | {name: by_name(says) for name, says in lists.items() if says}


def time_one(says: Says, hits: list[Hit]) -> float:
    """Return the seconds per hit."""
    return seconds(lambda: [says(hit) for hit in hits]) / len(hits)


def time_new(make: Callable[[], Says], hits: list[Hit]) -> float:
    """Time hits whose user agents have not been seen before."""
    says = make()
    says(hits[0])  # the first call also runs lazy imports
    return time_one(says, hits[1:])


def print_times(rounds: int) -> None:
    hits = read("labelled")
    different = list({hit["user_agent"]: hit for hit in hits}.values())
    tools = {name: make() for name, make in TIMED.items()}
    new = interleave({name: partial(time_new, make, different) for name, make in TIMED.items()}, rounds)
    again = interleave({name: partial(time_one, says, hits) for name, says in tools.items()}, rounds)
    print_table(
        "Time for a hit",
        ("what", "µs, new user agent", "µs, seen lately"),
        [(name, f"{median(new[name]) * 1e6:,.1f}", f"{median(again[name]) * 1e6:,.1f}") for name in TIMED],
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--markdown", action="store_true", help="print only the tables of docs/verdicts.md")
    parser.add_argument("--packages", type=Path, help="a folder that keeps the package of isbot, for another time")
    options = parser.parse_args()
    tools = make_tools(options.packages)
    for name in SETS:
        if options.markdown:
            print(markdown(name, tools))
        else:
            hits = read(name)
            print_table("Accuracy", header(name, hits, tools), list(rows(hits, tools)))
    if not options.markdown:
        print_times(2 if options.quick else 10)


if __name__ == "__main__":
    main()
