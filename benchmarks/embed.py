"""The time to embed a pixel's tag in a mail of 60 kB, against reading the mail once with `html.parser`."""

from functools import partial
from html.parser import HTMLParser

from common import BASE_URL, arguments, interleave, print_table, ratio_rows, seconds

from mailtrack.mail import embed

ROW = """<tr>\r
<td align="center" style="padding:0 24px 12px 24px;font-family:Arial,Helvetica,sans-serif;font-size:14px;">\r
<!--[if mso]><table width="600"><tr><td><![endif]-->\r
<a href="https://shop.example.com/?id={number}&amp;from=mail" target="_blank" style="color:#336699">Offer {number}</a>\r
<img src="https://shop.example.com/{number}.png" width="600" height="200" alt="A &gt; B" border=0 />\r
<p style="margin:0">Some words that people read in a newsletter, or do not.</p></td></tr>\r
"""
HEAD = """<!doctype html>\r
<html><head><meta charset="utf-8"><title>Spring</title>\r
<style>{style}</style></head>\r
<body style="margin:0" bgcolor="#ffffff">\r
"""
URL = f"{BASE_URL}/tracker/a1b2c3d4.png?token=tok_{'0' * 32}"


def make_mail(size: int) -> str:
    """Return a newsletter with so many characters: a tenth of it is style, and the rest is tables."""
    head = HEAD.format(style=".column td { padding: 0 }\r\n" * (size // 250))
    rows = "".join(ROW.format(number=number) for number in range(size // len(ROW) + 1))
    return f"{head}<table>{rows}"[: size - 30] + "</table></body></html>"


def measure(number: int, embed_once: partial[str]) -> float:
    def run() -> None:
        for _ in range(number):
            embed_once()

    return seconds(run)


def parse(mail: str) -> None:
    parser = HTMLParser()
    parser.feed(mail)
    parser.close()


def main() -> None:
    options = arguments(__doc__).parse_args()
    number = 100 if options.quick else 1000
    mail = make_mail(60_000)
    ours = {
        "embed at the top": partial(embed, mail, URL),
        "embed at the bottom": partial(embed, mail, URL, "bottom"),
        "embed in place of an older tag": partial(embed, embed(mail, URL.replace("a1b2c3d4", "ffffffff")), URL),
    }
    measures = {name: partial(measure, number, function) for name, function in ours.items()}
    comparand = "html.parser reads it"
    measures[comparand] = partial(measure, number, partial(parse, mail))
    found = interleave(measures, rounds=3 if options.quick else 5)
    for name in ours:
        rows = ratio_rows({one: found[one] for one in (name, comparand)}, name)
        print_table(f"{number:,} × {name}, {len(mail):,} characters", ("what", "ms", "ours is × this"), rows)


if __name__ == "__main__":
    main()
