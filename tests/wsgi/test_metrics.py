"""`GET /metrics`: true, cheap, behind the key, and as Prometheus wants it."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailtrack import Spool, StorageUnavailable, Tracker, Verdict, VerdictKind
from mailtrack._version import __version__
from mailtrack._webhook import Delivery, Webhook
from mailtrack.testing import make_hit, make_open
from mailtrack.testing._factories import to_line
from mailtrack_wsgi import create_app

NOW = datetime(2025, 11, 6, 12, tzinfo=UTC)
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Prometheus) is not installed")


def samples(answer) -> dict[tuple[str, ...], float]:
    """The values of an answer, by the names of metrics and the values of their labels in the order of these."""
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        (one.name.removeprefix("mailtrack_"), *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


@pytest.fixture
def with_webhooks(storage):
    """The storage with three webhooks, of which one is disabled and one has two deliveries that are due."""
    made = [
        Webhook(id=f"{n:016x}", url="https://example.org/", secret="whsec_x", created_at=NOW, enabled=n < 2)
        for n in range(3)
    ]
    for one in made:
        storage.add_webhook(one)
    end = storage.get_feed_end()
    due = [Delivery(event_id=str(n), cursor=end, event_at=NOW - timedelta(minutes=n), next_try_at=NOW) for n in (1, 2)]
    assert storage.fill_outbox(made[0].id, after=storage.get_webhook(made[0].id).after, to=end, deliveries=due)
    return storage


@pytest.fixture
def make_spooling(storage, tmp_path):
    """Makes a client of an application whose tracker has a spool, which is not started."""

    def make(client_of, **options):
        tracker = Tracker(storage, spool=Spool(tmp_path / "mail.spool"), clock=lambda: NOW)
        return client_of(create_app(tracker, **options))

    return make


@pytest.mark.each_storage
def test_opens_are_counted_by_kind_and_whether_they_count_also_when_they_are_gone(
    storage, tracker, pixel, client
) -> None:
    before = samples(client.get("/metrics"))
    assert {key for key in before if key[0] == "opens_total"} == {
        ("opens_total", counted, kind.value) for kind in VerdictKind for counted in ("true", "false")
    }
    for kind, counted, number in (("human", True, 3), ("human", False, 1), ("prefetch", False, 2)):
        storage.add_opens([make_open(pixel, verdict=Verdict(kind=kind), counted=counted) for _ in range(number)])
    tracker.delete_pixel(pixel)
    found = samples(client.get("/metrics"))
    assert {key[1:]: value for key, value in found.items() if key[0] == "opens_total" and value} == {
        ("true", "human"): 3,
        ("false", "human"): 1,
        ("false", "prefetch"): 2,
    }


def test_it_has_the_version_and_no_spool_where_there_is_none(client) -> None:
    found = samples(client.get("/metrics"))
    assert (found["build_info", __version__], found[("storage_up",)]) == (1, 1)
    assert not [key for key in found if "spool" in key[0]]


def test_what_waits_in_the_spool_is_measured(make_spooling, client, tmp_path) -> None:
    spooling = make_spooling(type(client))
    assert samples(spooling.get("/metrics"))[("spool_hits",)] == 0
    line = to_line(make_hit("a1b2c3d4", at=NOW - timedelta(minutes=3)))
    folder = tmp_path / "mail.spool"
    folder.mkdir()
    (folder / "1.spool").write_bytes(line * 4)
    (folder / "set-aside.lines").write_bytes(b"one\ntwo\n")
    found = samples(spooling.get("/metrics"))
    assert {name: found[name,] for (name, *_) in found if name.startswith("spool_")} == {
        "spool_up": 1,
        "spool_hits": 4,
        "spool_bytes": 4 * len(line),
        "spool_oldest_hit_age_seconds": 180,
        "spool_dead_letters": 2,
        "spool_drain_lag_seconds": 0,
    }


def test_a_spool_that_cannot_be_read_is_down(make_spooling, client, tmp_path) -> None:
    (tmp_path / "mail.spool").mkdir()
    (tmp_path / "mail.spool" / "1.spool").mkdir()
    found = samples(make_spooling(type(client)).get("/metrics"))
    assert [value for key, value in found.items() if key[0].startswith("spool_")] == [0]


@pytest.mark.each_storage
def test_deliveries_are_counted_for_each_webhook(with_webhooks, make_client) -> None:
    found = samples(make_client(storage=with_webhooks, clock=lambda: NOW).get("/metrics"))
    assert {key: value for key, value in found.items() if "webhook" in key[0]} == {
        ("webhooks", "enabled"): 2,
        ("webhooks", "disabled"): 1,
        ("webhook_pending_deliveries", "0" * 16): 2,
        ("webhook_pending_deliveries", "0" * 15 + "1"): 0,
        ("webhook_pending_deliveries", "0" * 15 + "2"): 0,
        ("webhook_oldest_delivery_age_seconds", "0" * 16): 120,
        ("webhook_oldest_delivery_age_seconds", "0" * 15 + "1"): 0,
        ("webhook_oldest_delivery_age_seconds", "0" * 15 + "2"): 0,
    }


@pytest.mark.parametrize("error", [StorageUnavailable("locked"), OSError("gone"), RuntimeError("bug")])
def test_a_storage_that_is_down_is_a_metric(broken, make_client, error, caplog) -> None:
    class Down(broken):
        get_image = None

    answer = make_client(storage=Down(error)).get("/metrics")
    assert samples(answer) == {("build_info", __version__): 1, ("storage_up",): 0}
    assert type(error).__name__ in caplog.text


def test_it_needs_a_key_which_is_also_known_while_the_storage_is_down(
    tracker, storage, make_client, monkeypatch
) -> None:
    key = {"headers": {"Authorization": f"Bearer {tracker.keys.create()[1]}"}}
    wrong = {"headers": {"Authorization": "Bearer wrong"}}
    monkeypatch.setattr("mailtrack._keys.CACHE_SECONDS", 0)
    client = make_client(stored_keys=True)
    assert [client.get("/metrics", **one).status for one in ({}, wrong, key)] == [401, 401, 200]

    def fail(*_: object) -> None:
        raise StorageUnavailable("locked")

    for name in ("ping", "list_keys"):
        monkeypatch.setattr(storage, name, fail)
    client_without_memory = make_client(stored_keys=True)
    assert samples(client.get("/metrics", **key))[("storage_up",)] == 0
    assert [client.get("/metrics", **wrong).status, client.get("/api/v1/pixels", **key).status] == [503, 503]
    assert client_without_memory.get("/metrics", **key).status == 503


def test_without_the_library_it_says_what_to_install(client, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = client.get("/metrics")
    assert answer.status == 501
    assert answer.json == {"error": "Metrics need prometheus-client: pip install 'mailtrack[metrics]'"}


def test_no_label_names_a_pixel_or_a_person(client, recipient, storage, pixel) -> None:
    storage.add_opens([make_open(pixel, recipient)])
    text = client.get("/metrics").text
    for word in (pixel.name, pixel.short_id, recipient.email, recipient.token, recipient.id):
        assert word not in text


@needs_promtool
def test_promtool_finds_no_fault(make_spooling, with_webhooks, make_client, client) -> None:
    for one in (make_spooling(type(client)), make_client(storage=with_webhooks)):
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=one.get("/metrics").data, capture_output=True, check=False
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
