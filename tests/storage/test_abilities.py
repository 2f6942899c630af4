"""The shipped suite states which of its parts are optional, and notices where one is missing or out of place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mailtrack.storage
import mailtrack.testing
from mailtrack.storage import SupportsBackup
from mailtrack.storage._memory import MemoryStorage
from mailtrack.testing import ForkContract, SettingsContract, StorageContract, WebhookContract
from mailtrack.testing._contract.abilities import SUITES
from mailtrack.testing._contract.helpers import require_ability

DOCS = Path(__file__).parents[2] / "docs" / "storages.md"
ABILITIES = [getattr(mailtrack.storage, name) for name in mailtrack.storage.__all__ if name.startswith("Supports")]


class WithoutSettings(ForkContract, WebhookContract, StorageContract): ...


class WithSettings(ForkContract, SettingsContract, WebhookContract, StorageContract): ...


def test_a_storage_with_an_ability_whose_suite_is_not_run_fails_and_names_the_suite() -> None:
    with MemoryStorage() as storage, pytest.raises(pytest.fail.Exception) as failed:
        WithoutSettings().test_the_suite_of_each_ability_that_it_has_is_run(storage)
    assert str(failed.value) == (
        "MemoryStorage implements SupportsSettings: add SettingsContract to the bases of WithoutSettings."
    )


def test_a_storage_passes_without_the_suites_of_abilities_that_it_does_not_have() -> None:
    with MemoryStorage() as storage:
        WithSettings().test_the_suite_of_each_ability_that_it_has_is_run(storage)


def test_a_suite_of_an_ability_that_a_storage_does_not_have_fails_and_says_so() -> None:
    with MemoryStorage() as storage, pytest.raises(pytest.fail.Exception, match="does not implement SupportsBackup"):
        require_ability(storage, SupportsBackup)


@pytest.mark.parametrize("ability", ABILITIES)
def test_each_optional_ability_has_a_public_suite_and_a_row_in_the_docs(ability: type) -> None:
    suite = SUITES[ability].__name__
    assert suite in mailtrack.testing.__all__
    row = rf"^\|.*`mailtrack\.storage\.{ability.__name__}`.*\|.*`mailtrack\.testing\.{suite}`.*\|.+\|$"
    assert re.search(row, DOCS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_without_its_tools_the_suite_says_what_to_install(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from mailtrack.testing import StorageContract"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: The suite in mailtrack.testing needs pytest and hypothesis: install mailtrack[testing]."
    )
