"""`embed`: where the tag goes, which older ones it replaces, and that nothing else changes."""

import logging

import pytest

from mailtrack import InvalidArgument
from mailtrack.mail import embed, pixel_tag

BASE = "https://mail.example.com/track"
URL = f"{BASE}/tracker/a1b2c3d4.png?token=tok_{'0' * 32}"
OTHER = f"{BASE}/tracker/ffffffff.png?token=tok_{'f' * 32}"
TAG = pixel_tag(URL)


def check(expected: str, where: str) -> None:
    """Check that the tag goes where the arrow is, and that embedding twice is embedding once."""
    html = expected.replace("→", "")
    embedded = embed(html, URL, where)
    assert embedded.replace(TAG, "→") == expected
    assert embed(embedded, URL, where) == embedded


@pytest.mark.parametrize(
    "html",
    [
        "<html><body>→Hello</body></html>",
        "<HTML><BODY BGCOLOR=WHITE>→Hello</BODY></HTML>",
        "<body\r\n\tstyle='color:red'\r\n>→\r\nHello",
        '<body title="a > b" class=x>→Hello',
        "<body title='a > b'>→Hello",
        "<body data-a=it's>→Hello",
        '<body a"b>→c">',
        "<body/>→",
        "<body / class='>'/>→",
        "<html><body>→one<body>two</body></body></html>",
        "<html><head></head><p>Hello<body>→",
        "<!--<body>--><body>→Hello",
        "<!--[if mso]><body class='mso'><![endif]--><body>→Hello",
        "<!-- > <body> --><body>→Hello",
        "<!--><body>→-->",
        "<!---><body>→-->",
        "<!-- --!><body>→-->",
        "<![CDATA[ > <body> ]]><body>→Hello",
        "<script>'<body>'</script><body>→Hello",
        "<style>/* <body> */</STYLE ><body>→Hello",
        "<title><body></title><body>→Hello",
        "<textarea><body></textarea><body>→Hello",
        "<noscript><body></noscript><body>→Hello",
        "<template><body></template><body>→Hello",
        "<iframe><body></iframe><body>→Hello",
        "<meta content='<body>'><body>→Hello",
        '<meta content="<body>"><body>→Hello',
        '<a href=x?a=">"<body>→',
        "<bodyguard><body>→Hello",
        "</body><body>→Hello",
        "< body><body>→Hello",
        "<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'><head/><body>→Hello",
        "<noscript><body>→an element without an end hides nothing",
        "\ufeff<html><body>→Hello",
    ],
)
def test_the_top_is_behind_the_start_tag_of_the_body(html):
    check(html, "top")


@pytest.mark.parametrize(
    "html",
    [
        "→",
        "→Hello",
        "→  \n Hello",
        "→<p>Hello</p>",
        "\ufeff→<p>Hello</p>",
        "<!doctype html>→\nHello",
        "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Transitional//EN'><html><head><title>x</title></head>→<p>Hello",
        "<!-- by hand --><!doctype html>→<p>Hello",
        "<?xml version='1.0'?>→<p>Hello",
        "<html>→<p>Hello",
        "<html><head>→<p>Hello",
        "<head><meta charset=utf-8><title>x</title><style>p {}</style><link rel=x>→<p>Hello",
        "<head><title>x</title>→Hello</head>",
        "<style>p {}</style>→<p>Hello",
        "<head></head>→<!-- body --><p>Hello",
        "<html><head></head>→<frameset cols='*'><noframes><body></noframes></frameset></html>",
        "{{ greeting }}<!doctype html><head></head>→<p>Hello",
        "→<p>Hello<!-- <body>",
        "→<!--<![endif]> never closed",
        "→<p>Hello<title>never closed <body>",
        "→<p>Hello<a title='never closed <body>",
        "<head><noscript><style></style></noscript><meta charset=utf-8>→<p>Hello",
    ],
)
def test_the_top_without_a_body_is_behind_doctype_and_head(html):
    check(html, "top")


@pytest.mark.parametrize(
    "html",
    [
        "<!--[if !mso]><!--><body><!--<![endif]-->→Hello",
        "<!--[if mso]><body class='mso'><![endif]--><!--[if !mso]><!--><body>\r\n<!--<![endif]-->→\r\nHello",
        "<![if !mso]><body><![endif]>→Hello",
    ],
)
def test_the_top_is_behind_the_condition_by_which_outlook_skips_the_body(html):
    check(html, "top")


@pytest.mark.parametrize(
    "html",
    [
        "<body>Hello→</body></html>",
        "<BODY>Hello→</BODY\n></HTML>",
        "<body>Hello</body>quoted<body>→</body>",
        "<body>Hello→</body><!-- </body> --><script>'</body>'</script>",
        "<body>Hello→</html>",
        "<p>Hello</p>→",
        "<p>Hello</p>\n→",
        "<p>Hello→<!-- never closed </body>",
        "<p>Hello→</",
        "<p>Hello→<a href='",
        "Is 1 <→",
        "→",
    ],
)
def test_the_bottom_is_before_the_last_end_of_the_body_or_at_the_end(html):
    check(html, "bottom")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>{{ pixel }}</p>", "<p>→</p>"),
        ("<!-- {{ pixel }} --><p title='{{ pixel }}'>{{ pixel }}", "<!-- {{ pixel }} --><p title='{{ pixel }}'>→"),
        ("<style>{{ pixel }}</style><noscript>{{ pixel }}</noscript>{{ pixel }}",
         "<style>{{ pixel }}</style><noscript>{{ pixel }}</noscript>→"),
        ("{{ pixel }}{{ pixel }}", "→{{ pixel }}"),
    ],
)  # fmt: skip
def test_a_placeholder_is_replaced_where_a_tag_can_stand(html, expected):
    embedded = embed(html, URL, "{{ pixel }}")
    assert embedded == expected.replace("→", TAG)


def test_a_placeholder_may_be_a_comment_or_an_element():
    assert embed("<p>a<!-- pixel -->b", URL, "<!-- pixel -->") == f"<p>a{TAG}b"
    assert embed("<p>a<i id='p'></i>b", URL, "<i id='p'></i>") == f"<p>a{TAG}b"


@pytest.mark.parametrize(
    "html",
    ["", "<p>Hello</p>", "<!-- {{ pixel }} -->", "<img src='{{ pixel }}'>", "<title>{{ pixel }}</title>", "{{ pixel"],
)
def test_a_placeholder_that_does_not_occur_in_the_text_is_an_error(html):
    with pytest.raises(ValueError, match="where must be"):
        embed(html, URL, "{{ pixel }}")


def test_embedding_twice_in_place_of_a_placeholder_is_embedding_once():
    embedded = embed(f"<p>{{{{ pixel }}}}<blockquote>{pixel_tag(OTHER)}", URL, "{{ pixel }}")
    assert embedded == f"<p>{TAG}<blockquote>"
    assert embed(embedded, URL, "{{ pixel }}") == embedded
    with pytest.raises(ValueError, match="where must be"):
        embed(embedded, OTHER, "{{ pixel }}")


@pytest.mark.parametrize(
    "old",
    [
        pixel_tag(OTHER),
        pixel_tag(URL),
        pixel_tag(OTHER, (600, 90)),
        f"<IMG ALT='' SRC='{OTHER}'>",
        f"<img\r\nsrc={OTHER}\r\n/>",
        f'<img src="{OTHER}&amp;utm=1">',
        f'<img src=" {OTHER.replace("/", "&#x2F;").replace("https", "HTTPS")} ">',
        f'<img src="{BASE}/tracker/a1b2c3d4-e5f6-7890-1234-567890abcdef.png">',
        f'<img src="{BASE}/tracker/a1b2c3d4" src="other">',
        f'<img alt="a > b" style="x" data-x src = "{OTHER}" width=1>',
    ],
)
def test_older_tags_of_the_tracker_are_replaced_wherever_they_stand(old):
    html = f"<body>Hello{old}<blockquote>{old}{old}</blockquote><noscript>{old}</noscript></body>"
    assert embed(html, URL) == f"<body>{TAG}Hello<blockquote></blockquote><noscript></noscript></body>"


@pytest.mark.parametrize(
    "other",
    [
        f"<!-- {pixel_tag(OTHER)} -->",
        f"<!--[if mso]>{pixel_tag(OTHER)}<![endif]-->",
        f"<title>{pixel_tag(OTHER)}</title>",
        f"<a title='{pixel_tag(OTHER)}'>",
        '<img src="https://other.example.com/track/tracker/a1b2c3d4.png">',
        '<img src="https://mail.example.com/track/tracker2/a1b2c3d4.png">',
        '<img src="https://mail.example.com/track/uploads/a1b2c3d4.png">',
        f'<img src="other.png" src="{OTHER}">',
        f'<img alt="{OTHER}">',
        f'<a href="{OTHER}">',
        f'<image src="{OTHER}">',
        f'<img src="{"&#" + "9" * 5000}{OTHER}">',
    ],
)
def test_all_other_images_and_what_stands_in_comments_stay(other):
    assert embed(f"<body>{other}</body>", URL) == f"<body>{TAG}{other}</body>"


def test_older_tags_of_a_url_that_mailtrack_has_not_made_are_those_with_another_query():
    html = '<p><img src="https://example.com/open.gif?id=1"><img src="https://example.com/open.gif2">'
    embedded = embed(html, "https://example.com/open.gif?id=2")
    assert embedded == pixel_tag("https://example.com/open.gif?id=2") + '<p><img src="https://example.com/open.gif2">'


def test_an_older_tag_stays_where_its_removal_would_make_a_tag_of_the_text_around_it():
    html = f"<p>1 <{pixel_tag(OTHER)}b> 2"
    assert embed(html, URL) == TAG + html


def test_a_pixels_own_image_gets_its_size():
    assert embed("<p>", URL, size=(600, 90)) == f"{pixel_tag(URL, (600, 90))}<p>"


@pytest.mark.parametrize("arguments", [(b"<p>", URL), (None, URL), ("<p>", URL, ""), ("<p>", URL, None), ("<p>", "x")])
def test_what_is_no_text_is_refused(arguments):
    with pytest.raises(InvalidArgument):
        embed(*arguments)


@pytest.mark.parametrize("where", ["top", "bottom"])
def test_html_that_gmail_clips_is_logged_as_a_warning(caplog, where):
    with caplog.at_level(logging.INFO, "mailtrack.mail"):
        embed("ä" * 50_900, URL, where)
        assert caplog.messages == []
        embed("ä" * 51_000, URL, where)
    assert [(one.name, one.levelname) for one in caplog.records] == [("mailtrack.mail", "WARNING")]
    assert "102 kB" in caplog.text


@pytest.mark.parametrize(
    "piece",
    [
        *("<", "<!--", "<body ", '"', "'", '<a b="', "<a b='", "<a =", "<![CDATA[", "<![CDATA[>", "<style>"),
        *("</style ", "<style></style ", "<noscript>", "<noscript></noscript ", "<template><noscript>", "<!doctype "),
        *("<?", "</"),
        *("<!-- -", "<p a=b", "<p a=\"\"", "<img src=\"/tracker/", f"<{pixel_tag(OTHER)}", pixel_tag(OTHER)),
        "{{ pixel }}",
        *("<!--{{ pixel }}-->", "<title>", "&#x", "<head>", "\r\n", "]]>", "-->", "<img src=x>", "<![endif]-->"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["top", "bottom", "{{ pixel }}"])
def test_hostile_text_takes_linear_time(piece, where):
    """A quadratic step in one of them would take hours."""
    html = (piece * (1_000_000 // len(piece)))[:1_000_000]
    if where == "{{ pixel }}":
        html += ">'>\"></title></style>-->]]>{{ pixel }}"
    assert TAG in embed(html, URL, where)
