"""`manage.py mailtrack`: the command line of mailtrack, with the database of the project."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from mailtrack_wsgi.django._settings import read


class Command(BaseCommand):
    """Passes its arguments on to the command line."""

    help = "Run a command of mailtrack, such as `pixels list`, with the database of the settings."

    def run_from_argv(self, argv: list[str]) -> None:
        """Run a command line, all of whose options are mailtrack's."""
        _run(argv[2:], f"{argv[0]} {argv[1]}")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the argument that `call_command` needs."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="The command and its options.")

    def handle(self, *_: Any, arguments: list[str], **options: Any) -> None:
        """Run a command for `call_command("mailtrack", "pixels", "list")`."""
        with ExitStack() as stack:
            if stdout := options.get("stdout"):
                stack.enter_context(redirect_stdout(stdout))
            try:
                _run(arguments, "mailtrack")
            except SystemExit as end:
                if end.code:
                    raise CommandError("mailtrack failed.", returncode=int(end.code)) from end


def _run(arguments: list[str], name: str) -> None:
    """Run the command line. It is an application above this adapter, so that nothing here imports it."""
    main: Callable[..., None] = import_string("mailtrack.cli.main")
    main([*_options(), *arguments], prog_name=name, default_map=_defaults())


def _options() -> list[str]:
    """Return the options that the settings stand for. An option of the command overrides the same one here."""
    given = {f"--{name.replace('_', '-')}": read(name) for name in ("database", "base_url", "spool")}
    return [part for name, value in given.items() if value is not None for part in (name, value)]


def _defaults() -> dict[str, dict[str, Any]]:
    """Return the defaults of options that only some commands have."""
    return {command: {"read_url": read("read_url")} for command in ("doctor", "serve")}
