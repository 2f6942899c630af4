"""`claim`: which database the lines of a spool are for, in a file of its folder, so that no other takes them."""

import json
import os
from contextlib import suppress
from pathlib import Path

import attrs

from mailtrack._errors import InvalidSetting
from mailtrack._spool.segment import is_unlocked, segments

FILE = "database"
"""The name of the file."""


@attrs.frozen
class Owner:
    """A database.

    Attributes:
        id: a text that no other database has, and that stays when it is moved.
        name: where it is, for messages; without any secret.
    """

    id: str
    name: str


class SpoolOfAnother(InvalidSetting):
    """The spool's folder has the opens of another database."""

    def __init__(self, folder: Path, theirs: Owner, ours: Owner) -> None:
        super().__init__(
            "spool",
            f"{folder.absolute()} has opens of another database, {theirs.name}; this one is {ours.name}. Servers for"
            " different databases need different working directories, or --spool. If there is no server for the other"
            " one any more, store its opens with `mailtrack --database ... spool drain`; if this one is a copy of it,"
            " store them in this one with `mailtrack spool drain --force`.",
        )


def claim(folder: Path, owner: Owner) -> None:
    """Note in a spool's folder, which is made if need be, whose it is. One without a note, or without lines, is free.

    Raises:
        SpoolOfAnother: it is another's, which has lines in it or a process that writes some.
        OSError: the folder can't be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = read_owner(folder)
    if found == owner:
        return
    if found is not None and found.id != owner.id and not _is_unused(folder):
        raise SpoolOfAnother(folder, found, owner)
    new = folder / f".{FILE}-{os.getpid()}-{os.urandom(4).hex()}"
    new.touch(mode=0o600)
    try:
        new.write_text(json.dumps(attrs.asdict(owner)) + "\n", encoding="utf-8")
        if found is None and not (folder / FILE).exists():
            with suppress(FileExistsError):  # of several at once, one is first
                os.link(new, folder / FILE)
            check_owner(folder, owner)
        else:
            new.replace(folder / FILE)
    finally:
        new.unlink(missing_ok=True)


def check_owner(folder: Path, owner: Owner) -> None:
    """Return unless a spool's folder says that it is another's.

    Raises:
        SpoolOfAnother: it does.
    """
    found = read_owner(folder)
    if found is not None and found.id != owner.id:
        raise SpoolOfAnother(folder, found, owner)


def read_owner(folder: Path) -> Owner | None:
    """Return whose a spool's folder is, `None` where it does not say."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Owner(str(found["id"]), str(found["name"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _is_unused(folder: Path) -> bool:
    """Return whether no line waits in a folder, and no process writes or stores any."""
    with suppress(FileNotFoundError):  # it was stored just now, by a process that is there
        return is_unlocked(folder) and all(is_unlocked(path) and not path.stat().st_size for path in segments(folder))
    return False
