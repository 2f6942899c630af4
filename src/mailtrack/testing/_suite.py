"""The suite for storages. It needs pytest and Hypothesis, and is loaded when one of its names is used."""

try:
    import hypothesis  # noqa: F401  # the state machine imports it
    import pytest
except ImportError as _error:
    raise ImportError(
        "The suite in mailtrack.testing needs pytest and hypothesis: install mailtrack[testing]."
    ) from _error

# Makes a failing test of the suite show its values. It must run before the modules are imported.
pytest.register_assert_rewrite("mailtrack.testing._contract", "mailtrack.testing._machine")

from mailtrack.testing._contract import (  # noqa: E402
    BackupContract,
    ForkContract,
    LocalFileContract,
    SettingsContract,
    StorageContract,
)
from mailtrack.testing._machine import StorageMachine, storage_machine  # noqa: E402

__all__ = [
    "BackupContract",
    "ForkContract",
    "LocalFileContract",
    "SettingsContract",
    "StorageContract",
    "StorageMachine",
    "storage_machine",
]
