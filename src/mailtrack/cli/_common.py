"""What the commands share: options, examples, the tracker they work with, and lists."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, TypeVar

import click

from mailtrack._model import Page, T
from mailtrack._paging import MAX_LIMIT, pages
from mailtrack._tracker import Tracker
from mailtrack.cli import _base_url as base_url
from mailtrack.cli._output import Table, echo, echo_json
from mailtrack.cli._settings import Settings
from mailtrack.storage import open_storage

F = TypeVar("F", bound=Callable[..., Any])

_DATABASE: dict[str, Any] = {"metavar": "URL", "help": "The storage.  [default: sqlite:///mailtrack.db]"}
_BASE_URL: dict[str, Any] = {
    "metavar": "URL",
    "help": "The server's URL from outside.  [default: as last started]",
}
_SPOOL: dict[str, Any] = {"metavar": "DIR", "help": "The spool's folder, or off.  [default: beside the database]"}

database_option = click.option("--database", **_DATABASE)
base_url_option = click.option("--base-url", **_BASE_URL)
spool_option = click.option("--spool", **_SPOOL)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")
cursor_option = click.option("--cursor", help="Where to continue, as printed by the command before.")
special_domains_option = click.option(
    "--allow-special-domains", is_flag=True, default=None, help="Take addresses in .test, .local, localhost and so on."
)
_JUDGE_OPTIONS = (
    click.option("--rules", metavar="FILE", help="A file of rules for the judge, besides the built-in ones."),
    click.option("--networks", metavar="NAME=FILE,...", help="Files of networks for the judge, one network a line."),
    click.option("--window", metavar="SECONDS", help="An open within this time of its token is early.  [default: 10]"),
    click.option("--counted", metavar="KINDS", help="What counts as people.  [default: human,proxy,unknown]"),
)


def judge_options(command: F) -> F:
    """Add the options that make the judge to a command."""
    return reduce(lambda decorated, option: option(decorated), reversed(_JUDGE_OPTIONS), command)


def limit_option(default: int | None) -> Callable[[F], F]:
    """Return the option that cuts a list, with how many items it shows by default; `None` for all."""
    return click.option(
        "--limit",
        type=click.IntRange(1, MAX_LIMIT),
        default=default,
        help=f"How many to show.  [default: {default or 'all'}]",
    )


def shared_options(group: F) -> F:
    """Add options to a group that stand for those of its commands, where these are not given."""
    for name, attributes in (("--spool", _SPOOL), ("--base-url", _BASE_URL), ("--database", _DATABASE)):
        group = click.option(name, expose_value=False, callback=_hand_down, **attributes)(group)
    return group


def _hand_down(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        before, group = context.default_map or {}, context.command
        names = group.list_commands(context) if isinstance(group, click.Group) else ()
        theirs = {name: {**before.get(name, {}), option.name: value} for name in names}
        context.default_map = {**before, **theirs}


def example(*lines: str) -> str:
    """Return examples for the end of a command's help."""
    return "\n".join(["\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)])


@contextmanager
def opened_tracker(
    *, create: bool = False, with_judge: bool = False, with_spool: bool = False, **given: Any
) -> Iterator[Tracker]:
    """Open the storage that the options and the environment name, for one command.

    Args:
        create: whether to create a database that does not exist.
        with_judge: whether the tracker judges as the options and the environment say.
        with_spool: whether the tracker has the server's spool, which is not started.
        given: the options of the command.

    Raises:
        DatabaseNotFound: it does not exist, and `create` is false.
    """
    settings = Settings.resolve(given)
    with open_storage(settings.database, create=create) as storage:
        yield Tracker(
            storage,
            base_url=settings.base_url or base_url.recall(storage),
            judge=settings.make_judge() if with_judge else None,
            spool=settings.make_spool() if with_spool else None,
            allow_special_domains=settings.allow_special_domains,
        )


def echo_list(
    get_page: Callable[[int, str | None], Page[T]],
    *,
    limit: int | None,
    cursor: str | None,
    table: Table,
    to_rows: Callable[[Sequence[T]], Iterable[Sequence[str]]],
    to_json: Callable[[T], object] | None,
) -> None:
    """Print a list as it comes, page by page, and how to go on where it is cut.

    Args:
        get_page: returns a page, given its limit and cursor.
        limit: how many items to print, 1 to 1,000; `None` for all.
        cursor: where to begin, `None` for the start.
        table: what to print in, unless as JSON.
        to_rows: makes the rows of a page.
        to_json: makes the JSON of an item; `None` to print a table.
    """
    found = (get_page(limit, cursor),) if limit else pages(lambda start: get_page(MAX_LIMIT, start), cursor=cursor)
    following = None
    for page in found:
        if to_json is not None:
            echo_json(*map(to_json, page.items))
        else:
            table.echo(to_rows(page.items))
        following = page.next
    if following is not None:
        echo(f"There is more: --cursor {following}", err=True)
