"""`mailtrack networks`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import click

from mailtrack._errors import InvalidSetting
from mailtrack._text import plural
from mailtrack._times import now, to_text
from mailtrack.cli._failures import describe
from mailtrack.cli._networks.asn import find_networks
from mailtrack.cli._networks.failure import UpdateFailed
from mailtrack.cli._networks.folder import Folder
from mailtrack.cli._networks.sources import Source, all_sources
from mailtrack.cli._networks.status import MAX_AGE, NetworkStatus, list_status, named_networks
from mailtrack.cli._networks.update import Updated
from mailtrack.cli._networks.update import update as update_list
from mailtrack.cli._options import (
    database_option,
    example,
    json_option,
    networks_folder_option,
    networks_option,
    rules_option,
    shared_options,
)
from mailtrack.cli._output import echo, echo_json
from mailtrack.cli._settings import Settings
from mailtrack.cli._tables import Table
from mailtrack.verdicts import RuleTable


@click.group(epilog=example("mailtrack networks status"))
@shared_options
def networks() -> None:
    """Fill the networks that the judge's rules name, and show their state."""


@networks.command(
    epilog=example(
        "mailtrack networks update --asn-database /srv/mail/GeoLite2-ASN.mmdb",
        "mailtrack networks update apple-relay --from apple-relay=relays.csv",
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--from", "lists", multiple=True, metavar="NAME=URL", help="Another source for a network: a URL or a file."
)
@click.option(
    "--without", multiple=True, metavar="NAME=URL", help="Networks to take out of one: a URL, a file, or nothing."
)
@click.option("--asn-database", metavar="FILE", help="A database of autonomous systems in MaxMind's format.")
@click.option("--force", is_flag=True, help="Accept a list that is much shorter than the stored one.")
@rules_option
@database_option
@networks_folder_option
@click.pass_context
def update(
    context: click.Context,
    /,
    names: tuple[str, ...],
    lists: tuple[str, ...],
    without: tuple[str, ...],
    force: bool,
    **given: Any,
) -> None:
    """Fetch the lists of the networks with these NAMEs, or of all that rules name, and store them.

    A running server takes them up within seconds. A list that fails a check is not stored, and the former one stays.
    The exit code is 1 if an update failed.
    """
    settings = Settings.resolve(given)
    folder = settings.stored_networks
    if folder is None:
        raise InvalidSetting("networks_folder", "this storage has none by default; name one")
    known = all_sources(lists, without)
    sources = _choose(settings.make_rules(), names, [text.partition("=")[0] for text in lists], known)
    failed = False
    for outcome in _update_all(sources, folder, settings, force=force):
        failed = failed or outcome.is_failure(asked=outcome.source.name in names)
        echo(f"{outcome.source.name}: {outcome}", err=True)
    context.exit(1 if failed else 0)


@networks.command(epilog=example("mailtrack networks status --json"))
@json_option
@networks_option
@rules_option
@database_option
@networks_folder_option
def status(as_json: bool, **given: Any) -> None:
    """Show the source, size and age of each network that rules name, and warn of empty and old ones."""
    time = now()
    settings = Settings.resolve(given)
    states = list(list_status(settings.make_table(), settings.stored_networks, settings.network_files))
    if as_json:
        echo_json(*map(_to_json, states))
        return
    table = Table("NETWORK", "RANGES", "BYTES", "CHECKED", "SOURCE", right=(1, 2), cut=(4,))
    table.echo((one.name, f"{one.ranges:,}", f"{one.bytes:,}", _age(one, time), one.source) for one in states)
    if empty := [one.name for one in states if not one.ranges]:
        echo(f"Empty, so that rules that name them never match: {', '.join(empty)}.", err=True)
    if old := [one.name for one in states if one.is_old(time)]:
        echo(f"Older than {MAX_AGE.days} days: {', '.join(old)}.", err=True)


@attrs.frozen
class Outcome:
    """How the update of a network ended: with a list, an error, or, for `None`, without an ASN database."""

    source: Source
    result: Updated | UpdateFailed | OSError | None

    def is_failure(self, *, asked: bool) -> bool:
        """Return whether the update failed. One that needs a database fails only if it was asked for by name."""
        return asked if self.result is None else not isinstance(self.result, Updated)

    def __str__(self) -> str:
        match self.result:
            case None:
                return f"skipped: {self.source} needs --asn-database"
            case Updated(ranges=ranges):
                return "unchanged" if ranges is None else f"{plural(ranges, 'range')} from {self.source}"
            case OSError() as error:
                return f"failed: {describe(error)}"
            case error:
                return f"failed: {error}"


def _choose(
    table: RuleTable, names: Sequence[str], given: Collection[str], known: Mapping[str, Source]
) -> list[Source]:
    """Return the sources of some networks; of those that rules or the options name, if none are given."""
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"No source is known for {', '.join(unknown)}; name it with --from.")
    return [known[name] for name in dict.fromkeys(names or [*named_networks(table), *given]) if name in known]


def _update_all(sources: Sequence[Source], folder: Folder, settings: Settings, *, force: bool) -> Iterator[Outcome]:
    """Update lists one after the other, and yield each outcome."""
    by_system = {one.name: one.systems for one in sources if one.url is None}
    found: dict[str, list[str]] = {}
    problem: UpdateFailed | None = None
    if by_system and settings.asn_database is not None:
        try:
            found = find_networks(settings.asn_database, by_system)
        except UpdateFailed as error:
            problem = error
    for source in sources:
        if source.url is None and settings.asn_database is None:
            yield Outcome(source, None)
            continue
        try:
            if problem is not None and source.url is None:
                raise problem
            yield Outcome(source, update_list(source, folder, prefixes=found.get(source.name), force=force))
        except (UpdateFailed, OSError) as error:
            yield Outcome(source, error)


def _to_json(state: NetworkStatus) -> dict[str, object]:
    checked = None if state.checked is None else to_text(state.checked)
    return {**attrs.asdict(state), "checked": checked, "empty": not state.ranges}


def _age(state: NetworkStatus, time: datetime) -> str:
    days = state.days(time)
    if days is None:
        return "-"
    return f"{plural(days, 'day')} ago" if days else "today"
