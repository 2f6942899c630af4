"""Typos in lists and tables neither lose an address silently nor confuse two people's addresses."""

import pytest

from mailtrack import Tracker, open_storage

ANN, BOB, CARL, BOSS = (f"{name}@example.org" for name in ("ann", "bob", "carl", "boss"))


@pytest.fixture(params=["memory://", "sqlite"])
def add(request, tmp_path):
    """Imports a list into a new pixel; returns its addresses and the numbers of the rejected lines."""
    url = request.param if request.param == "memory://" else f"sqlite:///{tmp_path}/import.db"
    with open_storage(url) as storage:
        tracker = Tracker(storage)
        pixel = tracker.create_pixel("Spring launch")

        def run(text):
            rejected = tracker.import_recipients(pixel, text.encode(), on_invalid="skip").rejected
            return [one.email for one in tracker.iter_recipients(pixel)], [row.line for row in rejected]

        yield run


@pytest.mark.parametrize(
    ("text", "addresses", "rejected"),
    [
        pytest.param(
            f"Name,Manager email,Email\nLee, Ann,{BOSS},{ANN}\nBob,{BOSS},{BOB}\n", [BOB], [2], id="comma in a name"
        ),
        pytest.param(
            f"Name,Manager email,Email\nLee, Ann,{BOSS},\nBob,{BOSS},{BOB}\n", [BOB], [2], id="the same, without hers"
        ),
        pytest.param(f"managerEmail,userEmail\n{BOSS},{ANN}\n", [ANN], [], id="names of fields"),
        pytest.param(f"userEmail,createdByEmail\n{ANN},{BOSS}\n", [ANN], [], id="names of fields, the other way"),
    ],
)
def test_no_other_persons_address_is_taken(add, text, addresses, rejected):
    assert add(text) == (addresses, rejected)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"Name,Manager email,Email\nAnn,{BOSS},{ANN},\nBob,{BOSS},{BOB},\n", id="separators at the end"),
        pytest.param(f"Email,Note\n{ANN},one, two\n{BOB},three\n", id="comma in a note"),
        pytest.param(f"Email,Note,Manager\n{ANN},one, two,{BOSS}\n{BOB},three,{BOSS}\n", id="behind the address"),
    ],
)
def test_a_row_with_more_cells_than_the_heading_is_taken_where_its_address_can_not_have_moved(add, text):
    assert add(text) == ([ANN, BOB], [])


@pytest.mark.parametrize(
    "text",
    [
        f'5" pipe, {ANN}, "Bob" <{BOB}>',
        f'5" pipe, Ann <{ANN}>, "Bob" <{BOB}>',
        f'"Ann "the Nail"" <{ANN}>, "Bob" <{BOB}>',
    ],
)
def test_a_stray_quotation_mark_hides_no_address(add, text):
    assert add(text)[0] == [ANN, BOB]


@pytest.mark.parametrize("slip", ["bob.example.org", "bob", "bob#example.org"])
@pytest.mark.parametrize("separator", [", ", "; ", " | "])
def test_what_is_no_address_among_several_on_a_line_is_listed(add, slip, separator):
    assert add(separator.join([ANN, slip, CARL])) == ([ANN, CARL], [1])
    assert add(separator.join([ANN, CARL, slip])) == ([ANN, CARL], [1])


@pytest.mark.parametrize(
    "text",
    [
        f"Lee, Ann <{ANN}>; Lee, Carl <{CARL}>",
        f"{ANN}; Lee, Carl <{CARL}>",
        f"{ANN} (Ann), {CARL} (Lee, Carl)",
        f"Team: {ANN}, {CARL};",
        f"1,Ann,{ANN}\n2,Carl,Leeds,{CARL}",
    ],
)
def test_names_are_no_slips(add, text):
    assert add(text) == ([ANN, CARL], [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße@example.org", "strasse@example.org"),
        ("ann@faß.example", "ann@fass.example"),
        ("ﬁne@example.org", "fine@example.org"),
    ],
)
def test_addresses_that_are_spelt_differently_are_two_recipients(add, one, other):
    assert add(f"{one}\n{other}\n") == ([one, other], [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.org", ANN),
        ("JÜRGEN@example.org", "jürgen@example.org"),
        ("STRAẞE@example.org", "straße@example.org"),
        ("ΟΔΟΣ@example.org", "οδος@example.org"),
        ("ΟΔΟΣ@example.org", "οδοσ@example.org"),
        ("ju\u0308rgen@example.org", "JÜRGEN@example.org"),
        ("ann@BÜCHER.example", "Ann@xn--bcher-kva.example"),
    ],
)
def test_addresses_that_differ_in_case_only_are_one_recipient(add, one, other):
    assert len(add(f"{one}\n{other}\n")[0]) == 1
