"""The choice of the column with the recipients' addresses."""

# ruff: noqa: E501  # a case is a line

import pytest

from mailtrack._addresses import canonical
from mailtrack._errors import InvalidImport
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
        pytest.param(
            "email,x\nann lee@example.org,1\nbob@example.org,2\ncarl@example.org (Carl),3\nwork: d@example.org,4",
            [BOB, CARL, "d@example.org"],
            [2],
            id="slip in cell",
        ),
        pytest.param(
            " id | name |      email      \n----+------+-----------------\n  1 | Ann  | ann@example.org\n  2 | Bob  | bob@example.org\n(2 rows)\n",
            [ANN, BOB],
            [],
            id="psql aligned",
        ),
        pytest.param(
            "id|name|email\n1|Ann|ann@example.org\n2|Bob|bob@example.org\n(2 rows)\n", [ANN, BOB], [], id="psql -A"
        ),
        pytest.param("1|Ann|ann@example.org\n2|Bob|bob@example.org\n", [ANN, BOB], [], id="psql -At"),
        pytest.param(
            "+----+-----------------+\n| id | email           |\n+----+-----------------+\n|  1 | ann@example.org |\n|  2 | bob@example.org |\n+----+-----------------+\n",
            [ANN, BOB],
            [],
            id="mysql",
        ),
        pytest.param(
            '"1";"Ann";"ann@example.org";NULL\n"2";"Bob";"bob@example.org";NULL\n', [ANN, BOB], [], id="phpmyadmin"
        ),
        pytest.param("id\temail\tmanager_email\n1\tann@example.org\tboss@example.org\n", [ANN], [], id="mysql tab"),
        pytest.param(
            "First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,Phone\nAnn,Lee,ann@example.org,yes,,1 Elm St,'+441\nBob,Lee,bob@example.org,no,,2 Oak St,\n",
            [ANN, BOB],
            [],
            id="shopify",
        ),
        pytest.param(
            "Order Number,Order Status,First Name (Billing),Email (Billing),Address 1&2 (Billing)\n1,done,Ann,ann@example.org,1 Elm\n2,done,Bob,bob@example.org,2 Oak\n",
            [ANN, BOB],
            [],
            id="woo orders",
        ),
        pytest.param(
            '"First Name","Email","Contact Owner Email","Account Name"\n"Ann","ann@example.org","boss@example.org","ACME"\n"Bob","bob@example.org","boss@example.org","ACME"\n',
            [ANN, BOB],
            [],
            id="salesforce",
        ),
        pytest.param(
            "Record ID,First Name,Email,Contact owner,Email Domain,Email hard bounce reason\n1,Ann,ann@example.org,Boss (boss@example.org),example.org,\n2,Bob,bob@example.org,Boss (boss@example.org),example.org,\n",
            [ANN, BOB],
            [],
            id="hubspot",
        ),
        pytest.param(
            '"Prénom","Nom","Adresse de messagerie","Type de messagerie","Adresse de messagerie 2"\n"Ann","Lee","ann@example.org","SMTP","x@example.org"\n',
            [ANN],
            [],
            id="outlook fr",
        ),
        pytest.param(
            "userPrincipalName,displayName,mail\nann_ext@corp.example,Ann,ann@example.org\nbob_ext@corp.example,Bob,bob@example.org\n",
            [ANN, BOB],
            [],
            id="azure",
        ),
        pytest.param(
            "First Name [Required],Last Name [Required],Email Address [Required],Recovery Email,Home Secondary Email\nAnn,Lee,ann@example.org,x@example.org,y@example.org\n",
            [ANN],
            [],
            id="google ws",
        ),
        pytest.param(
            'Notes:\n"When exporting your data, some email addresses are missing. ""More"" here"\n\nFirst Name,Last Name,URL,Email Address,Company\nAnn,Lee,https://x.example/in/ann,ann@example.org,ACME\nBob,Lee,https://x.example/in/bob,,ACME\n',
            [ANN],
            [1, 2, 6],
            id="linkedin",
        ),
        pytest.param(
            "First Name,Last Name,Display Name,Primary Email,Secondary Email\nAnn,Lee,Ann Lee,ann@example.org,x@example.org\n",
            [ANN],
            [],
            id="thunderbird",
        ),
        pytest.param("Name;E-Mail;\nAnn;ann@example.org;\n;;\n;;\n", [ANN], [], id="excel de trailing"),
        pytest.param(
            "Name;Betrag;E-Mail\nAnn;1,50;ann@example.org\nBob;2,50;bob@example.org\n",
            [ANN, BOB],
            [],
            id="excel amounts",
        ),
        pytest.param("Ann;1,50;ann@example.org\nBob;2,50;bob@example.org\n", [ANN, BOB], [], id="amounts no heading"),
        pytest.param(
            '"Name","Email"\n"Lee, Ann","ann@example.org"\n"O""Neil, Bob","bob@example.org"\n',
            [ANN, BOB],
            [],
            id="all quoted",
        ),
        pytest.param(
            "Email,Name\n'=1+1@example.org,x\n'+a@example.org,'-x\n'-b@example.org,y\n",
            ["=1+1@example.org", "+a@example.org", "-b@example.org"],
            [],
            id="guarded",
        ),
        pytest.param("Email,Name\nann@example.org,Ann\nEmail,Name\nbob@example.org,Bob\n", [ANN, BOB], [], id="joined"),
        pytest.param(
            "\ufeffEmail,Name\nann@example.org,Ann\n\ufeffEmail,Name\nbob@example.org,Bob\n",
            [ANN, BOB],
            [],
            id="joined bom",
        ),
        pytest.param("Email\n\nName,E-Mail,City\nAnn,ann@example.org,Leeds\n", [ANN], [1], id="title email"),
        pytest.param(
            ",,\n,Name,Email\n,Ann,ann@example.org\n,Bob,bob@example.org\n", [ANN, BOB], [], id="empty first columns"
        ),
        pytest.param(
            "Email,Email\nann@example.org,x@example.org\nbob@example.org,y@example.org\n",
            [ANN, BOB],
            [],
            id="two email columns",
        ),
        pytest.param("Name,Work email,Home email\nAnn,ann@example.org,x@example.org\n", [ANN], [], id="work/home"),
        pytest.param(
            "Email Status,Email,Email Opt-in\nvalid,ann@example.org,yes\nvalid,bob@example.org,no\n",
            [ANN, BOB],
            [],
            id="status",
        ),
        pytest.param(
            "Contact email,Manager email\n,boss@example.org\n,boss@example.org\n", [], [2, 3], id="email empty, manager"
        ),
        pytest.param(
            "Zzz,Manager email\nann@example.org,boss@example.org\nbob@example.org,boss@example.org\n",
            [ANN, BOB],
            [],
            id="unknown + manager",
        ),
        pytest.param("Zzz,Qqq\nann@example.org,Ann\nbob@example.org,Bob\n", [ANN, BOB], [1], id="unknown language"),
        pytest.param(
            "Ann,missing\nBob,bob@example.org\nCarl,carl@example.org\n", [BOB, CARL], [1], id="first row bad no heading"
        ),
        pytest.param(
            "Name,Twitter,Blog,Mail\nAnn,@ann,https://m.example/@ann,ann@example.org\nBob,@bob,https://m.example/@bob,bob@example.org\n",
            [ANN, BOB],
            [],
            id="handles",
        ),
        pytest.param('name,email\n"Ann,ann@example.org\nBob,bob@example.org\n', [BOB], [2], id="unclosed first cell"),
        pytest.param('name,email\nAnn,ann@example.org\n"Bob,bob@example.org', [ANN], [3], id="unclosed last line"),
        pytest.param('email,name\nann@example.org,"Ann\nbob@example.org,Bob\n', [BOB], [2], id="unclosed last cell"),
        pytest.param(
            'email,note\nann@example.org,"5 inch\nbob@example.org,x\ncarl@example.org,"6 inch\nd@example.org,y\n',
            [BOB, "d@example.org"],
            [2, 4],
            id="two unclosed",
        ),
        pytest.param(
            'email,name,note\nann@example.org,Ann,"5 inch\nbob@example.org,Bob,6"\ncarl@example.org,C,x\n',
            [BOB, CARL],
            [2],
            id="inch closing",
        ),
        pytest.param(
            'Note,Name,Email\n"Dear\nfoo, bar, me@example.com",Ann,ann@example.org\nx,Bob,bob@example.org\n',
            [ANN, BOB],
            [],
            id="multi-line email last",
        ),
        pytest.param(
            'Name,Email,Note,Phone\nAnn,ann@example.org,"Hi,\n a, b@y.example, c, d",5\nBob,bob@example.org,x,6\n',
            [ANN, BOB],
            [],
            id="multi-line mid",
        ),
        pytest.param(
            'Email;Name;Note\nann@example.org;Ann;"Dear Ann,\nthanks, bye\nx, y"\nbob@example.org;Bob;"Dear Bob,\nthanks, bye\nx, y"\n',
            [ANN, BOB],
            [],
            id="multi-line dominating",
        ),
        pytest.param(
            'Email,Name,Note\nann@example.org,Ann,"Dear Ann,\nthanks, bye\nx, y"\nbob@example.org,Bob,"Dear Bob,\nthanks, bye\nx, y"\n',
            [ANN, BOB],
            [],
            id="multi-line comma",
        ),
        pytest.param("email,a,b\nann@example.org\nbob@example.org,1,2,3,4\n", [ANN, BOB], [], id="ragged"),
        pytest.param("email,name\rann@example.org,Ann\r\nbob@example.org,Bob\n", [ANN, BOB], [], id="cr crlf mix"),
        pytest.param(
            'name,email\nAnn,"ann@example.org, bob@example.org"\nC,carl@example.org/bob@example.org',
            [ANN, BOB],
            [3],
            id="several in cell comma",
        ),
        pytest.param("email\nn/a\n-\nann@example.org\n", [ANN], [2, 3], id="n/a"),
        pytest.param("E-Mail-Adresse\nann@example.org\n", [ANN], [], id="single heading"),
        pytest.param("sep=\t\nName\tEmail\nAnn\tann@example.org\n", [ANN], [], id="sep=tab"),
        pytest.param('"sep=;"\n"Name";"Email"\n"Ann";"ann@example.org"\n', [ANN], [], id="quoted sep"),
        pytest.param("이름,이메일\n앤,ann@example.org\n", [ANN], [], id="korean"),
        pytest.param("ชื่อ,อีเมล\nx,ann@example.org\n", [ANN], [], id="thai"),
        pytest.param("Name,Address,City,Email\nAnn,1 Elm,Leeds,ann@example.org\n", [ANN], [], id="address weak street"),
        pytest.param("Email,Name\rann@example.org,Ann\rbob@example.org,Bob\r", [ANN, BOB], [], id="cr"),
        pytest.param("sep=;\nName;Email\nAnn, L;ann@example.org\n", [ANN], [], id="sep=;"),
        pytest.param("Name|Email\nAnn|ann@example.org\nBob|bob@example.org\n", [ANN, BOB], [], id="pipe"),
        pytest.param(
            "Manager email,Email\nboss@example.org,ann@example.org\nboss@example.org,bob@example.org\n",
            [ANN, BOB],
            [],
            id="manager",
        ),
        pytest.param("Email,Manager email\nann@example.org,boss@example.org\n", [ANN], [], id="manager behind"),
        pytest.param(
            '"First Name","Last Name","E-mail Address","E-mail Type","E-mail 2 Address"\n"Ann","L","ann@example.org","SMTP",""\n"Bob","L","bob@example.org","SMTP","b2@example.org"\n',
            [ANN, BOB],
            [],
            id="E-mail Address of outlook",
        ),
        pytest.param(
            "Name,Given Name,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Value\nAnn,Ann,* Home,ann@example.org,1\nBob,Bob,* Home,bob@example.org,2\n",
            [ANN, BOB],
            [],
            id="google",
        ),
        pytest.param(
            'Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME\nann@example.org,Ann,L,2,"2020-01-01 10:00:00"\n',
            [ANN],
            [],
            id="mailchimp",
        ),
        pytest.param("Nom;Adresse;Adresse e-mail\nAnn;1 rue X;ann@example.org\n", [ANN], [], id="french"),
        pytest.param("Nombre,Dirección,Correo electrónico\nAnn,Calle 1,ann@example.org\n", [ANN], [], id="spanish"),
        pytest.param("氏名,住所,メールアドレス\nAnn,東京,ann@example.org\n", [ANN], [], id="japanese"),
        pytest.param("Email: , Name\nann@example.org, Ann\n", [ANN], [], id="Email:"),
        pytest.param("ID,EMAIL_ADDRESS,ADDRESS\n1,ann@example.org,Elm St 1\n", [ANN], [], id="EMAIL_ADDRESS"),
        pytest.param("1,Ann,ann@example.org\n2,Bob,bob@example.org\n", [ANN, BOB], [], id="no heading"),
        pytest.param(
            "Ann,ann@example.org,x\nBob,bob@example.org,y\nCarl,carl@example.org,z\n",
            [ANN, BOB, CARL],
            [],
            id="two cols no heading",
        ),
        pytest.param(
            "email,name\nann@example.org,Ann\nnot-an-address,Bob\ncarl@example.org,C\n", [ANN, CARL], [3], id="bad line"
        ),
        pytest.param("email,name\nann@example.org,Ann\n,Bob\n", [ANN], [3], id="empty email cell"),
        pytest.param(
            'email,name,note\nann@example.org,Ann,"5 inch\nbob@example.org,B,ok\ncarl@example.org,C,ok\n',
            [BOB, CARL],
            [2],
            id="unclosed",
        ),
        pytest.param(
            'email,note\nann@example.org,5" pipe\nbob@example.org,a "quoted" b\n', [ANN, BOB], [], id="stray inner"
        ),
        pytest.param(
            'email,note\nann@example.org,"line 1\nline 2"\nbad,"x"\nbob@example.org,z\n',
            [ANN, BOB],
            [4],
            id="multi-line cell",
        ),
        pytest.param(
            "email\n'=1+1@example.org\n'+a@example.org\n", ["=1+1@example.org", "+a@example.org"], [], id="guard"
        ),
        pytest.param(
            "Customers of 2025,,\n,,\nName,City,Email\nAnn,Leeds,ann@example.org\n", [ANN], [1], id="title rows"
        ),
        pytest.param(
            "Name,Address\nAnn,ann@example.org\nBob,bob@example.org\n", [ANN, BOB], [], id="weak Address only w/ addrs"
        ),
        pytest.param("email,name\n", [], [], id="header only"),
        pytest.param('name,email\nAnn,"ann@example.org; bob@example.org"\n', [ANN, BOB], [], id="multi in cell"),
        pytest.param(
            "Reply-To,To\nme@example.org,ann@example.org\nme@example.org,bob@example.org\n",
            [ANN, BOB],
            [],
            id="reply-to other",
        ),
    ],
)
def test_the_recipients_are_taken_from_their_column_and_all_other_lines_are_listed(text, addresses, rejected):
    assert read(text) == (addresses, rejected)


TABLE = "Zzz;Login;Mail\n1;ann@example.org;x@example.org\n2;bob@example.org;y@example.org\n"


@pytest.mark.parametrize("email", ["Login", "login:", "2"])
def test_the_column_is_the_one_that_is_asked_for_by_heading_or_number(email):
    source = parse(TABLE, canonical, email=email)
    assert (source.column, [entry.new and entry.new.email for entry in source.entries]) == ("Login", [ANN, BOB])


def test_a_number_names_a_column_of_a_table_without_a_heading():
    assert read("1;ann@example.org;x@example.org\n", email="2") == ([ANN], [])


def test_a_heading_is_found_as_it_is_written_before_one_that_is_only_like_it():
    assert read("e-mail,E-Mail\nx@example.org,ann@example.org\n", email="E-Mail") == ([ANN], [])


@pytest.mark.parametrize("email", ["Missing", "0", "4", "9" * 30, "", "²", "-1"])
def test_a_column_that_is_not_there_is_an_error_that_names_those_that_are(email):
    with pytest.raises(InvalidImport, match="Zzz, Login, Mail"):
        parse(TABLE, canonical, email=email)


def test_the_error_for_a_table_without_heading_repeats_none_of_its_rows():
    with pytest.raises(InvalidImport, match="has 2 columns") as caught:
        parse("1,ann@example.org\n2,bob@example.org\n", canonical, email="Email")
    assert "@" not in str(caught.value)


def test_a_heading_stands_within_the_first_ten_rows():
    titles = "".join(f"Title {number}\n" for number in range(9))
    assert read(titles + "Name,E-Mail,Mail\nAnn,ann@example.org,x@example.org\n") == ([ANN], [*range(1, 10)])


def test_a_table_of_very_many_columns_is_read():
    row = ",".join(["x"] * 5000)
    assert read(f"Email,{row}\nann@example.org,{row}\n") == ([ANN], [])


def test_below_a_heading_of_one_cell_each_address_of_a_line_counts():
    assert read("Email\nann@example.org, bob@example.org\nLee, Carl <carl@example.org>\n") == ([ANN, BOB, CARL], [])


def test_a_line_of_one_address_counts_in_a_table_without_a_heading():
    text = "1,ann@example.org\n" * 9 + "bob@example.org\n"
    assert read(text) == ([ANN, BOB], [])
    assert read("Lee, Ann <ann@example.org>\n" * 9 + "bob@example.org\n") == ([ANN, BOB], [])


def test_a_title_that_says_what_a_heading_says_is_not_the_heading_that_is_asked_for():
    assert read("Mail\nName;Mail;Email\nx;ann@example.org;y@example.org\n", email="Mail") == ([ANN], [1])
