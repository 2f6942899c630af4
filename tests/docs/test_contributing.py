"""What CONTRIBUTING.md and the workflow of CI say is what noxfile.py, `.ci/run` and the code have."""

import ast
import inspect
import re
import tomllib
from pathlib import Path

from mailtrack import Tracker

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def sessions() -> dict[str, str | None]:
    """Return the sessions of noxfile.py, in their order, each with its tag."""
    found = {}
    for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            (decorator,) = node.decorator_list
            assert ast.unparse(decorator).startswith("nox.session")
            options = {one.arg: one.value for one in decorator.keywords} if isinstance(decorator, ast.Call) else {}
            found[node.name] = ast.literal_eval(options["tags"])[0] if "tags" in options else None
    return found


def test_each_session_of_nox_is_in_the_table_in_its_order() -> None:
    assert re.findall(r"^\| `nox -s (\w+)` \|", CONTRIBUTING, re.MULTILINE) == list(sessions())


def test_the_table_says_which_sessions_run_alone_and_in_ci() -> None:
    rows = re.findall(r"^\| `nox -s (\w+)` \|.*\| (?:`(\S+)`.*)?\|$", CONTRIBUTING, re.MULTILINE)
    tags = {"nox": "quick", ".ci/run": "long"}
    assert {name: tags.get(part) for name, part in rows} == sessions()


def test_ci_runs_the_sessions_of_both_tags() -> None:
    assert set(sessions().values()) == {"quick", "long", None}
    assert ".venv/bin/nox --tags long\n" in CI
    assert "for tag in quick long; do" in CI


def test_the_workflow_names_no_session_of_its_own() -> None:
    assert re.findall(r"\.ci/run (\S+)", WORKFLOW.partition("name: CI")[2]) == ['--list)"', '"$SESSION"']


def test_the_workflow_installs_each_supported_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = [one.rpartition(" ")[2] for one in project["classifiers"] if re.search(r"Python :: 3\.\d", one)]
    assert re.findall(r"^ +(3\.\d+)$", WORKFLOW, re.MULTILINE) == supported


def test_the_workflow_pins_each_action_to_a_commit() -> None:
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used
    assert [one for one in used if not re.search(r"@[0-9a-f]{40}$", one)] == []


def test_the_docstring_shown_as_the_pattern_is_that_of_the_code() -> None:
    (shown,) = re.findall(r"^```text\n(.*?)\n```$", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    assert shown == inspect.getdoc(Tracker.report)


def test_each_place_in_the_list_exists() -> None:
    section = CONTRIBUTING.partition("## Where things are")[2].partition("\n## ")[0]
    folder, places = ROOT, []
    for indent, place in re.findall(r"^( *)- `([^`]+)`", section, re.MULTILINE):
        folder = ROOT / "src" / "mailtrack" if indent else ROOT
        places.append(folder / place)
    assert len(places) > 10
    assert [str(place) for place in places if not place.exists()] == []
