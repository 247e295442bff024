"""The store contract over one Neo4j database, for any number of processes on any number of machines."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pyagent.errors import NotFound
from pyagent.native import Blake3
from pyagent.store import chunks
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
from pyagent.store.blobs import CHUNK, FILE_THRESHOLD, check_digest, check_range, digest_of
from pyagent.store.following import PAGE, Followed
from pyagent.store.neo4j import commits, graphs, leases, payloads, runs, schema, statistics, streams, upkeep
from pyagent.store.neo4j.checkpoints import Neo4jCheckpointDatabase
from pyagent.store.neo4j.connection import CommitUnknown, Connection, Work, row
from pyagent.store.neo4j.large import LargeBlobs, blobs_of
from pyagent.store.neo4j.values import moment
from pyagent.store.outside import OutsideBlobs, Upload
from pyagent.store.statistics import RunStatistics
from pyagent.store.upkeep import Compacted, StoreStats

if TYPE_CHECKING:
    from neo4j import AsyncManagedTransaction

    from pyagent.store.checkpoints import StoreSaver

T = TypeVar("T")

POLL_INTERVAL = 0.05
"""Seconds between looks for commits by other processes, while somebody waits for them."""


class Neo4jStore(Followed[streams.PackedEvents]):
    """The store contract over one Neo4j database (5.23 or later; the Community edition will do).

    Opened by `open_store("neo4j://user:password@host:7687")`, or by hand, then `await store.open()`. One object belongs
    to one event loop.
    """

    keeps_lineage = True

    def __init__(self, url: str, *, blobs: str | None = None) -> None:
        """`url`: see `Connection`; `blobs`: where new large ones go, None takes PYAGENT_BLOBS. Raises `SetupError`
        (`setup.setting`)."""
        super().__init__(streams.unpacked, interval=POLL_INTERVAL)
        self.connection = Connection(url)
        self.outside = OutsideBlobs(blobs)
        """Large blobs that are not in the database."""
        self._large = LargeBlobs(self.connection, self.outside)
        self._seen: dict[str, int] = {}
        self._under_way: set[asyncio.Future[None]] = set()
        """Commits that wait for their answers."""
        self._checkpoints = Neo4jCheckpointDatabase(self.connection)
        self._blocking = payloads.BlockingReader(self.connection)

    async def open(self) -> None:
        """Connect and migrate. Raises `StoreUnavailable`, and `StoreError` (`store.schema_newer`)."""
        self.outside.check()
        await self.connection.open()
        try:
            await schema.migrate(self.connection)
            self._seen = await streams.counters(self.connection)
        except BaseException:
            await self.connection.close()
            raise

    async def close(self) -> None:
        """Disconnect; safe to call twice. Whoever follows events gets `StoreUnavailable`."""
        self._stop_looking()
        self._checkpoints.close()
        self._blocking.close()
        await self.connection.close()
        self._changes.notify()

    async def now(self) -> datetime:
        """The server's clock, in UTC."""

        async def ask(of: AsyncManagedTransaction) -> datetime:
            found = await row(of, "RETURN datetime.truncate('microsecond', datetime.realtime()) AS now")
            assert found is not None
            return moment(found["now"])

        return await self.connection.read(ask)

    # graphs

    async def put_graph(self, graph_id: str, hash: str, text: str) -> None:
        """Keep a version and make it the graph's latest; the text that came first with a hash stays."""
        await self._again(lambda to: graphs.put(to, graph_id, hash, text))

    async def get_graph(self, hash: str) -> GraphVersion:
        """Raises `NotFound`."""
        return await self.connection.read(lambda of: graphs.get(of, hash))

    async def latest_graph(self, graph_id: str) -> GraphVersion:
        """The version put last. Raises `NotFound`."""
        return await self.connection.read(lambda of: graphs.latest(of, graph_id))

    async def graph_versions(self, graph_id: str, limit: int = 50) -> list[GraphVersion]:
        """The graph's versions, the one put last first."""
        return await self.connection.read(lambda of: graphs.versions(of, graph_id, limit))

    async def activate(
        self, graph_id: str, graph_hash: str, *, claims: Sequence[str] = (), actor: str = "local"
    ) -> Activation:
        """Let the world start this version. Raises `NotFound` and `ClaimTaken`."""
        return await self._changing(lambda to: graphs.activate(to, graph_id, graph_hash, claims, actor))

    async def deactivate(self, graph_id: str) -> bool:
        """Let the world start the graph no more; False if it was not active."""
        return await self._changing(lambda to: graphs.deactivate(to, graph_id))

    async def activations(self) -> list[Activation]:
        """What is active, by graph id."""
        return await self.connection.read(graphs.listed)

    async def set_problem(self, graph_id: str, node: str, problem: Mapping[str, Any] | None) -> None:
        """Keep why a trigger does not work; None: it works."""
        await self._again(lambda to: graphs.set_problem(to, graph_id, node, problem))

    # runs

    async def create_run(self, run: NewRun, events: Sequence[NewEvent] = (), first: Commit | None = None) -> Run:
        """Create a queued run; see the contract for start keys."""
        created = await self._large.write(
            blobs_of(first), lambda uploads: self._create(run, events, first, uuid.uuid4().hex, uploads)
        )
        self._recent.clear()
        self._changes.notify()
        return created

    async def _create(
        self,
        run: NewRun,
        events: Sequence[NewEvent],
        first: Commit | None,
        identity: str,
        uploads: payloads.Uploads | None,
    ) -> Run:
        """The new run; once more if nobody knows whether it was created."""

        async def create(to: AsyncManagedTransaction) -> Run:
            return await commits.create(to, run, events, first, identity, uploads)

        try:
            return await self.connection.write(create)
        except CommitUnknown:
            with suppress(NotFound):
                return await self.get_run(run.id)
            return await self.connection.write(create)

    async def get_run(self, run_id: str) -> Run:
        """The run with this id or unique prefix. Raises `NotFound`."""
        return await self.connection.read(lambda of: runs.get(of, run_id))

    async def list_runs(self, filter: RunFilter = RunFilter()) -> list[Run]:
        """The runs that the filter lets through, newest first."""
        return await self.connection.read(lambda of: runs.listed(of, filter))

    async def last_runs(self, graph_ids: Sequence[str], each: int) -> list[Run]:
        """The newest runs of each of the graphs, at most `each` of one."""
        return await self.connection.read(lambda of: runs.last(of, graph_ids, each))

    async def count_alive(self) -> Mapping[RunStatus, int]:
        """Runs that have not ended, by status."""
        return await self.connection.read(runs.count_alive)

    async def run_statistics(self, *, graph_id: str | None = None, since: datetime | None = None) -> RunStatistics:
        """Figures about runs."""
        return await self.connection.read(lambda of: statistics.read(of, graph_id, since))

    async def key_holder(self, owner: str, graph_id: str, key: str) -> str | None:
        """The run that holds the start key, deleted or not."""
        return await self.connection.read(lambda of: runs.key_holder(of, owner, graph_id, key))

    async def delete_run(self, run_id: str) -> None:
        """Delete all of a run for good; see the contract."""
        self._recent.clear()
        outside = await self.connection.write(lambda to: runs.delete(to, run_id))
        self._recent.clear()  # of what it committed meanwhile, too
        await self.outside.remove(outside)

    async def steps(self, run_id: str) -> list[StepRecord]:
        """The run's steps in the order of their first commit. Raises `NotFound`."""
        return await self.connection.read(lambda of: runs.steps(of, run_id))

    # leases

    async def claim(self, run_id: str, owner: str, ttl: timedelta) -> Lease:
        """Take the run for `owner`. Raises `LeaseHeld`, `SlotTaken` and `NotFound`."""
        return await self._again(lambda to: leases.claim(to, run_id, owner, ttl))

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        """The lease with a later end. Raises `LeaseLost`."""
        return await self._again(lambda to: leases.renew(to, lease, ttl))

    async def release(self, lease: Lease) -> None:
        """Give the lease back; releasing a lost one does nothing."""
        await self._changing(lambda to: leases.release(to, lease))

    async def claimable(self, limit: int = 100) -> list[str]:
        """Ids of the runs that somebody should take; see the contract."""
        found, _ = await self.connection.read(lambda of: leases.claimable(of, limit))
        return found

    async def take(
        self, owner: str, ttl: timedelta, limit: int = 1, excluding: Collection[str] = ()
    ) -> Sequence[Lease]:
        """Claim the first of the runs that somebody should take; see the contract."""
        # Only one worker takes at a time, and whoever creates a run waits for it: first a look that locks nothing.
        found, untidy = await self.connection.read(lambda of: leases.claimable(of, min(limit, 1), excluding))
        if not found and not untidy:
            return []
        return await self._again(lambda to: leases.take(to, owner, ttl, limit, excluding))

    # log and commit

    async def commit(self, lease: Lease, commit: Commit) -> None:
        """Apply all of it or nothing. Raises `LeaseLost`, `LogConflict`, `MessageTaken`, `StoreFull`."""
        under_way = asyncio.get_running_loop().create_future()
        self._under_way.add(under_way)
        try:
            self._tell(lease.run_id, commit, await self._commit(lease, commit, uuid.uuid4().hex))
        finally:
            self._under_way.discard(under_way)
            under_way.set_result(None)

    async def _commit(self, lease: Lease, commit: Commit, identity: str) -> int | None:
        """The cursor before the commit's events; None if there are none, or it is not known."""
        if commits.is_one_query(commit):
            # One round trip to the server instead of three. What did not work is told, or done again, the long way,
            # which sees whether it has landed.
            given = commits.parameters(lease, commit, identity)
            applied = await self.connection.write_at_once(commits.query(given), given)
            if applied is not None:
                return applied["base"]
        return await self._large.write(
            blobs_of(commit),
            lambda uploads: self._again(lambda to: commits.apply(to, lease, commit, identity, uploads)),
        )

    def _tell(self, run_id: str, commit: Commit, base: int | None) -> None:
        """Tell of a commit those who wait in this process, and hand its events to its followers."""
        if base is not None:
            told = [(base + 1, base + len(commit.events), streams.packed(commit.events))]
            self._recent.add(run_id, told, streams.packed_size)
            # What this object has committed itself is no news to look for.
            self._seen["event"] = self._recent.reach(self._seen["event"])
        elif commit.events:
            self._recent.clear()
        if commit.successor is not None:
            self._recent.clear()
        self._changes.notify()

    async def read_log(self, run_id: str, after: int = 0) -> list[LogRecord]:
        """The entries with `seq > after`, in order. Raises `NotFound`."""
        await self.connection.read(lambda of: streams.exists(of, run_id))
        found: list[LogRecord] = []
        while True:
            last = found[-1].seq if found else after
            page = await self.connection.read(lambda of, last=last: commits.read_log(of, run_id, last, PAGE))
            found += page
            if len(page) < PAGE:
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
        """Leave a message and return its id. Raises `NotFound` for an unknown run."""

        async def leave(to: AsyncManagedTransaction) -> int:
            return await streams.post(
                to, run_id, kind, step=step, name=name, key=key, body=body, actor=actor, sent_by=sent_by, once=once
            )

        identity = await self.connection.write(leave)
        self._changes.notify()
        return identity

    async def messages(self, run_id: str, signals: Sequence[tuple[str, str]] = ()) -> list[Message]:
        """What no commit has consumed, oldest first. Raises `NotFound`."""
        return await streams.messages(self.connection, run_id, signals)

    # events

    async def read_events(self, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Event]:
        """At most `limit` events after the cursor, in order."""
        return await self.connection.read(lambda of: streams.read_events(of, after, run_id, limit))

    async def forget_events(self, until: int) -> None:
        """Forget the events up to the cursor, a part at a time."""
        self._recent.clear()
        while await self._again(lambda to: streams.forget_events(to, until)):
            continue

    async def forgotten(self) -> int:
        """The cursor up to which events are forgotten."""
        return await self.connection.read(streams.forgotten)

    async def last_cursor(self) -> int:
        """The cursor of the newest event; 0 when there is none."""
        return (await streams.counters(self.connection))["event"]

    async def _others_committed(self) -> bool:
        seen = await streams.counters(self.connection)
        if seen["event"] > self._seen["event"] and self._under_way:
            await asyncio.wait(set(self._under_way))  # it may have been these
        if all(count <= self._seen.get(name, 0) for name, count in seen.items()):
            return False
        self._seen = {name: max(count, self._seen.get(name, 0)) for name, count in seen.items()}
        return True

    # blobs

    async def put_blob(self, run_id: str, digest: str, data: bytes) -> None:
        """Keep a payload that the run refers to from now on. Raises `NotFound` and `StoreError`."""
        check_digest(digest, data)

        async def put(to: AsyncManagedTransaction, uploads: payloads.Uploads | None) -> None:
            await streams.exists(to, run_id)
            await payloads.put(to, run_id, digest, data, uploads)

        await self._large.write([(digest, data)], lambda uploads: self._again(partial(put, uploads=uploads)))

    async def put_blob_file(self, run_id: str, path: Path) -> tuple[str, int]:
        """Keep a file's content, that the run refers to from now on. Raises `NotFound`, `StoreError`, `OSError`."""
        if path.stat().st_size < FILE_THRESHOLD:
            data = await asyncio.to_thread(path.read_bytes)
            await self.put_blob(run_id, digest_of(data), data)
            return digest_of(data), len(data)
        await self.connection.read(lambda of: streams.exists(of, run_id))
        if self.outside.base:
            return await self._large.put_file(path, partial(self._keep_outside, run_id))
        digest, size = await asyncio.to_thread(_measured, path)
        while not await self._upload(run_id, path, digest, size):
            # Of the chunks that were there already, some went with their last run.
            continue
        return digest, size

    async def _keep_outside(self, run_id: str, upload: Upload) -> None:
        await self._again(lambda to: payloads.keep_outside(to, run_id, upload.digest, upload))

    async def _upload(self, run_id: str, path: Path, digest: str, size: int) -> bool:
        with path.open("rb") as source:
            number = 0
            while chunk := await asyncio.to_thread(chunks.full, source):
                await self._again(partial(payloads.keep_chunk, digest=digest, number=number, data=chunk))
                number += 1
        return await self._again(lambda to: payloads.join(to, run_id, digest, size))

    async def get_blob(self, digest: str) -> bytes:
        """Raises `NotFound`, and `StoreError` when the bytes are damaged."""
        data = await self.connection.read(lambda of: payloads.read(of, digest, 0, None))
        if isinstance(data, str):
            return await self.outside.read(data)
        check_digest(digest, data)
        return data

    def blob_now(self, digest: str) -> bytes:
        """As `get_blob`, blocking, from any thread."""
        data = self._blocking.read(digest)
        return self.outside.read_now(data) if isinstance(data, str) else data

    async def blob_size(self, digest: str) -> int:
        """Bytes of the content. Raises `NotFound`."""
        return await self.connection.read(lambda of: payloads.size(of, digest))

    async def read_blob(self, digest: str, start: int, end: int) -> bytes:
        """A range of the content. Raises `NotFound`."""
        check_range(start, end)
        data = await self.connection.read(lambda of: payloads.read(of, digest, start, end))
        return await self.outside.read_range(data, start, end) if isinstance(data, str) else data

    # upkeep

    async def graph_ids(self) -> list[str]:
        """The graphs that have versions."""
        return await self.connection.read(upkeep.graph_ids)

    async def signals(self) -> list[Message]:
        """Unaddressed signals that no commit has consumed, oldest first."""
        return await self.connection.read(upkeep.signals)

    async def blobs_of(self, run_id: str) -> Mapping[str, int]:
        """The blobs that a run refers to, with their sizes. Raises `NotFound`."""
        return await self.connection.read(lambda of: upkeep.blobs_of(of, run_id))

    async def restore(self, run: Run) -> None:
        """Give a copied run its times, its start key and what it continues. Raises `NotFound`."""
        await self._again(lambda to: upkeep.restore(to, run))

    async def faults(self) -> list[str]:
        """What is wrong inside of the store, a sentence each."""
        found = await self.connection.read(upkeep.faults)
        return found + await self.outside.faults(await self.connection.read(payloads.locations))

    async def stats(self) -> StoreStats:
        """How much there is."""
        return await self.connection.read(upkeep.stats)

    def langgraph_saver(self) -> StoreSaver:
        """LangGraph's checkpointer over the same database, usable as long as the store is open."""
        from pyagent.store.checkpoints import StoreSaver  # imports LangGraph's parts: only for those who want it

        return StoreSaver(self._checkpoints)

    async def compact(self) -> Compacted:
        """Remove what nothing refers to; the database's files are its own affair, and the notes say so."""
        before = await self.connection.read(upkeep.bytes_of)
        await self.sweep()
        after = await self.connection.read(upkeep.bytes_of)
        return Compacted(before=before, after=after, notes=upkeep.COMPACTED)

    async def sweep(self) -> int:
        """Remove what crashes have left behind and nothing refers to; returns how many chunks and blobs went."""
        removed = 0
        while gone := await self._again(payloads.sweep):
            removed += gone
        return removed + await self._large.sweep()

    # transactions

    async def _again(self, work: Work[T]) -> T:
        """Run a transaction that does no harm if it is applied twice; once more if nobody knows whether it was."""
        try:
            return await self.connection.write(work)
        except CommitUnknown:
            return await self.connection.write(work)

    async def _changing(self, work: Callable[[AsyncManagedTransaction], Awaitable[T]]) -> T:
        """As `_again`, for a change that somebody may wait for."""
        done = await self._again(work)
        self._changes.notify()
        return done


def _measured(path: Path) -> tuple[str, int]:
    """Digest and size of a file, of which only a piece is in memory."""
    whole = Blake3()
    size = 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            whole.update(chunk)
            size += len(chunk)
    return whole.hexdigest(), size
