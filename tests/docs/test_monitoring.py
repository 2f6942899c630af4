"""The files in `examples/monitoring` and the page on monitoring name metrics that exist, and Prometheus takes them."""

import json
import re
import shutil
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from mailtrack import Tracker, open_storage
from mailtrack._measures import Measures, StorageMeasures, WebhookMeasures
from mailtrack._spool import Backlog
from mailtrack._webhook import DeliveryCount
from mailtrack.storage._replica import ReplicaState
from mailtrack_wsgi._metrics import _Collector

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Prometheus) is not installed")

EVERYTHING = Measures(
    storage=StorageMeasures(
        opens={}, webhooks=WebhookMeasures(enabled=1, disabled=0, deliveries={"1" * 16: DeliveryCount()})
    ),
    spooled=True,
    backlog=Backlog(lines=0, bytes=0, oldest=None, waited=0.0, dead_letters=0),
    replica=ReplicaState(0.0),
)


def metrics() -> dict[str, tuple[str, set[str]]]:
    """The type and the labels of each metric, by its name."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels},
        )
        for family in _Collector(EVERYTHING, datetime.now(UTC)).collect()
    }


def named(text: str) -> set[str]:
    return set(re.findall(r"\bmailtrack_\w+", text))


def test_the_page_lists_each_metric_with_its_type_and_its_labels() -> None:
    rows = re.findall(r"^\| `(mailtrack_\w+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {name: kind for name, kind, _ in rows} == {name: kind for name, (kind, _) in metrics().items()}
    for name, _, meaning in rows:
        assert all(f"`{label}`" in meaning for label in metrics()[name][1])


def test_a_server_without_webhooks_and_spool_has_the_others() -> None:
    with open_storage("memory://") as storage:
        collected = _Collector(Tracker(storage)._measure(), datetime.now(UTC)).collect()
        assert {family.name for family in collected} >= {"mailtrack_storage_up", "mailtrack_opens"}


def test_the_page_lists_each_alert() -> None:
    assert re.findall(r"^\| `(Mailtrack\w+)` \|", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_uses_metrics_that_exist_and_says_what_is_wrong(rule) -> None:
    assert named(rule["expr"]) <= set(metrics())
    assert named(rule["expr"]) or rule["expr"].startswith("up{")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_each_alert_is_tried_in_both_ways() -> None:
    quiet, loud = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    names = {rule["alert"] for rule in RULES}
    assert {one["alertname"] for one in quiet["alert_rule_test"] if "exp_alerts" not in one} == names
    assert {one["alertname"] for one in loud["alert_rule_test"] if one["exp_alerts"]} == names


@needs_promtool
@pytest.mark.parametrize(
    "command",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml"), ("check", "config", "prometheus.yml")],
    ids=" ".join,
)
def test_promtool_takes_the_files(command, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "mailtrack.key").write_text("key\n", encoding="utf-8")
    done = subprocess.run(
        ["promtool", *command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_dashboard_uses_all_metrics_that_exist_and_no_others() -> None:
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert set.union(*map(named, expressions)) == set(metrics())
    assert all('instance=~"$instance"' in one for one in expressions)


def test_the_labels_in_the_dashboard_exist() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            (name,) = named(target["expr"])
            labels = set(re.findall(r"(\w+)=", target["expr"])) | set(re.findall(r"by \((\w+)\)", target["expr"]))
            labels |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert labels <= metrics()[name][1] | {"instance"}


def test_the_panels_of_the_dashboard_have_titles_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        assert not taken & cells
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_job_asks_the_path_that_there_is(server: int) -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    with urllib.request.urlopen(f"http://127.0.0.1:{server}{job['metrics_path']}", timeout=30) as answer:
        text = answer.read().decode()
    assert {"mailtrack_storage_up 1.0", "mailtrack_spool_up 1.0", "mailtrack_spool_hits 0.0"} <= set(text.splitlines())
