"""`mailtrack keys`."""

import click

from mailtrack import wire
from mailtrack.cli.common import database_option, echo_json, echo_table, json_option, opened_tracker
from mailtrack.times import to_text


@click.group()
def keys() -> None:
    """Create, list and revoke the keys that the server asks for.

    It asks for one where at least one was stored when it started.
    """


@keys.command()
@click.option("--name", default="", help="What to call it.")
@json_option
@database_option
def create(name: str, as_json: bool, **given: str | None) -> None:
    """Create a key and print it, this once."""
    with opened_tracker(**given) as tracker:
        key, text = tracker.keys.create(name)
        first = len(tracker.keys.all()) == 1
    if as_json:
        echo_json(wire.api_key(key) | {"key": text})
    else:
        click.echo(text)
        click.echo(f"This is the key {key.id}. It is not shown again.", err=True)
    if first:
        click.echo("It is the first: start the server anew, and it asks for it.", err=True)


@keys.command(name="list")
@json_option
@database_option
def list_(as_json: bool, **given: str | None) -> None:
    """List all keys, the oldest first; what they are is known only to their owners."""
    with opened_tracker(**given) as tracker:
        found = tracker.keys.all()
    if as_json:
        for key in found:
            echo_json(wire.api_key(key))
        return
    echo_table([("ID", "CREATED", "NAME"), *((key.id, to_text(key.created_at), key.name) for key in found)])


@keys.command()
@click.argument("key_id", metavar="ID")
@database_option
def revoke(key_id: str, **given: str | None) -> None:
    """Let the key with this ID open nothing any more, within two seconds."""
    with opened_tracker(**given) as tracker:
        tracker.keys.revoke(key_id)
        last = not tracker.keys.all()
    click.echo(f"Revoked {key_id}.", err=True)
    if last:
        click.echo(
            "It was the last: a running server lets nobody in, and one that is started anew asks for none.", err=True
        )
