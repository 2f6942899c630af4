"""The figures of docs/verdicts.md are those of `benchmarks/verdicts.py --markdown`, which needs other tools.

Here only ours are computed again. They may be three hits off, so that a better rule needs no new page.
"""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACCURACY = runpy.run_path(str(ROOT / "benchmarks" / "accuracy.py"))
PAGE = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")


def table(name):
    """Return the rows of a set's table on the page."""
    found = re.search(rf"^\| [\d,]+ {name} hits \|(?:.*\n\|)*.*", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()]


def expected(name):
    """Return the rows of a set's table as the script makes them, of ours alone."""
    hits = ACCURACY["read"](name)
    ours = {ACCURACY["OURS"]: ACCURACY["make_mailtrack"]()}
    return [ACCURACY["header"](name, hits, ours), *ACCURACY["rows"](hits, ours)]


def figure(cell):
    return float(cell.rstrip(" %").replace(",", ""))


@pytest.mark.parametrize("name", list(ACCURACY["SETS"]))
def test_the_table_has_the_sets_rows_and_the_lists_compared_with(name):
    head, _, *rows = table(name)
    first, *others = expected(name)
    assert head[0] == first[0]
    assert head[1:] == ["mailtrack", "isbot", "crawler-user-agents", "device_detector"]
    assert [row[0] for row in rows] == [row[0] for row in others]
    assert {len(row) for row in rows} == {5}


@pytest.mark.parametrize("name", list(ACCURACY["SETS"]))
def test_our_figures_are_those_of_the_rules(name):
    found = {row[0]: row[1] for row in table(name)}
    (first, _), *others = expected(name)
    for measure, ours in others:
        of_some = re.search(r"\(([\d,]+)\)", measure)
        number = of_some[1] if of_some else first.split()[0]  # of hits that are measured
        hits = int(number.replace(",", "")) / 100 if ours.endswith("%") else 1
        assert hits * figure(found[measure]) == pytest.approx(hits * figure(ours), abs=3.1), measure
