"""`owner_of`: by what a spool knows the database that its hits are for."""

from mailtrack._redacting import redact
from mailtrack._spool import Owner
from mailtrack.storage._abilities import SupportsLocalFile, SupportsSettings
from mailtrack.storage._protocol import Storage

ID = "id"
"""The setting that a storage has from its making on, unlike that of any other."""


def owner_of(storage: Storage) -> Owner | None:
    """Return the id and the name of a storage, `None` if it has no id.

    Raises:
        StorageError: it can't be read.
    """
    found = storage.get_setting(ID) if isinstance(storage, SupportsSettings) else None
    if found is None:
        return None
    name = str(storage.path.absolute()) if isinstance(storage, SupportsLocalFile) else _describe(storage)
    return Owner(found, name)


def _describe(storage: Storage) -> str:
    return redact(repr(storage).strip("<>").rpartition(" ")[2])
