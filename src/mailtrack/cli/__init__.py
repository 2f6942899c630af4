"""The command line `mailtrack`, with its settings, the reference server and the doctor: the application."""

from mailtrack.cli._main import main

__all__ = ["main"]
