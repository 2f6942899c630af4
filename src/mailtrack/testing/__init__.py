"""The conformance suite for storages: tests, a state machine, and factories and a clock for the values they use.

Like this::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            with MyStorage(tmp_path / "db") as storage:
                yield storage

    TestMyMachine = storage_machine(lambda: MyStorage(new_path()))

`StorageContract` is required. `BackupContract`, `ForkContract`, `LocalFileContract` and `SettingsContract` test the
optional abilities: run them if the storage implements `SupportsBackup`, `SupportsFork`, `SupportsLocalFile` or
`SupportsSettings`. A storage that has an ability whose suite is not run fails `StorageContract`.

This package needs pytest and hypothesis, which `mailtrack` itself does not: install `mailtrack[testing]`.

Raises:
    ImportError: pytest or hypothesis is not installed.
"""

try:
    import hypothesis  # noqa: F401  # the state machine imports it
    import pytest
except ImportError as _error:
    raise ImportError("mailtrack.testing needs pytest and hypothesis: install mailtrack[testing].") from _error

# Makes a failing test of the suite show its values. It must run before the modules are imported.
pytest.register_assert_rewrite("mailtrack.testing._contract", "mailtrack.testing._machine")

from mailtrack.testing._clock import FakeClock  # noqa: E402
from mailtrack.testing._contract import (  # noqa: E402
    BackupContract,
    ForkContract,
    LocalFileContract,
    SettingsContract,
    StorageContract,
)
from mailtrack.testing._factories import (  # noqa: E402
    make_api_key,
    make_hit,
    make_image,
    make_open,
    make_pixel,
    make_recipient,
    make_recipients,
)
from mailtrack.testing._machine import StorageMachine, storage_machine  # noqa: E402

__all__ = [
    "BackupContract",
    "FakeClock",
    "ForkContract",
    "LocalFileContract",
    "SettingsContract",
    "StorageContract",
    "StorageMachine",
    "make_api_key",
    "make_hit",
    "make_image",
    "make_open",
    "make_pixel",
    "make_recipient",
    "make_recipients",
    "storage_machine",
]
