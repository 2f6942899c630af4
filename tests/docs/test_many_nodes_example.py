"""The files in `examples/many_nodes` fit each other and the program; tests/server runs nginx before such nodes."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from mailtrack.cli._settings import ENVIRONMENT_PREFIX, Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDER = EXAMPLES / "many_nodes"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
NODES = [name for name in SERVICES if name.startswith("node")]
NGINX = (FOLDER / "nginx.conf").read_text(encoding="utf-8")
ENVIRONMENT = (FOLDER / "node.env").read_text(encoding="utf-8")
SETTINGS = dict(re.findall(rf"^(?:# )?({ENVIRONMENT_PREFIX}[A-Z_]+)=(\S+)$", ENVIRONMENT, re.MULTILINE))


def test_each_variable_is_a_setting_with_a_valid_value() -> None:
    settings = Settings.resolve({}, SETTINGS)
    assert len(SETTINGS) > 5
    for name, value in SETTINGS.items():
        assert str(getattr(settings, name.removeprefix(ENVIRONMENT_PREFIX).lower())) == value


def test_the_hosts_in_the_settings_are_services() -> None:
    for name in ("DATABASE", "RATE_LIMIT_STORAGE"):
        assert urlsplit(SETTINGS[ENVIRONMENT_PREFIX + name]).hostname in SERVICES


def test_the_image_has_what_the_settings_need() -> None:
    dockerfile = (EXAMPLES / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"'\.\[(.*)\]'", dockerfile)
    assert {"server", "postgres", "redis"} <= set(extras.split(","))
    assert extras in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_balancer_knows_each_node() -> None:
    assert re.findall(r"^ +server (\w+):8000 ", NGINX, re.MULTILINE) == NODES
    assert len(NODES) == 3


def test_the_nodes_differ_in_their_volumes_only() -> None:
    for name in NODES:
        assert SERVICES[name] == SERVICES[NODES[0]] | {"volumes": [f"{name}:/data"]}
    assert (SERVICES[NODES[0]]["read_only"], SERVICES[NODES[0]]["cap_drop"]) == (True, ["ALL"])
    dockerfile = FOLDER / SERVICES[NODES[0]]["build"]["context"] / SERVICES[NODES[0]]["build"]["dockerfile"]
    assert dockerfile.samefile(EXAMPLES / "deploy" / "Dockerfile")


def test_only_the_balancer_is_reached_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"balancer": ["127.0.0.1:8000:80"]}


def test_compose_reads_its_file() -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    command = ["docker", "compose", "--file", FOLDER / "compose.yaml", "config", "--quiet"]
    version = subprocess.run([*command[:2], "version"], capture_output=True, text=True, check=False)
    if version.returncode:
        pytest.skip("docker compose is not installed")
    environment = os.environ | {"POSTGRES_PASSWORD": "secret"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
