"""Agents and judgements: what many opens of a pixel share, and rows hold once.

An **agent** is a user agent with its client. A **judgement** is a verdict with all that led to it and the weight that
it gives an open.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from mailtrack._columns import Finding
from mailtrack._model import Client, Verdict, VerdictKind


class Agent(NamedTuple):
    """The columns of an agent."""

    user_agent: str
    client: str
    client_version: str
    os: str
    device: str


class JudgementRow(NamedTuple):
    """The columns of a judgement."""

    verdict: str
    vendor: str | None
    reasons: str
    certainty: str | None
    rules_version: int
    counted: int
    signals: str
    networks: str


KINDS = {kind: number for number, kind in enumerate(VerdictKind)}
"""The numbers of the kinds in the rows of opens. New ones are only appended."""


@lru_cache(maxsize=4096)
def to_rows(finding: Finding) -> tuple[Agent, JudgementRow]:
    """Return the columns of the agent and the judgement of opens with a finding."""
    client, verdict = finding.client, finding.verdict
    return (
        Agent(finding.user_agent, client.name, client.version, client.os, client.device),
        JudgementRow(
            verdict.kind.value,
            verdict.vendor,
            json.dumps(verdict.reasons),
            verdict.certainty.value if verdict.certainty else None,
            verdict.rules_version,
            int(finding.counted),
            " ".join(finding.signals),
            " ".join(finding.networks),
        ),
    )


@lru_cache(maxsize=8192)
def digest_row(row: Agent | JudgementRow, pixel_id: str) -> int:
    """Return 64 bits of a hash. Two of a million rows have the same with a probability of 3 in 100 million.

    It depends on the pixel's id, of which mails show a quarter only: else a client could look for two user agents with
    the same hash, send one, and be shown with the other.
    """
    found = blake2b(json.dumps((pixel_id, row)).encode(), digest_size=8).digest()
    return int.from_bytes(found, "big", signed=True)


class ReadAgent(NamedTuple):
    """An agent as values of the model."""

    user_agent: str
    client: Client


class ReadJudgement(NamedTuple):
    """A judgement as values of the model."""

    verdict: Verdict
    counted: bool
    signals: tuple[str, ...]
    networks: tuple[str, ...]


def read_agent(columns: Sequence[Any]) -> ReadAgent:
    """Return an agent, given the columns of `Agent`."""
    user_agent, *client = columns
    return ReadAgent(user_agent, _to_client(*client))


def read_judgement(columns: Sequence[Any]) -> ReadJudgement:
    """Return a judgement, given the columns of `JudgementRow`."""
    *verdict, counted, signals, networks = columns
    return ReadJudgement(_to_verdict(*verdict), bool(counted), _to_names(signals), _to_names(networks))


@lru_cache(maxsize=1024)
def _to_verdict(kind: str, vendor: str | None, reasons: str, certainty: str | None, rules_version: int) -> Verdict:
    return Verdict(
        kind=kind,
        vendor=vendor,
        reasons=json.loads(reasons),
        certainty=certainty,
        rules_version=rules_version,
    )


@lru_cache(maxsize=1024)
def _to_client(name: str, version: str, os: str, device: str) -> Client:
    return Client(name=name, version=version, os=os, device=device)


@lru_cache(maxsize=1024)
def _to_names(text: str) -> tuple[str, ...]:
    return tuple(text.split())
