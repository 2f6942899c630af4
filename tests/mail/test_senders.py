"""`embed` on mails as real programs write them. In the files, ¤ is where the tag goes, and {old} an older one."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from mailtrack.mail import embed, pixel_tag

BASE = "https://mail.example.com/track"
URL = f"{BASE}/tracker/a1b2c3d4.png?token=tok_{'0' * 32}"
OLD = pixel_tag(f"{BASE}/tracker/ffffffff.png?token=tok_{'f' * 32}")
FILES = sorted((Path(__file__).parent / "senders").glob("*.html"))


class Images(HTMLParser):
    """Collects the sources of images, as a second opinion on what is a tag."""

    def __init__(self, html):
        super().__init__()
        self.sources = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.sources.append(dict(attributes).get("src"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def expected(request):
    with request.param.open(encoding="utf-8", newline="") as file:
        return file.read()


def test_the_tag_is_the_only_change(expected):
    html = expected.replace("¤", "").replace("{old}", "")
    assert embed(html, URL) == expected.replace("¤", pixel_tag(URL)).replace("{old}", "")


def test_the_tag_replaces_older_ones_and_itself(expected):
    old = expected.replace("{old}", OLD).replace("¤", OLD)
    once = embed(old, URL)
    assert once == expected.replace("¤", pixel_tag(URL)).replace("{old}", "")
    assert embed(once, URL) == once


@pytest.mark.parametrize("where", ["top", "bottom"])
def test_another_parser_finds_the_tag_once(expected, where):
    html = embed(expected.replace("¤", "").replace("{old}", OLD), URL, where)
    assert [one for one in Images(html).sources if one and one.startswith(BASE)] == [URL]
