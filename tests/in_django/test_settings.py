"""Settings that can't be used are reported by `manage.py check`, and raised where they are needed."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.test.utils import override_settings

from mailtrack.storage._replica import ReplicaState
from mailtrack_wsgi.django import get_tracker


def found() -> list[tuple[str | None, str]]:
    return [(one.id, str(one.msg)) for one in run_checks() if str(one.id).startswith("mailtrack")]


def test_good_settings_pass(tmp_path: Path) -> None:
    good = {
        "DATABASE": f"sqlite:///{tmp_path}/mailtrack.db",
        "READ_URL": "postgresql://mail@replica.example.org/mailtrack",
        "BASE_URL": "https://example.org/track/",
        "PIXEL": "Newsletter",
        "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
        "SPOOL": tmp_path / "spool",
        "AUTHORIZE": "django.contrib.auth.get_user",
        "OPTIONS": {"trusted_proxies": 1, "token_limit": "100/hour"},
    }
    with override_settings(**{f"MAILTRACK_{name}": value for name, value in good.items()}):
        assert found() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("DATABASE", None, "must be set."),
        ("DATABASE", "mailtrack.db", "must be a URL such as sqlite:////srv/mailtrack.db."),
        ("DATABASE", Path("mailtrack.db"), "must be a URL such as sqlite:////srv/mailtrack.db."),
        ("READ_URL", "replica.example.org", "must be a URL such as postgresql://"),
        ("READ_URL", 7, "must be a URL such as postgresql://"),
        ("BASE_URL", "example.org/track", "must be an absolute http or https URL, such as"),
        ("PIXEL", " ", "must be the name or the id of a pixel."),
        ("PIXEL", 7, "must be the name or the id of a pixel."),
        ("PIXEL", "a" * 257, "Pixel name"),
        ("EMAIL_BACKEND", "mailtrack_wsgi.django.EmailBackend", "must be the dotted path of another e-mail backend."),
        ("EMAIL_BACKEND", "django.core.mail.backends.nothing.EmailBackend", "can't be imported: "),
        ("SPOOL", 7, 'must be the path of a folder, or "off".'),
        ("AUTHORIZE", "django.nothing", "can't be imported: "),
        ("AUTHORIZE", True, "must be a function that takes a request, or its dotted path."),
        ("OPTIONS", {"authorize": None}, "must be a dict of options of create_app: api_keys, "),
        ("OPTIONS", {"max_slow": 0}, "max_slow: must be at least 1"),
        ("OPTIONS", {"token_limit": "many"}, "token_limit: "),
    ],
)
def test_a_value_that_can_not_be_used_is_found_with_the_reason(name: str, value: Any, problem: str) -> None:
    with override_settings(**{f"MAILTRACK_{name}": value}):
        ((identifier, message),) = found()
        assert identifier == "mailtrack.E001"
        assert message.startswith(f"MAILTRACK_{name}")
        assert problem in message


def test_it_is_raised_with_the_reason_where_it_is_needed(client: Client) -> None:
    with override_settings(MAILTRACK_BASE_URL="example.org"):
        with pytest.raises(ImproperlyConfigured, match="MAILTRACK_BASE_URL must be an absolute http or https URL"):
            get_tracker()
        with pytest.raises(ImproperlyConfigured, match="MAILTRACK_BASE_URL"):
            client.get("/track/")
    with override_settings(MAILTRACK_DATABASE="unknown://"), pytest.raises(ImproperlyConfigured, match="scheme"):
        get_tracker()
    with override_settings(MAILTRACK_DATABASE="sqlite://"), pytest.raises(ImproperlyConfigured, match="DATABASE must"):
        get_tracker()
    with override_settings(MAILTRACK_OPTIONS={"max_slow": 0}), pytest.raises(ImproperlyConfigured, match="max_slow"):
        client.get("/track/")


def test_a_database_of_an_unknown_scheme_is_found() -> None:
    with override_settings(MAILTRACK_DATABASE="unknown://"):
        assert "scheme" in found()[0][1]


def test_all_problems_are_reported_at_once() -> None:
    with override_settings(MAILTRACK_PIXEL="", MAILTRACK_BASE_URL="x"):
        assert len(found()) == 2


@pytest.mark.parametrize("name", ["MAILERS"] if hasattr(mail, "mailers") else ["EMAIL_BACKEND", "MAILERS"])
def test_an_email_backend_without_a_base_url_is_warned_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = "mailtrack_wsgi.django.EmailBackend"
    if name == "MAILERS":
        monkeypatch.setattr(settings, "MAILERS", {"default": {"BACKEND": backend}}, raising=False)
    else:
        monkeypatch.setattr(settings, "EMAIL_BACKEND", backend)
    with override_settings(MAILTRACK_BASE_URL=None):
        assert found() == [("mailtrack.W001", "No mail will be tracked: their images need a URL.")]
    assert found() == []


def test_figures_are_read_from_the_replica_that_is_named(replicated: Any) -> None:
    primary, standby = replicated
    urls = {"MAILTRACK_DATABASE": primary.url(), "MAILTRACK_READ_URL": standby.url(), "MAILTRACK_SPOOL": "off"}
    with override_settings(**urls):
        pixel = get_tracker().create_pixel("Read from two")
        assert isinstance(get_tracker()._get_replica_state(), ReplicaState)
        assert get_tracker().report(pixel).pixel.name == "Read from two"
    wrong = urls | {"MAILTRACK_READ_URL": primary.url()}
    with (
        override_settings(**wrong),
        pytest.raises(ImproperlyConfigured, match="MAILTRACK_READ_URL names a server that is no replica"),
    ):
        get_tracker()
