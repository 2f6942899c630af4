"""One mail to one person: recipients with references and data, over the API."""

import json
import tracemalloc

import pytest

from mailtrack import NewRecipient
from mailtrack_wsgi._bodies import MAX_TOKENS_BYTES

pytestmark = pytest.mark.each_storage

ANN = "ann@example.org"


@pytest.fixture
def post(client, pixel):
    """Sends a body to the route for tokens."""
    return lambda body: client.post(f"/api/v1/pixels/{pixel.id}/generate-tokens", json=body)


@pytest.fixture
def generate(post):
    """Asks for tokens for recipients."""
    return lambda *recipients: post({"recipients": list(recipients)})


@pytest.fixture
def stored(tracker, pixel):
    """Returns the address, reference and data of each recipient, in order of creation."""
    return lambda: [
        (one.email, one.ref, None if one.data is None else dict(one.data)) for one in tracker.iter_recipients(pixel.id)
    ]


@pytest.fixture
def refused(post, contents):
    """Sends a body, asserts that it is refused and that nothing is stored, and returns the answer's JSON."""

    def send(body):
        before = contents()
        answer = post(body)
        assert (answer.status, contents()) == (400, before)
        return answer.json

    return send


class TestTaking:
    def test_each_reference_of_an_address_has_a_token_of_its_own(self, generate, pixel):
        answer = generate(*({"email": ANN, "ref": f"INV-{number}"} for number in range(12)))
        tokens = answer.json["tokens"]
        assert (answer.status, answer.json["generated"], answer.json["pixelId"]) == (201, 12, pixel.id)
        assert [one["ref"] for one in tokens] == [f"INV-{number}" for number in range(12)]
        assert len({one["token"] for one in tokens}) == len({one["recipientId"] for one in tokens}) == 12

    def test_an_entry_has_reference_and_data_where_they_were_given(self, generate):
        entries = generate(
            {"email": ANN},
            {"email": ANN, "ref": "1"},
            {"email": ANN, "ref": "2", "data": {"name": "Ann", "lines": [1, 2.5, None, True]}},
        ).json["tokens"]
        plain = ["email", "token", "trackingUrl", "recipientId"]
        assert [list(one) for one in entries] == [plain, [*plain, "ref"], [*plain, "ref", "data"]]
        assert entries[2]["data"] == {"name": "Ann", "lines": [1, 2.5, None, True]}

    def test_null_is_no_reference_and_no_data(self, generate, stored):
        (entry,) = generate({"email": ANN, "ref": None, "data": None}).json["tokens"]
        assert list(entry) == ["email", "token", "trackingUrl", "recipientId"]
        assert stored() == [(ANN, None, None)]

    def test_without_a_reference_it_is_the_recipient_of_the_documented_form(self, post, generate):
        assert generate({"email": ANN}).json == post({"emails": [ANN]}).json

    def test_there_is_one_entry_for_each_distinct_pair_in_order_of_first_appearance(self, generate):
        entries = generate(
            {"email": "bob@example.org", "ref": "1"},
            {"email": ANN, "ref": "1"},
            {"email": "BOB@example.org", "ref": "1"},
            {"email": ANN, "ref": "2"},
            {"email": "Ann@Example.org", "ref": "1"},
        ).json["tokens"]
        assert [(one["email"], one["ref"]) for one in entries] == [("bob@example.org", "1"), (ANN, "1"), (ANN, "2")]

    def test_references_are_compared_as_written(self, generate):
        refs = ["a", "A", "ä", "a\u0308", " a", "a "]
        entries = generate(*({"email": ANN, "ref": ref} for ref in refs)).json["tokens"]
        assert [one["ref"] for one in entries] == refs

    def test_of_the_same_pair_twice_the_last_data_count(self, generate, stored):
        generate(
            *({"email": ANN, "ref": "1", "data": {"n": number}} for number in range(3)), {"email": ANN, "ref": "1"}
        )
        assert stored() == [(ANN, "1", {"n": 2})]

    def test_data_that_are_given_again_replace_the_former_and_without_them_those_stay(self, generate, stored):
        first = generate({"email": ANN, "ref": "1", "data": {"a": 1}}).json["tokens"]
        again = generate({"email": ANN, "ref": "1"}).json["tokens"]
        assert again == first
        generate({"email": ANN, "ref": "1", "data": {"b": 2}})
        assert stored() == [(ANN, "1", {"b": 2})]

    def test_empty_data_replace_the_former_too(self, generate, stored):
        generate({"email": ANN, "data": {"a": 1}})
        generate({"email": ANN, "data": {}})
        assert stored() == [(ANN, None, {})]

    def test_the_tracking_url_leads_to_an_open_of_that_reference(self, client, generate, opens):
        _, second = generate({"email": ANN, "ref": "1"}, {"email": ANN, "ref": "2"}).json["tokens"]
        client.get(second["trackingUrl"].removeprefix("http://mail.example.com/track"))
        assert [one.recipient_id for one in opens()] == [second["recipientId"]]

    @pytest.mark.parametrize(
        ("ref", "data"),
        [
            pytest.param("x" * 128, {}, id="the longest reference"),
            pytest.param("\U0001f600" * 128, {}, id="128 emoji"),
            pytest.param(
                "Zoë/№ 5; =1+1, \"'", {"\U0001f600": "\U0001f469\u200d\U0001f4bb"}, id="emoji as key and value"
            ),
            pytest.param("1", {"a": "x" * 2040}, id="2,048 bytes"),
            pytest.param("1", {"a": "é" * 1020}, id="2,048 bytes in UTF-8, not ASCII"),
            pytest.param("1", {"a": [[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}, id="16 levels"),
            pytest.param("1", {"": {"a": -0.5, "b": 1e300, "c": 2**63}}, id="numbers"),
        ],
    )
    def test_all_that_is_allowed_is_kept_as_it_is(self, generate, stored, ref, data):
        assert generate({"email": ANN, "ref": ref, "data": data}).status == 201
        assert stored() == [(ANN, ref, data)]

    def test_the_body_may_begin_with_a_byte_order_mark(self, client, pixel, stored):
        body = b"\xef\xbb\xbf" + json.dumps({"recipients": [{"email": ANN, "ref": "1"}]}).encode()
        path = f"/api/v1/pixels/{pixel.id}/generate-tokens"
        assert client.post(path, data=body, content_type="application/json").status == 201
        assert stored() == [(ANN, "1", None)]

    def test_10_000_of_the_largest_recipients_fit(self, generate, tracker, pixel):
        data = {"a": "x" * 2040}
        answer = generate(*({"email": ANN, "ref": f"{number:0128}", "data": data} for number in range(10_000)))
        assert (answer.status, answer.json["generated"]) == (201, 10_000)
        assert tracker.get_pixel(pixel).recipients == 10_000


def one(**more):
    return {"recipients": [{"email": ANN, **more}]}


class TestRefusing:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"emails": [ANN], "recipients": [{"email": ANN}]}, "Either emails or recipients, not both"),
            ({"emails": [], "recipients": []}, "Either emails or recipients, not both"),
            ({"emails": None, "recipients": [{"email": ANN}]}, "Either emails or recipients, not both"),
            ({}, "Emails array is required"),
            ({"recipient": []}, "Emails array is required"),
            ({"recipients": []}, "Recipients array is required"),
            ({"recipients": None}, "Recipients array is required"),
            ({"recipients": {"email": ANN}}, "Recipients array is required"),
            ({"recipients": ANN}, "Recipients array is required"),
            ({"recipients": [{"email": ANN, "ref": str(n)} for n in range(10_001)]}, "Max 10,000 emails allowed"),
        ],
        ids=str,
    )
    def test_another_form_is_refused(self, refused, body, error):
        assert refused(body) == {"error": error}

    @pytest.mark.parametrize(
        "entry",
        [{}, {"email": None}, {"email": 1}, {"email": "ann"}, {"email": [ANN]}, {"email": ""}, {"email": "a\0@b.org"}],
        ids=str,
    )
    def test_a_bad_address_is_an_invalid_email(self, refused, entry):
        answer = refused({"recipients": [{"email": ANN, "ref": "1"}, entry]})
        assert answer["error"] == "Invalid email format"
        assert [list(problem) for problem in answer["invalid"]] == [["index", "reason"]]
        assert answer["invalid"][0]["index"] == 1

    @pytest.mark.parametrize(
        "body",
        [
            *(
                pytest.param(one(ref=ref), id=f"reference, {name}")
                for name, ref in {
                    "empty": "",
                    "129 characters": "x" * 129,
                    "NUL": "a\0",
                    "tab": "a\tb",
                    "line break": "a\n",
                    "C1": "a\x85",
                    "line separator": "a\u2028",
                    "lone surrogate": "\ud800",
                    "number": 1,
                    "true": True,
                    "array": ["1"],
                    "object": {},
                }.items()
            ),
            *(
                pytest.param(one(data=data), id=f"data, {name}")
                for name, data in {
                    "text": "x",
                    "array": [],
                    "number": 1,
                    "false": False,
                    "2,049 bytes": {"a": "x" * 2041},
                    "2,050 bytes in UTF-8, fewer characters": {"a": "é" * 1021},
                    "NUL in a value": {"a": "\0"},
                    "NUL in a key": {"\0": 1},
                    "NUL within": {"a": [{"b": "\0"}]},
                    "lone surrogate": {"a": "\udfff"},
                    "17 levels": {"a": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]},
                    "17 levels of objects": json.loads('{"a":' * 17 + "1" + "}" * 17),
                    "500 levels": json.loads('{"a":' * 500 + "1" + "}" * 500),
                }.items()
            ),
            pytest.param({"recipients": [ANN]}, id="entry is a text"),
            pytest.param({"recipients": [None]}, id="entry is null"),
            pytest.param({"recipients": [[ANN]]}, id="entry is an array"),
            pytest.param(one(reference="1"), id="unknown key"),
        ],
    )
    def test_a_bad_reference_or_bad_data_are_an_invalid_recipient(self, refused, body):
        answer = refused({"recipients": [{"email": "bob@example.org"}, *body["recipients"]]})
        assert answer["error"] == "Invalid recipient"
        assert [problem["index"] for problem in answer["invalid"]] == [1]
        assert answer["invalid"][0]["reason"].endswith(".")

    def test_the_first_20_are_named(self, refused):
        answer = refused({"recipients": [{"email": ANN}, *({"email": ANN, "ref": ""} for _ in range(30))]})
        assert [problem["index"] for problem in answer["invalid"]] == list(range(1, 21))

    def test_addresses_come_first(self, refused):
        answer = refused({"recipients": [{"email": ANN, "ref": ""}, {"email": "bad", "ref": ""}]})
        assert (answer["error"], [one["index"] for one in answer["invalid"]]) == ("Invalid email format", [1])

    def test_one_bad_reference_among_9_999_leaves_nothing_stored(self, refused):
        recipients = [{"email": ANN, "ref": str(number)} for number in range(9_999)]
        assert refused({"recipients": [*recipients, {"email": ANN, "ref": "\n"}]})["invalid"][0]["index"] == 9_999

    def test_neither_the_answer_nor_the_log_repeats_the_input(self, refused, caplog):
        caplog.set_level("INFO")
        answer = refused({"recipients": [{"email": ANN, "ref": "SECRET\n", "data": {"SECRET": "\0"}}]})
        assert "SECRET" not in json.dumps(answer) + caplog.text

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000])
    def test_numbers_that_json_does_not_have_are_refused(self, client, pixel, contents, number):
        before = contents()
        body = b'{"recipients": [{"email": "ann@example.org", "data": {"a": %s}}]}' % number.encode()
        path = f"/api/v1/pixels/{pixel.id}/generate-tokens"
        assert client.post(path, data=body, content_type="application/json").status == 400
        assert contents() == before

    def test_nesting_beyond_all_measure_is_refused(self, client, pixel, contents):
        before = contents()
        body = b'{"recipients": [{"email": "ann@example.org", "data": ' + b'{"a":' * 100_000
        path = f"/api/v1/pixels/{pixel.id}/generate-tokens"
        assert client.post(path, data=body, content_type="application/json").status == 400
        assert contents() == before

    def test_a_body_over_24_mib_is_refused_before_reading(self, client, pixel, unread):
        environ = {"CONTENT_LENGTH": str(MAX_TOKENS_BYTES + 1), "wsgi.input": unread}
        path = f"/api/v1/pixels/{pixel.id}/generate-tokens"
        answer = client.post(path, content_type="application/json", environ=environ)
        assert (answer.status, MAX_TOKENS_BYTES) == (413, 24 * 1024 * 1024)

    @pytest.mark.parametrize("value", [b"{}", b"[]", b'{"a":[]}', b"[[[]]]", b"0.5", b'"ab"'])
    def test_a_body_of_a_great_many_values_is_refused_in_little_memory(self, client, pixel, contents, value):
        before = contents()
        number = MAX_TOKENS_BYTES // (len(value) + 1) - 10
        body = b'{"recipients": [' + b",".join([value] * number) + b"]}"
        tracemalloc.start()
        try:
            path = f"/api/v1/pixels/{pixel.id}/generate-tokens"
            answer = client.post(path, data=body, content_type="application/json")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (answer.status, contents()) == (400, before)
        assert peak < 4 * len(body)


class TestLists:
    @pytest.fixture(autouse=True)
    def _filled(self, tracker, pixel):
        given = [("ann@example.org", "INV-1"), ("ann@example.org", "INV-2"), ("bob@example.com", "inv-3")]
        tracker.generate_tokens(pixel, [NewRecipient(*one, {"n": 1}) for one in given])
        tracker.generate_tokens(pixel, ["cem@example.org"])

    @pytest.fixture
    def found(self, client, pixel):
        """Returns the reference of each recipient that a query lists."""
        return lambda **query: [
            one["ref"] for one in client.get(f"/api/v1/pixels/{pixel.id}/recipients", query_string=query).json["items"]
        ]

    def test_a_recipient_has_its_reference_and_its_data_or_null(self, client, pixel):
        items = client.get(f"/api/v1/pixels/{pixel.id}/recipients").json["items"]
        assert [(one["email"], one["ref"], one["data"]) for one in items] == [
            ("ann@example.org", "INV-1", {"n": 1}),
            ("ann@example.org", "INV-2", {"n": 1}),
            ("bob@example.com", "inv-3", {"n": 1}),
            ("cem@example.org", None, None),
        ]

    @pytest.mark.parametrize(
        ("query", "refs"),
        [
            ({"ref": "INV-1"}, ["INV-1"]),
            ({"ref": "inv-1"}, []),
            ({"ref": "INV"}, []),
            ({"search": "inv"}, ["INV-1", "INV-2", "inv-3"]),
            ({"search": "ANN@"}, ["INV-1", "INV-2"]),
            ({"search": "example.com"}, ["inv-3"]),
            ({"search": "%"}, []),
            ({"search": "a\0"}, []),
            ({"search": ""}, ["INV-1", "INV-2", "inv-3", None]),
            ({"search": "ann", "ref": "inv-3"}, []),
            ({"search": "ann", "opened": "true"}, []),
            ({"search": "ann", "state": "none"}, ["INV-1", "INV-2"]),
        ],
        ids=str,
    )
    def test_recipients_are_found_by_a_part_of_address_or_reference_and_by_the_whole_reference(
        self, found, query, refs
    ):
        assert found(**query) == refs

    @pytest.mark.parametrize("query", ["ref=", "ref=a&ref=b", "search=a&search=b"])
    def test_an_empty_reference_and_arguments_given_twice_are_refused(self, client, pixel, query):
        for path in ("recipients", "generate-tokens/csv"):
            assert client.get(f"/api/v1/pixels/{pixel.id}/{path}?{query}").status == 400

    def test_the_filters_apply_to_the_csv_too(self, client, pixel):
        answer = client.get(f"/api/v1/pixels/{pixel.id}/generate-tokens/csv?columns=all&ref=INV-2")
        assert [row.split(",")[4] for row in answer.text.splitlines()] == ["Reference", "INV-2"]
