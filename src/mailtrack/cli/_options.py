"""Options that several commands share, and the examples at the end of a command's help."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from mailtrack._paging import MAX_LIMIT

F = TypeVar("F", bound=Callable[..., Any])

_DATABASE: dict[str, Any] = {"metavar": "URL", "help": "The storage.  [default: sqlite:///mailtrack.db]"}
_BASE_URL: dict[str, Any] = {
    "metavar": "URL",
    "help": "The server's URL from outside.  [default: as last started]",
}
_SPOOL: dict[str, Any] = {"metavar": "DIR", "help": "The spool's folder, or off.  [default: beside the database]"}

database_option = click.option("--database", **_DATABASE)
read_url_option = click.option(
    "--read-url",
    metavar="URL",
    help="A replica of a PostgreSQL database, to read figures and lists from.  [default: none]",
)
base_url_option = click.option("--base-url", **_BASE_URL)
spool_option = click.option("--spool", **_SPOOL)
rules_option = click.option(
    "--rules", metavar="FILE", help="A file of rules for the judge, in addition to the built-in ones."
)
networks_option = click.option(
    "--networks", metavar="NAME=FILE,...", help="Files of networks for the judge, one network per line."
)
networks_folder_option = click.option(
    "--networks-folder",
    metavar="DIR",
    help="The folder of the stored lists of networks.  [default: beside the database]",
)
rate_limit_storage_option = click.option(
    "--rate-limit-storage",
    metavar="URL",
    help="The storage that counts requests for tokens: sqlite:///FILE, redis://HOST:PORT, valkey://HOST:PORT,"
    " memory://.  [default: beside the database or the spool]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value per line.")
cursor_option = click.option("--cursor", help="Continue a list that was cut: the cursor that the last call printed.")
special_domains_option = click.option(
    "--allow-special-domains",
    is_flag=True,
    default=None,
    help="Accept addresses in .test, .local, localhost and so on.",
)
webhook_allow_option = click.option(
    "--webhook-allow",
    multiple=True,
    metavar="NETWORK",
    help="Let webhooks reach this network, though it is not public; repeatable.  [default: none]",
)
_JUDGE_OPTIONS = (
    rules_option,
    networks_option,
    networks_folder_option,
    click.option(
        "--window", metavar="SECONDS", help="An open this soon after its mail was sent is early.  [default: 10]"
    ),
    click.option(
        "--counted", metavar="KINDS", help="The verdicts that count as people.  [default: human,proxy,unknown]"
    ),
)


def judge_options(command: F) -> F:
    """Add the options of the judge to a command."""
    return reduce(lambda decorated, option: option(decorated), reversed(_JUDGE_OPTIONS), command)


def limit_option(default: int | None) -> Callable[[F], F]:
    """Return the option `--limit` of a list, given its default; `None` for all items."""
    return click.option(
        "--limit",
        type=click.IntRange(1, MAX_LIMIT),
        default=default,
        help=f"The number of items to show.  [default: {default or 'all'}]",
    )


def shared_options(group: F) -> F:
    """Add options to a group that apply to its commands, unless a command is given its own."""
    for name, attributes in (("--spool", _SPOOL), ("--base-url", _BASE_URL), ("--database", _DATABASE)):
        group = click.option(name, expose_value=False, callback=_hand_down, **attributes)(group)
    return group


def _hand_down(context: click.Context, option: click.Parameter, value: str | None) -> None:
    before, group, name = context.default_map or {}, context.command, str(option.name)
    by_default = context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP
    # The defaults of the command `spool` are there under the name of the option `--spool`, for which click takes them.
    if value is not None and not (by_default and isinstance(before.get(name), Mapping)):
        names = group.list_commands(context) if isinstance(group, click.Group) else ()
        theirs = {one: {**before.get(one, {}), name: value} for one in names}
        context.default_map = {**before, **theirs}


def example(*lines: str) -> str:
    """Return the examples for the end of a command's help."""
    return "\n".join(["\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)])
