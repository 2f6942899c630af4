"""The e-mail backend: tracks mails, and sends them by another backend."""

from collections.abc import Sequence
from typing import Any

from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

from mailtrack_wsgi.django._mails import carry_back, track_all
from mailtrack_wsgi.django._settings import SMTP, read


class EmailBackend(BaseEmailBackend):
    """Puts a pixel into each mail to one address that has HTML, and sends it by another backend.

    Mails to several addresses, and those whose tracking fails for whatever reason, go out untracked, which is logged.
    The caller's messages stay as they are. As thread-safe as the other backend.

    Args:
        options: what the backend of `MAILTRACK_EMAIL_BACKEND` takes, such as the `OPTIONS` in `MAILERS`, or the
            `fail_silently` of `get_connection`. Here `backend` names another one than the setting.

    Raises:
        django.core.exceptions.ImproperlyConfigured: the other backend can't be imported.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(**{name: value for name, value in options.items() if name == "alias"})
        path = read("email_backend", options.pop("backend", None))
        if path == SMTP and hasattr(mail, "mailers"):
            options.setdefault("alias", None)  # since Django 6.1 it warns of being made without
        self._backend: BaseEmailBackend = import_string(path)(*args, **options)

    def open(self) -> bool | None:
        """Open the other backend's connection."""
        return self._backend.open()

    def close(self) -> None:
        """Close the other backend's connection."""
        self._backend.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send messages, and return what the other backend returns: their number."""
        messages = list(email_messages or ())
        sent = track_all(messages)
        try:
            return self._backend.send_messages(sent)
        finally:
            for message, one in zip(messages, sent, strict=True):
                carry_back(one, message)
