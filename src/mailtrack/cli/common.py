"""What the commands share: options, the tracker they work with, and output."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, TypeVar

import click

from mailtrack.settings import Settings
from mailtrack.storage import open_storage
from mailtrack.tracker import Tracker

F = TypeVar("F", bound=Callable[..., Any])

database_option = click.option("--database", metavar="URL", help="The storage.  [default: sqlite:///mailtrack.db]")
base_url_option = click.option("--base-url", metavar="URL", help="Where the server is reached from outside.")
spool_option = click.option(
    "--spool", metavar="DIR", help="The spool's folder, or off.  [default: beside the database]"
)
special_domains_option = click.option(
    "--allow-special-domains", is_flag=True, default=None, help="Take addresses in .test, .local, localhost and so on."
)
_JUDGE_OPTIONS = (
    click.option("--rules", metavar="FILE", help="Rules for the judge, beside those that come with mailtrack."),
    click.option("--networks", metavar="NAME=FILE,...", help="Networks for the judge, one a line."),
    click.option("--window", metavar="SECONDS", help="How soon after its token an open is early.  [default: 10]"),
    click.option("--counted", metavar="KINDS", help="What counts as people.  [default: human,proxy,unknown]"),
)


def judge_options(command: F) -> F:
    """Add the options that make the judge to a command."""
    return reduce(lambda decorated, option: option(decorated), reversed(_JUDGE_OPTIONS), command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")


@contextmanager
def opened_tracker(**given: Any) -> Iterator[Tracker]:
    """Open the storage that the options and the environment name, for one command."""
    settings = Settings.resolve(given)
    base_url = settings.base_url or f"http://{settings.host}:{settings.port}"  # where `mailtrack serve` would listen
    with open_storage(settings.database) as storage:
        yield Tracker(storage, base_url=base_url, allow_special_domains=settings.allow_special_domains)


def echo_json(value: object) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=False))


def echo_table(rows: Sequence[tuple[str, ...]], *, right: Collection[int] = ()) -> None:
    """Print rows in columns of equal width, the first row being the heads; columns of numbers go to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join(cells).rstrip())
