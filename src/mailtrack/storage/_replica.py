"""`ReadsReplica`: what a storage that reads from a replica says about that, for pages and monitors."""

from typing import Protocol, runtime_checkable

import attrs


@attrs.frozen
class ReplicaState:
    """How a replica is doing, as this process saw it last.

    Attributes:
        lag: for how many seconds it lacks what the primary has; 0 where it lacks nothing. `None` while it is not read,
            and all reads go to the primary.
        reason: why it is not read; "" while it is.
    """

    lag: float | None
    reason: str = ""


@runtime_checkable
class ReadsReplica(Protocol):
    """A storage that reads lists and figures from a replica of its database."""

    def get_replica_state(self) -> ReplicaState:
        """Return how the replica is doing. It is looked at once a second at most. Raises nothing."""
        ...
