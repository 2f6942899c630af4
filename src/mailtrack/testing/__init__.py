"""What proves a storage: a suite of tests, a state machine, and the values and the clock to feed them.

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            with MyStorage(tmp_path / "db") as storage:
                yield storage

    TestMyMachine = storage_machine(lambda: MyStorage(new_path()))

Needs pytest and hypothesis, which `mailtrack` itself does not.
"""

import pytest

# So that a test of the suite that fails shows its values. It must come before the modules are imported.
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
