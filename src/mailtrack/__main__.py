"""The program `mailtrack`, also as `python -m mailtrack`."""

import sys


def run() -> None:
    """Run the command line. Ctrl-C leaves no stack trace, not even while modules are loaded."""
    try:
        from mailtrack.cli import main  # only here: it takes a moment
    except KeyboardInterrupt:
        sys.exit("Aborted!")
    main()


if __name__ == "__main__":
    run()
