"""Draw docs/images/layers.svg from the contract on the layers in pyproject.toml and the imports in src.

Run `python docs/draw_layers.py` after a change of either; tests/docs/test_architecture.py compares the picture.
"""

import textwrap
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "layers.svg"

WIDTH = 1000
GAP = 22  # between boxes and lines of a row
ROW_GAP = 26
MARGIN = 16
LANE = 2  # the width of an arrow that passes a row
LETTER, SMALL_LETTER = 7.8, 5.9  # the widths of a letter
WRAP = 42  # letters in a line of module names
SWEEPS = 24
GROUND = "mailtrack._addresses"  # in the uppermost row of those without arrows: most modules import these


class Lane(NamedTuple):
    """The place of an arrow in a row that it passes."""

    importer: str
    imported: str
    row: int


Node = str | Lane


def read_rows(configuration: Path) -> list[list[str]]:
    """Return the boxes of each row, the uppermost first, with the adapter below the command line."""
    contracts = tomllib.loads(configuration.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one.get("containers") == ["mailtrack"])
    rows = [[f"mailtrack.{name.strip(' ()')}" for name in row.split("|")] for row in layers]
    rows.insert(rows.index(["mailtrack.cli"]) + 1, ["mailtrack_wsgi"])
    return rows


def find_imports(graph: grimp.ImportGraph, boxes: set[str]) -> dict[str, set[str]]:
    """Return what each box imports, without the imports that follow from others."""

    def box_of(module: str) -> str:
        return next((box for box in boxes if module == box or module.startswith(f"{box}.")), "")

    direct: dict[str, set[str]] = {box: set() for box in boxes}
    for module in graph.modules:
        importer = box_of(module)
        for imported in map(box_of, graph.find_modules_directly_imported_by(module)):
            if importer and imported and importer != imported:
                direct[importer].add(imported)

    def below(box: str) -> set[str]:
        return direct[box].union(*map(below, direct[box]))

    return {box: found - set().union(*map(below, found)) for box, found in direct.items()}


def lay_out(rows: list[list[str]], imports: dict[str, set[str]]) -> tuple[list[list[Node]], list[list[Node]]]:
    """Return the nodes of each row from left to right, with lanes for the arrows that pass it, and all arrows."""
    place = {box: number for number, row in enumerate(rows) for box in row}
    nodes: list[list[Node]] = [[*row] for row in rows]
    arrows: list[list[Node]] = []
    for importer, found in sorted(imports.items()):
        for imported in sorted(found):
            lanes = [Lane(importer, imported, row) for row in range(place[importer] + 1, place[imported])]
            for lane in lanes:
                nodes[lane.row].append(lane)
            arrows.append([importer, *lanes, imported])
    linked: dict[Node, tuple[list[Node], list[Node]]] = {node: ([], []) for row in nodes for node in row}
    for arrow in arrows:
        for upper, lower in pairwise(arrow):
            linked[upper][1].append(lower)
            linked[lower][0].append(upper)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for number in range(1, len(nodes)) if down else range(len(nodes) - 2, -1, -1):
            beside = nodes[number - 1 if down else number + 1]
            order = {node: at / len(beside) for at, node in enumerate(beside)}
            own = {node: at / len(nodes[number]) for at, node in enumerate(nodes[number])}
            for node in nodes[number]:
                if neighbours := linked[node][0 if down else 1]:
                    own[node] = sum(order[one] for one in neighbours) / len(neighbours)
            nodes[number].sort(key=own.__getitem__)
    return nodes, arrows


def lines_of(graph: grimp.ImportGraph, box: str) -> list[str]:
    """Return the names of the modules in a package, in lines."""
    names = sorted(child.removeprefix(f"{box}.") for child in graph.find_children(box))
    return textwrap.wrap(" ".join(names), WRAP)


class Picture:
    """The boxes of all rows with their places, and the arrows between them."""

    def __init__(self, graph: grimp.ImportGraph, rows: list[list[str]]) -> None:
        boxes = [box for row in rows for box in row]
        ground = boxes.index(GROUND)
        imports = find_imports(graph, set(boxes))
        arrows = {box: imports[box] - set(boxes[ground:]) if at < ground else set() for at, box in enumerate(boxes)}
        nodes, self.arrows = lay_out(rows, arrows)
        self.texts = {box: lines_of(graph, box) for box in boxes}
        self.left: dict[Node, float] = {}
        self.top: dict[Node, float] = {}
        self.bottom: dict[Node, float] = {}
        self.height = MARGIN
        for row in nodes:
            self._place(row)
        self.ground = self.top[GROUND] - ROW_GAP / 2

    def _place(self, row: list[Node]) -> None:
        heights = {node: 26 + 13 * len(self.texts[node]) for node in row if isinstance(node, str)}
        height = max(heights.values())
        widths = sum(map(self.width, row))
        gap = min(3 * GAP, (WIDTH - 2 * MARGIN - widths) / (len(row) + 1))
        x = (WIDTH - widths - gap * (len(row) - 1)) / 2
        for node in row:
            own = heights.get(node, height) if isinstance(node, str) else height
            self.left[node] = x
            self.top[node] = self.height + (height - own) / 2
            self.bottom[node] = self.top[node] + own
            x += self.width(node) + gap
        self.height += height + ROW_GAP

    def width(self, node: Node) -> float:
        """Return the width of a box or a lane."""
        if isinstance(node, Lane):
            return LANE
        letters = [len(label(node)) * LETTER, *(len(line) * SMALL_LETTER for line in self.texts[node])]
        return 20 + max(letters)

    def middle(self, node: Node) -> float:
        """Return the x of the middle of a box or a lane."""
        return self.left[node] + self.width(node) / 2

    def draw_arrow(self, arrow: list[Node]) -> str:
        """Return an arrow as SVG."""
        path = f"M{self.middle(arrow[0]):.0f},{self.bottom[arrow[0]]:.0f}"
        for upper, lower in pairwise(arrow):
            x, y = self.middle(lower), self.top[lower]
            between = (self.bottom[upper] + y) / 2
            path += f" C{self.middle(upper):.0f},{between:.0f} {x:.0f},{between:.0f} {x:.0f},{y:.0f}"
            if isinstance(lower, Lane):
                path += f" V{self.bottom[lower]:.0f}"
        return f'<path d="{path}"/>'

    def draw_box(self, box: str) -> str:
        """Return a box and its texts as SVG."""
        kind = "room" if label(box).startswith("_") else "door"
        x, y = self.middle(box), self.top[box]
        texts = [
            f'<text x="{x:.0f}" y="{y + 31 + 13 * at:.0f}">{line}</text>' for at, line in enumerate(self.texts[box])
        ]
        return "".join(
            [
                f'<rect class="{kind}" x="{self.left[box]:.0f}" y="{y:.0f}" width="{self.width(box):.0f}"',
                f' height="{self.bottom[box] - y:.0f}" rx="4"/>',
                f'<text class="name" x="{x:.0f}" y="{y + 17:.0f}">{label(box)}</text>',
                *texts,
            ]
        )


def label(box: str) -> str:
    """Return the name on a box."""
    return box.removeprefix("mailtrack.")


def draw() -> str:
    """Return the picture as SVG."""
    graph = grimp.build_graph("mailtrack", "mailtrack_wsgi", cache_dir=None)
    rows = [[box for box in row if box in graph.modules] for row in read_rows(ROOT / "pyproject.toml")]
    rows = [row for row in rows if row]
    picture = Picture(graph, rows)
    head = HEAD.format(width=WIDTH, height=round(picture.height), ground=round(picture.ground))
    arrows = map(picture.draw_arrow, picture.arrows)
    boxes = (picture.draw_box(box) for row in rows for box in row)
    return "\n".join([head, *arrows, *boxes, "</svg>", ""])


HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="monospace" text-anchor="middle">
<title>The layers of mailtrack: packages and modules, with arrows for imports</title>
<style>
path {{ fill: none; stroke: #8a97a8; stroke-width: 1.2; marker-end: url(#head) }}
rect {{ stroke: #44546a; fill: #fff }} rect.door {{ fill: #cfe3f7 }}
text {{ font-size: 9.8px; fill: #44546a }} text.name {{ font-size: 13px; font-weight: bold; fill: #111 }}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0,1 L7,4 L0,7" style="marker-end: none"/></marker></defs>
<rect width="{width}" height="{height}" style="stroke: none"/>
<rect y="{ground}" width="{width}" height="{height}" style="stroke: none; fill: #eef1f5"/>"""


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
