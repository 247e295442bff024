"""The engine: starts runs, drives them, and takes requests to them. One engine is one peer on one store."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from pyagent.errors import InputError, LeaseHeld, LeaseLost, PyAgentError
from pyagent.graph.source import GraphLike, read_graph
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, dump
from pyagent.runtime.credentials import read_credential
from pyagent.runtime.drive import DEFAULT_PARALLEL, Driven, Driver
from pyagent.runtime.expressions import Expressions
from pyagent.runtime.hands import Hands
from pyagent.runtime.inputs import checked_inputs
from pyagent.runtime.journal import StoreJournal, event, read_entries
from pyagent.runtime.library import GraphLibrary, find_graph
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import Entry, StepKey, decode, encode
from pyagent.runtime.migration import restarted_state
from pyagent.runtime.observe import Observer, observed, unobserved
from pyagent.runtime.partial import labelled, outermost, until_of
from pyagent.runtime.preview_data import SeenSteps
from pyagent.runtime.program import Program
from pyagent.runtime.requests import Requests, new_run_id
from pyagent.runtime.restart import checked_state
from pyagent.runtime.state import RunState
from pyagent.runtime.trace import RunTrace, TraceContext
from pyagent.runtime.tracing import Tracer, tracer_from_environment
from pyagent.runtime.turns import Turn, turn_of
from pyagent.runtime.values import Values
from pyagent.runtime.versions import Recent, RulesNewer, RunVersions, Versions, version_of
from pyagent.sdk.commands import Restart
from pyagent.sdk.registry import Registry
from pyagent.store.base import (
    ENDED,
    Commit,
    KeyPolicy,
    Lease,
    LogConflict,
    MessageTaken,
    NewEvent,
    NewRun,
    Run,
    SlotTaken,
    Store,
    StoreUnavailable,
)
from pyagent.store.location import open_store

LEASE = timedelta(seconds=10)
FOREVER = timedelta(days=100 * 365)
"""For start keys that must not be used a second time."""
MAX_RUNS = 32


class Taken(NamedTuple):
    """A lease, and when it was asked for."""

    lease: Lease
    claimed: float
    """By the event loop's clock, in seconds."""
    before: datetime


class Engine(Requests):
    """Runs graphs durably on one store."""

    def __init__(
        self,
        store: Store,
        *,
        registry: Registry | None = None,
        library: GraphLibrary | None = None,
        peer: str | None = None,
        lease: timedelta = LEASE,
        owner: str = "local",
        tracer: Tracer | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        """`peer` names this process in leases; `lease` is how long a run stays claimed when its process dies;
        `observers` hear of what the runs driven here commit."""
        self.store = store
        self.registry = registry or Registry.installed()
        self.library = library or GraphLibrary()
        self.peer = peer or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.lease = lease
        self.owner = owner
        self.tracer = tracer
        self.observers = [*([] if tracer is None else [tracer]), *observers]
        self._versions = Versions(self.registry, self.library, store)
        self._expressions: Recent[tuple[str, str], Expressions] = Recent(lambda key: Expressions(timezone=key[1]))
        self._drafts: Recent[tuple[str, str], Expressions] = Recent(lambda key: Expressions(timezone=key[1]))
        self.seen_steps = SeenSteps()
        self._drivers: dict[str, Driver] = {}
        self._driving: set[str] = set()
        self._hands: Hands | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str | None = None, **options: Any) -> AsyncGenerator[Engine]:
        """An engine on the store at `url` (None: `PYAGENT_STORE`, else the user's SQLite file), which traces its runs
        where the variables of OpenTelemetry say so."""
        store = open_store(url)
        await store.open()
        tracer = tracer_from_environment()
        try:
            yield cls(store, tracer=tracer, **options)
        finally:
            await store.close()
            if tracer is not None:
                await tracer.close()

    def use_registry(self, registry: Registry) -> None:
        """Take other node types, as new code of them. A run that is being driven keeps those it was taken up with."""
        self.registry = registry
        self._versions = Versions(registry, self.library, self.store)

    # -- starting -----------------------------------------------------------------------------------------------

    async def document(self, graph: GraphLike) -> Document:
        """The graph as a document. Raises `GraphError`, `NotFound`."""
        return read_graph(graph) or await find_graph(self.library, self.store, str(graph))

    def program(self, spec: GraphSpec, *, production: bool = True) -> Program:
        """The graph ready to run, as runs or test runs of it are. Raises `GraphError`."""
        return self._versions.program(spec, version_of(spec, production=production))

    def draft(self, spec: GraphSpec) -> Program:
        """A graph that is being edited, ready to be looked at: it is not kept among the versions, of which each change
        makes one. May take long for large ones, and is for any thread. Raises `GraphError`."""
        return Program(spec, self.registry)

    def draft_expressions(self, spec: GraphSpec) -> Expressions:
        """What evaluates the expressions of a graph that is being edited: the same for all its drafts."""
        return self._drafts[spec.id, spec.settings.timezone or "UTC"]

    async def _read(self, graph: GraphLike) -> tuple[GraphSpec, str]:
        """The graph and its YAML text."""
        if isinstance(graph, GraphSpec):
            return graph, dump(graph)
        document = await self.document(graph)
        return document.spec, document.text

    async def start(
        self,
        graph: GraphLike,
        inputs: Mapping[str, Any] | None = None,
        *,
        trigger: str = "",
        until: str = "",
        key: str | None = None,
        key_policy: KeyPolicy = "reject",
        key_window: timedelta = timedelta(0),
        production: bool = True,
        actor: str = "local",
        parent_run: str | None = None,
        parent_step: str | None = None,
        labels: Mapping[str, str] | None = None,
        blobs: Sequence[tuple[str, bytes]] = (),
        reserve: bool = False,
        priority: int | None = None,
        inherited_priority: int = 0,
    ) -> Run:
        """Queue a run of the graph; `drive` or `work` executes it. `blobs`: payloads that the inputs name, by digest.
        `reserve`: this engine is about to drive it, and no other worker of the store is to take it first.
        `priority`, -1000 to 1000, goes before the graph's own; `inherited_priority` is for a graph that has none.
        `until`: only this node and what leads to it take part; for a node of a body, the whole map.

        Raises `GraphError` if the graph does not hold together, `InputError` if the inputs do not fit, there is no
        such priority or the trigger does not lead to `until`, `NotFound` for an unknown `until`, `KeyTaken`.
        """
        spec, text = await self._read(graph)
        program = self._versions.program(spec, version_of(spec, production=production))
        chosen = program.trigger(trigger, until)
        program.root(chosen, until)
        until = until and outermost(spec, until)
        values = checked_inputs(spec, inputs or {})
        turn = await turn_of(
            spec,
            self._expressions_of(program),
            values,
            self.owner,
            priority=priority,
            inherited=inherited_priority,
        )
        await self.store.put_graph(spec.id, program.hash, text)
        new = NewRun(
            id=new_run_id(),
            graph_id=spec.id,
            graph_hash=program.hash,
            trigger=chosen,
            inputs=encode(values),
            production=production,
            key=key,
            key_policy=key_policy,
            key_window=key_window,
            parent_run=parent_run,
            parent_step=parent_step,
            **turn._asdict(),
            reserved_for=self.peer if reserve and not blobs else None,
            owner=self.owner,
            actor=actor,
            labels=labelled(labels or {}, until),
        )
        first = Commit(blobs=blobs) if blobs else None
        return await self.create(new, [event("run.queued", graph=spec.id, actor=actor)], first)

    async def create(self, new: NewRun, events: Sequence[NewEvent], first: Commit | None = None) -> Run:
        """Make the run in the store. An engine that works (`work`) and has a hand free executes it at once, unless
        others wait or it has a `first` commit, a turn to wait for or somebody to drive it."""
        hands = self._hands
        if hands is None or first is not None or new.slot is not None or new.reserved_for is not None:
            return await self.store.create_run(new, events, first)
        if hands.full or hands.others_wait:
            hands.others_wait = True
            return await self.store.create_run(new, events)
        with hands.kept_free():
            run = await self.store.create_run(replace(new, reserved_for=self.peer), events)
        if run.id != new.id:
            return run
        if self._hands is hands:
            hands.take(run.id, self._drive_quietly(run.id, run))
        else:
            with suppress(PyAgentError):  # it works no more: the reservation would only keep the next worker waiting
                await self.store.release(await self.store.claim(run.id, self.peer, self.lease))
        return run

    def under_way(self, run_id: str) -> asyncio.Task[Run | None] | None:
        """What drives the run, where this engine does so of its own accord; its result is how the run stands then,
        None if it could not be driven."""
        return self._hands.under_way(run_id) if self._hands is not None else None

    async def turn(self, graph: GraphSpec, inputs: Mapping[str, Any]) -> Turn:
        """Which runs a run of the graph with these inputs takes turns with (`settings.concurrency`). Raises
        `GraphError`, `InputError`."""
        expressions = self._expressions_of(self._versions.program(graph, None))
        return await turn_of(graph, expressions, inputs, self.owner)

    async def run(self, graph: GraphLike, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
        """Start a run and drive it here until it ends or waits. Options as for `start`."""
        started = await self.start(graph, inputs, reserve=True, **options)
        if started.status in ENDED:
            return started
        return await self._drive_alone(started.id, started)

    # -- driving ------------------------------------------------------------------------------------------------

    async def drive(self, run_id: str) -> Run:
        """Take the run and execute it until it ends, waits or is paused; returns how it stands then.

        Raises `LeaseHeld` if another worker has it, `LeaseLost` if another took it over, `SlotTaken` if others with its
        key go first (`settings.concurrency`).
        """
        return await self._drive_alone(run_id)

    async def _drive_alone(self, run_id: str, new: Run | None = None, taken: Taken | None = None) -> Run:
        """As `drive`; `new` is the run as this engine has just made it."""
        if run_id in self._driving:
            # The store would let the same peer take the run from itself.
            if taken is not None:  # it began to be driven while it was taken
                await self.store.release(taken.lease)
            raise LeaseHeld(f"this engine drives run {run_id} already", details={"owner": self.peer})
        self._driving.add(run_id)
        try:
            return await self._drive(run_id, new, taken)
        finally:
            self._driving.discard(run_id)

    async def _drive(self, run_id: str, new: Run | None, taken: Taken | None) -> Run:
        run = new or await self.store.get_run(run_id)
        if taken is None:
            if run.status in ENDED and not await self._asked_to_resume(run):
                return run
            asked = _moment()
            taken = Taken(await self.store.claim(run.id, self.peer, self.lease), *asked)
        lease = taken.lease
        try:
            driver = await self._driver(run, lease, taken.claimed, new=new is not None)
            driver.live.ahead = lease.expires_at - self.lease - taken.before
        except BaseException:
            await self.store.release(lease)
            raise
        if driver.live.state.ended is not None:
            # Another worker may have ended it since it was looked at; what has ended is not ended again.
            run = await self.store.get_run(run.id)
            if run.status in ENDED and not await self._asked_to_resume(run):
                await self.store.release(lease)
                return run
        self._drivers[run.id] = driver
        try:
            await driver.drive()  # its last commit gives the lease back
        except BaseException:
            with suppress(PyAgentError):
                await self.store.release(driver.journal.lease)
            raise
        finally:
            self._drivers.pop(run.id, None)
            unobserved(driver.journal.store)
        ended = await self.store.get_run(run.id)
        if ended.status == "failed":
            await self._on_failure(ended, driver.live.state.program.graph)
        return ended

    async def work(self, *, limit: int = MAX_RUNS) -> None:
        """Drive whatever runs of the store need driving, at most `limit` at once, until cancelled.

        Cancelled, it hands its runs over: each is left as it stands for the next worker.
        """
        hands = self._hands = Hands(limit)
        try:
            while True:
                mark = self.store.mark()
                for taken in await self._take(hands):
                    if hands.full or taken.lease.run_id in hands.runs:  # with what began here meanwhile
                        with suppress(PyAgentError):
                            await self.store.release(taken.lease)
                    else:
                        run_id = taken.lease.run_id
                        hands.take(run_id, self._drive_quietly(run_id, taken=taken))
                hands.others_wait = hands.full and bool(await self._claimable(1))
                await hands.freed_or(self.store.changed(1.0, mark))
        finally:
            self._hands = None
            for run_id in hands.runs:
                if (driver := self._drivers.get(run_id)) is not None:
                    driver.drain()
            await hands.finish(10)

    async def _take(self, hands: Hands) -> list[Taken]:
        """Take the runs whose turn it is; none while the store cannot be reached: it may be back the next time."""
        if hands.full:
            return []
        asked = _moment()
        # A hand may have to do with a run for a while after it was driven.
        busy = {*self._driving, *hands.runs}
        taking = asyncio.ensure_future(self.store.take(self.peer, self.lease, hands.free, busy))
        try:
            leases = await asyncio.shield(taking)
        except StoreUnavailable:
            return []
        except asyncio.CancelledError:
            # What comes to a worker that stops would wait until the leases have run out.
            with suppress(PyAgentError):
                for lease in await taking:
                    await self.store.release(lease)
            raise
        return [Taken(lease, *asked) for lease in leases]

    async def _claimable(self, limit: int) -> list[str]:
        """Runs to drive; none while the store cannot be reached: it may be back the next time."""
        try:
            return await self.store.claimable(limit)
        except StoreUnavailable:
            return []

    def drain(self) -> None:
        """Stop driving, as soon as may be: `drive` returns, and each run is left as it stands for the next worker."""
        for driver in list(self._drivers.values()):
            driver.drain()

    async def _asked_to_resume(self, run: Run) -> bool:
        return any(message.kind == "resume" for message in await self.store.messages(run.id))

    async def _drive_quietly(self, run_id: str, new: Run | None = None, taken: Taken | None = None) -> Run | None:
        """Drive a run; another worker's lease is no error, and others are in the run's events."""
        try:
            return await self._drive_alone(run_id, new, taken)
        except (LeaseHeld, LeaseLost, SlotTaken):
            return None
        except PyAgentError as error:
            await self._give_up(run_id, error)
            return None

    async def _give_up(self, run_id: str, error: PyAgentError) -> None:
        """A run that cannot even be loaded fails, so that no worker takes it again and again."""
        if isinstance(error, StoreUnavailable | LogConflict | MessageTaken | RulesNewer):
            # It is not the run's fault: who takes it next reads the log as it is by then, or is a newer program.
            await asyncio.sleep(1)
            return
        with suppress(PyAgentError):
            lease = await self.store.claim(run_id, self.peer, self.lease)
            data = error.as_dict()
            commit = Commit(status="failed", error=data, events=[event("run.failed", error=data)], release=True)
            await self.store.commit(lease, commit)

    async def _driver(self, run: Run, lease: Lease, claimed: float, *, new: bool) -> Driver:
        versions = self._versions.of_run()
        program = await versions.load(run.graph_hash)
        # The first token: nobody had the run before, and its log is as it was made.
        unread = new and lease.token == 1 and not run.log_length
        entries = [] if unread else await read_entries(self.store, run.id)
        pinned = await versions.pinned(entries) if entries else await versions.pin(program)
        state = RunState(program, versions.loaded)
        for entry in entries:
            state.apply(entry)
        store = await observed(self.store, self.observers, run, lease, state, entries, self._trace)
        live = self._live(run, state, StoreJournal(store, lease, len(entries)), pinned, versions)
        means = Driven(
            store=self.store,
            lease=lease,
            ttl=self.lease,
            claimed=claimed,
            graphs=dict(pinned),
            new_id=new_run_id,
            cancel_run=self.cancel,
        )
        return Driver(run, live, versions.compiled(program, run.trigger), means)

    def _live(
        self, run: Run, state: RunState, journal: StoreJournal, pinned: dict[str, str], versions: RunVersions
    ) -> LiveRun:
        trace = self._trace(run)

        async def resolve(graph_id: str) -> str:
            if graph_id not in pinned:
                pinned[graph_id] = await versions.keep_newest(graph_id)
            return pinned[graph_id]

        async def start(graph: str, inputs: dict[str, Any], options: dict[str, Any]) -> str:
            options = dict(options)
            options.pop("on_parent", None)
            options["labels"] = trace.headers(options.get("parent_step", ""))
            # Should this worker die before it can record the call, the next one finds the run, ended or not.
            options |= {"key_policy": "existing", "key_window": FOREVER} if "key" in options else {}
            options["inherited_priority"] = run.priority
            started = await self.start(graph, inputs, actor=run.actor, **options)
            return started.id

        async def signal(name: str, value: Any, key: str, to: str | None, once: str) -> None:
            await self.signal(name, value, key=key, run_id=to, actor=run.actor, sent_by=run.id, once=once)

        async def prepare(command: Restart, writes: Callable[[], Awaitable[Mapping[str, Any]]]) -> dict[str, Any]:
            program = old = state.program
            graphs = (state.started or {}).get("graphs", {})
            if command.version == "newest":
                newest = await versions.keep_newest(run.graph_id, partial(version_of, production=run.production))
                program = versions.loaded(newest)
                program.root(program.trigger(run.trigger), until_of(run))
                graphs = await versions.pin(program)
            inputs = (state.started or {})["inputs"] if command.inputs is None else command.inputs
            values = checked_inputs(program.graph, inputs)
            begin = checked_state(program.graph, command.state)
            if begin is None and program is not old:
                begin = await restarted_state(self._expressions_of(program), old.graph, program.graph, state, writes)
            expressions = self._expressions_of(program)
            turn = await turn_of(program.graph, expressions, values, run.owner, priority=run.priority)
            return {
                **turn._asdict(),
                "graph": program.hash,
                "graphs": graphs,
                "inputs": values,
                "state": begin,
            }

        return LiveRun(
            run_id=run.id,
            state=state,
            journal=journal,
            values=Values(state, self._expressions_of, run_id=run.id, production=run.production),
            production=run.production,
            start_graph=start,
            resolve_graph=resolve,
            send_signal=signal,
            prepare_restart=prepare,
            credentials=read_credential,
            trace=trace,
            default_parallel=DEFAULT_PARALLEL,
        )

    def _trace(self, run: Run) -> RunTrace:
        """How the run takes part in a trace."""
        if self.tracer is not None:
            return self.tracer.run_trace(run)
        return RunTrace(run_id=run.id, given=TraceContext.read(run.labels), sampled=None)

    def _expressions_of(self, program: Program) -> Expressions:
        """One context for each graph version's expressions: its globals are never another graph's."""
        return self._expressions[program.hash, program.graph.settings.timezone or "UTC"]

    async def _on_failure(self, run: Run, graph: GraphSpec) -> None:
        """Start the graph that `settings.on_failure` names, once for each failure."""
        if graph.settings.on_failure is None or run.labels.get("on_failure"):
            return
        inputs = {"run": run.id, "graph": run.graph_id, "error": dict(run.error or {})}
        try:
            document = await self.document(graph.settings.on_failure)
            declared = document.spec.inputs
            await self.start(
                document,
                {name: value for name, value in inputs.items() if name in declared} if declared else inputs,
                key=f"{run.id}/on_failure/{run.log_length}",
                key_policy="existing",
                parent_run=run.id,
                inherited_priority=run.priority,
                labels={"on_failure": run.id, **self._trace(run).headers()},
            )
        except PyAgentError as error:
            await self._tell(run.id, event("run.on_failure_failed", error=error.as_dict()))

    async def _tell(self, run_id: str, said: NewEvent) -> None:
        """Add an event to a run that nobody drives; if somebody has claimed it, that is left out."""
        with suppress(PyAgentError):
            lease = await self.store.claim(run_id, self.peer, self.lease)
            await self.store.commit(lease, Commit(events=[said], release=True))

    # -- reading ------------------------------------------------------------------------------------------------

    async def log(self, run_id: str) -> list[Entry]:
        """The run's log."""
        run = await self.store.get_run(run_id)
        return await read_entries(self.store, run.id)

    async def replay(self, run_id: str) -> tuple[RunState, list[Entry]]:
        """A run's state before its first entry, and the entries to apply to it."""
        run = await self.store.get_run(run_id)
        entries = await read_entries(self.store, run.id)
        versions = self._versions.of_run()
        await versions.pinned(entries)
        return RunState(await versions.load(run.graph_hash), versions.loaded), entries

    async def outputs(self, run_id: str) -> Any:
        """The outputs of a completed run."""
        run = await self.store.get_run(run_id)
        return decode(run.outputs) if run.outputs else None

    async def wait(self, run_id: str) -> Run:
        """Return when the run has ended or waits for somebody."""
        while True:
            mark = self.store.mark()
            run = await self.store.get_run(run_id)
            if run.status in ENDED or run.status in ("waiting", "paused"):
                return run
            await self.store.changed(1.0, mark)


def _moment() -> tuple[float, datetime]:
    return asyncio.get_running_loop().time(), datetime.now(UTC)


__all__ = ["Engine", "GraphLike", "InputError", "StepKey"]
