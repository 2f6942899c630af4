"""Read labelled user agents from checkouts of public collections; see `user_agents.py`."""

import json
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

PEOPLE = ("mail program", "browser on a computer", "phone or tablet", "app", "proxy of a mail service")
MACHINES = ("robot", "program library")
PROXIES = ("GoogleImageProxy", "ggpht.com", "YahooMailProxy", "SeznamEmailProxy", "hey.com/imageproxy", "ukr.net proxy")

Labelled = tuple[str, str]  # a user agent, and its label


def read_corpora(folder: Path) -> dict[str, str]:
    """Return the label of each user agent in all collections that are checked out in a folder.

    User agents with conflicting labels are left out, and so are attacks, television sets, consoles and watches.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for read in (_device_detector, _whichbrowser, _yauaa, _crawler_user_agents, _well_known_bots, _isbot, _uap_core):
        for user_agent, kind in read(folder):
            found[user_agent].add("proxy of a mail service" if any(map(user_agent.__contains__, PROXIES)) else kind)
    kinds = {user_agent: _one(kinds) for user_agent, kinds in sorted(found.items())}
    # Vulnerability researchers put their addresses into their browsers' names.
    return {one: kind for one, kind in kinds.items() if kind and not (kind in PEOPLE and "@" in one)}


def is_held_out(user_agent: str) -> bool:
    """Return whether a user agent is in the half that was held out before the rules were written."""
    return sha256(b"split1" + user_agent.encode(errors="replace")).digest()[0] >= 128


def _one(kinds: set[str]) -> str:
    """Return the label that all share, or `None`."""
    people, machines = kinds & set(PEOPLE), kinds & set(MACHINES)
    if people and machines:
        return ""
    return next((kind for kind in (*PEOPLE, *MACHINES) if kind in kinds), "")


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)  # a safe one, in C


def _device_detector(folder: Path) -> Iterator[Labelled]:
    tests = folder / "device-detector" / "Tests"
    kinds = {"mobile app": "app", "pim": "mail program", "library": "program library"}
    for path in sorted(tests.glob("fixtures/*.yml")):
        for entry in [] if path.stem.startswith("clienthints") else _load(path) or []:
            client = entry.get("client")
            kind = client.get("type") if isinstance(client, dict) else None
            if "bot" in entry:
                yield entry["user_agent"], "robot"
            elif kind == "browser" and (device := _device(path.stem)):
                yield entry["user_agent"], device
            elif kind in kinds:
                yield entry["user_agent"], kinds[kind]
    for name, kind in {"pim": "mail program", "mobile_app": "app", "library": "program library"}.items():
        for entry in _load(tests / f"Parser/Client/fixtures/{name}.yml") or []:
            yield entry["user_agent"], kind


def _device(name: str) -> str:
    if name.startswith("desktop"):
        return "browser on a computer"
    return "phone or tablet" if name.startswith(("smartphone", "phablet", "tablet", "feature")) else ""


def _whichbrowser(folder: Path) -> Iterator[Labelled]:
    data = folder / "Parser-PHP" / "tests" / "data"
    kinds = {
        "bots": "robot",
        "desktop": "browser on a computer",
        "mobile": "phone or tablet",
        "tablet": "phone or tablet",
    }
    for path in sorted(data.rglob("*.yaml")):
        kind = kinds.get(path.relative_to(data).parts[0])
        for entry in _load(path) or [] if kind and path.stem != "false-positive" else []:
            headers = entry.get("headers")
            if isinstance(headers, str) and headers.lower().startswith("user-agent:"):
                yield headers.partition(":")[2].strip(), "mail program" if path.stem == "app-email" else str(kind)


def _yauaa(folder: Path) -> Iterator[Labelled]:
    resources = folder / "yauaa" / "analyzer" / "src" / "main" / "resources" / "UserAgents"
    devices = {"Desktop": "browser on a computer", "Phone": "phone or tablet", "Tablet": "phone or tablet"}
    for path in sorted(resources.glob("*.yaml")):
        for entry in (_load(path) or {}).get("config") or []:
            test = entry.get("test") if isinstance(entry, dict) else None
            given = (test or {}).get("input") or {}
            user_agent = given.get("User-Agent") if isinstance(given, dict) and len(given) == 1 else None
            expected = (test or {}).get("expected") or {}
            device, agent = str(expected.get("DeviceClass")), str(expected.get("AgentClass"))
            if user_agent and (device + agent).count("Robot"):
                yield user_agent, "robot"
            elif user_agent and "Hacker" not in device + agent and agent == "Email Client":
                yield user_agent, "mail program"
            elif user_agent and device in devices and agent.startswith("Browser"):
                yield user_agent, devices[device]


def _crawler_user_agents(folder: Path) -> Iterator[Labelled]:
    for entry in json.loads((folder / "crawler-user-agents" / "crawler-user-agents.json").read_bytes()):
        yield from ((user_agent, "robot") for user_agent in entry.get("instances", ()))


def _well_known_bots(folder: Path) -> Iterator[Labelled]:
    for entry in json.loads((folder / "well-known-bots" / "well-known-bots.json").read_bytes()):
        yield from ((user_agent, "robot") for user_agent in (entry.get("instances") or {}).get("accepted", ()))


def _isbot(folder: Path) -> Iterator[Labelled]:
    for user_agents in _load(folder / "isbot" / "fixtures" / "crawlers.yml").values():
        yield from ((user_agent, "robot") for user_agent in user_agents)


def _uap_core(folder: Path) -> Iterator[Labelled]:
    for entry in _load(folder / "uap-core" / "tests" / "test_device.yaml")["test_cases"]:
        yield entry["user_agent_string"], "robot" if entry["family"] == "Spider" else "phone or tablet"
