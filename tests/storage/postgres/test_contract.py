"""The PostgreSQL storage keeps the contract."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from hypothesis import settings

from mailtrack import Storage
from mailtrack.storage._postgres import PostgresStorage
from mailtrack.testing import ForkContract, SettingsContract, StorageContract, StorageMachine, WebhookContract


class TestPostgresStorage(ForkContract, SettingsContract, WebhookContract, StorageContract):
    @pytest.fixture
    def storage(self, url: str) -> Iterator[PostgresStorage]:
        with PostgresStorage(url) as storage:
            yield storage


class PostgresMachine(StorageMachine):
    empty: ClassVar[Callable[[], str]]

    def open_storage(self) -> Storage:
        return PostgresStorage(self.empty())


@pytest.fixture(autouse=True)
def _empty(tables: Callable[[], str]) -> None:
    PostgresMachine.empty = staticmethod(tables)


TestPostgresMachine = PostgresMachine.TestCase
TestPostgresMachine.settings = settings(max_examples=6, stateful_step_count=20, deadline=None)
