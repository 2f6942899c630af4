"""`mailtrack keys`."""

import json
import re

import pytest

FIRST = "This is the first key: restart the server, so that it requires one.\n"
LAST = "This was the last key: a running server refuses all requests, but needs no key after a restart.\n"


def test_create_prints_the_key_alone_and_this_once(run, tracker):
    created = run("keys", "create")
    text = created.stdout.removesuffix("\n")
    (key,) = tracker.keys.all()
    assert re.fullmatch(r"mtk_[0-9a-f]{40}", text)
    assert created.stderr == f"The id of this key is {key.id}. The key is not shown again.\n{FIRST}"
    assert tracker.keys.find(text) == key
    assert text not in run("keys", "list").output + run("keys", "list", "--json").output


def test_create_prints_json(run, tracker):
    created = run("keys", "create", "--name", "Nightly export", "--json")
    (key,) = tracker.keys.all()
    shown = json.loads(created.stdout)
    assert tracker.keys.find(shown.pop("key")) == key
    assert shown == {"id": key.id, "name": "Nightly export", "createdAt": shown["createdAt"]}


def test_only_the_first_key_makes_a_difference_to_the_next_server(run):
    assert [FIRST in run("keys", "create").stderr for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("name", ["a" * 257, "Night\x1bly"])
def test_create_refuses_a_bad_name(run, tracker, name):
    result = run("keys", "create", "--name", name, exits=1)
    assert (result.stdout, result.stderr.startswith("Error: Key name must ")) == ("", True)
    assert tracker.keys.all() == []


@pytest.mark.usefixtures("tracker")
def test_list_without_keys_prints_the_heads(run):
    assert run("keys", "list").stdout.split() == ["ID", "CREATED", "NAME"]
    assert run("keys", "list", "--json").stdout == ""


def test_list_prints_the_oldest_first(run, tracker):
    keys = [tracker.keys.create(name)[0] for name in ("Nightly export", "", "Ann")]
    rows = [line.split(maxsplit=2) for line in run("keys", "list").stdout.splitlines()[1:]]
    assert [(row[0], *row[2:]) for row in rows] == [
        (keys[0].id, "Nightly export"),
        (keys[1].id,),
        (keys[2].id, "Ann"),
    ]
    listed = [json.loads(line) for line in run("keys", "list", "--json").stdout.splitlines()]
    assert [(one["id"], one["name"], sorted(one)) for one in listed] == [
        (key.id, key.name, ["createdAt", "id", "name"]) for key in keys
    ]


def test_revoke_lets_a_key_open_nothing_any_more(run, tracker):
    (gone, text), (left, _) = tracker.keys.create(), tracker.keys.create()
    result = run("keys", "revoke", gone.id)
    assert (result.stdout, result.stderr) == ("", f"Revoked {gone.id}.\n")
    assert tracker.keys.all() == [left]
    assert text not in result.output


def test_revoke_tells_what_the_last_key_leaves(run, tracker):
    key, _ = tracker.keys.create()
    assert run("keys", "revoke", key.id).stderr == f"Revoked {key.id}.\n{LAST}"


@pytest.mark.parametrize("key_id", ["0" * 12, "x", "", "{0}", "../../etc/passwd"])
def test_an_unknown_key_is_not_found_and_not_repeated(run, tracker, key_id):
    key, text = tracker.keys.create()
    result = run("keys", "revoke", key_id.format(text), exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Key not found\n")
    assert tracker.keys.all() == [key]
