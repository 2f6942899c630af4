"""The doctor looks at the server that counts requests for tokens."""

from typing import Any

import pytest

from mailtrack.cli._doctor.finding import Outcome
from mailtrack.cli._doctor.limiter import check_limits
from mailtrack_wsgi._rate_limit import Server


@pytest.mark.parametrize("url", [None, "memory://", "sqlite:///limits"])
def test_other_places_need_no_check(url: str | None) -> None:
    assert list(check_limits(url)) == []


@pytest.mark.parametrize("name", ["redis", "valkey"])
def test_a_server_that_answers_is_named(name: str, request: pytest.FixtureRequest) -> None:
    (found,) = check_limits(request.getfixturevalue(name))
    assert (found.check, found.outcome) == ("limits", Outcome.OK)
    assert found.found.startswith(f"{name.capitalize()} ")


def test_one_that_may_forget_counts_is_a_warning(run_counter: Any) -> None:
    with run_counter("valkey", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as url:
        (found,) = check_limits(url)
    assert (found.outcome, found.advice) == (Outcome.WARNING, "Set maxmemory-policy to noeviction.")
    assert "allkeys-lru" in found.found


def test_a_clock_that_differs_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("Valkey 9", "noeviction", limited=False, ahead=-61.2)
    monkeypatch.setattr("mailtrack.cli._doctor.limiter.ask_server", lambda _: server)
    (found,) = check_limits("valkey://localhost")
    assert found.outcome is Outcome.WARNING
    assert "by 61 seconds" in found.found


@pytest.mark.parametrize("url", ["redis://:s3cret@127.0.0.1:1", "valkey://ann:s3cret@127.0.0.1:port"])
def test_one_that_does_not_answer_is_a_failure_without_its_password(url: str) -> None:
    (found,) = check_limits(url)
    assert found.outcome is Outcome.FAILED
    assert "s3cret" not in found.found
