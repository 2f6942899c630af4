"""The spool: append-only files that keep lines until they are stored elsewhere.

A `Spool` appends the lines of one process to a `Segment`, which is a file. A `Reader` hands out the lines of all
processes in batches, in one process at a time; a `Snapshot` reads them without changing anything.

The spool knows two things about a line: it ends with its only line break, and its second field (tabs separate fields)
is its **order key** of 32 characters, which begins with the time in milliseconds since 1970 in 12 hex digits. A line
without such a key is read as well, but its place among the others is undefined.
"""

from mailtrack._spool.backlog import Backlog, get_backlog
from mailtrack._spool.dead_letters import drop as drop_dead_letters
from mailtrack._spool.dead_letters import read as read_dead_letters
from mailtrack._spool.owner import Owner, SpoolOfAnother, check_owner, claim, read_owner
from mailtrack._spool.periodic import PeriodicThread, give_way
from mailtrack._spool.reader import Batch, Reader
from mailtrack._spool.snapshot import Snapshot
from mailtrack._spool.spool import Durability, Spool, SpoolClosed, SpoolFull, request_rotation
from mailtrack._spool.status import SpoolStatus, get_status, inspect
from mailtrack._spool.syncer import Syncer

__all__ = [
    "Backlog",
    "Batch",
    "Durability",
    "Owner",
    "PeriodicThread",
    "Reader",
    "Snapshot",
    "Spool",
    "SpoolClosed",
    "SpoolFull",
    "SpoolOfAnother",
    "SpoolStatus",
    "Syncer",
    "check_owner",
    "claim",
    "drop_dead_letters",
    "get_backlog",
    "get_status",
    "give_way",
    "inspect",
    "read_dead_letters",
    "read_owner",
    "request_rotation",
]
