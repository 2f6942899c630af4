"""`pixel_tag`: the tag of a pixel's image."""

import pytest

from mailtrack import InvalidArgument
from mailtrack.mail import pixel_tag

URL = "https://mail.example.com/track/tracker/a1b2c3d4.png?token=tok_0"


def test_a_tag_has_the_url_and_the_size_of_the_transparent_image():
    assert pixel_tag(URL) == f'<img src="{URL}" width="1" height="1" border="0" alt="">'


@pytest.mark.parametrize("size", [(600, 90), [600, 90]])
def test_a_tag_has_the_size_of_a_pixels_own_image(size):
    assert pixel_tag(URL, size) == f'<img src="{URL}" width="600" height="90" border="0" alt="">'


def test_characters_with_a_meaning_in_html_are_escaped():
    tag = pixel_tag("""https://mail.example.com/tracker/a.png?a=1&b="'<>""")
    assert 'src="https://mail.example.com/tracker/a.png?a=1&amp;b=&quot;&#x27;&lt;&gt;" ' in tag


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "/tracker/a1b2c3d4.png", "//mail.example.com/a.png", "https:///a.png", "https://[/a.png"),
        *("javascript:alert(1)", "data:image/png;base64,AA", "cid:pixel", "{{ url }}"),
        *("https://mail.example.com/a b.png", "https://mail.example.com/a\nb", "https://mail.example.com/ä.png"),
        *("https://mail.example.com:x/a.png", b"https://mail.example.com/a.png", None),
    ],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(InvalidArgument, match=r"^url "):
        pixel_tag(url)


@pytest.mark.parametrize("size", [(0, 1), (1, 70_000), (1,), (1, 2, 3), ("1", "1"), (1.5, 1), 7, "11"])
def test_a_size_that_no_image_has_is_refused(size):
    with pytest.raises(InvalidArgument, match=r"^size "):
        pixel_tag(URL, size)
