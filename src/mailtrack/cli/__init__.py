"""The command line: parse, one call, print, exit code (0, 1 it failed, 2 wrong usage)."""

from mailtrack.cli._main import main

__all__ = ["main"]
