"""Draw the pictures of the pages in `images/`, from what `mailtrack demo` shows. Run it after a change of the pages.

Needs the group `browser`, the system's Chromium, and Pillow, which mailtrack needs itself.
"""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
COLOURS = 128
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
REJECTED = "dora@example.org\nbob at example.org\ncara@example"


class Picture(NamedTuple):
    """A picture: the title under which the demo prints the page, and the size of the window."""

    title: str
    width: int
    height: int


PICTURES = {
    "dashboard": Picture("Dashboard", 1180, 720),
    "log": Picture("Log and figures", 1180, 1320),
    "recipients": Picture("Recipients", 1180, 860),
    "webhooks": Picture("Webhooks", 1180, 520),
    "reference": Picture("API reference", 1280, 790),
}


@contextmanager
def demo() -> Iterator[dict[str, str]]:
    """Run the demo, and yield the URLs that it prints by their titles."""
    command = [sys.executable, "-m", "mailtrack", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own
        try:
            urls: dict[str, str] = {}
            while "A mail's image" not in urls:
                urls |= re.findall(r"^  (.+?)  +(http://\S+)$", process.stdout.readline(), re.MULTILINE)
            yield urls
        finally:
            process.terminate()


def save(page: Page, name: str) -> None:
    """Save what the window shows, in few colours."""
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        small = shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Draw all pictures."""
    with demo() as urls, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        for name, picture in PICTURES.items():
            size = {"width": picture.width, "height": picture.height}
            context = browser.new_context(viewport=size, locale="en-US", timezone_id="UTC", color_scheme="light")
            page = context.new_page()
            page.goto(urls[picture.title])
            if name == "recipients":
                page.get_by_label("Addresses", exact=True).fill(REJECTED)
                page.get_by_role("button", name="Add recipients").click()
                page.get_by_text("were rejected").wait_for()
                page.evaluate("scrollTo(0, 0)")
            save(page, name)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
