"""The system check of the settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from mailtrack._errors import InvalidInput
from mailtrack._tracker import Tracker
from mailtrack.storage import open_storage
from mailtrack_wsgi._app import create_app
from mailtrack_wsgi.django._settings import PREFIX, problems, read

_BACKEND = "mailtrack_wsgi.django.EmailBackend"


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """Return what is wrong with the settings. Opens and creates nothing."""
    if app_configs is not None and all(one.label != "mailtrack" for one in app_configs):
        return []
    found: list[checks.CheckMessage] = [checks.Error(problem, id="mailtrack.E001") for problem in problems()]
    if not found:
        found += _check_options()
    if getattr(settings, f"{PREFIX}BASE_URL", None) is None and _BACKEND in _backends():
        hint = f"Set {PREFIX}BASE_URL to the public URL of mailtrack, such as https://example.com/track."
        found.append(
            checks.Warning("No mail will be tracked: their images need a URL.", hint=hint, id="mailtrack.W001")
        )
    return found


def _backends() -> set[object]:
    if mailers := getattr(settings, "MAILERS", None):  # since Django 6.1
        return {one.get("BACKEND") for one in mailers.values()}
    return {settings.EMAIL_BACKEND} if settings.is_overridden("EMAIL_BACKEND") else set()


def _check_options() -> list[checks.CheckMessage]:
    if options := read("options"):
        try:
            with open_storage("memory://") as storage:
                create_app(Tracker(storage), **options)
        except (InvalidInput, TypeError) as error:
            return [checks.Error(f"{PREFIX}OPTIONS: {error}", id="mailtrack.E001")]
    return []
