"""How Sphinx builds the documentation as a site: `nox -s docs`.

The pages are plain Markdown, readable on a code host as they are. The source folder is the root of the repository, so
that the same links lead from page to page in both. The kinds of pages in the sidebar are the sections of
`docs/README.md`.
"""

import builtins
import importlib
import re
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from types import FunctionType
from typing import Generic, Protocol

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.roles import XRefRole
from sphinx.util.docutils import SphinxRole

import mailtrack

DOCS = Path(__file__).parent
REFERENCE = "docs/python-reference"
"""The page that lists the packages whose names users import, and the pages that document them."""

project = "mailtrack"
version = release = mailtrack.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
root_doc = "docs/README"
include_patterns = ["*.md", "docs/**", "examples/**.md", "benchmarks/*.md"]
exclude_patterns = [".*", "src", "tests", "typing_tests"]
nitpicky = True

# Pages
myst_heading_anchors = 4  # as code hosts make them
highlight_language = "text"  # of blocks that name no language
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

# Docstrings
default_role = "name"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True  # as in the source
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes are listed with their class

ELSEWHERE = {*sys.stdlib_module_names, *dir(builtins), *packages_distributions()} - {"mailtrack", "mailtrack_wsgi"}
nitpick_ignore_regex = [
    # Python and other projects are documented elsewhere, and without network there is no index of them.
    ("py:.*", rf"({'|'.join(sorted(map(re.escape, ELSEWHERE)))}|ImproperlyConfigured)(\..*)?"),
    ("py:class", r"mailtrack\._model\.T"),  # the type of the items in a `Page`
]

# Look
html_theme = "furo"
html_title = f"mailtrack {release}"
html_extra_path = ["site"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}


def read_doors() -> list[str]:
    """Return the packages that users import from."""
    text = (DOCS.parent / f"{REFERENCE}.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(mailtrack[\w.]*)` \|", text, re.MULTILINE)


def find_public_names() -> dict[str, str]:
    """Return the public name of each object that a door exports, by its own name, and by that of its private module.

    Where two doors export the same object, the first one documents it.
    """
    found: dict[str, str] = {}
    for door in read_doors():
        module = importlib.import_module(door)
        for name in module.__all__:
            value = getattr(module, name)
            found.setdefault(name, f"{door}.{name}")
            if isinstance(value, type | FunctionType):
                found.setdefault(f"{value.__module__}.{value.__qualname__}", f"{door}.{name}")
    return found


def read_constants() -> dict[str, list[str]]:
    """Return the docstrings of constants and types, which Python does not keep, by their names."""
    found: dict[str, list[str]] = {}
    for module in [name for name in sys.modules if name.partition(".")[0] in ("mailtrack", "mailtrack_wsgi")]:
        docstrings = ModuleAnalyzer.for_module(module).find_attr_docs()
        found |= {name: lines for (owner, name), lines in docstrings.items() if not owner}
    return found


PUBLIC = find_public_names()
CONSTANTS = read_constants()


def describe(_app: Sphinx, what: str, name: str, value: object, _options: object, lines: list[str]) -> None:
    """Give a constant its docstring, and add the public bases of a class to its own."""
    if what == "data":
        lines[:] = CONSTANTS[name.rpartition(".")[2]]
    if isinstance(value, type):
        bases = [base.__name__ for base in value.__bases__ if base not in (object, Generic, Protocol)]
        shown = [f"`{base}`" for base in bases if base in {*PUBLIC, *dir(builtins), "StrEnum"}]
        lines += ["", f"Derives from {' and '.join(shown)}.", ""] if shown else []


def shorten(
    _app: Sphinx, _what: str, _name: str, _value: object, _options: object, signature: str, annotation: str
) -> tuple[str, str] | None:
    """Leave out the defaults of a class that attrs has made, whose source does not show them."""
    return (re.sub(r"attr_dict\['\w+'\]\.default", "...", signature), annotation) if signature else None


class Name(SphinxRole):
    """Text between single backticks in a docstring: a link where it names something documented, else a literal."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the nodes for the text."""
        text = self.rawtext.strip("`")
        if re.fullmatch(r"docs/[\w/-]+\.md", text):
            page = "/" + text.removesuffix(".md")
            return XRefRole(warn_dangling=True)("std:doc", self.rawtext, page, self.lineno, self.inliner)
        if re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", text):
            return PyXRefRole()("py:obj", self.rawtext, text, self.lineno, self.inliner)
        return [nodes.literal(text, text)], []


def find_public(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Resolve a reference to what a private module defines or another door exports; a mere literal stays one."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    head, _, member = target.rpartition(".")
    for public in (PUBLIC.get(target), f"{PUBLIC[head]}.{member}" if head in PUBLIC else None):
        found = public and env.domains.python_domain.resolve_xref(
            env, node["refdoc"], app.builder, "obj", public, node, content
        )
        if found:
            return found
    return content if node["reftype"] == "obj" else None


def add_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """Add tables of contents: to the index one for each of its sections, and one to the Python reference."""
    if name == root_doc:
        for section in source[0].split("\n## ")[1:]:
            caption = section.partition(":")[0]
            source[0] += make_contents(caption, re.findall(r"\]\(([^)#]+\.md)\)", section))
    elif name == REFERENCE:
        pages = dict.fromkeys(re.findall(r"\((reference/\w+\.md)\)", source[0]))
        source[0] += make_contents("Python reference", pages)


def make_contents(caption: str, pages: Iterable[str]) -> str:
    """Return a table of contents that the sidebar shows and the page does not."""
    paths = [(DOCS / page).resolve().relative_to(DOCS.parent) for page in pages]
    entries = "\n".join(f"/{path}" for path in paths)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx."""
    app.add_role("name", Name())
    app.add_lexer("caddy", TextLexer)  # Pygments has none
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", describe, priority=600)  # after napoleon
    app.connect("autodoc-process-signature", shorten)
    app.connect("missing-reference", find_public)
