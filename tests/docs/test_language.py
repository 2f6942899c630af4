"""The project's prose states its subjects and uses the field's verbs."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = 0.5 / 1000
"""The share of words to avoid. Write "return", "report" or "see" instead, and name the subject: a client, a user."""

_AVOIDED = re.compile(r"\b(?:tells?|told|telling|whoever|nobody|anybody|anyone|somebody)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_MESSAGE_WORDS = 3  # strings with fewer words are names or keys
_CODE_BLOCK = re.compile(r"^```.*?^```$|^\n(?: {4,}[^\n]*\n)+", re.MULTILINE | re.DOTALL)
_NOT_TEXT = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", re.DOTALL)
_SCRIPT_PROSE = re.compile(r"//.*|\"[^\"\n]*\"|`[^`\n]*`")

Line = tuple[int, str]


def python_prose(source: str) -> Iterator[Line]:
    """Yield the comments of a module, and its strings of several words: docstrings and messages."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if len(_WORD.findall(text)) >= _MESSAGE_WORDS:
            yield from enumerate(text.splitlines(), node.lineno)


def markdown_prose(source: str) -> Iterator[Line]:
    """Yield the lines of a page, with its code blocks blank."""
    yield from enumerate(_CODE_BLOCK.sub(_blank, source).splitlines(), 1)


def template_prose(source: str) -> Iterator[Line]:
    """Yield the lines of a template, without its tags."""
    yield from enumerate(_NOT_TEXT.sub(_blank, source).splitlines(), 1)


def script_prose(source: str) -> Iterator[Line]:
    """Yield the comments and strings of a script."""
    for number, line in enumerate(source.splitlines(), 1):
        yield from ((number, found) for found in _SCRIPT_PROSE.findall(line))


def toml_prose(source: str) -> Iterator[Line]:
    """Yield the lines of a data file: comments, keys and values."""
    yield from enumerate(source.splitlines(), 1)


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


READERS = {
    ".py": python_prose,
    ".md": markdown_prose,
    ".html": template_prose,
    ".toml": toml_prose,
    ".js": script_prose,
}


def sources() -> list[Path]:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]
    return sorted([*found, *(path for path in (ROOT / "src").rglob("*") if path.suffix in READERS)])


def avoided(lines: Iterator[Line]) -> tuple[int, list[Line]]:
    """Return the number of words, and the lines with words to avoid."""
    words, found = 0, []
    for number, line in lines:
        words += len(_WORD.findall(line))
        found += [(number, line.strip())] * len(_AVOIDED.findall(line))
    return words, found


def test_the_prose_avoids_the_words_of_a_dialect():
    words, offenders = 0, []
    for path in sources():
        number, found = avoided(READERS[path.suffix](path.read_text(encoding="utf-8")))
        words += number
        offenders += [f"{path.relative_to(ROOT)}:{line}: {text}" for line, text in found]
    assert len(offenders) <= words * MOST, f"{len(offenders)} in {words:,} words\n" + "\n".join(offenders)


@pytest.mark.parametrize(
    ("suffix", "source"),
    [
        (".py", '"""Tell the time."""'),
        (".py", "x = 1  # nobody knows"),
        (".py", 'raise ValueError("The server told nothing.")'),
        (".py", 'raise ValueError(f"{x} is what somebody wrote")'),
        (".md", "Whoever has a key can enter."),
        (".html", '<p class="x">{% if x %}Tell {{ name }}{% endif %}</p>'),
        (".md", "- An item\n    that nobody needs."),
        (".toml", 'text = "It tells nothing."'),
        (".js", "x = 1; // tells nothing"),
        (".js", 'x.text = "nobody";'),
    ],
)
def test_each_kind_of_prose_is_read(suffix, source):
    assert len(avoided(READERS[suffix](source))[1]) == 1


@pytest.mark.parametrize(
    ("suffix", "source"),
    [
        (".py", 'tell = read("told")'),
        (".md", "```python\nfile.tell()\n```\n\n    whoever = 1\n"),
        (".html", '<p class="tell">{{ anyone }}</p>'),
        (".js", "told = file.tell();"),
    ],
)
def test_code_is_not_prose(suffix, source):
    assert not avoided(READERS[suffix](source))[1]
