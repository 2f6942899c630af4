"""The benchmarks import names that exist: they are run by hand, so nothing else would notice one that has moved."""

import ast
import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_exists(path: Path) -> None:
    missing = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found = find_names(node.module)
            missing += [f"{node.module}.{one.name}" for one in node.names if found and one.name not in found]
    assert not missing


def find_names(module: str) -> set[str]:
    """Return the names in a module of ours, or of the benchmarks; none for one of others, which may not be here."""
    if module.partition(".")[0] in ("mailtrack", "mailtrack_wsgi"):
        package = importlib.import_module(module)
        inside = [Path(one) for one in getattr(package, "__path__", ())]
        return set(dir(package)) | {path.stem for folder in inside for path in folder.iterdir()}
    path = FOLDER / f"{module}.py"
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined = (ast.FunctionDef, ast.ClassDef)
    imported = {
        one.asname or one.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for one in node.names
    }
    return names | imported | {node.name for node in ast.walk(tree) if isinstance(node, defined)}
