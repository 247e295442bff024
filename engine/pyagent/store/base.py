"""The store's contract: what every backend keeps, and what it promises.

Promises, checked by the conformance suite in `pyagent.testing`:

1. `commit` is one transaction. It checks the lease's fencing token in that transaction; an old token commits nothing
   and raises `LeaseLost`.
2. A run's log is contiguous from 1; a commit whose first entry does not follow the stored log raises `LogConflict`.
3. Events have one cursor over all runs, in the order of their commits; a reader that asks for what comes after its
   cursor misses nothing and sees nothing twice.
4. The store's clock decides about leases, wake-up times and message order.

Bodies (log entries, inputs, outputs) are bytes that the runtime has encoded; the store passes them through its codec.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pyagent.store.refusals import ClaimTaken as ClaimTaken
from pyagent.store.refusals import EventsForgotten as EventsForgotten
from pyagent.store.refusals import KeySpent as KeySpent
from pyagent.store.refusals import KeyTaken as KeyTaken
from pyagent.store.refusals import LogConflict as LogConflict
from pyagent.store.refusals import MessageTaken as MessageTaken
from pyagent.store.refusals import SlotTaken as SlotTaken
from pyagent.store.refusals import StoreFull as StoreFull
from pyagent.store.refusals import StoreUnavailable as StoreUnavailable
from pyagent.store.upkeep import Upkeep

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

RunStatus = Literal["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"]
ENDED: frozenset[RunStatus] = frozenset({"completed", "failed", "cancelled"})
RESERVED = timedelta(seconds=10)
"""How long a new run is kept for `NewRun.reserved_for`."""
StepStatus = Literal["running", "waiting", "unknown", "completed", "failed", "skipped", "cancelled"]
KeyPolicy = Literal["reject", "existing", "replace"]
OnceChoice = Literal["ask", "repeat", "reuse"]
HowSettled = Literal["done", "retry", "failed"]
MessageKind = Literal["cancel", "pause", "resume", "drain", "signal", "answer", "resolve"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """What a run begins with."""

    id: str
    graph_id: str
    graph_hash: str
    trigger: str
    """Node id of the trigger; empty for the implicit manual one."""
    inputs: bytes
    """The run's inputs, JSON."""
    production: bool = True
    """False for test runs, which use the graph's pins."""
    key: str | None = None
    """Start key (SEMANTICS 22), unique among the owner's runs of the same graph."""
    key_policy: KeyPolicy = "reject"
    key_window: timedelta = timedelta(0)
    """How long after its end a run still holds its key."""
    parent_run: str | None = None
    parent_step: str | None = None
    forked_from: str | None = None
    continues: str | None = None
    """The run whose successor this one is; set by `Successor` alone."""
    slot: str | None = None
    """Runs with the same slot take turns (`settings.concurrency`): at most `slots` of them are at work or wait."""
    slots: int = 1
    priority: int = 0
    """Higher ones are taken first."""
    fairness: str | None = None
    """The group that takes turns with others of its priority (`store.queue`); None: the graph's id."""
    weight: int = 1
    """How many runs the group begins in a turn."""
    reserved_for: str | None = None
    """Who alone may claim the run in the first `RESERVED`: whoever starts a run to execute it at once must not find it
    taken by another worker. Without effect where runs take turns."""
    owner: str = "local"
    actor: str = "local"
    semantics: int = 1
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run as the store knows it."""

    id: str
    graph_id: str
    graph_hash: str
    trigger: str
    inputs: bytes
    production: bool
    key: str | None
    parent_run: str | None
    parent_step: str | None
    forked_from: str | None
    continues: str | None
    """The run that this one is the successor of."""
    continued_as: str | None
    """The run's successor, begun as it ended."""
    slot: str | None
    slots: int
    priority: int
    fairness: str
    weight: int
    owner: str
    actor: str
    semantics: int
    labels: Mapping[str, str]
    status: RunStatus
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime
    wake_at: datetime | None
    """For a waiting run: when its next timer ends."""
    outputs: bytes | None
    error: Mapping[str, Any] | None
    """`PyAgentError.as_dict()` of what failed the run."""
    log_length: int
    lease_owner: str | None
    lease_expires_at: datetime | None
    adoptions: int
    """Claims of an expired lease since the last commit (SEMANTICS 17)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to commit to a run until `expires_at`."""

    run_id: str
    owner: str
    token: int
    """A run's first lease has 1, and each has a greater one than every lease of the run before: tokens only grow, also
    over releases and adoptions. A renewed lease keeps its own."""
    expires_at: datetime
    adopted: bool = False
    """The last owner's lease had expired without a release: it may have died in the middle of steps."""
    adoptions: int = 0


@dataclass(kw_only=True, slots=True)
class LogRecord:
    """One entry of a run's log. Treat it, and what else there is one of for each step, as immutable: dataclasses that
    are frozen cost three times as much to make."""

    seq: int
    """From 1, contiguous."""
    kind: str
    step: str
    """The step it is about, as text; empty for entries about the run."""
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class StepLineage:
    """What an ended step was made of, and what it made."""

    used: Sequence[str] = ()
    """Steps whose deliveries it got; for the first steps of a map's element or a called graph, the map's or call's."""
    read: Mapping[str, str] = field(default_factory=dict[str, str])
    """Digests of the blobs that its input items held, and their file names."""
    produced: Mapping[str, str] = field(default_factory=dict[str, str])
    """Digests of the blobs that its output items hold and its input items did not, and their file names; without a
    name the blob of the output items themselves, where they are large."""
    outcome: str = ""
    """BLAKE3 of its output items: steps with the same one put out the same."""


@dataclass(kw_only=True, slots=True)
class StepRecord:
    """The current state of a step, for lists and queries; the log is what decides."""

    step: str
    node: str
    scope: str
    status: StepStatus
    attempt: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    items_in: int = 0
    items_out: Mapping[str, int] = field(default_factory=dict[str, int])
    error: Mapping[str, Any] | None = None
    wait: Mapping[str, Any] | None = None
    """What a waiting or unknown step waits for. For a signal `{"kind": "signal", "name": …, "key": …}` with a `key`
    that may be left out: by these `claimable` finds the run that an unaddressed signal is for."""
    lineage: StepLineage | None = None
    """Told once, as the step ends, and only to stores with `keeps_lineage`; `Store.steps` does not give it back."""


@dataclass(kw_only=True, slots=True)
class NewEvent:
    """Something that happened, before the store gave it a cursor."""

    kind: str
    """`run.started`, `step.started`, `step.completed`, `step.progress`, `step.log`, … (docs/reference/events.md)."""
    step: str = ""
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(kw_only=True, slots=True)
class Event:
    """One event of the stream."""

    cursor: int
    run_id: str
    kind: str
    step: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A request to a run from outside: cancel, pause, a signal, an answer. Kept until a commit consumes it."""

    id: int
    run_id: str | None
    """None: a signal for whichever run waits for its name and key."""
    kind: MessageKind
    step: str
    name: str
    key: str
    body: bytes
    actor: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """All that one commit changes; every part may be empty."""

    entries: Sequence[LogRecord] = ()
    events: Sequence[NewEvent] = ()
    steps: Sequence[StepRecord] = ()
    blobs: Sequence[tuple[str, bytes]] = ()
    """Digest and content of new blobs; the run refers to them from now on."""
    refers: Sequence[str] = ()
    """Digests of blobs that are kept already (a forked run's source put them); the run refers to them from now on.
    `NotFound` if one is not kept."""
    consumed: Sequence[int] = ()
    """Ids of messages that the entries record. Raises `MessageTaken` if another commit consumed one of them."""
    seen: int = 0
    """Highest id of the run's messages that the worker has looked at; what it left unconsumed up to there (a signal
    before its wait) does not make a waiting run claimable again. Never goes back."""
    status: RunStatus | None = None
    wake_at: datetime | None = None
    """Stored together with `status`."""
    outputs: bytes | None = None
    error: Mapping[str, Any] | None = None
    release: bool = False
    """Give the lease back in the same transaction."""
    successor: Successor | None = None
    """A run that begins as this one ends, in the same transaction: either both happen or neither."""
    durable: bool = False
    """Survive a power cut, too, before the commit returns (a flush of the disk, some milliseconds): for what the world
    outside must not see twice, such as the beginning of a `once` try. Every commit survives the process's death."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Successor:
    """A run that takes the place of the one that is committed to (SEMANTICS 12, `flow.restart`).

    Its `continues` is that run. It takes over the start key, if that run still holds it, whatever the key's policy, and
    the messages that nobody has consumed: a signal or a cancel on its way to the old run reaches the new one.
    """

    run: NewRun
    """`key` and `continues` are set by the store."""
    events: Sequence[NewEvent] = ()
    first: Commit
    """As for `create_run`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs to list; newest first."""

    graph_id: str | None = None
    statuses: Sequence[RunStatus] = ()
    owner: str | None = None
    key: str | None = None
    """The start key, as it is."""
    text: str = ""
    """Part of the id, the graph's id, the start key, the trigger or the actor; A to Z in either case."""
    since: datetime | None = None
    """Created at this time or later."""
    until: datetime | None = None
    """Created before this time."""
    production: bool | None = None
    """Only runs that the world started, or only test runs."""
    forked_from: str | None = None
    """Only forks of this run."""
    parent_run: str | None = None
    """Only runs that this one started."""
    longer_than: timedelta | None = None
    """Only those that took, or take, so long at least, from their start to their end."""
    before: str | None = None
    """Only runs created before this one (its id): the next page."""
    limit: int = 50


def events_forgotten(after: int, until: int) -> EventsForgotten:
    """The error of a reader that has seen the events up to `after`, where those up to `until` are forgotten."""
    return EventsForgotten(
        f"Events between {after} and {until} are not kept any more.", details={"after": after, "kept_after": until}
    )


def lowered(text: str) -> str:
    """The text with A to Z as a to z and everything else as it is, as every store compares it."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphVersion:
    """One content of a graph file, by the hash that runs are pinned to."""

    graph_id: str
    hash: str
    text: str
    """The YAML text."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation:
    """A graph that the world may start: its triggers are live, in the version that was activated."""

    graph_id: str
    graph_hash: str
    actor: str
    at: datetime
    """When this version was activated."""
    since: datetime
    """Since when the graph has been active without a break, in whatever version."""
    claims: Sequence[str] = ()
    """Names that no other active graph may have: its webhooks' addresses."""
    problems: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """`PyAgentError.as_dict()` of triggers that do not work now, by node."""


class Store(Upkeep, Protocol):
    """What the runtime needs of a store. All methods raise `StoreUnavailable` when it cannot be reached."""

    keeps_lineage: bool
    """Whether it keeps `StepRecord.lineage`, for questions in a language of its own. It follows from the log: a store
    that cannot be asked need not pay for it, and is not told."""

    async def open(self) -> None:
        """Connect and migrate. Raises `StoreError` for a schema newer than this program."""
        ...

    async def close(self) -> None:
        """Flush and disconnect; safe to call twice."""
        ...

    async def now(self) -> datetime:
        """The store's clock, in UTC."""
        ...

    # graphs
    async def put_graph(self, graph_id: str, hash: str, text: str) -> None:
        """Keep a version; the same hash again is no change."""
        ...

    async def get_graph(self, hash: str) -> GraphVersion:
        """Raises `NotFound`."""
        ...

    async def latest_graph(self, graph_id: str) -> GraphVersion:
        """The version put last. Raises `NotFound`."""
        ...

    async def graph_versions(self, graph_id: str, limit: int = 50) -> list[GraphVersion]:
        """The graph's versions, the one put last first; none for an unknown graph."""
        ...

    async def activate(
        self, graph_id: str, graph_hash: str, *, claims: Sequence[str] = (), actor: str = "local"
    ) -> Activation:
        """Let the world start this version, in place of the one that is active; problems are forgotten.

        Raises `NotFound` if the version is not kept, `ClaimTaken` if another active graph has one of the claims."""
        ...

    async def deactivate(self, graph_id: str) -> bool:
        """Let the world start the graph no more; False if it was not active."""
        ...

    async def activations(self) -> list[Activation]:
        """What is active, by graph id."""
        ...

    async def set_problem(self, graph_id: str, node: str, problem: Mapping[str, Any] | None) -> None:
        """Keep why a trigger does not work; None: it works. Without effect for a graph that is not active."""
        ...

    # runs
    async def create_run(self, run: NewRun, events: Sequence[NewEvent] = (), first: Commit | None = None) -> Run:
        """Create a queued run; an id that exists raises `StoreError` `store.run_exists`.

        `first` is committed in the same transaction, so that nobody can claim the run without it: a fork's log.

        With a start key that is taken, `reject` raises `KeyTaken`, `existing` returns the run that holds it, and
        `replace` posts a cancel message to that run and creates the new one, which holds the key from then on. If the
        run that holds it is deleted, the first two raise `KeySpent`."""
        ...

    async def get_run(self, run_id: str) -> Run:
        """Raises `NotFound`; a unique prefix of at least 6 characters will do."""
        ...

    async def list_runs(self, filter: RunFilter = RunFilter()) -> list[Run]: ...

    async def last_runs(self, graph_ids: Sequence[str], each: int) -> list[Run]:
        """The newest runs of each of the graphs, at most `each` of one; graph by graph, the newest of a graph first.
        However many runs others have, and however old they are."""
        ...

    async def delete_run(self, run_id: str) -> None:
        """Delete a run's data for good, also checkpoints of the thread with its id (SEMANTICS 25).

        Blobs that another run refers to stay; its start key stays taken for its window (`KeySpent`). Raises
        `NotFound`, and `LeaseHeld` while a worker holds the run."""
        ...

    async def steps(self, run_id: str) -> list[StepRecord]:
        """The run's steps in the order of their first commit."""
        ...

    # leases
    async def claim(self, run_id: str, owner: str, ttl: timedelta) -> Lease:
        """Take the run for `owner`. Raises `LeaseHeld` if another owner's lease has not expired, `NotFound`, and
        `SlotTaken` for a queued run whose turn has not come: runs with the same slot begin in the order of creation,
        and hold it until they have ended. One that has a cancel message need not wait.
        A reservation (`NewRun.reserved_for`) keeps others away as a lease does; a claim after it is no adoption.

        An owner that claims again gets a new token, which ends its own old lease: as after an expired one, the lease
        is `adopted`, and `adoptions` counts it until the next commit."""
        ...

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        """Raises `LeaseLost` if the lease was given back or the run claimed since; an expired lease that nobody took
        can be renewed."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give the lease back; releasing a lost one does nothing."""
        ...

    async def claimable(self, limit: int = 100) -> list[str]:
        """Runs that somebody should take: queued, if their slot is free; running with an expired lease or none; waiting
        or paused without a living lease whose timer is due or that have a message they have not seen (`Commit.seen`),
        or a waiting step that an unaddressed signal is for. In the order of `store.queue`, as if they were taken one
        after another."""
        ...

    async def take(
        self, owner: str, ttl: timedelta, limit: int = 1, excluding: Collection[str] = ()
    ) -> Sequence[Lease]:
        """Claim the first of `claimable`, without those named, at most `limit` and at least one if there is one: choice
        and claim are one transaction, so that the order holds between any number of workers."""
        ...

    # log and commit
    async def commit(self, lease: Lease, commit: Commit) -> None:
        """Apply all of it or nothing. Raises `LeaseLost`, `LogConflict`, `MessageTaken`, `StoreFull`, and what
        `create_run` raises for a `successor`."""
        ...

    async def read_log(self, run_id: str, after: int = 0) -> list[LogRecord]:
        """The entries with `seq > after`, in order."""
        ...

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
        """Leave a message and return its id. Raises `NotFound` for an unknown run.

        With `once`, a word of the sending run `sent_by`, the same word again leaves nothing and returns the first
        message's id, consumed or not; forgotten when that run is deleted."""
        ...

    async def messages(self, run_id: str, signals: Sequence[tuple[str, str]] = ()) -> list[Message]:
        """Messages for the run that no commit has consumed, and unaddressed signals by (name, key), oldest first."""
        ...

    # events
    async def read_events(self, after: int = 0, run_id: str | None = None, limit: int = 1000) -> list[Event]:
        """At most `limit` events after the cursor, in order; 0: from the oldest that is kept. Raises
        `EventsForgotten` for another cursor before `forgotten`, so that no reader misses events unawares."""
        ...

    async def last_cursor(self) -> int:
        """The cursor of the newest event; 0 when there is none."""
        ...

    def follow(self, after: int = 0, run_id: str | None = None) -> AsyncIterator[Sequence[Event]]:
        """Batches of events after the cursor, for ever: those there are, then new ones as they are committed, also by
        other processes. Raises what `read_events` does."""
        ...

    def mark(self) -> int:
        """A mark to hand to `changed`: take it before looking, so that nothing comes unseen between look and wait."""
        ...

    async def changed(self, timeout: float, since: int | None = None) -> bool:
        """Wait until a message or event may have come since the mark (None: since now), at most `timeout` seconds;
        returns whether one may have."""
        ...

    # blobs
    async def put_blob(self, run_id: str, digest: str, data: bytes) -> None:
        """Keep a large payload before the commit that needs it; the run refers to it from now on. Raises `NotFound`
        for an unknown run, and `StoreError` `store.blob_digest` if the digest (`blobs.digest_of`) does not fit."""
        ...

    async def put_blob_file(self, run_id: str, path: Path) -> tuple[str, int]:
        """As `put_blob`, for a file's content, of which only a piece at a time is in memory; returns its digest and
        its size in bytes. Raises `NotFound` for an unknown run, and `OSError` if the file cannot be read."""
        ...

    async def get_blob(self, digest: str) -> bytes:
        """The whole content. Raises `NotFound`."""
        ...

    def blob_now(self, digest: str) -> bytes:
        """As `get_blob`, blocking, from any thread: for pages of items that a node reads without waiting."""
        ...

    async def blob_size(self, digest: str) -> int:
        """Bytes of the content, before compression. Raises `NotFound`."""
        ...

    async def read_blob(self, digest: str, start: int, end: int) -> bytes:
        """The content from byte `start` up to, without, byte `end`, less where it ends before that. Raises `NotFound`,
        and `ValueError` for a negative place."""
        ...

    def langgraph_saver(self) -> BaseCheckpointSaver[str]:
        """LangGraph's checkpointer over the same data, usable as long as the store is open."""
        ...

    async def sweep(self) -> int:
        """Remove what crashes have left behind and nothing refers to; returns how many blobs went."""
        ...
