"""The base URL of the printed URLs: the storage keeps the one that the server was last started with."""

from mailtrack._errors import InvalidSetting, StorageError
from mailtrack._redacting import redact
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls, check_base_url
from mailtrack.cli._output import echo
from mailtrack.cli._settings import Settings
from mailtrack.storage import Storage, SupportsSettings, open_storage

_NAME = "base_url"


def remember(settings: Settings) -> None:
    """Store the base URL of a server that starts, or that it has none."""
    try:
        with open_storage(settings.database) as storage:
            if isinstance(storage, SupportsSettings) and storage.get_setting(_NAME) != settings.base_url:
                storage.set_setting(_NAME, settings.base_url)
    except StorageError as error:  # opens are recorded all the same
        echo(f"Warning: the base URL can't be stored for other commands: {redact(str(error))}", err=True)


def recall(storage: Storage) -> str | None:
    """Return the base URL that the server was last started with, `None` if unknown."""
    kept = storage.get_setting(_NAME) if isinstance(storage, SupportsSettings) else None
    try:
        return None if kept is None else check_base_url(kept)
    except InvalidSetting:  # another program wrote it
        return None


def printed_urls(tracker: Tracker) -> Urls:
    """Return the builder of the URLs that a command prints.

    If no base URL is known, URLs lead to a server on this machine, and a warning is printed.
    """
    if tracker.urls is not None:
        return tracker.urls
    settings = Settings.resolve({})
    urls = Urls(f"http://{settings.netloc}")
    echo(
        f"Warning: no base URL is known, so URLs begin with {urls.base}. Give --base-url, or start the server with it.",
        err=True,
    )
    return urls
