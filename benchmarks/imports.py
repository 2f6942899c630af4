"""How long `import mailtrack` takes, against what it can't do without."""

import subprocess
import sys

from common import arguments, interleave, print_table, ratio_rows

OURS = "import mailtrack"
COMPARAND = "import attrs, json, sqlite3"


def time_import(statement: str) -> float:
    """Return the seconds that a statement takes in a fresh interpreter, as that tells them."""
    script = f"from time import perf_counter\nstart = perf_counter()\n{statement}\nprint(perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    options = arguments(__doc__).parse_args()
    measures = {statement: lambda statement=statement: time_import(statement) for statement in (OURS, COMPARAND)}
    found = interleave(measures, rounds=5 if options.quick else 40)
    print_table("Import, target 2.0", ("statement", "ms", "mailtrack is × this"), ratio_rows(found, OURS))


if __name__ == "__main__":
    main()
