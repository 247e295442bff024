"""The default store: one SQLite file for all processes of a machine, large blobs in files beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pyagent.store import codec
from pyagent.store.base import (
    Activation,
    Commit,
    Event,
    GraphVersion,
    Lease,
    LogRecord,
    Message,
    MessageKind,
    NewEvent,
    NewRun,
    Run,
    RunFilter,
    RunStatus,
    StepRecord,
)
from pyagent.store.blobs import check_range
from pyagent.store.following import PAGE, Followed
from pyagent.store.outside import OutsideBlobs
from pyagent.store.sqlite import (
    activations,
    batches,
    commits,
    leases,
    messages,
    payloads,
    retention,
    rows,
    runs,
    statistics,
    succession,
    upkeep,
)
from pyagent.store.sqlite.checkpoints import SqliteCheckpointDatabase
from pyagent.store.sqlite.compact import compact
from pyagent.store.sqlite.database import BUSY_LIMIT, Database, Synchronous
from pyagent.store.sqlite.large import LargeBlobs
from pyagent.store.statistics import RunStatistics
from pyagent.store.upkeep import Compacted, StoreStats

if TYPE_CHECKING:
    from pyagent.store.checkpoints import StoreSaver

T = TypeVar("T")

POLL_INTERVAL = 0.04
"""Seconds between looks for commits by other processes, while somebody waits for them."""


class SqliteStore(Followed[bytes]):
    """The store contract over one SQLite file.

    Opened by `open_store()`, or by hand: `SqliteStore(Path("pyagent.db"))`, then `await store.open()`. One object
    belongs to one event loop; any number of processes and objects may share the file, on a local disk.
    """

    keeps_lineage = False

    def __init__(
        self,
        path: Path | str,
        *,
        synchronous: Synchronous | None = None,
        busy_limit: float = BUSY_LIMIT,
        clock: Callable[[], datetime] = partial(datetime.now, UTC),
        blobs: str | None = None,
    ) -> None:
        """`synchronous`: None takes PYAGENT_SQLITE_SYNCHRONOUS; `busy_limit`: seconds to wait for other processes'
        locks; `clock`: the store's clock, for tests in virtual time; `blobs`: where new large ones go, None takes
        PYAGENT_BLOBS. Raises `SetupError` (`setup.setting`)."""
        super().__init__(batches.unpack_events, interval=POLL_INTERVAL)
        self.path = Path(path).expanduser()
        self.database = Database(self.path, synchronous=synchronous, busy_limit=busy_limit)
        """The connections, shared with the LangGraph saver over the same file."""
        self.outside = OutsideBlobs(blobs)
        """Large blobs that are neither in the file nor beside it."""
        self._large = LargeBlobs(self.database, self.outside)
        self._clock = clock
        self._foreign_version = 0
        self._active: tuple[int, list[Activation]] | None = None
        """What is active, as of a foreign version."""

    async def open(self) -> None:
        """Open the file, create it if need be, migrate it. Raises `StoreError` `store.schema_newer` and others."""
        self.outside.check()
        await self.database.open()
        self._foreign_version = self.database.foreign_version()

    async def close(self) -> None:
        """Close the file; safe to call twice. Whoever follows events gets `StoreUnavailable`."""
        self._stop_looking()
        self.database.close()
        self._changes.notify()

    async def now(self) -> datetime:
        """The store's clock, in UTC."""
        return self._clock()

    # graphs

    async def put_graph(self, graph_id: str, hash: str, text: str) -> None:
        """Keep a version and make it the graph's latest; the text that came first with a hash stays."""
        if not await self.database.read(lambda of: runs.is_latest_graph(of, graph_id, hash)):
            await self.database.write(lambda to: runs.put_graph(to, graph_id, hash, text, self._clock()))

    async def get_graph(self, hash: str) -> GraphVersion:
        """Raises `NotFound`."""
        return await self.database.read(lambda of: runs.get_graph(of, hash))

    async def latest_graph(self, graph_id: str) -> GraphVersion:
        """The version put last. Raises `NotFound`."""
        return await self.database.read(lambda of: runs.latest_graph(of, graph_id))

    async def graph_versions(self, graph_id: str, limit: int = 50) -> list[GraphVersion]:
        """The graph's versions, the one put last first."""
        return await self.database.read(lambda of: runs.graph_versions(of, graph_id, limit))

    async def activate(
        self, graph_id: str, graph_hash: str, *, claims: Sequence[str] = (), actor: str = "local"
    ) -> Activation:
        """Let the world start this version. Raises `NotFound` and `ClaimTaken`."""
        made = await self.database.write(
            lambda to: activations.activate(to, graph_id, graph_hash, claims, actor, self._clock())
        )
        self._active = None
        self._changes.notify()
        return made

    async def deactivate(self, graph_id: str) -> bool:
        """Let the world start the graph no more; False if it was not active."""
        found = await self.database.write(lambda to: activations.deactivate(to, graph_id))
        self._active = None
        self._changes.notify()
        return found

    async def activations(self) -> list[Activation]:
        """What is active, by graph id."""
        # Asked for by every request to a webhook; read again when another connection has committed anything.
        version = await self.database.foreign_version_soon()
        if self._active is None or self._active[0] != version:
            self._active = version, await self.database.read(activations.listed)
        return self._active[1]

    async def set_problem(self, graph_id: str, node: str, problem: Mapping[str, Any] | None) -> None:
        """Keep why a trigger does not work; None: it works."""
        await self.database.write(lambda to: activations.set_problem(to, graph_id, node, problem))
        self._active = None

    # runs

    async def create_run(self, run: NewRun, events: Sequence[NewEvent] = (), first: Commit | None = None) -> Run:
        """Create a queued run; see the contract for start keys."""
        kept = self._large.prepared(first.blobs if first is not None else ())
        created = await self._large.write(
            kept, lambda to: succession.create(to, run, events, first, kept, self._clock())
        )
        self._recent.clear()
        self._changes.notify()
        return created

    async def get_run(self, run_id: str) -> Run:
        """The run with this id or unique prefix. Raises `NotFound`."""
        return await self.database.read(lambda of: runs.get(of, run_id))

    async def list_runs(self, filter: RunFilter = RunFilter()) -> list[Run]:
        """The runs that the filter lets through, newest first."""
        return await self.database.read(lambda of: runs.listed(of, filter, self._clock()))

    async def last_runs(self, graph_ids: Sequence[str], each: int) -> list[Run]:
        """The newest runs of each of the graphs, at most `each` of one."""
        chosen = [RunFilter(graph_id=graph_id, limit=each) for graph_id in graph_ids]
        now = self._clock()
        return await self.database.read(lambda of: [run for one in chosen for run in runs.listed(of, one, now)])

    async def count_alive(self) -> Mapping[RunStatus, int]:
        """Runs that have not ended, by status."""
        return await self.database.read(retention.count_alive)

    async def run_statistics(self, *, graph_id: str | None = None, since: datetime | None = None) -> RunStatistics:
        """Figures about runs."""
        return await self.database.read(lambda of: statistics.read(of, graph_id, since))

    async def key_holder(self, owner: str, graph_id: str, key: str) -> str | None:
        """The run that holds the start key, deleted or not."""
        return await self.database.read(lambda of: retention.key_holder(of, owner, graph_id, key, self._clock()))

    async def delete_run(self, run_id: str) -> None:
        """Delete all of a run for good; see the contract."""

        def delete(to: sqlite3.Connection) -> payloads.Forgotten:
            self._recent.clear()
            return runs.delete(to, run_id, self._clock())

        await self._large.remove(await self.database.erase(delete))

    async def steps(self, run_id: str) -> list[StepRecord]:
        """The run's steps in the order of their first commit. Raises `NotFound`."""
        return await self.database.read(lambda of: batches.read_steps(of, rows.run_number(of, run_id)))

    # leases

    async def claim(self, run_id: str, owner: str, ttl: timedelta) -> Lease:
        """Take the run for `owner`. Raises `LeaseHeld` and `NotFound`."""
        return await self.database.write(lambda to: leases.claim(to, run_id, owner, ttl, self._clock()))

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        """The lease with a later end. Raises `LeaseLost`."""
        return await self.database.write(lambda to: leases.renew(to, lease, ttl, self._clock()))

    async def release(self, lease: Lease) -> None:
        """Give the lease back; releasing a lost one does nothing."""
        await self.database.write(lambda to: leases.release(to, lease))
        self._changes.notify()

    async def claimable(self, limit: int = 100) -> list[str]:
        """Ids of the runs that somebody should take; see the contract."""
        found, _ = await self.database.read(lambda of: leases.claimable(of, self._clock(), limit))
        return found

    async def take(
        self, owner: str, ttl: timedelta, limit: int = 1, excluding: Collection[str] = ()
    ) -> Sequence[Lease]:
        """Claim the first of the runs that somebody should take; see the contract."""
        # A look costs nobody anything; a transaction that writes keeps all others waiting.
        found, untidy = await self.database.read(
            lambda of: leases.claimable(of, self._clock(), min(limit, 1), excluding)
        )
        if not found and not untidy:
            return []
        return await self.database.write(lambda to: leases.take(to, owner, ttl, self._clock(), limit, excluding))

    # log and commit

    async def commit(self, lease: Lease, commit: Commit) -> None:
        """Apply all of it or nothing. Raises `LeaseLost`, `LogConflict`, `MessageTaken`, `StoreFull`."""
        kept = self._large.prepared(commit.blobs)
        successor = commit.successor
        begun = self._large.prepared(successor.first.blobs if successor is not None else ())

        def apply(to: sqlite3.Connection) -> list[batches.PackedEvents]:
            now = self._clock()
            written = commits.apply(to, lease, commit, kept, now)
            if successor is not None:
                succession.succeed(to, lease, successor, begun, now)
            return written

        self._recent.add(lease.run_id, await self._large.write([*kept, *begun], apply, durable=commit.durable), len)
        if successor is not None:
            self._recent.clear()
        if commit.events or commit.release or commit.status is not None or successor is not None:
            self._changes.notify()

    async def read_log(self, run_id: str, after: int = 0) -> list[LogRecord]:
        """The entries with `seq > after`, in order. Raises `NotFound`."""
        number = await self.database.read(lambda of: rows.run_number(of, run_id))
        found: list[LogRecord] = []
        place = -1
        while place:
            read = partial(batches.read_log, number=number, after=after, place=place, limit=PAGE)
            page, place = await self.database.read(read)
            found += page
            await asyncio.sleep(0)
        return found

    # messages

    async def post(
        self,
        run_id: str | None,
        kind: MessageKind,
        *,
        step: str = "",
        name: str = "",
        key: str = "",
        body: bytes = b"null",
        actor: str = "local",
        sent_by: str | None = None,
        once: str = "",
    ) -> int:
        """Leave a message and return its id; see the contract for `once`. Raises `NotFound` for an unknown run."""
        identity = await self.database.write(
            lambda to: messages.post(
                to, run_id, kind, self._clock(), step=step, name=name, key=key, body=body, actor=actor,
                sent_by=sent_by, once=once,
            )
        )  # fmt: skip
        self._changes.notify()
        return identity

    async def messages(self, run_id: str, signals: Sequence[tuple[str, str]] = ()) -> list[Message]:
        """What no commit has consumed, oldest first. Raises `NotFound`."""
        return await self.database.read(lambda of: messages.pending(of, run_id, signals))

    # events

    async def read_events(self, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Event]:
        """At most `limit` events after the cursor, in order."""
        return await self.database.read(lambda of: batches.read_events(of, after, run_id, limit))

    async def forget_events(self, until: int) -> None:
        """Forget the events up to the cursor."""
        self._recent.clear()
        await self.database.erase(lambda to: retention.forget_events(to, until))

    async def forgotten(self) -> int:
        """The cursor up to which events are forgotten."""
        return await self.database.read(retention.forgotten)

    async def last_cursor(self) -> int:
        """The cursor of the newest event; 0 when there is none."""
        return await self.database.read(batches.last_cursor)

    async def _others_committed(self) -> bool:
        version = self.database.foreign_version()
        if version == self._foreign_version:
            return False
        self._foreign_version = version
        return True

    # blobs

    async def put_blob(self, run_id: str, digest: str, data: bytes) -> None:
        """Keep a payload that the run refers to from now on. Raises `NotFound` and `StoreError`."""
        await self._large.put(run_id, digest, data)

    async def put_blob_file(self, run_id: str, path: Path) -> tuple[str, int]:
        """Keep a file's content, that the run refers to from now on. Raises `NotFound`, `StoreError`, `OSError`."""
        return await self._large.put_file(run_id, path)

    async def get_blob(self, digest: str) -> bytes:
        """Raises `NotFound`, and `StoreError` when the bytes are damaged."""
        found = await self.database.read(lambda of: payloads.find(of, digest))
        return codec.decode(found.stored) if found.stored is not None else await self._large.read(found)

    def blob_now(self, digest: str) -> bytes:
        """As `get_blob`, blocking, from any thread."""
        found = self.database.read_now(lambda of: payloads.find(of, digest))
        return codec.decode(found.stored) if found.stored is not None else self._large.read_now(found)

    async def blob_size(self, digest: str) -> int:
        """Bytes of the content. Raises `NotFound`."""
        return await self.database.read(lambda of: payloads.size(of, digest))

    async def read_blob(self, digest: str, start: int, end: int) -> bytes:
        """A range of the content. Raises `NotFound`, and `StoreError` when the bytes are damaged."""
        check_range(start, end)
        found = await self.database.read(lambda of: payloads.find(of, digest))
        if found.stored is not None:
            return codec.decode(found.stored)[start:end]
        return await self._large.read_range(found, start, end)

    # upkeep

    async def graph_ids(self) -> list[str]:
        """The graphs that have versions."""
        return await self.database.read(upkeep.graph_ids)

    async def signals(self) -> list[Message]:
        """Unaddressed signals that no commit has consumed, oldest first."""
        return await self.database.read(upkeep.signals)

    async def blobs_of(self, run_id: str) -> Mapping[str, int]:
        """The blobs that a run refers to, with their sizes. Raises `NotFound`."""
        return await self.database.read(lambda of: upkeep.blobs_of(of, run_id))

    async def restore(self, run: Run) -> None:
        """Give a copied run its times, its start key and what it continues. Raises `NotFound`."""
        await self.database.write(lambda to: upkeep.restore(to, run))

    async def faults(self) -> list[str]:
        """What is wrong inside of the store, a sentence each."""
        found = await self.database.read(lambda of: upkeep.faults(of, self._large.files))
        return found + await self.outside.faults(await self.database.read(payloads.locations))

    async def stats(self) -> StoreStats:
        """How much there is."""
        return await self.database.read(lambda of: upkeep.stats(of, self.path, self._large.files))

    def langgraph_saver(self) -> StoreSaver:
        """LangGraph's checkpointer over the same file, usable as long as the store is open."""
        from pyagent.store.checkpoints import StoreSaver  # imports LangGraph's parts: only for those who want it

        return StoreSaver(SqliteCheckpointDatabase(self.database))

    async def sweep(self) -> int:
        """Remove what crashes have left behind and nothing refers to; returns how many blobs went."""
        return await self._large.sweep()

    async def compact(self) -> Compacted:
        """Give free pages back to the disk. Raises `StoreFull`, `RunsAtWork`, `StoreBusy`."""
        before = await asyncio.to_thread(upkeep.bytes_of, self.path, self._large.files)
        await self.sweep()
        notes = await compact(self.database, self._clock())
        after = await asyncio.to_thread(upkeep.bytes_of, self.path, self._large.files)
        return Compacted(before=before, after=after, notes=notes)
