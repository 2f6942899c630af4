"""How often a tool is right about labelled hits: was it a person or a machine? `verdicts.py` prints it.

Mail proxies and hits of unknown kind are counted as opens, so they stand on the side of people.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mailtrack.verdicts import Judge, default_rules

FOLDER = Path(__file__).parents[1] / "tests" / "verdicts"
SETS = {"labelled": FOLDER / "labelled.jsonl", "held-out": FOLDER / "held_out.jsonl"}
MACHINES = {"prefetch", "scanner", "bot"}
KINDS = {
    "human": "people",
    "proxy": "mail proxies",
    "unknown": "no name",
    "prefetch": "prefetchers",
    "scanner": "scanners",
    "bot": "robots",
}
OURS = "mailtrack"
# Networks that the rules name and that are fetched later. Some held-out hits come from them: from a published relay of
# Apple's, and from addresses that RFC 2544 reserves for benchmarks.
NETWORKS = {
    "apple-relay": ["172.224.226.0/27"],
    "proofpoint": ["198.18.0.0/24"],
    "mimecast": ["198.18.1.0/24"],
    "cisco": ["198.18.2.0/24"],
}
NOWHERE = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")  # addresses for documentation

Hit = dict[str, Any]
Says = Callable[[Hit], bool]  # whether a machine fetched the image
Row = tuple[str, ...]


def read(name: str) -> list[Hit]:
    """Return the hits of a set."""
    return [json.loads(line) for line in SETS[name].read_text(encoding="utf-8").splitlines()]


def make_judge() -> Judge:
    return Judge(default_rules().with_networks(**NETWORKS))


def kind_of(judge: Judge, hit: Hit) -> str:
    return judge.judge(hit["user_agent"], ip=hit["ip"], signals=hit["signals"], age=hit["age"]).kind


def make_mailtrack() -> Says:
    judge = make_judge()
    return lambda hit: kind_of(judge, hit) in MACHINES


def is_machine(hit: Hit) -> bool:
    return hit["kind"] in MACHINES


def is_told_by_user_agent(hit: Hit) -> bool:
    """Return whether signals, the address and the time say nothing about a hit."""
    from_anywhere = hit["ip"] is None or hit["ip"].startswith(NOWHERE)
    return not hit["signals"] and from_anywhere and (hit["age"] is None or hit["age"] >= 10)


def percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}".replace("%", " %")


def share(says: Says, hits: list[Hit]) -> str:
    return percent(sum(says(hit) == is_machine(hit) for hit in hits), len(hits))


def share_of_kinds(hits: list[Hit]) -> str:
    judge = make_judge()
    same = {"unknown": "human"}
    kinds = [(same.get(hit["kind"], hit["kind"]), kind_of(judge, hit)) for hit in hits]
    return percent(sum(kind == same.get(ours, ours) for kind, ours in kinds), len(hits))


def make_unsent() -> Says:
    """Judge hits as if their tokens had been made 15 minutes before the mail, and its time were unknown."""
    says = make_mailtrack()
    return lambda hit: says(hit if hit["age"] is None else hit | {"age": hit["age"] + 900})


def rows(hits: list[Hit], tools: Mapping[str, Says]) -> Iterator[Row]:
    """Yield a table's rows: a measure, and its value for each tool."""
    by_name = [hit for hit in hits if is_told_by_user_agent(hit)]
    machines = [hit for hit in hits if is_machine(hit)]
    people = [hit for hit in hits if not is_machine(hit)]
    yield "right", *(share(says, hits) for says in tools.values())
    yield f"right, where only the user agent matters ({len(by_name):,})", *(share(t, by_name) for t in tools.values())
    for kind, name in KINDS.items():
        if of_kind := [hit for hit in hits if hit["kind"] == kind]:
            yield f"right about {name} ({len(of_kind):,})", *(share(says, of_kind) for says in tools.values())
    yield "right about the exact kind", *(share_of_kinds(hits) if name == OURS else "" for name in tools)
    yield (
        "right, with tokens made 15 minutes early and no sent time",
        *(share(make_unsent(), hits) if name == OURS else "" for name in tools),
    )
    yield (
        f"false opens counted, of {len(machines):,}",
        *(f"{sum(not says(hit) for hit in machines):,}" for says in tools.values()),
    )
    yield f"real opens dropped, of {len(people):,}", *(f"{sum(map(says, people)):,}" for says in tools.values())


def header(name: str, hits: list[Hit], tools: Mapping[str, Says]) -> Row:
    return f"{len(hits):,} {name} hits", *tools


def markdown(name: str, tools: Mapping[str, Says]) -> str:
    """Return the table of a set for the page."""
    hits = read(name)
    head = header(name, hits, tools)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows(hits, tools))) + "\n"
