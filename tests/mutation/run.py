"""Mutate the rooms of `rooms.toml` with mutmut, and list the mutants that no test notices: `run.py FOLDER [ROOM ...]`.

It works on a copy in FOLDER. A mutant is killed by a test that fails; all others survive, including one whose tests do
not end or can't be run. Those in `known.toml` change nothing that can be observed, or nothing that is promised, or do
not end; each has its reason there. The exit code is 1 when another mutant survives, or when a known one is killed or
gone.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COPIED = ("src", "tests", "docs", "examples", "README.md")
SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|ORDER BY|GROUP BY|ASC|DESC|CROSS JOIN|ON CONFLICT)\b")

FAILED = (1, 3)  # exit codes of pytest: a test, or pytest itself


class Mutant(NamedTuple):
    """A mutant that was not killed: the function, its line as it was, and as the mutant has it."""

    function: str
    was: str
    now: str

    @property
    def is_case_of_sql(self) -> bool:
        """Whether only the case of SQL differs, which SQLite ignores."""
        return SQL.search(self.was) is not None and self.was.lower() == self.now.lower()


def main(folder: Path, wanted: set[str]) -> int:
    """Run the wanted rooms, or all, and return the exit code."""
    rooms = tomllib.loads((HERE / "rooms.toml").read_text(encoding="utf-8"))["room"]
    known = tomllib.loads((HERE / "known.toml").read_text(encoding="utf-8")).get("mutant", [])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    failed = False
    for room in rooms:
        if not wanted or room["name"] in wanted:
            failed |= not run_room(folder, room, [Mutant(one["function"], one["was"], one["now"]) for one in known])
    return int(failed)


def run_room(folder: Path, room: dict[str, Any], known: list[Mutant]) -> bool:
    """Mutate the modules of one room; return whether just the known mutants survive."""
    shutil.rmtree(folder / "mutants", ignore_errors=True)
    (folder / "pyproject.toml").write_text(configuration(room), encoding="utf-8")
    mutmut(folder, "run")
    found = dict(results(folder))
    states = Counter(found.values())
    alive = [read(folder, name) for name, state in found.items() if state != "killed"]
    new = [one for one in alive if one not in known and not one.is_case_of_sql]
    functions = {name.rpartition("__mutmut_")[0] for name in found}
    gone = [one for one in known if one.function in functions and one not in alive]
    say(f"{room['name']}: {states.total()} mutants", *(f"{number} {state}" for state, number in sorted(states.items())))
    for title, mutants in (("survived", new), ("known, but killed or gone", gone)):
        for one in mutants:
            say(f"  {title}: {one.function}\n    - {one.was}\n    + {one.now}")
    return not new and not gone


def configuration(room: dict[str, Any]) -> str:
    """Return the project's configuration with that of mutmut for a room."""
    arguments = ["-n0", *(["-k", room["select"]] if "select" in room else [])]
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8") + (
        "\n[tool.mutmut]\nsource_paths = ['src/']\nprocess_isolation = 'forkserver'\ntimeout_constant = 10.0\n"
        "timeout_multiplier = 5.0\n"
        f"only_mutate = {room['modules']}\n"
        f"pytest_add_cli_args = {arguments}\npytest_add_cli_args_test_selection = {room['tests']}\n"
    )


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut and return its output."""
    environment = os.environ | {"HYPOTHESIS_PROFILE": "mutation"}
    ran = subprocess.run(["mutmut", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    if ran.returncode:
        say(ran.stdout[-5000:], ran.stderr[-5000:])
        raise SystemExit(f"mutmut {arguments[0]} failed")
    return ran.stdout


def results(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the mutants by name, each with its state."""
    for file in sorted(folder.glob("mutants/src/**/*.meta")):
        for name, code in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            yield name, "killed" if code in FAILED else "survived"


def read(folder: Path, name: str) -> Mutant:
    """Return a mutant by its name."""
    changed = [line for line in mutmut(folder, "show", name).splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    was, now = ("\n".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
    return Mutant(name.rpartition("__mutmut_")[0], was, now)


def say(*words: str) -> None:
    """Print words."""
    sys.stdout.write(", ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), set(sys.argv[2:])))
