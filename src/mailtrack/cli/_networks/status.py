"""The state of each network that rules name: its source, size and age."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from mailtrack._times import from_milliseconds
from mailtrack.cli._networks.folder import Folder
from mailtrack.cli._networks.formats import count
from mailtrack.verdicts import RuleTable

MAX_AGE = timedelta(days=30)
"""The age at which a list is out of date. Apple's changes every few days."""


@attrs.frozen(kw_only=True)
class NetworkStatus:
    """The state of a network.

    Attributes:
        name: the network.
        source: where its ranges come from: a URL, a file, or `rules`, the table itself.
        ranges: the number of separate ranges.
        bytes: the size of its file; 0 without one.
        checked: when its list was last compared with the source; of a file without a record, when it was changed.
            `None` without a file.
    """

    name: str
    source: str
    ranges: int
    bytes: int
    checked: datetime | None

    def days(self, now: datetime) -> int | None:
        """Return the age of the list in whole days, `None` without a file."""
        return None if self.checked is None else max(now - self.checked, timedelta()) // timedelta(days=1)

    def is_old(self, now: datetime) -> bool:
        """Return whether the list is older than `MAX_AGE`."""
        return self.checked is not None and now - self.checked > MAX_AGE


def named_networks(table: RuleTable) -> list[str]:
    """Return the names of the networks that rules name, in order."""
    return sorted({name for rule in table.rules for name in rule.networks})


def list_status(table: RuleTable, folder: Folder | None, files: Mapping[str, str]) -> Iterable[NetworkStatus]:
    """Yield the state of each network that rules name, in the order of their names.

    Args:
        table: the judge's table, with its networks.
        folder: the stored lists, if there are any.
        files: the files of `--networks` by name.
    """
    for name in named_networks(table):
        ranges = count(table.networks[name])
        file = Path(files[name]) if name in files else None if folder is None else folder.list_file(name)
        if file is None or not file.exists():
            yield NetworkStatus(name=name, source="rules", ranges=ranges, bytes=0, checked=None)
            continue
        found = file.stat()
        state = None if folder is None or name in files else folder.read_state(name)
        changed = from_milliseconds(found.st_mtime_ns // 1_000_000).astimezone(UTC)
        yield NetworkStatus(
            name=name,
            source=str(file) if state is None or not state.source else state.source,
            ranges=ranges,
            bytes=found.st_size,
            checked=changed if state is None else state.checked_at or changed,
        )
