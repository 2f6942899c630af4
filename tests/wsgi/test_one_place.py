"""Paths and headers that other modules rely on are written in one place each."""

import ast
from functools import cache
from pathlib import Path

import pytest

import mailtrack
import mailtrack_wsgi
from mailtrack_wsgi._beacon import HEADERS

PACKAGES = [Path(package.__file__).parent for package in (mailtrack, mailtrack_wsgi)]
ELSEWHERE = {"cli"}  # the application's messages name paths to people


@cache
def texts(path: Path) -> list[str]:
    """Return the texts of a module without its docstrings, or a whole template or script."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [source]
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [node.value for node in constants if isinstance(node.value, str)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/tracker/", "mailtrack/_urls.py"),
        ("/uploads/", "mailtrack/_urls.py"),
        (".limits", "mailtrack_wsgi/_rate_limit/limiter.py"),
        ("/static/", "mailtrack_wsgi/_paths.py"),
        ("/api/v1/pixels", "mailtrack_wsgi/_paths.py"),
        ("/api/v1/openapi.json", "mailtrack_wsgi/_paths.py"),
        (HEADERS["Cache-Control"], "mailtrack_wsgi/_beacon.py"),
        ("WWW-Authenticate", "mailtrack_wsgi/_auth.py"),
    ],
)
def test_it_is_written_in_one_module(text, place):
    files = [
        (f"{package.name}/{path.relative_to(package).as_posix()}", path)
        for package in PACKAGES
        for path in package.rglob("*.*")
        if path.suffix in (".py", ".html", ".js") and path.relative_to(package).parts[0] not in ELSEWHERE
    ]
    found = {name for name, path in files if any(text in part for part in texts(path))}
    if text == "WWW-Authenticate":
        found.discard("mailtrack_wsgi/_openapi/errors.py")  # documents the header
    assert found == {place}
