"""The contract of `mailtrack.Storage` as tests, by noun."""

from mailtrack.testing.contract.backups import BackupContract
from mailtrack.testing.contract.figures import FiguresContract
from mailtrack.testing.contract.judging import JudgingContract
from mailtrack.testing.contract.keys import KeysContract
from mailtrack.testing.contract.lifecycle import LifecycleContract
from mailtrack.testing.contract.opens import OpensContract
from mailtrack.testing.contract.pixels import PixelsContract
from mailtrack.testing.contract.purging import PurgingContract
from mailtrack.testing.contract.recipients import RecipientsContract
from mailtrack.testing.contract.resolving import ResolvingContract
from mailtrack.testing.contract.settings import SettingsContract
from mailtrack.testing.contract.threads import ThreadsContract

__all__ = ["BackupContract", "SettingsContract", "StorageContract"]


class StorageContract(
    PixelsContract,
    RecipientsContract,
    ResolvingContract,
    OpensContract,
    FiguresContract,
    JudgingContract,
    PurgingContract,
    KeysContract,
    ThreadsContract,
    LifecycleContract,
):
    """Every sentence of `mailtrack.storage.protocol`, tested.

    Subclass it as `Test...`, with a fixture `storage` that gives a new, empty storage for each test and closes it
    afterwards.
    """
