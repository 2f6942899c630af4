"""The base URL of the server, which the storage keeps for the commands that print URLs."""

from mailtrack._errors import InvalidSetting, StorageError
from mailtrack._tracker import Tracker
from mailtrack._urls import Urls, check_base_url
from mailtrack.cli._output import echo
from mailtrack.cli._settings import Settings
from mailtrack.storage import Storage, SupportsSettings, open_storage

_NAME = "base_url"


def remember(settings: Settings) -> None:
    """Keep the base URL that a server was started with; a server that was started without one leaves none."""
    try:
        with open_storage(settings.database) as storage:
            if isinstance(storage, SupportsSettings) and storage.get_setting(_NAME) != settings.base_url:
                storage.set_setting(_NAME, settings.base_url)
    except StorageError as error:  # opens are taken all the same
        echo(f"Warning: the base URL can't be kept for other commands: {error}", err=True)


def recall(storage: Storage) -> str | None:
    """Return the base URL that the server was last started with, `None` where it is not known."""
    kept = storage.get_setting(_NAME) if isinstance(storage, SupportsSettings) else None
    try:
        return None if kept is None else check_base_url(kept)
    except InvalidSetting:  # not written by `remember`
        return None


def printed_urls(tracker: Tracker) -> Urls:
    """Return what makes the URLs that a command prints.

    Where no base URL is known, they are those of a server on this machine, and a warning is printed.
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
