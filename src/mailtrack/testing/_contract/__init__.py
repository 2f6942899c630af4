"""The contract of `mailtrack.Storage` as tests: a class for each noun."""

from mailtrack.testing._contract.abilities import AbilitiesContract
from mailtrack.testing._contract.backups import BackupContract
from mailtrack.testing._contract.changing import ChangingContract
from mailtrack.testing._contract.deletion import DeletionContract
from mailtrack.testing._contract.erasure import ErasureContract
from mailtrack.testing._contract.feed import FeedContract
from mailtrack.testing._contract.figures import FiguresContract
from mailtrack.testing._contract.finding import FindingContract
from mailtrack.testing._contract.forks import ForkContract
from mailtrack.testing._contract.keys import KeysContract
from mailtrack.testing._contract.lifecycle import LifecycleContract
from mailtrack.testing._contract.local_files import LocalFileContract
from mailtrack.testing._contract.opens import OpensContract
from mailtrack.testing._contract.ordering import OrderingContract
from mailtrack.testing._contract.pixels import PixelsContract
from mailtrack.testing._contract.purging import PurgingContract
from mailtrack.testing._contract.readers import ReadersContract
from mailtrack.testing._contract.recipients import RecipientsContract
from mailtrack.testing._contract.references import ReferencesContract
from mailtrack.testing._contract.rejudging import RejudgingContract
from mailtrack.testing._contract.resolving import ResolvingContract
from mailtrack.testing._contract.searching import SearchingContract
from mailtrack.testing._contract.sending import SendingContract
from mailtrack.testing._contract.settings import SettingsContract
from mailtrack.testing._contract.states import StatesContract
from mailtrack.testing._contract.threads import ThreadsContract
from mailtrack.testing._contract.totals import TotalsContract
from mailtrack.testing._contract.webhooks import WebhookContract

__all__ = [
    "BackupContract",
    "ForkContract",
    "LocalFileContract",
    "SettingsContract",
    "StorageContract",
    "WebhookContract",
]


class StorageContract(
    PixelsContract,
    OrderingContract,
    RecipientsContract,
    ReferencesContract,
    SearchingContract,
    FindingContract,
    ErasureContract,
    ChangingContract,
    SendingContract,
    StatesContract,
    ResolvingContract,
    OpensContract,
    FiguresContract,
    RejudgingContract,
    TotalsContract,
    PurgingContract,
    DeletionContract,
    FeedContract,
    ReadersContract,
    KeysContract,
    ThreadsContract,
    LifecycleContract,
    AbilitiesContract,
):
    """Tests every sentence of `mailtrack.storage.Storage`. Required of every storage.

    Subclass it as `Test...`, with a fixture `storage` that opens a new, empty storage for each test and closes it
    afterwards. Add the suites of the optional abilities that the storage has (`BackupContract`, `ForkContract`,
    `LocalFileContract`, `SettingsContract`, `WebhookContract`) to the bases; a test here fails where one is missing.
    """
