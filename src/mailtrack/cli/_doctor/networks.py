"""The check of the networks that rules name."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from mailtrack.cli._doctor.finding import Finding, ok, warning
from mailtrack.cli._networks.sources import bundled_sources
from mailtrack.cli._networks.status import NetworkStatus

MAX_AGE = timedelta(days=30)
"""The age at which a list is out of date. Apple's changes every few days."""


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
        yield ok("networks", f"All {len(states):,} networks that rules name have ranges.")
    old = [one.name for one in states if one.checked is not None and now - one.checked > MAX_AGE]
    if old:
        yield warning(
            "networks-age",
            f"Lists of networks are older than {MAX_AGE.days} days: {', '.join(old)}.",
            f"Run {_command(old)}, best once a day.",
        )


def _command(names: Iterable[str]) -> str:
    sources = bundled_sources()
    known = [name for name in names if name in sources]
    database = any(sources[name].systems for name in known)
    others = "".join(f" --from {name}=URL" for name in names if name not in sources)
    return f"mailtrack networks update{' --asn-database FILE' if database else ''}{others}"
