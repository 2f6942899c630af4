"""The spool: append-only files that hold hits until the storage has them.

`records` makes hits lines, and a `Segment` is a file of them. A `Spool` takes the hits of one process; a `Backlog` is
what waits in the folder, and a `Drainer` brings that to the storage, in one process for all.
"""

from mailtrack._spool.drain import Drainer, drain
from mailtrack._spool.lines import from_line, make_line
from mailtrack._spool.reader import Backlog
from mailtrack._spool.spool import Durability, Spool, SpoolClosed, SpoolFull
from mailtrack._spool.status import SpoolStatus, get_status, inspect
from mailtrack._spool.waiting import Waiting, oldest_hit
from mailtrack._spool.worker import SpoolWorker

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
