"""The check of the networks that rules name."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from mailtrack._text import plural
from mailtrack.cli._doctor.finding import Finding, ok, warning
from mailtrack.cli._networks.sources import bundled_sources
from mailtrack.cli._networks.status import MAX_AGE, NetworkStatus


def check_networks(states: Iterable[NetworkStatus], now: datetime) -> Iterator[Finding]:
    """Check that each network that rules name has ranges, and that no list is out of date.

    Args:
        states: the states of the networks.
        now: the time by the clock of this machine.
    """
    states = list(states)
    empty = [one.name for one in states if not one.ranges]
    if empty:
        yield warning(
            "networks",
            f"Networks that rules name are empty, so that these rules never match: {', '.join(empty)}.",
            f"Run {_command(empty)}.",
        )
    else:
        ranges = plural(sum(one.ranges for one in states), "range")
        yield ok("networks", f"All {len(states):,} networks that rules name have addresses, {ranges} in total.")
    old = {one.name: plural(one.days(now) or 0, "day") for one in states if one.is_old(now)}
    if old:
        yield warning(
            "networks-age",
            f"Lists of networks are older than {MAX_AGE.days} days: "
            f"{', '.join(f'{name} ({age})' for name, age in old.items())}.",
            f"Run {_command(old)}, best once a day.",
        )


def _command(names: Iterable[str]) -> str:
    sources = bundled_sources()
    known = [name for name in names if name in sources]
    database = any(sources[name].systems for name in known)
    others = "".join(f" --from {name}=URL" for name in names if name not in sources)
    return f"mailtrack networks update{' --asn-database FILE' if database else ''}{others}"
