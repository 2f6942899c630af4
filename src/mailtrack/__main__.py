"""`python -m mailtrack`: the command line."""

from mailtrack.cli import main

if __name__ == "__main__":
    main()
