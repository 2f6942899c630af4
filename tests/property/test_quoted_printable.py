"""An edit in quoted-printable changes the text by that edit, and makes no line too long."""

import binascii
import quopri

from hypothesis import given
from hypothesis import strategies as st

from mailtrack.mail._places import Edit, apply
from mailtrack.mail._quoted_printable import QuotedPrintable

TAG = '<img src="https://mail.example.com/track/tracker/a1b2c3d4.png?token=tok_0" width="1" height="1" alt="">'


@st.composite
def encoded_texts(draw):
    """Texts as a program encodes them, with lines of up to 76 characters."""
    pieces = st.sampled_from(["x", "=", "ä", " ", "\n", "<body>", "x" * 30, "Grüße ", "\t", TAG])
    text = "".join(draw(st.lists(pieces, max_size=30))).encode()
    return binascii.b2a_qp(text, istext=True).decode().replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@st.composite
def edits_of(draw, length):
    """One insertion, and removals that do not overlap."""
    places = sorted(draw(st.lists(st.integers(0, length), max_size=6)))
    removals = [Edit(*pair, "") for pair in zip(places[::2], places[1::2], strict=False) if pair[0] < pair[1]]
    free = [at for at in range(length + 1) if not any(one.start < at < one.end for one in removals)]
    place = draw(st.sampled_from(free))
    merged = []
    for one in removals:
        if merged and merged[-1].end > one.start:
            continue
        merged.append(one)
    return sorted([*merged, Edit(place, place, TAG)])


@given(encoded_texts(), st.data())
def test_an_edit_of_the_encoded_text_is_one_of_the_text(encoded, data):
    quoted = QuotedPrintable(encoded)
    assert quoted.text.encode("latin-1") == quopri.decodestring(encoded)
    edits = data.draw(edits_of(len(quoted.text)))
    edited = quoted.edit(edits)
    assert quopri.decodestring(edited).decode("latin-1") == apply(quoted.text, edits)
    assert max(map(len, edited.splitlines()), default=0) <= 76
    assert ("\r\n" in edited) <= ("\r\n" in encoded)
