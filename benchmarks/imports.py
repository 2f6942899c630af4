"""The time of `import mailtrack`, against the minimum that it needs to import."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from common import arguments, interleave, new_folder, print_table, ratio_rows

OURS = "import mailtrack"
COMPARAND = "import attrs, json, sqlite3"


def time_import(statement: str, cache: Path) -> float:
    """Return the seconds that a statement takes in a fresh interpreter, as measured there."""
    # Bytecode is cached, as for an installed program.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    script = f"from time import perf_counter\nstart = perf_counter()\n{statement}\nprint(perf_counter() - start)"
    command = [sys.executable, "-c", script]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def main() -> None:
    options = arguments(__doc__).parse_args()
    with new_folder() as cache:
        measures = {statement: partial(time_import, statement, cache) for statement in (OURS, COMPARAND)}
        found = interleave(measures, rounds=5 if options.quick else 40)
    print_table("Import, target 2.0", ("statement", "ms", "mailtrack is × this"), ratio_rows(found, OURS))


if __name__ == "__main__":
    main()
