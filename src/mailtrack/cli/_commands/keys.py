"""`mailtrack keys`."""

from typing import Any

import click

from mailtrack import _wire as wire
from mailtrack._times import to_text
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import database_option, example, json_option, shared_options
from mailtrack.cli._output import echo, echo_json
from mailtrack.cli._tables import Table


@click.group(epilog=example("mailtrack keys create --name 'Nightly export'"))
@shared_options
def keys() -> None:
    """Create, list and revoke API keys.

    The server requires one if there was at least one when it started.
    """


@keys.command(epilog=example("mailtrack keys create --name 'Nightly export'"))
@click.option("--name", default="", help="A name for the key.")
@json_option
@database_option
def create(name: str, as_json: bool, **given: Any) -> None:
    """Create a key and print it, only this once. A database that does not exist is created."""
    with open_tracker(create=True, **given) as tracker:
        key, text = tracker.keys.create(name)
        first = len(tracker.keys.all()) == 1
    if as_json:
        echo_json(wire.api_key(key) | {"key": text})
    else:
        echo(text)
        echo(f"The id of this key is {key.id}. The key is not shown again.", err=True)
    if first:
        echo("This is the first key: restart the server, so that it requires one.", err=True)


@keys.command(name="list", epilog=example("mailtrack keys list"))
@json_option
@database_option
def list_(as_json: bool, **given: Any) -> None:
    """List the ids, names and times of all keys, oldest first. The keys themselves are not stored."""
    with open_tracker(**given) as tracker:
        found = tracker.keys.all()
    if as_json:
        echo_json(*map(wire.api_key, found))
        return
    Table("ID", "CREATED", "NAME", cut=(2,)).echo((key.id, to_text(key.created_at), key.name) for key in found)


@keys.command(epilog=example("mailtrack keys revoke 0123456789ab"))
@click.argument("key_id", metavar="ID")
@database_option
def revoke(key_id: str, **given: Any) -> None:
    """Revoke the key with this ID. Every process stops accepting it within two seconds."""
    with open_tracker(**given) as tracker:
        tracker.keys.revoke(key_id)
        last = not tracker.keys.all()
    echo(f"Revoked {key_id}.", err=True)
    if last:
        echo(
            "This was the last key: a running server refuses all requests, but needs no key after a restart.",
            err=True,
        )
