"""The optional abilities of a storage, each with its own suite."""

import pytest

from mailtrack.storage import (
    Storage,
    SupportsBackup,
    SupportsFork,
    SupportsLocalFile,
    SupportsSettings,
    SupportsWebhooks,
)
from mailtrack.testing._contract.backups import BackupContract
from mailtrack.testing._contract.forks import ForkContract
from mailtrack.testing._contract.local_files import LocalFileContract
from mailtrack.testing._contract.settings import SettingsContract
from mailtrack.testing._contract.webhooks import WebhookContract

SUITES: dict[type, type] = {
    SupportsBackup: BackupContract,
    SupportsFork: ForkContract,
    SupportsLocalFile: LocalFileContract,
    SupportsSettings: SettingsContract,
    SupportsWebhooks: WebhookContract,
}
"""The suite of each optional ability, by the Protocol that describes the ability."""


class AbilitiesContract:
    """Checks that the suite of each ability that a storage has is run."""

    def test_the_suite_of_each_ability_that_it_has_is_run(self, storage: Storage) -> None:
        missing = [
            f"{type(storage).__name__} implements {ability.__name__}: add {suite.__name__} to the bases of"
            f" {type(self).__name__}."
            for ability, suite in SUITES.items()
            if isinstance(storage, ability) and not isinstance(self, suite)
        ]
        if missing:
            pytest.fail("\n".join(missing), pytrace=False)
