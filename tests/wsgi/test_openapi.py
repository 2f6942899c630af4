"""`GET /api/v1/openapi.json`: valid, complete, and true of every answer that the tests of this folder get."""

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from mailtrack._model import Certainty, VerdictKind
from mailtrack_wsgi._app import _routes

PUBLIC = re.compile(
    "/api/|/healthz$|/readyz$|/metrics$|/uploads/|/docs$|/logs/|/people(/export)?$|/pixels/<pixel>/delete$|/$"
)
METHODS = ("get", "head", "post", "delete", "put", "patch", "options", "trace")


@pytest.fixture
def document(client):
    return client.get("/api/v1/openapi.json").json


def operations(document):
    return [
        (path, method, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]


def examples(node):
    """Each example below a part of the document, with the schema that stands beside it."""
    if isinstance(node, list):
        for part in node:
            yield from examples(part)
    elif isinstance(node, dict):
        if "example" in node:
            yield node["schema"], node["example"]
        for name, part in node.items():
            if name != "example":
                yield from examples(part)


def test_it_is_valid(document):
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_it_has_every_public_route_the_pages_too_and_no_other(document):
    routes = {
        (re.sub("<(.*?)>", r"{\1}", rule.rule), method.lower())
        for rule in _routes.iter_rules()
        for method in rule.methods - {"HEAD"}
        if PUBLIC.match(rule.rule)
    }
    shown = {(path, method) for path, method, _ in operations(document)}
    assert shown - {("/tracker/{pixel}.png", "get"), ("/tracker/{pixel}.png", "head")} == routes


def test_every_operation_has_a_name_a_tag_and_words(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == tags
    assert all(operation["summary"] and operation["description"] for _, _, operation in operations(document))


def test_every_parameter_of_a_path_is_told(document):
    for path, item in document["paths"].items():
        shown = [one["name"] for one in item.get("parameters", []) if one["in"] == "path"]
        assert shown == re.findall("{(.*?)}", path)


def test_every_example_is_as_its_schema_says(document, described):
    found = list(examples(document))
    assert len(found) > 30
    for schema, example in found:
        described.validate(schema, example)


def test_every_request_and_every_json_answer_has_an_example(document):
    for _, _, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media_type, content in ((name, one) for body in bodies for name, one in body.get("content", {}).items()):
            assert "example" in content or media_type.startswith(("image/", "text/html")) or "Document" in str(content)


def test_objects_in_answers_have_all_their_properties_and_no_others(document):
    taken = {
        "NewPixel",
        "NewPixelWithImage",
        "PixelChange",
        "NewTokens",
        "NewRecipient",
        "ErasedPerson",
        "Sent",
        "NewWebhook",
        "WebhookChange",
        "Replay",
        "Document",
    }
    for name, schema in document["components"]["schemas"].items():
        if name not in taken:
            assert schema["additionalProperties"] is False
            assert set(schema["properties"]) - set(schema["required"]) <= {"invalid", "ref", "data", "replicaLag"}


def test_every_schema_is_used(document):
    used = set(re.findall("#/components/schemas/([A-Za-z]+)", str(document)))
    assert used == set(document["components"]["schemas"])


def test_the_words_for_verdicts_are_those_of_the_model(document):
    verdict = document["components"]["schemas"]["Verdict"]["properties"]
    assert verdict["kind"]["enum"] == list(VerdictKind)
    assert verdict["certainty"]["enum"] == [*Certainty, None]


@pytest.mark.parametrize(
    ("base_url", "shown"),
    [(None, "http://mail.example.com/track"), ("https://example.org/mail", "https://example.org/mail")],
)
def test_urls_are_those_of_the_server(make_client, base_url, shown):
    answer = make_client(base_url=base_url).get("/api/v1/openapi.json")
    assert answer.json["servers"] == [{"url": shown, "description": "This server."}]
    urls = set(re.findall(r"https?://[^\s\"/]+", answer.text))
    urls.remove("https://crm.example.org")  # the example of an endpoint of webhooks
    assert urls == {re.match("https?://[^/]+", shown)[0]}


def test_no_key_is_needed_unless_keys_are_on(document, make_client):
    assert {} in document["security"]
    keyed = make_client(api_keys=["secret"]).get("/api/v1/openapi.json", headers={"X-API-Key": "secret"}).json
    assert keyed["security"] == [{"bearer": []}, {"header": []}, {"basic": []}]
    assert keyed | {"security": document["security"]} == document


def test_what_needs_a_key_is_told_to(document, make_client):
    client = make_client(api_keys=["secret"])
    for path, method, operation in operations(document):
        answer = client(method.upper(), path.replace("{pixel}", "00000000"))
        assert (answer.status == 401) is (operation.get("security") != [])
        assert ("401" in operation["responses"]) is (answer.status == 401)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a", True),
        (" \t\x1fa\r\n\u3000", True),
        ("a" * 256, True),
        (" " + "a" * 256 + " ", True),
        ("a" * 257, False),
        ("a\nb", False),
        ("a\x85b", False),
        ("a\u2028b", False),
        ("a\u200bb", True),
        ("\x00a", False),
        ("a\x7f", False),
        ("", False),
        (" \t\u3000", False),
    ],
)
def test_what_the_document_says_of_names_is_what_is_done(client, described, name, taken):
    schema = {"$ref": "#/components/schemas/NewPixel"}
    assert (client.post("/api/v1/pixels", json={"name": name}).status == 201) is taken
    if taken:
        described.validate(schema, {"name": name})
    else:
        with pytest.raises(ValueError, match=r"does not match|shorter"):
            described.validate(schema, {"name": name})


def test_answers_are_held_against_the_document(described):
    with pytest.raises(ValueError, match="Additional properties"):
        described.validate({"$ref": "#/components/schemas/Status"}, {"status": "ok", "more": 1})
