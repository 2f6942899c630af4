"""The spool: append-only files that hold hits until the storage has them.

`records` makes hits lines, and a `Segment` is a file of them. A `Spool` takes the hits of one process; a `Backlog` is
what waits in the folder, and a `Drainer` brings that to the storage, in one process for all.
"""

from mailtrack.spool.backlog import Backlog
from mailtrack.spool.drain import Drainer, drain
from mailtrack.spool.records import from_line, make_line
from mailtrack.spool.spool import Durability, Spool, SpoolClosed, SpoolFull
from mailtrack.spool.status import SpoolStatus, get_status, inspect
from mailtrack.spool.waiting import Waiting, oldest_hit
from mailtrack.spool.worker import SpoolWorker

__all__ = [
    "Backlog",
    "Drainer",
    "Durability",
    "Spool",
    "SpoolClosed",
    "SpoolFull",
    "SpoolStatus",
    "SpoolWorker",
    "Waiting",
    "drain",
    "from_line",
    "get_status",
    "inspect",
    "make_line",
    "oldest_hit",
]
