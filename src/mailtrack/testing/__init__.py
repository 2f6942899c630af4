"""Tests of programs that track their mails, and the conformance suite for storages.

Your own program: `open_mail` loads the images of a message as a mail program does; the fixtures `mailtrack_tracker` and
`mailtrack_clock` are a tracker in memory and its `FakeClock`; the functions `make_...` make values.

A storage::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            with MyStorage(tmp_path / "db") as storage:
                yield storage

    TestMyMachine = storage_machine(lambda: MyStorage(new_path()))

`StorageContract` is required. `BackupContract`, `ForkContract`, `LocalFileContract`, `SettingsContract` and
`WebhookContract` test the optional abilities: run them if the storage implements `SupportsBackup`, `SupportsFork`,
`SupportsLocalFile`, `SupportsSettings` or `SupportsWebhooks`. A storage that has an ability whose suite is not run
fails `StorageContract`.

The fixtures need pytest, and the suite needs pytest and hypothesis, which `mailtrack` itself does not: install
`mailtrack[testing]`. They are loaded when one of their names is used.
"""

import sys
from typing import TYPE_CHECKING

from mailtrack.testing._clock import FakeClock
from mailtrack.testing._factories import (
    make_api_key,
    make_hit,
    make_image,
    make_open,
    make_pixel,
    make_recipient,
    make_recipients,
)
from mailtrack.testing._open_mail import open_mail

# Makes a failing test of the suite show its values. It must run before the modules are imported.
if _pytest := sys.modules.get("pytest"):
    _pytest.register_assert_rewrite("mailtrack.testing._contract", "mailtrack.testing._machine")

if TYPE_CHECKING:
    from mailtrack.testing._fixtures import mailtrack_clock, mailtrack_tracker
    from mailtrack.testing._suite import (
        BackupContract,
        ForkContract,
        LocalFileContract,
        SettingsContract,
        StorageContract,
        StorageMachine,
        WebhookContract,
        storage_machine,
    )
else:

    def __getattr__(name: str) -> object:
        """Load what needs pytest, when it is used."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name.startswith("mailtrack_"):
            from mailtrack.testing import _fixtures as found
        else:
            from mailtrack.testing import _suite as found
        return getattr(found, name)


__all__ = [
    "BackupContract",
    "FakeClock",
    "ForkContract",
    "LocalFileContract",
    "SettingsContract",
    "StorageContract",
    "StorageMachine",
    "WebhookContract",
    "mailtrack_clock",
    "mailtrack_tracker",
    "make_api_key",
    "make_hit",
    "make_image",
    "make_open",
    "make_pixel",
    "make_recipient",
    "make_recipients",
    "open_mail",
    "storage_machine",
]
