"""Take erased people out of a spool: out of its dead letters, and of the lines that are stored but still in a file."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from mailtrack._errors import StorageUnavailable
from mailtrack._ids import parse_pixel_key
from mailtrack._model import Hit
from mailtrack._spool import drop_dead_letters, read_dead_letters, request_rotation
from mailtrack.storage._protocol import Storage

_TOKEN = re.compile(rb"tok_[0-9a-f]{32}")
_WORD = re.compile(rb"[0-9a-f-]+")
_AT_ONCE = 1000  # lines
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def forget(folder: Path, storage: Storage) -> None:
    """Remove the dead letters of erased people, and have every process begin a new file, so that the old ones go.

    Raises:
        StorageUnavailable: the folder can't be written, or the storage can't be reached.
    """
    try:
        if not folder.is_dir():
            return
        lines = read_dead_letters(folder)
        for start in range(0, len(lines), _AT_ONCE):
            if erased := _find_erased(lines[start : start + _AT_ONCE], storage):
                drop_dead_letters(folder, erased)
        request_rotation(folder)
    except OSError as error:
        raise StorageUnavailable(f"The spool can't be written: {error.strerror}.") from error


def _find_erased(lines: Sequence[bytes], storage: Storage) -> list[bytes]:
    """Return those of some lines that hold a token of an erased person, whatever else they hold."""
    owners: list[bytes] = []
    hits: list[Hit] = []
    for line in lines:
        words = {word.decode() for word in _WORD.findall(line)}
        keys = {key for word in words if (key := parse_pixel_key(word)) is not None}
        for token, key in product({found.decode() for found in _TOKEN.findall(line)}, keys):
            owners.append(line)
            hits.append(Hit(id="0" * 32, pixel=key, token=token, at=_NEVER))
    targets = storage.resolve(hits) if hits else []
    found = [line for line, target in zip(owners, targets, strict=True) if target is not None and target.erased]
    return list(dict.fromkeys(found))
