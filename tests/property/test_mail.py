"""Embedding a tag in HTML changes nothing else, and the tag is an image for parsers that mailtrack does not use."""

import html5lib
from hypothesis import given
from hypothesis import strategies as st

from mailtrack.mail import embed, pixel_tag

BASE = "https://mail.example.com/track"
URL = f"{BASE}/tracker/a1b2c3d4.png?token=tok_{'0' * 32}"
TAG = pixel_tag(URL)
OLD = f"<IMG width=1 src=\"{BASE}/tracker/ffffffff.png?token=tok_{'f' * 32}&amp;x\" alt='>'/>"

# What markup is made of, whole and broken.
PIECES = [
    *("<", ">", "</", "<!", "<?", "/>", "=", '"', "'", "&", "&amp;", "--", "-->", "--!>", "\r\n"),
    *(" ", "x", "ä", "\ufeff"),
    *("<!--", "<!-->", "<!--[if mso]>", "<![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->", "<![endif]>"),
    *("<!doctype html>", "<?xml version='1.0'?>", "<html>", "</html>", "<head>", "</head>", "<body>", "</body>"),
    *("<BODY CLASS=x>", "<body title='>'>", '<body title=">"', "<body\n", "<p>", "</p>", "<p", "<br/>", "<a href=x>"),
    *("<title>", "</title>", "<style>", "</style>", "<script>", "</script>", "<textarea>", "</TEXTAREA >"),
    *("<noscript>", "</noscript>", "<meta charset=utf-8>", "<img src=x>", "<blockquote>", "</blockquote>", "<hr>"),
]  # fmt: skip
WITHOUT_OPEN_NOSCRIPT = [one for one in PIECES if "noscript" not in one] + ["<noscript>x<body></body></noscript>"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
WITH_OLDER = st.lists(st.sampled_from([*PIECES, OLD]), max_size=12).map("".join)
WHERE = st.sampled_from(["top", "bottom"])


class TestNothingElseChanges:
    @given(TEXTS, WHERE)
    def test_without_the_tag_the_text_is_as_it_was(self, html, where):
        embedded = embed(html, URL, where)
        assert embedded.count(TAG) == 1
        assert embedded.replace(TAG, "") == html

    @given(st.text() | st.text(st.sampled_from("<>!-/='\" \nbBoOdDyYhea[]?&")), WHERE)
    def test_that_holds_for_any_text(self, html, where):
        assert embed(html, URL, where).replace(TAG, "", 1) == html


class TestTwiceIsOnce:
    @given(WITH_OLDER, WHERE)
    def test_embedding_again_changes_nothing(self, html, where):
        embedded = embed(html, URL, where)
        assert embed(embedded, URL, where) == embedded


class TestTheTagIsAnImage:
    @given(WITH_OLDER, WHERE)
    def test_for_a_browsers_parser(self, html, where):
        """That of the HTML Standard, as html5lib implements it. Scripts are off in mail programs."""
        tree = html5lib.parse(embed(html, URL, where), namespaceHTMLElements=False)
        found = [image for image in tree.iter("img") if image.get("src", "").startswith(BASE)]
        assert [image.get("src") for image in found if image.get("alt") == ""] == [URL]

    @given(st.lists(st.sampled_from(WITHOUT_OPEN_NOSCRIPT), max_size=12).map("".join), WHERE)
    def test_it_stands_in_the_body_but_not_in_what_is_hidden(self, html, where):
        tree = html5lib.parse(embed(html, URL, where), namespaceHTMLElements=False)
        assert sum(image.get("src") == URL for image in tree.find("body").iter("img")) == 1
        assert not any(image.get("src") == URL for hidden in tree.iter("noscript") for image in hidden.iter("img"))
