"""References and data in imports: named by the caller, never guessed, and aligned with the rows."""

import csv
import io
import sqlite3

import pytest

from mailtrack import InvalidEmails, InvalidImport, InvalidRecipients, NewRecipient, Tracker, open_storage

ANN, BOB = "ann@example.org", "bob@example.org"
TABLE = f"Invoice,Name,Email\nINV-1,Ann,{ANN}\nINV-2,Ann,{ANN}\n,Bob,{BOB}\n"


@pytest.fixture
def tracker():
    with open_storage("memory://") as storage:
        yield Tracker(storage)


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Invoices")


@pytest.fixture
def import_(tracker, pixel):
    """Imports rows into the pixel; invalid ones are skipped."""
    return lambda rows, **options: tracker.import_recipients(pixel, rows, **({"on_invalid": "skip"} | options))


def pairs(result):
    return [one and (one.email, one.ref) for one in result.recipients]


class TestTables:
    @pytest.mark.parametrize("column", ["Invoice", "invoice", "1"])
    def test_the_column_is_named_by_its_heading_or_its_number(self, import_, column):
        result = import_(TABLE, ref=column)
        assert pairs(result) == [(ANN, "INV-1"), (ANN, "INV-2"), (BOB, None)]
        assert (result.added, result.present, result.rejected) == (3, 0, ())

    @pytest.mark.parametrize("heading", ["Ref", "Reference", "ref", "Order", "Invoice number"])
    def test_no_column_is_guessed(self, import_, heading):
        result = import_(TABLE.replace("Invoice", heading))
        assert pairs(result) == [(ANN, None), (ANN, None), (BOB, None)]
        assert result.added == 2

    def test_a_table_without_headings_has_it_by_number(self, import_):
        assert pairs(import_(f"INV-1,{ANN}\nINV-2,{ANN}\n", ref="1")) == [(ANN, "INV-1"), (ANN, "INV-2")]

    @pytest.mark.parametrize("data", [TABLE, f"Name,Email\nAnn,{ANN}\n", f"{ANN}\n{BOB}\n", f"1,{ANN}\n2,{BOB}\n"])
    def test_a_column_that_is_missing_is_refused(self, import_, data, tracker, pixel):
        with pytest.raises(InvalidImport, match=r"No such column|no columns"):
            import_(data, ref="Order")
        assert tracker.get_pixel(pixel).recipients == 0

    def test_all_addresses_of_a_cell_have_the_reference_of_their_row(self, import_, tracker, pixel):
        import_(f"Invoice,Email\nINV-1,{ANN}; {BOB}\n", ref="Invoice")
        assert [(one.email, one.ref) for one in tracker.iter_recipients(pixel)] == [(ANN, "INV-1"), (BOB, "INV-1")]

    def test_a_row_that_was_shifted_is_rejected_with_its_reference(self, import_):
        result = import_(f"Email,Name,Invoice\n{ANN},Lee, Ann,INV-1\n{BOB},Bob,INV-2\n", ref="Invoice")
        assert pairs(result) == [None, (BOB, "INV-2")]
        assert [one.line for one in result.rejected] == [2]

    def test_a_bad_reference_is_rejected_with_its_row_and_can_be_mended(self, import_):
        result = import_(f"Invoice,Email\nINV-1,{ANN}\n{'x' * 129},{BOB}\n", ref="Invoice")
        assert pairs(result) == [(ANN, "INV-1"), None]
        assert [(one.line, one.reason) for one in result.rejected] == [
            (3, "The reference is longer than 128 characters.")
        ]
        mended = result.rejects().replace("x" * 129, "INV-2")
        assert pairs(import_(mended, ref="Invoice")) == [(BOB, "INV-2")]

    def test_our_own_export_can_be_imported(self, import_):
        exported = f"Email,Token,Reference\n{ANN},tok_1,'-5\n{ANN},tok_2,\"'=1,2\"\n{ANN},tok_3,'x\n"
        assert [one.ref for one in import_(exported, ref="Reference").recipients] == ["-5", "=1,2", "'x"]

    def test_all_or_none_are_added(self, import_, tracker, pixel):
        with pytest.raises(InvalidRecipients) as caught:
            import_(f"Invoice,Email\nINV-1,{ANN}\n{'x' * 129},{BOB}\n", ref="Invoice", on_invalid="raise")
        assert [one.index for one in caught.value.problems] == [2]
        with pytest.raises(InvalidEmails) as caught:
            import_(f"Invoice,Email\nINV-1,ann\n{'x' * 129},{BOB}\n", ref="Invoice", on_invalid="raise")
        assert [one.index for one in caught.value.problems] == [1, 2]
        assert tracker.get_pixel(pixel).recipients == 0


class TestRows:
    def test_each_row_has_its_recipient_or_none(self, import_):
        given = [(ANN, "1"), ("bad", "2"), (ANN, "3"), (ANN, "1")]
        rows = [{"email": email, "ref": ref} for email, ref in given]
        result = import_(rows)
        assert pairs(result) == [(ANN, "1"), None, (ANN, "3"), (ANN, "1")]
        assert result.recipients[0] == result.recipients[3]
        assert (result.added, len(result.rejected)) == (2, 1)

    def test_new_recipients_are_rows(self, import_):
        result = import_([NewRecipient(ANN, "1", {"n": 1}), NewRecipient("bad", "2"), NewRecipient(ANN), BOB])
        assert pairs(result) == [(ANN, "1"), None, (ANN, None), (BOB, None)]
        assert dict(result.recipients[0].data) == {"n": 1}
        assert result.rejects() == "bad,2\n"

    def test_a_mapping_has_data_under_data(self, import_):
        (one,) = import_([{"email": ANN, "ref": "1", "data": {"name": "Ann"}}]).recipients
        assert dict(one.data) == {"name": "Ann"}

    def test_a_text_under_data_is_another_column(self, import_):
        (one,) = import_([{"email": ANN, "data": "2025-11-06"}]).recipients
        assert one.data is None

    @pytest.mark.parametrize("value", ["", None])
    def test_an_empty_reference_is_none(self, import_, value):
        assert pairs(import_([{"email": ANN, "ref": value}])) == [(ANN, None)]

    def test_another_key_may_have_the_reference(self, import_):
        rows = [{"email": ANN, "ref": "x", "invoice": 2031}]
        assert pairs(import_(rows, ref="invoice")) == [(ANN, "2031")]

    def test_a_key_that_is_missing_is_refused(self, import_):
        with pytest.raises(InvalidImport, match="No such column"):
            import_([{"email": ANN, "ref": "1"}], ref="order")

    def test_texts_have_no_references(self, import_):
        with pytest.raises(InvalidImport, match="no columns"):
            import_([ANN], ref="ref")

    @pytest.mark.parametrize("ref", [1.5, True, ["1"], "a\n", "\0", "x" * 129])
    def test_what_can_be_no_reference_is_rejected(self, import_, ref):
        result = import_([{"email": ANN, "ref": ref}, {"email": BOB, "ref": "1"}])
        assert pairs(result) == [None, (BOB, "1")]

    @pytest.mark.parametrize("data", [{"a": "x" * 2041}, {"a": "\0"}, {"a": object()}, {1: 2}])
    def test_what_can_be_no_data_is_rejected(self, import_, data):
        assert pairs(import_([{"email": ANN, "data": data}, NewRecipient(BOB, None, data)])) == [None, None]

    def test_rows_of_csv_and_of_sqlite_are_mappings(self, import_):
        rows = csv.DictReader(io.StringIO(f"email,ref\n{ANN},1\n"))
        assert pairs(import_(rows)) == [(ANN, "1")]
        with sqlite3.connect(":memory:") as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT ? AS email, 2 AS ref UNION SELECT ?, 3", (ANN, ANN)).fetchall()
        database.close()
        assert pairs(import_(rows)) == [(ANN, "2"), (ANN, "3")]

    def test_of_data_given_several_times_the_last_count_over_batches(self, import_, tracker, pixel):
        rows = [NewRecipient(ANN, str(number % 10_000), {"n": number}) for number in range(20_001)]
        result = import_([*rows, NewRecipient(ANN, "1")])
        assert (result.added, result.present, len(result.recipients)) == (10_000, 0, 20_002)
        first, second = list(tracker.iter_recipients(pixel))[:2]
        assert (dict(first.data), dict(second.data)) == ({"n": 20_000}, {"n": 10_001})
