"""The spool: append-only files that hold hits until the storage has them.

`records` makes hits lines, a `Segment` is a file of them, a `Spool` a folder of segments, and a `Drainer` brings them
to the storage.
"""

from mailtrack.spool.drain import Drainer, drain
from mailtrack.spool.spool import Durability, Spool, SpoolClosed, SpoolFull, SpoolStatus, get_status, inspect

__all__ = [
    "Drainer",
    "Durability",
    "Spool",
    "SpoolClosed",
    "SpoolFull",
    "SpoolStatus",
    "drain",
    "get_status",
    "inspect",
]
