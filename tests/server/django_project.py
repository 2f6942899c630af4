"""Makes the project of docs/django.md in a folder."""

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "django.md"
PAGE = DOCS.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def block(text: str) -> str:
    """Return the one block of the page that has a text in it."""
    (found,) = (one for one in BLOCKS if text in one)
    return found


def template() -> str:
    """Return the template of the page."""
    (found,) = re.findall(r"^```html\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def make_project(folder: Path) -> None:
    """Make the project `shop` with the settings and URLs of the page."""
    run(folder, "-m", "django", "startproject", "shop", ".")
    for name, text in (("settings.py", "INSTALLED_APPS"), ("urls.py", "urlpatterns")):
        with (folder / "shop" / name).open("a", encoding="utf-8") as file:
            file.write("\nfrom django.urls import include\n" if name == "urls.py" else "\nALLOWED_HOSTS = ['*']\n")
            file.write(block(text))


def run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
