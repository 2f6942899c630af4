"""Tables and lists in any form."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from mailtrack import Tracker, Urls, open_storage
from mailtrack._addresses import canonical, comparable
from mailtrack._export import recipients_csv
from mailtrack._imports import parse
from mailtrack._imports.tables import Table
from mailtrack.testing import make_pixel, make_recipients

SIGNS = "abcdefghij0123456789"
emails = st.builds(
    "{}@{}.example.{}".format,
    st.text(SIGNS + "+-_", min_size=1, max_size=12),
    st.text(SIGNS, min_size=1, max_size=8),
    st.sampled_from(["org", "com", "de"]),
)
words = st.text(st.sampled_from("abc XYZ \u00e4\u00e9\u00f1,;|\"'.()"), max_size=12)
notes = st.one_of(words, st.sampled_from(["one\ntwo", "one\n\ntwo, three", 'say "hi"\nnow']))
headings = st.sampled_from(
    ["Email", "E-Mail-Adresse", "Adresse e-mail", "EMAIL_ADDRESS", "Email:", "Correo electr\u00f3nico", "Work e-mail"]
)
others = st.sampled_from(["Name", "Address", "Manager email", "Note", "Reply-To", "Email status", "City"])
separators = st.sampled_from(",;\t|")
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
ends = st.sampled_from(["\n", "\r\n", "\r"])
lines = st.lists(
    st.one_of(emails, words, st.builds("{},{}".format, words, emails), st.builds('"{}" <{}>;'.format, words, emails)),
    max_size=12,
)


def read(rows):
    return [entry.new and entry.new.email for entry in parse(rows, canonical).entries]


def written(rows, **options):
    out = io.StringIO()
    csv.writer(out, **options).writerows(rows)
    return out.getvalue()


class TestTables:
    """The addresses of a table are found exactly, wherever their column is and however the file is written."""

    @given(
        st.lists(st.tuples(emails, notes, notes), min_size=1, max_size=8),
        headings, st.tuples(others, others), st.integers(0, 2), separators, ends, encodings, st.booleans(),
    )  # fmt: skip
    def test_they_are_found(self, rows, heading, more, place, separator, end, encoding, quoted):
        table = [list(more), *([first, second] for _, first, second in rows)]
        for row, cell in zip(table, [heading, *(email for email, _, _ in rows)], strict=True):
            row.insert(place, cell)
        quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
        text = written(table, delimiter=separator, lineterminator="\n", quoting=quoting).replace("\n", end)
        assert read(text.encode(encoding)) == [email for email, _, _ in rows]


class TestAccounts:
    """Each line that is not blank is taken or listed."""

    @given(lines)
    def test_each_line_is_one_or_more_entries(self, given_lines):
        text = "\n".join(given_lines)
        source = parse(text, canonical)
        heading = [given_lines.index(source.heading) + 1] if source.heading else []
        entries = [*((entry.line, entry.raw) for entry in source.entries)]
        rows = {row.line: row.raw for row in Table(text)}  # of which an entry of a list may have a part only
        raws = [*entries, *((line, rows[line]) for line in {line for line, _ in entries})]
        covered = {line + more for line, raw in raws for more in range(raw.count("\n") + 1)}
        filled = {number for number, line in enumerate(given_lines, 1) if any(sign.isalnum() for sign in line)}
        assert filled <= covered | {*heading}
        assert all(1 <= line <= len(given_lines) for line, _ in entries)

    @given(st.lists(st.one_of(emails, st.sampled_from(["", "bad", "x@", "a@b@c.org"])), max_size=20))
    def test_rows_that_are_given_alone_have_one_entry_each(self, rows):
        assert [address or "" for address in read(rows)] == [
            row if row.count("@") == 1 and row != "x@" else "" for row in rows
        ]


class TestEnds:
    """How lines end makes no difference."""

    @given(lines)
    def test_the_entries_are_the_same(self, given_lines):
        first, *others = (
            [(entry.line, entry.new, entry.reason) for entry in parse(end.join(given_lines), canonical).entries]
            for end in ("\n", "\r\n", "\r")
        )
        assert others == [first, first]


class TestRoundTrips:
    """What the program itself writes is read back."""

    @given(
        st.lists(
            st.one_of(
                emails, st.sampled_from(["=1+1@example.org", "+a@example.org", "'x'@example.org", "a|b@example.org"])
            ),
            unique_by=comparable,
        ),
        st.booleans(),
    )
    def test_our_csv_of_recipients(self, addresses, raw):
        pixel = make_pixel()
        file = recipients_csv(pixel, make_recipients(pixel, addresses), urls=Urls("https://mail.example.com"), raw=raw)
        assert read(b"".join(file)) == addresses

    @given(st.lists(st.tuples(emails, words, st.booleans()), min_size=1, max_size=8), separators)
    def test_the_rejected_rows_once_mended(self, rows, separator):
        table = [("Name", "Email")] + [
            (name, email if good else email.replace("@", " at ")) for email, name, good in rows
        ]
        tracker = Tracker(open_storage("memory://"))
        pixel = tracker.create_pixel("Spring")
        result = tracker.import_recipients(pixel, written(table, delimiter=separator), on_invalid="skip")
        assert [one is not None for one in result.recipients] == [good for _, _, good in rows]
        tracker.import_recipients(pixel, result.rejects().replace(" at ", "@"))
        found = {comparable(one.email) for one in tracker.iter_recipients(pixel)}
        assert found == {comparable(email) for email, _, _ in rows}
