"""The application for `INSTALLED_APPS`."""

from django.apps import AppConfig
from django.core import checks

from mailtrack_wsgi.django._checks import check_settings


class MailtrackConfig(AppConfig):
    """Registers the checks of the settings. Nothing is opened or started before it is used."""

    name = "mailtrack_wsgi.django"
    label = "mailtrack"

    def ready(self) -> None:
        """Register the checks."""
        checks.register(check_settings)
