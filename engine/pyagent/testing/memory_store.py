"""A fake store in dicts, for tests: the whole contract, nothing on disk, gone with the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyagent.errors import LeaseHeld, LeaseLost, NotFound, StoreError
from pyagent.store.base import (
    ENDED,
    RESERVED,
    Commit,
    KeySpent,
    KeyTaken,
    Lease,
    LogConflict,
    LogRecord,
    Message,
    MessageKind,
    MessageTaken,
    NewEvent,
    NewRun,
    Run,
    RunFilter,
    RunStatus,
    SlotTaken,
    StepRecord,
)
from pyagent.store.blobs import check_digest, check_range, digest_of
from pyagent.store.statistics import RunStatistics, statistics_of
from pyagent.store.upkeep import StoreStats
from pyagent.testing.memory_events import MemoryEvents
from pyagent.testing.memory_filter import lets_through
from pyagent.testing.memory_graphs import json_copy
from pyagent.testing.memory_line import MemoryLine, is_free

if TYPE_CHECKING:
    from langgraph.checkpoint.memory import InMemorySaver

_RESTORED = ("created_at", "started_at", "ended_at", "updated_at", "key", "continues")


@dataclass(slots=True)
class _Kept:
    """All that is kept of one run."""

    run: Run
    key_window: timedelta
    token: int = 0
    seen: int = 0
    log: list[LogRecord] = field(default_factory=list[LogRecord])
    steps: dict[str, StepRecord] = field(default_factory=dict[str, StepRecord])
    blobs: set[str] = field(default_factory=set[str])
    posted: dict[str, int] = field(default_factory=dict[str, int])
    """Messages that the run has sent once, by their word."""


class MemoryStore(MemoryEvents):
    """A fake of the store for tests: it keeps the contract (the same suite runs on it) in this process's memory.

    Nothing survives the process, and no other process sees it. `clock` is the store's clock: give your own to test
    leases and timers in virtual time.
    """

    keeps_lineage = False

    def __init__(self, *, clock: Callable[[], datetime] = partial(datetime.now, UTC)) -> None:
        super().__init__(clock)
        self._runs: dict[str, _Kept] = {}
        self._keys: dict[tuple[str, str, str], str] = {}
        self._spent: dict[tuple[str, str, str], tuple[str, datetime]] = {}
        """Start keys of deleted runs: the run, and until when."""
        self._messages: dict[int, Message] = {}
        self._message_id = 0
        self._line = MemoryLine(lambda: (kept.run for kept in self._runs.values()))
        self._blobs: dict[str, bytes] = {}
        self._saver: InMemorySaver | None = None

    async def open(self) -> None:
        """Let it be used; what it kept before `close` is there again."""
        self._open = True

    async def close(self) -> None:
        """Refuse to be used from now on; safe to call twice."""
        self._open = False
        self._changes.notify()

    async def now(self) -> datetime:
        """The store's clock, in UTC."""
        return self._clock()

    # runs

    async def create_run(self, run: NewRun, events: Sequence[NewEvent] = (), first: Commit | None = None) -> Run:
        """Create a queued run; see the contract for start keys."""
        self._check_open()
        if run.id in self._runs:
            raise StoreError(
                f"There is a run {run.id} already.", code="store.run_exists", hint="Give each run a fresh id."
            )
        now = self._clock()
        data = [json_copy(event.data) for event in events]
        if run.key is not None:
            holder = self._key_holder(run, now)
            if holder is not None:
                if run.key_policy == "existing":
                    return holder
                if run.key_policy == "reject":
                    raise KeyTaken(
                        f"Run {holder.id} ({holder.status}) holds the key {run.key!r}.", details={"run": holder.id}
                    )
                if holder.ended_at is None:
                    self._post(holder.id, "cancel", "", "", "", b"null", run.actor)
            elif (spent := self._spent_by(run.owner, run.graph_id, run.key)) and run.key_policy != "replace":
                raise KeySpent(f"Run {spent}, which is deleted, began with {run.key!r}.", details={"run": spent})
            self._spent.pop((run.owner, run.graph_id, run.key), None)
            self._keys[run.owner, run.graph_id, run.key] = run.id
        reserved = run.reserved_for if run.slot is None else None
        created = Run(
            id=run.id,
            graph_id=run.graph_id,
            graph_hash=run.graph_hash,
            trigger=run.trigger,
            inputs=run.inputs,
            production=run.production,
            key=run.key,
            parent_run=run.parent_run,
            parent_step=run.parent_step,
            forked_from=run.forked_from,
            continues=run.continues,
            continued_as=None,
            slot=run.slot,
            slots=run.slots,
            priority=run.priority,
            fairness=run.fairness or run.graph_id,
            weight=run.weight,
            owner=run.owner,
            actor=run.actor,
            semantics=run.semantics,
            labels=dict(run.labels),
            status="queued",
            created_at=now,
            started_at=None,
            ended_at=None,
            updated_at=now,
            wake_at=None,
            outputs=None,
            error=None,
            log_length=0,
            lease_owner=reserved,
            lease_expires_at=now + RESERVED if reserved else None,
            adoptions=0,
        )
        self._runs[run.id] = _Kept(run=created, key_window=run.key_window)
        if first is not None:
            try:
                lease = self._claim(run.id, run.actor, timedelta(seconds=1))
                await self.commit(lease, replace(first, release=True))
            except BaseException:
                del self._runs[run.id]
                raise
        self._append_events(run.id, events, data)
        self._line.join(self._runs[run.id].run)
        self._changes.notify()
        return self._runs[run.id].run

    def _key_holder(self, run: NewRun, now: datetime) -> Run | None:
        identity = self._keys.get((run.owner, run.graph_id, run.key or ""))
        kept = self._runs.get(identity) if identity is not None else None
        if kept is None or (kept.run.ended_at is not None and kept.run.ended_at + kept.key_window <= now):
            return None
        return kept.run

    def _spent_by(self, owner: str, graph_id: str, key: str) -> str | None:
        run_id, until = self._spent.get((owner, graph_id, key), ("", self._clock()))
        return run_id if until > self._clock() else None

    async def key_holder(self, owner: str, graph_id: str, key: str) -> str | None:
        """The run that holds the start key, deleted or not."""
        self._check_open()
        kept = self._runs.get(self._keys.get((owner, graph_id, key), ""))
        if kept is None or (kept.run.ended_at is not None and kept.run.ended_at + kept.key_window <= self._clock()):
            return self._spent_by(owner, graph_id, key)
        return kept.run.id

    async def get_run(self, run_id: str) -> Run:
        """The run with this id or unique prefix. Raises `NotFound`."""
        self._check_open()
        if run_id in self._runs:
            return self._runs[run_id].run
        found = [identity for identity in self._runs if len(run_id) >= 6 and identity.startswith(run_id)]
        if len(found) > 1:
            raise NotFound(
                f"Several runs begin with {run_id}.",
                code="run.ambiguous",
                hint="Give more characters of the id.",
                details={"runs": found[:2]},
            )
        if not found:
            raise _no_run(run_id)
        return self._runs[found[0]].run

    async def list_runs(self, filter: RunFilter = RunFilter()) -> list[Run]:
        """The runs that the filter lets through, newest first."""
        self._check_open()
        identities = list(self._runs)
        if filter.before is not None:
            self._kept(filter.before)
            identities = identities[: identities.index(filter.before)]
        found = [
            run
            for run in (self._runs[identity].run for identity in reversed(identities))
            if lets_through(run, filter, self._clock())
        ]
        return found[: max(filter.limit, 0)]

    async def last_runs(self, graph_ids: Sequence[str], each: int) -> list[Run]:
        """The newest runs of each of the graphs."""
        found = [await self.list_runs(RunFilter(graph_id=graph_id, limit=each)) for graph_id in graph_ids]
        return [run for runs in found for run in runs]

    async def delete_run(self, run_id: str) -> None:
        """Delete all of a run for good; see the contract."""
        self._check_open()
        kept = self._kept(run_id)
        if kept.run.lease_owner is not None and not self._lease_expired(kept.run):
            raise LeaseHeld(f"{kept.run.lease_owner} holds run {run_id}.")
        del self._runs[run_id]
        until = (kept.run.ended_at or self._clock()) + kept.key_window
        self._spent |= {key: (run_id, until) for key, identity in self._keys.items() if identity == run_id}
        self._keys = {key: identity for key, identity in self._keys.items() if identity != run_id}
        self._events = [event for event in self._events if event.run_id != run_id]
        self._messages = {key: message for key, message in self._messages.items() if message.run_id != run_id}
        if self._saver is not None:
            self._saver.delete_thread(run_id)
        for digest in kept.blobs:
            if not any(digest in other.blobs for other in self._runs.values()):
                del self._blobs[digest]

    async def steps(self, run_id: str) -> list[StepRecord]:
        """The run's steps in the order of their first commit. Raises `NotFound`."""
        self._check_open()
        return list(self._kept(run_id).steps.values())

    # leases

    async def claim(self, run_id: str, owner: str, ttl: timedelta) -> Lease:
        """Take the run for `owner`. Raises `LeaseHeld`, `SlotTaken` and `NotFound`."""
        self._check_open()
        if not self._line.may_begin(self._kept(run_id).run) and not self._is_to_be_cancelled(run_id):
            raise SlotTaken(f"Run {run_id} waits for its turn.", details={"run": run_id})
        return self._claim(run_id, owner, ttl)

    def _claim(self, run_id: str, owner: str, ttl: timedelta) -> Lease:
        kept = self._kept(run_id)
        holder = kept.run.lease_owner
        if holder is not None and holder != owner and not self._lease_expired(kept.run):
            raise LeaseHeld(f"{holder} holds run {run_id}.", details={"owner": holder})
        adopted = holder is not None and kept.token > 0  # before the first token stands a reservation
        kept.token += 1
        lease = Lease(
            run_id=run_id,
            owner=owner,
            token=kept.token,
            expires_at=self._clock() + ttl,
            adopted=adopted,
            adoptions=kept.run.adoptions + adopted,
        )
        kept.run = replace(kept.run, lease_owner=owner, lease_expires_at=lease.expires_at, adoptions=lease.adoptions)
        return lease

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        """The lease with a later end. Raises `LeaseLost`."""
        self._check_open()
        kept = self._leased(lease)
        renewed = replace(lease, expires_at=self._clock() + ttl)
        kept.run = replace(kept.run, lease_expires_at=renewed.expires_at)
        return renewed

    async def release(self, lease: Lease) -> None:
        """Give the lease back; releasing a lost one does nothing."""
        self._check_open()
        kept = self._runs.get(lease.run_id)
        if kept is not None and kept.token == lease.token:
            kept.run = replace(kept.run, lease_owner=None, lease_expires_at=None)
            self._line.join(kept.run)
            self._changes.notify()

    async def claimable(self, limit: int = 100) -> list[str]:
        """Ids of the runs that somebody should take; see the contract."""
        self._check_open()
        return self._line.first(self._woken(), limit, ())[1]

    async def take(
        self, owner: str, ttl: timedelta, limit: int = 1, excluding: Collection[str] = ()
    ) -> Sequence[Lease]:
        """Claim the first of the runs that somebody should take; see the contract."""
        self._check_open()
        line, found = self._line.first(self._woken(), limit, excluding)
        leases = [self._claim(run_id, owner, ttl) for run_id in found]
        self._line.settle(line)
        return leases

    def _woken(self) -> Iterator[Run]:
        now = self._clock()
        return (kept.run for kept in self._runs.values() if self._is_woken(kept, now))

    def _is_woken(self, kept: _Kept, now: datetime) -> bool:
        run = kept.run
        if run.status in ENDED or (run.lease_owner is not None and not self._lease_expired(run)):
            return False
        if is_free(run):
            return self._is_to_be_cancelled(run.id)
        if run.status in ("queued", "running") or (run.wake_at is not None and run.wake_at <= now):
            return True
        awaited = {
            (str(step.wait.get("name") or ""), str(step.wait.get("key") or ""))
            for step in kept.steps.values()
            if step.status == "waiting" and step.wait and step.wait.get("kind") == "signal"
        }
        return any(
            (message.run_id == run.id and message.id > kept.seen)
            or (message.run_id is None and (message.name, message.key) in awaited)
            for message in self._messages.values()
        )

    def _is_to_be_cancelled(self, run_id: str) -> bool:
        return any(message.run_id == run_id and message.kind == "cancel" for message in self._messages.values())

    def _lease_expired(self, run: Run) -> bool:
        return run.lease_expires_at is not None and run.lease_expires_at <= self._clock()

    def _leased(self, lease: Lease) -> _Kept:
        kept = self._runs.get(lease.run_id)
        if kept is None or kept.token != lease.token or kept.run.lease_owner is None:
            raise LeaseLost(
                f"The lease of {lease.owner} on run {lease.run_id} (token {lease.token}) is over.",
                details={"run": lease.run_id, "token": lease.token},
            )
        return kept

    # log and commit

    async def commit(self, lease: Lease, commit: Commit) -> None:
        """Apply all of it or nothing. Raises `LeaseLost`, `LogConflict`, `MessageTaken`."""
        self._check_open()
        for digest, content in commit.blobs:
            check_digest(digest, content)
        kept = self._leased(lease)
        run = kept.run
        for expected, entry in enumerate(commit.entries, run.log_length + 1):
            if entry.seq != expected:
                raise LogConflict(
                    f"Entry {entry.seq} does not follow the log of run {run.id}, which goes on at {expected}.",
                    hint="Read the log again and decide from it.",
                    details={"run": run.id, "expected": expected, "given": entry.seq},
                )
        for digest in commit.refers:
            if digest not in self._blobs and digest not in dict(commit.blobs):
                raise _no_blob(digest)
        if len(set(commit.consumed)) < len(commit.consumed):
            raise MessageTaken("A message is consumed twice.")
        for identity in commit.consumed:
            message = self._messages.get(identity)
            if message is None or message.run_id not in (None, run.id):
                raise MessageTaken(f"Message {identity} is consumed already.", details={"message": identity})
        data = [json_copy(event.data) for event in commit.events]
        steps = [
            replace(
                step,
                items_out=json_copy(step.items_out),
                error=None if step.error is None else json_copy(step.error),
                wait=None if step.wait is None else json_copy(step.wait),
            )
            for step in commit.steps
        ]
        changes = self._state_changes(run, commit)
        if (successor := commit.successor) is not None:
            await self.create_run(replace(successor.run, key=None, continues=run.id), successor.events, successor.first)
            self._take_over(kept, self._runs[successor.run.id])
            changes["continued_as"] = successor.run.id
        # Nothing below fails: the commit is whole.
        kept.run = replace(run, **changes)
        kept.seen = max(kept.seen, commit.seen)
        kept.log += commit.entries
        kept.steps.update({step.step: step for step in steps})
        self._blobs.update(commit.blobs)
        kept.blobs |= {*dict(commit.blobs), *commit.refers}
        for identity in commit.consumed:
            del self._messages[identity]
        self._append_events(run.id, commit.events, data)
        self._line.join(kept.run)
        self._changes.notify()

    def _take_over(self, old: _Kept, new: _Kept) -> None:
        """The start key, and the messages that nobody has consumed, are the successor's."""
        for key, identity in self._keys.items():
            if identity == old.run.id:
                self._keys[key] = new.run.id
                new.run = replace(new.run, key=old.run.key)
                new.key_window = old.key_window
        for identity, message in self._messages.items():
            if message.run_id == old.run.id:
                self._messages[identity] = replace(message, run_id=new.run.id)

    def _state_changes(self, run: Run, commit: Commit) -> dict[str, Any]:
        now = self._clock()
        changes: dict[str, Any] = {
            "updated_at": now,
            "adoptions": 0,
            "log_length": run.log_length + len(commit.entries),
        }
        if commit.status is not None:
            changes |= {"status": commit.status, "wake_at": commit.wake_at}
            changes["ended_at"] = (run.ended_at or now) if commit.status in ENDED else None
            if commit.status == "running":
                changes["started_at"] = run.started_at or now
        if commit.outputs is not None:
            changes["outputs"] = commit.outputs
        if commit.error is not None:
            changes["error"] = json_copy(commit.error)
        if commit.release:
            changes |= {"lease_owner": None, "lease_expires_at": None}
        return changes

    async def read_log(self, run_id: str, after: int = 0) -> list[LogRecord]:
        """The entries with `seq > after`, in order. Raises `NotFound`."""
        self._check_open()
        return self._kept(run_id).log[max(after, 0) :]

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
        self._check_open()
        posted = self._kept(sent_by).posted if sent_by is not None and once else {}
        if once in posted:
            return posted[once]
        identity = posted[once] = self._post(run_id, kind, step, name, key, body, actor)
        self._changes.notify()
        return identity

    def _post(
        self, run_id: str | None, kind: MessageKind, step: str, name: str, key: str, body: bytes, actor: str
    ) -> int:
        if run_id is not None:
            self._kept(run_id)
        self._message_id += 1
        self._messages[self._message_id] = Message(
            id=self._message_id,
            run_id=run_id,
            kind=kind,
            step=step,
            name=name,
            key=key,
            body=body,
            actor=actor,
            at=self._clock(),
        )
        return self._message_id

    async def messages(self, run_id: str, signals: Sequence[tuple[str, str]] = ()) -> list[Message]:
        """What no commit has consumed, oldest first. Raises `NotFound`."""
        self._check_open()
        self._kept(run_id)
        return [
            message
            for message in self._messages.values()
            if message.run_id == run_id or (message.run_id is None and (message.name, message.key) in signals)
        ]

    # blobs

    async def put_blob(self, run_id: str, digest: str, data: bytes) -> None:
        """Keep a payload that the run refers to from now on. Raises `NotFound` and `StoreError`."""
        self._check_open()
        check_digest(digest, data)
        self._kept(run_id).blobs.add(digest)
        self._blobs[digest] = data

    async def get_blob(self, digest: str) -> bytes:
        """Raises `NotFound`."""
        self._check_open()
        if digest not in self._blobs:
            raise _no_blob(digest)
        return self._blobs[digest]

    def blob_now(self, digest: str) -> bytes:
        """As `get_blob`, blocking."""
        if digest not in self._blobs:
            raise _no_blob(digest)
        return self._blobs[digest]

    async def put_blob_file(self, run_id: str, path: Path) -> tuple[str, int]:
        """Keep a file's content; here it is in memory as a whole. Raises `NotFound`, `OSError`."""
        data = path.read_bytes()
        await self.put_blob(run_id, digest_of(data), data)
        return digest_of(data), len(data)

    async def blob_size(self, digest: str) -> int:
        """Bytes of the content. Raises `NotFound`."""
        return len(await self.get_blob(digest))

    async def read_blob(self, digest: str, start: int, end: int) -> bytes:
        """A range of the content. Raises `NotFound`."""
        check_range(start, end)
        return (await self.get_blob(digest))[start:end]

    def langgraph_saver(self) -> InMemorySaver:
        """LangGraph's own checkpointer in memory; the same one each time."""
        if self._saver is None:
            from langgraph.checkpoint.memory import InMemorySaver

            self._saver = InMemorySaver()
        return self._saver

    async def sweep(self) -> int:
        """Nothing is ever left behind here."""
        self._check_open()
        return 0

    # upkeep

    async def signals(self) -> list[Message]:
        """Unaddressed signals that no commit has consumed, oldest first."""
        self._check_open()
        return [message for message in self._messages.values() if message.run_id is None]

    async def blobs_of(self, run_id: str) -> Mapping[str, int]:
        """The blobs that a run refers to, with their sizes. Raises `NotFound`."""
        self._check_open()
        return {digest: len(self._blobs[digest]) for digest in sorted(self._kept(run_id).blobs)}

    async def restore(self, run: Run) -> None:
        """Give a copied run its times, its start key and what it continues. Raises `NotFound`."""
        self._check_open()
        kept = self._kept(run.id)
        kept.run = replace(kept.run, **{name: getattr(run, name) for name in _RESTORED})
        if (old := self._runs.get(run.continues or "")) is not None:
            old.run = replace(old.run, continued_as=run.id)

    async def run_statistics(self, *, graph_id: str | None = None, since: datetime | None = None) -> RunStatistics:
        """Figures about runs."""
        chosen = await self.list_runs(RunFilter(graph_id=graph_id, since=since, limit=len(self._runs)))
        return statistics_of(reversed(chosen))

    async def count_alive(self) -> Mapping[RunStatus, int]:
        """Runs that have not ended, by status."""
        self._check_open()
        return Counter(kept.run.status for kept in self._runs.values() if kept.run.status not in ENDED)

    async def stats(self) -> StoreStats:
        """How much there is."""
        self._check_open()
        runs = [kept.run for kept in self._runs.values()]
        return StoreStats(
            runs=Counter(run.status for run in runs),
            graphs=len(await self.graph_ids()),
            versions=len(self._graphs),
            entries=sum(run.log_length for run in runs),
            events=len(self._events),
            messages=len(self._messages),
            blobs=len(self._blobs),
            blob_bytes=sum(map(len, self._blobs.values())),
            oldest=min((run.created_at for run in runs), default=None),
        )

    def _kept(self, run_id: str) -> _Kept:
        if run_id not in self._runs:
            raise _no_run(run_id)
        return self._runs[run_id]


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id}.", code="run.not_found", hint="Create it first.")


def _no_blob(digest: str) -> NotFound:
    return NotFound(
        f"There is no blob {digest}.", code="blob.not_found", hint="Put it first.", details={"digest": digest}
    )
