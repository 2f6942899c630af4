"""The two ways to verify a signature on docs/webhooks.md agree with each other, and refuse what is forged."""

import base64
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from standardwebhooks.webhooks import Webhook

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
CODE = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
BODY = b'{"id": "evt_1", "type": "open", "data": {"name": "\xc3\x96z"}}'


def make_secret() -> str:
    return f"whsec_{base64.b64encode(os.urandom(24)).decode()}"


def signed(secret: str, body: bytes = BODY, age: int = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_1", at, body.decode()),
    }


@pytest.fixture
def program():
    names = {"__name__": "program"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    return SimpleNamespace(**names)


@pytest.fixture(params=["package", "by hand"])
def accepts(request, program):
    """Returns whether a function of the page takes a request for genuine."""
    if request.param == "by hand":
        return program.is_genuine
    return lambda *request: program.read_event(*request) is not None


def test_what_is_signed_is_accepted(accepts):
    secret = make_secret()
    assert accepts(secret, signed(secret), BODY)


def test_while_a_secret_is_rotated_either_verifies(accepts):
    new, former = make_secret(), make_secret()
    headers = signed(new)
    headers["webhook-signature"] += f" {signed(former)['webhook-signature']}"
    assert accepts(new, headers, BODY)
    assert accepts(former, headers, BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": str(int(datetime.now(UTC).timestamp()) + 1000)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
    ],
)
def test_what_is_changed_is_refused(accepts, change):
    secret = make_secret()
    assert not accepts(secret, signed(secret) | change, BODY)


def test_another_secret_another_body_and_an_old_request_are_refused(accepts):
    secret = make_secret()
    assert not accepts(make_secret(), signed(secret), BODY)
    assert not accepts(secret, signed(secret), BODY + b" ")
    assert not accepts(secret, signed(secret, age=400), BODY)
