"""Addresses that no mail reaches from outside, at a real server."""

EMAILS = {"emails": ["ann@localhost", "bob@shop.test"]}


def test_they_are_taken_by_a_server_that_allows_them(start):
    running = start("--allow-special-domains")
    path = f"/api/v1/pixels/{running.create_pixel()['id']}/generate-tokens"
    answer = running("POST", path, json_body=EMAILS)
    assert (answer.status, answer.json["generated"]) == (201, 2)
