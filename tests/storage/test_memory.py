"""The memory storage keeps the contract."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from mailtrack.storage.memory import MemoryStorage
from mailtrack.testing import StorageContract, storage_machine


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Iterator[MemoryStorage]:
        with MemoryStorage() as storage:
            yield storage


TestMemoryMachine = storage_machine(MemoryStorage, settings=settings(stateful_step_count=40))
