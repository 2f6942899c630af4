"""Lists of addresses, as typed by people and copied from mail programs."""

# a case is a line

import pytest

from mailtrack._addresses import canonical
from mailtrack._imports import parse

ANN, BOB, CARL = "ann@example.org", "bob@example.org", "carl@example.org"


def read(text, **options):
    """Return the distinct addresses of a text, and the numbers of the rejected lines."""
    entries = list(parse(text, canonical, **options).entries)
    found = {}
    for entry in entries:
        if entry.new is not None:
            found.setdefault(entry.new.email.lower(), entry.new.email)
    return list(found.values()), [entry.line for entry in entries if entry.new is None]


@pytest.mark.parametrize(
    ("text", "addresses", "rejected"),
    [
        pytest.param('"Lee, Ann" <ann@example.org>; "Lee, Bob" <bob@example.org>;', [ANN, BOB], [], id="outlook ; end"),
        pytest.param(
            "Müller, Änn <ann@example.org>; Łęe, Bob <bob@example.org>", [ANN, BOB], [], id="outlook nonascii"
        ),
        pytest.param(
            "'Lee, Ann' <ann@example.org>; 'bob@example.org' <bob@example.org>; 'carl@example.org'",
            [ANN, BOB, CARL],
            [],
            id="outlook quotes apostrophes",
        ),
        pytest.param(
            "Ann Lee [mailto:ann@example.org]; Bob [mailto:bob@example.org]", [ANN, BOB], [], id="outlook old [mailto]"
        ),
        pytest.param(
            "ann@example.org<mailto:ann@example.org>; bob@example.org<mailto:bob@example.org>",
            [ANN, BOB],
            [],
            id="outlook <mailto>",
        ),
        pytest.param(
            "To: Ann Lee <ann@example.org>, bob@example.org\nCc: carl@example.org", [ANN, BOB, CARL], [], id="to header"
        ),
        pytest.param("To:ann@example.org\nCc:bob@example.org", [ANN, BOB], [], id="to nospace"),
        pytest.param(
            'An: "Lee, Ann" <ann@example.org>; Bob <bob@example.org>\nCc: carl@example.org',
            [ANN, BOB, CARL],
            [],
            id="An: de",
        ),
        pytest.param(
            "To: Ann Lee <ann@example.org>,\n Bob Lee\n <bob@example.org>,\n\tcarl@example.org",
            [ANN, BOB, CARL],
            [],
            id="folded",
        ),
        pytest.param('To: "Lee,\n Ann" <ann@example.org>,\n bob@example.org', [ANN, BOB], [], id="folded quote"),
        pytest.param('ann@example.org, "Lee,\n Bob" <bob@example.org>', [ANN, BOB], [], id="folded in address list"),
        pytest.param(
            "=?UTF-8?Q?M=C3=BCller=2C_Ann?= <ann@example.org>, bob@example.org", [ANN, BOB], [], id="encoded words"
        ),
        pytest.param(
            "1. ann@example.org\n2. bob@example.org\n3) carl@example.org", [ANN, BOB, CARL], [], id="numbered"
        ),
        pytest.param("- ann@example.org\n* bob@example.org\n• carl@example.org", [ANN, BOB, CARL], [], id="bullets"),
        pytest.param("•ann@example.org\n–bob@example.org", [ANN, BOB], [], id="bullets tight"),
        pytest.param("Team: ann@example.org, bob@example.org;", [ANN, BOB], [], id="group"),
        pytest.param("ann@example.org (Ann Lee), bob@example.org (Lee, Bob)", [ANN, BOB], [], id="comment"),
        pytest.param("Ann Lee (ann@example.org); Bob (bob@example.org)", [ANN, BOB], [], id="comment addr"),
        pytest.param("[ann@example.org](mailto:ann@example.org)", [ANN], [], id="markdown"),
        pytest.param(
            '"ann@example.org" <ann@example.org>, "Bob (bob@example.org)" <bob@example.org>',
            [ANN, BOB],
            [],
            id="quoted addr",
        ),
        pytest.param("Please write to ann@example.org and bob@example.org.", [ANN, BOB], [], id="sentence"),
        pytest.param(
            '"Lee, Ann <ann@example.org>; "Lee, Bob" <bob@example.org>; carl@example.org',
            [ANN, BOB, CARL],
            [],
            id="unclosed quote first mailbox",
        ),
        pytest.param(
            '"Lee, Ann" <ann@example.org>; "Lee, Bob <bob@example.org>; "Lee, Carl" <carl@example.org>',
            [ANN, BOB, CARL],
            [],
            id="unclosed quote middle",
        ),
        pytest.param(
            'ann@example.org; bob@example.org; "carl@example.org', [ANN, BOB, CARL], [], id="unclosed quote last"
        ),
        pytest.param("Ann <ann@example.org; Bob <bob@example.org>", [ANN, BOB], [], id="unclosed bracket"),
        pytest.param('"ann@example.org\nbob@example.org\ncarl@example.org"', [ANN, BOB, CARL], [], id="cell of lines"),
        pytest.param("ann＠example.org；bob@example.org、carl@example.org", [ANN, BOB, CARL], [], id="fullwidth"),
        pytest.param("ann@example.org، bob@example.org", [ANN, BOB], [], id="arabic comma"),
        pytest.param("ann@example.org, bob@@example.org, carl@example.org", [ANN, CARL], [1], id="one bad in list"),
        pytest.param("Ann Lee\nann@example.org\nBob Lee\nbob@example.org", [ANN, BOB], [1, 3], id="names on lines"),
        pytest.param("1|Ann|ann@example.org", [ANN], [], id="pipe single row"),
        pytest.param("an\u200bn@example.org\nbob@example.org", [BOB], [1], id="zw inside"),
        pytest.param('\u202aann@example.org\u202c; \u200e"bob@example.org"\u200e', [ANN, BOB], [], id="rtl"),
        pytest.param("Ann Lee ann@example.org\nBob bob@example.org", [ANN, BOB], [], id="name in list"),
        pytest.param(
            "Exported by admin@example.org,,\nName,E-Mail,City\nAnn,ann@example.org,Leeds\n",
            [ANN],
            [1, 2],
            id="title @",
        ),
        pytest.param('"name,email\nAnn,ann@example.org\nBob,bob@example.org\n', [ANN, BOB], [1], id="unclosed heading"),
        pytest.param(
            'name,"email\nAnn,ann@example.org\nBob,bob@example.org\n', [ANN, BOB], [1], id="unclosed heading last"
        ),
        pytest.param("Name,Address\nAnn,1 Elm\n", [], [1, 2], id="address only street"),
        pytest.param("ann@example.org\nbob@example.org\n", [ANN, BOB], [], id="plain"),
        pytest.param("ann@example.org\r\nbob@example.org", [ANN, BOB], [], id="crlf no end"),
        pytest.param(
            '"Lee, Ann" <ann@example.org>; "Lee, Bob" <bob@example.org>; carl@example.org',
            [ANN, BOB, CARL],
            [],
            id="outlook",
        ),
        pytest.param("Lee, Ann <ann@example.org>; Lee, Bob <bob@example.org>", [ANN, BOB], [], id="outlook2"),
        pytest.param(
            "Ann Lee <ann@example.org>, Bob Lee <bob@example.org>, carl@example.org", [ANN, BOB, CARL], [], id="gmail"
        ),
        pytest.param("ann@example.org; bob@example.org, carl@example.org", [ANN, BOB, CARL], [], id="mixed"),
        pytest.param("ann@example.org ::: bob@example.org ::: carl@example.org", [ANN, BOB, CARL], [], id=":::"),
        pytest.param("ann@example.org | bob@example.org", [ANN, BOB], [], id="bar"),
        pytest.param("ann@example.org bob@example.org carl@example.org", [ANN, BOB, CARL], [], id="spaces"),
        pytest.param(
            "mailto:ann@example.org\n<mailto:bob@example.org>\n'carl@example.org'", [ANN, BOB, CARL], [], id="mailto"
        ),
        pytest.param(
            "\u200bann@example.org\n\ufeffbob@example.org\u200b\n\xa0carl@example.org\xa0\n",
            [ANN, BOB, CARL],
            [],
            id="zw",
        ),
        pytest.param("Ann@Example.ORG\nann@example.org\n", ["Ann@example.org"], [], id="case"),
        pytest.param('"ann@example.org";"bob@example.org"\n', [ANN, BOB], [], id="quoted semicolons list"),
        pytest.param(
            "ann@example.org,\nbob@example.org;\ncarl@example.org.\n",
            [ANN, BOB, CARL],
            [],
            id="address w/ trailing dot/comma",
        ),
    ],
)
def test_each_address_of_a_list_is_taken_or_its_line_is_listed(text, addresses, rejected):
    assert read(text) == (addresses, rejected)


def test_a_bad_address_of_a_list_is_listed_alone_and_a_row_of_a_table_whole():
    (entry,) = [one for one in parse("ann@example.org, bob@@example.org", canonical).entries if one.new is None]
    assert (entry.value, entry.raw) == ("bob@@example.org", "bob@@example.org")
    (entry,) = parse("Email,Name\nbob@@example.org,Bob", canonical).entries
    assert (entry.value, entry.raw) == ("bob@@example.org", "bob@@example.org,Bob")


def test_a_bar_is_part_of_an_address_in_a_cell_and_a_separator_in_a_list():
    assert read("Email,Name\na|b@example.org,A\n") == (["a|b@example.org"], [])
    assert read("ann@example.org|bob@example.org") == ([ANN, BOB], [])


@pytest.mark.parametrize("sign", list("\u200b\ufeff\u00a0\u200e\u202a\u2069\u00ad\0"))
def test_characters_that_are_not_seen_are_cut_off_beside_an_address_and_never_cut_one_in_two(sign):
    assert read(f"{sign}ann@example.org{sign}\n<{sign}bob@example.org{sign}>") == ([ANN, BOB], [])
    assert read(f"Email\n{sign}ann@example.org{sign}\n") == ([ANN], [])
    assert "lee@example.org" not in read(f"Email\ncarl{sign}lee@example.org\nann@example.org")[0]


def test_ten_thousand_mailboxes_on_one_line_are_all_taken():
    text = "; ".join(f'"Lee, Ann {n}" <u{n}@example.org>' for n in range(10_000))
    assert read(text) == ([f"u{n}@example.org" for n in range(10_000)], [])


@pytest.mark.parametrize("part", ["@<", "@(", '@"', "@:", "a@", '"<', "<@", "(@", "::@", "'@", "\u2022@"])
def test_a_hostile_line_of_100_kilobytes_is_read_at_once(part):
    assert read(part * (100_000 // len(part)))[0] == []


@pytest.mark.parametrize(
    "text",
    [
        '"Ann Lee <ann@example.org>","bob@example.org"',
        '"Ann Lee <ann@example.org>";"Lee, Bob <bob@example.org>"',
        '"Lee, Ann <ann@example.org>",5,"bob@example.org"',
        '"","Ann <ann@example.org>","bob@example.org"',
        "Ann <ann@example.org> bob@example.org",
        '"",ann@example.org,"Bob",bob@example.org',
        '"-";ann@example.org;"(";bob@example.org',
        "Ann <ann@example.org> (at work: carl@example.org), bob@example.org",
        "<ann@example.org> <bob@example.org>",
    ],
)
def test_an_address_behind_another_or_an_empty_cell_is_taken_too(text):
    assert read(text) == ([ANN, BOB], [])
