"""`Operations`: the part of a tracker that runs and maintains it: the spool, sent times, rejudging, purges, backups."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import cast

from mailtrack._arguments import check_type, to_path
from mailtrack._backup import Backup, back_up
from mailtrack._errors import InvalidArgument
from mailtrack._events.follower import Follower
from mailtrack._ingest.enrich import Enricher
from mailtrack._ingest.recorder import Recorder
from mailtrack._ingest.rejudging import RejudgeProgress, rejudge
from mailtrack._measures import Measures, measure
from mailtrack._model import Hit, Open, Pixel, Recipient, Verdict
from mailtrack._pixels import find_pixel, iter_pixels
from mailtrack._recipients import mark_sent
from mailtrack._retention import Purge, make_purge
from mailtrack._spool import Spool
from mailtrack._sweeping import Sweeper, in_steps
from mailtrack._times import Clock
from mailtrack.storage._abilities import SupportsLocalFile
from mailtrack.storage._protocol import Storage
from mailtrack.storage._replica import ReadsReplica, ReplicaState
from mailtrack.verdicts import Judge, RecentHits


class Operations:
    """Runs and maintains a tracker. `Tracker` adds the pixels, recipients and opens, and documents the arguments."""

    def __init__(
        self,
        storage: Storage,
        *,
        spool: Spool | None,
        judge: Judge | None,
        recent_hits: RecentHits | None,
        clock: Clock,
    ) -> None:
        if not hasattr(storage, "get_pixel"):
            raise InvalidArgument("storage", "must be an open storage, as open_storage(url) returns it")
        check_type(spool, Spool, "spool", optional=True)
        check_type(judge, Judge, "judge", optional=True)
        check_type(recent_hits, RecentHits, "recent_hits", optional=True)
        self._storage = storage
        self._enricher = Enricher(judge, recent_hits)
        self._recorder = Recorder(storage, self._enricher, spool, clock)
        self._sweeper = Sweeper(storage)
        self._followers: list[Follower] = []
        self._clock = clock
        self._spool_folder = None if spool is None else spool.folder
        # By its class: an object that stands for a storage may fail when it is asked.
        self._replicated = cast(ReadsReplica, storage) if issubclass(type(storage), ReadsReplica) else None

    @property
    def database_file(self) -> Path | None:
        """The file of the storage, or `None` if it is not a local file."""
        file = self._storage.path if isinstance(self._storage, SupportsLocalFile) else None
        return file if isinstance(file, Path) else None  # a storage may have a `path` of another kind

    @property
    def spool_folder(self) -> Path | None:
        """The folder of the spool, or `None` without one."""
        return self._spool_folder

    def now(self) -> datetime:
        """Return the current time by this tracker's clock, in UTC."""
        return self._clock()

    def ping(self) -> None:
        """Return if the storage answers.

        Raises:
            StorageError: it does not.
        """
        self._storage.ping()

    def start(self) -> None:
        """Start the background threads: one syncs the spool to disk, one drains it into the storage, one sweeps.

        Call it in each process that serves, after it was forked: in `post_worker_init` of gunicorn, `postfork` of
        uWSGI, before serving with waitress. Until then, and without a spool, `record` stores at once. Of several
        processes that share a folder, one drains it for all; the others stand by. The last thread removes what
        deletions left, also those of processes that were killed, see `sweep`. Functions given to `on_open` have a
        thread each. Harmless if it is started.

        Raises:
            InvalidSetting: the spool's folder has opens of another database, so this one must not use it.
            OSError: the spool's folder can't be used. Opens are then stored at once, and functions called all the same.
        """
        try:
            self._start_recording()
        finally:
            for follower in self._followers:
                follower.start()

    def _start_recording(self) -> None:
        """Do what `start` does, but for what follows the feed; for servers where another process does that."""
        self._recorder.start()
        self._sweeper.wake()

    def _keep(self, hits: Sequence[Hit]) -> int:
        """Store hits as opens, and return how many have an open now; for servers that drain a spool for others."""
        return self._recorder.keep(hits)

    def prepare(self) -> None:
        """Load the rules and modules that judging needs, so that the first open does not wait for them.

        `start` and `mailtrack_wsgi.create_app` do so, too. Only the first call in a process takes long.
        """
        self._enricher.prepare()

    def stop(self, *, timeout: float = 5.0) -> bool:
        """Stop using the spool, and wait until the opens of this process are stored. Harmless if it is not started.

        The events of opens that are stored just then come at the next `start`, of this process or another.

        Args:
            timeout: how long to wait for the storage, and for functions given to `on_open` that run, in seconds.

        Returns:
            Whether all are stored. The others stay in the spool for the next process that starts to use it.
        """
        deadline = time.monotonic() + timeout
        for follower in self._followers:
            follower.end()
        self._sweeper.stop(timeout)
        stored = self._recorder.stop(timeout)
        for follower in self._followers:
            follower.stop(max(0.0, deadline - time.monotonic()))
        return stored

    def _follow(self, follower: Follower) -> None:
        """Start and stop a follower with this tracker, and wake it when this process has stored opens."""
        self._followers.append(follower)
        self._recorder.report_to(follower.wake)

    def _report_opens(self, function: Callable[[Sequence[Open]], None]) -> None:
        """Call a function with the new opens after each time that this process has stored some; for adapters.

        It is called in the thread that stores: of the spool where it is started, else of the request. An open is
        reported at most once, by the process that drains, and not at all if that ends just then.
        """
        self._recorder.report_to(function)

    def _measure(self) -> Measures:
        """Return what a monitor wants to know, see `mailtrack._measures`; for adapters."""
        return measure(self._storage, self._spool_folder, self._get_replica_state())

    def _get_replica_state(self) -> ReplicaState | None:
        """Return how the replica is doing from which the storage reads, `None` if it reads from none; for adapters."""
        return self._replicated.get_replica_state() if self._replicated else None

    def explain(self, verdict: Verdict) -> str:
        """Return a sentence that explains a verdict, by the rules of this tracker's judge.

        If the judge does not have the rule (any more), it is the code of the rule.
        """
        return self._enricher.explain(verdict)

    def mark_sent(
        self,
        pixel: Pixel | str,
        recipients: Iterable[Recipient | str] | None = None,
        at: datetime | None = None,
    ) -> int:
        """Set when the mails of recipients were sent: the judge's clock, and the delays of reports, run from there.

        Without it they run from the making of the tokens. Marking again replaces the time. Stored opens keep their
        verdicts until `rejudge`.

        Args:
            pixel: the pixel.
            recipients: any number of recipients, by default all of the pixel. Those of other pixels, and unknown ids,
                are passed over.
            at: an aware time, not in the future and not before the making of the tokens; by default now.

        Returns:
            The number of recipients of this pixel among those given.

        Raises:
            PixelNotFound: no pixel has this id.
            InvalidSentTime: the token of one of the recipients was made later. Nothing was changed.
            InvalidArgument: `at` is not a time with a time zone, or is in the future; or `recipients` is a single text.
            StorageError: the storage can't be written. Many recipients are marked in short steps, so some may be marked
                by then, as after a kill; the same call again marks all.
        """
        found = find_pixel(self._storage, pixel)
        return mark_sent(self._storage, found, recipients, at, self._clock())

    def rejudge(self, pixel: Pixel | str) -> Iterator[RejudgeProgress]:
        """Judge all opens of a pixel again with this tracker's judge, and correct the counts.

        Their ages are measured anew from when the recipients' mails were sent, as far as `Tracker.mark_sent` said it,
        and their addresses are looked up in the judge's networks of now.
        Yields the progress after each 1,000 opens. Opens that arrive meanwhile are judged as they come.

        Raises:
            PixelNotFound: no pixel has this id. Raised at once, before the first step.
        """
        return rejudge(self._storage, self._enricher, find_pixel(self._storage, pixel).id)

    def purge(self, *, before: datetime, pixel: Pixel | str | None = None) -> int:
        """Delete opens whose time is before another, and return how many. All counts and figures stay.

        Others can write meanwhile. `plan_purge` does the same in steps, and counts before.

        Args:
            before: an aware time, not in the future.
            pixel: the pixel; by default all.

        Raises:
            InvalidArgument: `before` is not a time with a time zone, or is in the future.
            PixelNotFound: no pixel has this id.
            StorageError: the storage can't be written; opens deleted until then stay deleted.
        """
        return sum(self.plan_purge(before=before, pixel=pixel).run())

    def plan_purge(self, *, before: datetime, pixel: Pixel | str | None = None) -> Purge:
        """Return the purge that `purge` would run, to count the opens and to delete them in steps.

        If this tracker has a spool, opens are kept whose hits may still be in it; `Purge.before` is earlier then.

        Raises:
            InvalidArgument: `before` is not a time with a time zone, or is in the future.
            PixelNotFound: no pixel has this id.
            StorageUnavailable: the spool can't be read.
        """
        found = None if pixel is None else find_pixel(self._storage, pixel)
        pixels = partial(iter_pixels, self._storage) if found is None else lambda: iter((found,))
        return make_purge(self._storage, pixels, before=before, spool=self._spool_folder, now=self._clock())

    def sweep(self) -> Iterator[int]:
        """Remove what deletions left behind, in steps, and yield the amount of each in no particular unit.

        These are rows of deleted pixels, which nothing shows any more, and free space in the file, which is given back.
        Other writers wait for 100 ms at most, and have pauses between the steps. A caller that ends the iteration
        early leaves the rest to the next `sweep`, `delete_pixel`, `purge` or `start` of any process.

        Raises:
            StorageError: the storage can't be written.
        """
        return in_steps(self._storage.sweep)

    def backup(self, file: str | PathLike[str]) -> Backup:
        """Write a whole copy of the storage into a new file, with the opens that wait in this tracker's spool.

        It holds all opens recorded before the call, and perhaps some that arrive meanwhile. Others can read and write.
        The file appears when it is whole, readable for its owner only. To restore it, see `docs/backup.md`.

        Args:
            file: a path that does not exist, on a local disk with room for the copy.

        Raises:
            InvalidArgument: `file` can't be the path of a file.
            InvalidInput: the file exists.
            StorageUnavailable: the file can't be written, or the storage or the spool can't be read.
            StorageError: the storage is damaged, or does not support backups, as `memory://` does not.
        """
        return back_up(self._storage, to_path(file, "file"), spool=self._spool_folder, enricher=self._enricher.fresh())
