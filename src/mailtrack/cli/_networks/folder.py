"""`Folder`: the stored lists of networks, `NAME.txt`, and what is known about each, `NAME.json`."""

import fcntl
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import attrs

from mailtrack._errors import InvalidRules, RuleProblem
from mailtrack.verdicts import Networks, load_networks


@attrs.frozen(kw_only=True)
class State:
    """What is known about a stored list.

    Attributes:
        source: where it came from.
        checked: when its source was last asked with success, in ISO 8601.
        tags: for each URL the headers of a request that asks whether it changed.
    """

    source: str = attrs.field(default="", validator=attrs.validators.instance_of(str))
    checked: str = attrs.field(default="", validator=attrs.validators.instance_of(str))
    tags: dict[str, dict[str, str]] = attrs.field(factory=dict, validator=attrs.validators.instance_of(dict))

    @property
    def checked_at(self) -> datetime | None:
        """`checked` as a time; `None` if it is not one."""
        with suppress(ValueError):
            return datetime.fromisoformat(self.checked).astimezone(UTC)
        return None


class Folder:
    """The folder of the stored lists. A file in it is replaced as a whole, so readers never see a part of one.

    Args:
        path: where it is; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def list_file(self, name: str) -> Path:
        """Return the path of a network's list."""
        return self.path / f"{name}.txt"

    def load(self, names: Collection[str]) -> dict[str, Networks]:
        """Return the stored networks among some names.

        Raises:
            InvalidRules: a list is damaged.
            OSError: a list can't be read.
        """
        found, problems = {}, []
        for name in names:
            file = self.list_file(name)
            try:
                found[name] = load_networks(file)
            except FileNotFoundError:
                continue
            except InvalidRules as error:
                problems += [RuleProblem(f"{file}, {one.place}", one.reason) for one in error.problems]
        if problems:
            raise InvalidRules(problems)
        return found

    def read_state(self, name: str) -> State:
        """Return what is known about a network's list: nothing if there is no list or the file is damaged."""
        if not self.list_file(name).exists():
            return State()
        try:
            return State(**json.loads(self._state_file(name).read_bytes()))
        except (OSError, ValueError, TypeError):
            return State()

    def write_list(self, name: str, text: str, state: State) -> None:
        """Replace a network's list, then what is known about it. A process killed in between leaves the older tags.

        The next update then fetches the list again.
        """
        _replace(self.list_file(name), text)
        self.write_state(name, state)

    def write_state(self, name: str, state: State) -> None:
        """Replace what is known about a network's list."""
        _replace(self._state_file(name), json.dumps(attrs.asdict(state), indent=1) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and wait until no other process updates it."""
        self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.path / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _state_file(self, name: str) -> Path:
        return self.path / f"{name}.json"


def _replace(file: Path, text: str) -> None:
    """Replace a file as a whole, on disk before this returns. The lock keeps its temporary file to one process."""
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)  # the lists are public
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
