"""The suite for storages. It needs pytest and Hypothesis, and is loaded when one of its names is used."""

try:
    import hypothesis  # noqa: F401  # the state machine imports it
    import pytest  # noqa: F401  # as do all of its tests
except ImportError as _error:
    raise ImportError(
        "The suite in mailtrack.testing needs pytest and hypothesis: install mailtrack[testing]."
    ) from _error

from mailtrack.testing._contract import (
    BackupContract,
    ForkContract,
    LocalFileContract,
    SettingsContract,
    StorageContract,
    WebhookContract,
)
from mailtrack.testing._machine import StorageMachine, storage_machine

__all__ = [
    "BackupContract",
    "ForkContract",
    "LocalFileContract",
    "SettingsContract",
    "StorageContract",
    "StorageMachine",
    "WebhookContract",
    "storage_machine",
]
