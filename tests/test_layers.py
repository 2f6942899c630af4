"""The contracts of `pyproject.toml` hold, and a wrong module anywhere breaks one of them."""

import ast
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter is not installed")

import importlinter.api  # noqa: F401  # it sets up what the use cases take for granted
from grimp import ImportGraph
from importlinter.application import use_cases
from importlinter.application.ports.reporting import Report
from importlinter.application.user_options import UserOptions

ROOT = Path(__file__).parents[1]
CONFIGURATION = ROOT / "pyproject.toml"
CONTRACTS = tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = [one for one in CONTRACTS if one["type"] == "layers"]
ROOMS = [one for one in CONTRACTS if one["type"] == "protected" and "mailtrack" not in one["protected_modules"][0]]

# Packages without a row for each module, and why.
FREE = {
    "mailtrack.cli._commands": "a contract keeps its modules independent, whatever their names",
    "mailtrack.testing._contract": "parts of one suite, with helpers; held free of cycles",
    "mailtrack_wsgi.django.management": "Django looks for a command in the package of this name",
    "mailtrack_wsgi.django.management.commands": "the same",
    "mailtrack_wsgi.django.templatetags": "Django looks for template tags in the package of this name",
}
EVERYWHERE = {"attrs"}

NO_ROOT = "Nothing inside imports a root package"
ONLY_CLI = "Only the command line imports the adapter"
CLI_ON_TOP = "Only `python -m mailtrack` imports the command line"
NO_CYCLES = "No cycles among siblings"

Check = Callable[[str], Report]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `src`, in which modules can be planted."""
    return shutil.copytree(
        ROOT / "src", tmp_path_factory.mktemp("copy") / "src", ignore=shutil.ignore_patterns("__pycache__")
    )


@pytest.fixture
def check(source: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return a function that checks the copy by one contract, given its name, or by all, given ""."""
    for package in ("mailtrack", "mailtrack_wsgi"):
        monkeypatch.delitem(sys.modules, package, raising=False)  # else it would be found where it was loaded from
    monkeypatch.syspath_prepend(source)
    use_cases._register_built_in_contract_types()

    def run(name: str) -> Report:
        options = use_cases.read_user_options(str(CONFIGURATION))
        chosen = [one for one in options.contracts_options if name in ("", one["name"])]
        assert chosen
        options = UserOptions(session_options=options.session_options, contracts_options=chosen)
        return use_cases.create_report(options, cache_dir=str(source.parent / "cache"))

    return run


@pytest.fixture
def plant(source: Path) -> Iterator[Callable[[str, str], None]]:
    """Return a function that adds text to a module, which is made where there is none; all is undone afterwards."""
    before: dict[Path, str | None] = {}

    def add(module: str, text: str) -> None:
        path = source.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        before[path] = path.read_text(encoding="utf-8") if path.exists() else None
        path.write_text(f"{before[path] or ''}\n{text}\n", encoding="utf-8")

    yield add
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")


def rows(contract: dict) -> list[list[str]]:
    """Return the modules of each row, the uppermost first."""
    (container,) = contract["containers"]
    return [[f"{container}.{name.strip()}" for name in row.split("|")] for row in contract["layers"]]


def _packages(graph: ImportGraph) -> list[str]:
    return [one for one in graph.modules if not graph.is_module_squashed(one) and graph.find_children(one)]


def named(contracts: list[dict]) -> dict:
    return {"argvalues": contracts, "ids": [one["name"] for one in contracts]}


def test_the_source_keeps_all_contracts(check: Check) -> None:
    report = check("")
    assert [one.name for one, result in report.get_contracts_and_checks() if not result.kept] == []
    assert report.warnings_count == 0


@pytest.mark.parametrize("contract", **named(LAYERS))
def test_a_module_that_no_row_names_breaks_the_contract_of_its_package(contract, plant, check) -> None:
    plant(f"{contract['containers'][0]}._planted", '"""Planted."""')
    assert check(contract["name"]).broken_count == 1


@pytest.mark.parametrize("contract", **named(LAYERS))
def test_an_import_upwards_breaks_the_contract_though_a_function_makes_it(contract, plant, check) -> None:
    (*_, [upper, *_], [lower, *_]) = rows(contract)
    plant(lower, f"def lazily():\n    import {upper}")
    assert check(contract["name"]).broken_count == 1


@pytest.mark.parametrize("contract", **named([one for one in LAYERS if any(len(row) > 1 for row in rows(one))]))
def test_an_import_within_a_row_breaks_the_contract(contract, plant, check) -> None:
    first, second = next(row[:2] for row in rows(contract) if len(row) > 1)
    plant(first, f"import {second}")
    assert check(contract["name"]).broken_count == 1


@pytest.mark.parametrize("contract", **named(ROOMS))
def test_a_library_in_another_room_breaks_its_contract(contract, plant, check) -> None:
    plant("mailtrack._model", f"def lazily():\n    import {contract['protected_modules'][-1]}")
    assert check(contract["name"]).broken_count == 1


@pytest.mark.parametrize(
    ("module", "text", "broken"),
    [
        ("mailtrack._ids", "from mailtrack import Pixel", NO_ROOT),
        (
            "mailtrack.cli._options",
            "def lazily():\n    from mailtrack_wsgi import create_app",
            "Nothing inside imports a root package",
        ),
        ("mailtrack_wsgi._api", "from mailtrack import Tracker", NO_ROOT),
        (
            "mailtrack._tracker",
            "def lazily():\n    import mailtrack_wsgi._app",
            "Only the command line imports the adapter",
        ),
        (
            "mailtrack_wsgi._app",
            "def lazily():\n    import mailtrack.cli._settings",
            "Only `python -m mailtrack` imports the command line",
        ),
        ("mailtrack.testing._clock", "import mailtrack.cli", CLI_ON_TOP),
        ("mailtrack._errors", "from mailtrack._tracker import Tracker", "mailtrack"),
        ("mailtrack.verdicts._rule", "if TYPE_CHECKING:\n    from mailtrack.storage import Storage", "mailtrack"),
        (
            "mailtrack.testing._contract.helpers",
            "from mailtrack.testing._contract import pixels",
            "No cycles among siblings",
        ),
        ("mailtrack.cli._commands.keys", "import mailtrack.cli._commands.serve", "Commands do not import each other"),
        ("mailtrack", "from mailtrack.testing import StorageContract", "Only tests import the suites for tests"),
        (
            "mailtrack_wsgi._api",
            "def lazily():\n    import mailtrack.testing",
            "Only tests import the suites for tests",
        ),
        (
            "mailtrack_wsgi._api",
            "from mailtrack.storage._sqlite import connections",
            "Only storages and the doctor know the tables",
        ),
        (
            "mailtrack._export",
            "from mailtrack.storage._memory import shelf",
            "Only storages and the doctor know the tables",
        ),
        ("mailtrack_wsgi._tracker_urls", "import mailtrack_wsgi._proxies", "The path of a beacon holds no framework"),
    ],
)
def test_a_wrong_import_breaks_a_contract(module, text, broken, plant, check) -> None:
    plant(module, text)
    assert check(broken).broken_count == 1


def test_the_contracts_see_every_module(check) -> None:
    seen = check("").graph.modules
    paths = (path.relative_to(ROOT / "src").with_suffix("") for path in (ROOT / "src").rglob("*.py"))
    modules = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    assert modules == {one for one in seen if one.partition(".")[0] in ("mailtrack", "mailtrack_wsgi")}


def test_every_package_has_rows_for_its_modules(check) -> None:
    graph = check("").graph
    held = {one["containers"][0] for one in LAYERS if one["exhaustive"]}
    assert set(_packages(graph)) == held | set(FREE)


def test_every_library_has_a_room(check) -> None:
    graph = check("").graph
    libraries = {one for one in graph.modules if graph.is_module_squashed(one)} - sys.stdlib_module_names
    held = {name for one in ROOMS for name in one["protected_modules"]}
    assert libraries - {"_typeshed"} == held - sys.stdlib_module_names | EVERYWHERE


def test_no_module_imports_a_package_that_it_lies_in(check) -> None:
    graph = check("").graph
    inside = {
        one: graph.find_modules_that_directly_import(one) & graph.find_descendants(one) for one in _packages(graph)
    }
    assert {package: modules for package, modules in inside.items() if modules} == {}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT / "src"))
        for path in sorted((ROOT / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.environb", "os.getenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {one.name for one in node.names} & {"environ"})
    ]
    assert set(readers) == {"mailtrack/cli/_settings.py"}
