"""Drives one run in this process, from claiming its lease to giving it back: LangGraph executes, the store keeps."""

# LangGraph's own annotations leave these partly unknown.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from langchain_core.runnables.config import var_child_runnable_config

from pyagent.errors import LeaseLost, NodeTimeout, PyAgentError
from pyagent.runtime.compile import CompiledGraph
from pyagent.runtime.endings import CrashLoop, RunStopped, RunStuck, RunTimeout
from pyagent.runtime.failure import ErrorData, failed_outputs
from pyagent.runtime.finish import finish_run, told_end
from pyagent.runtime.journal import StoreJournal, event
from pyagent.runtime.live import LiveRun, step_row
from pyagent.runtime.log import Entry, Outputs, StepKey, decode, encode, timestamp
from pyagent.runtime.messages import Understood, answered_row, due, next_timer, overdue, understand
from pyagent.runtime.partial import until_of
from pyagent.runtime.restart import successor
from pyagent.runtime.versions import SEMANTICS
from pyagent.sdk.items import Items
from pyagent.sdk.later import in_time
from pyagent.store.base import Lease, Message, NewEvent, Run, RunStatus, Store

MAX_ADOPTIONS = 5
"""Workers that may die of a run, without a commit between them, before it fails (SEMANTICS 17)."""
DEFAULT_PARALLEL = 64
MESSAGE_PAUSE = 0.02
"""Seconds between two looks for messages while a run is busy, at least."""
MESSAGE_SHARE = 40
"""How many times longer than a look takes the pause before it is: looking must not keep a busy run from going on."""
LONGEST_MESSAGE_PAUSE = 0.1
"""Seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Driven:
    """What a driver needs besides the run."""

    store: Store
    lease: Lease
    ttl: timedelta
    claimed: float
    """Time of the event loop before the lease was asked for."""
    graphs: Mapping[str, str]
    """The versions of the graphs that it calls, by id."""
    new_id: Callable[[], str]
    """A new run's id."""
    cancel_run: Callable[[str], Awaitable[None]]
    """Ask another run to stop: one that this run started and that is to end with it."""


class Driver:
    """Drives one run until it ends, waits, is paused, or its lease is lost."""

    def __init__(self, run: Run, live: LiveRun, graph: CompiledGraph, means: Driven) -> None:
        self.run = run
        self.live = live
        self.graph = graph.driving(live)
        self.means = means
        self.journal = cast(StoreJournal, live.journal)
        self.draining = False
        self._paused = False
        """Whether the run was paused when it was drained."""
        self._seen = 0
        self._taken: set[int] = set()
        """Messages that are recorded and whose commit may be under way."""
        self._reading = asyncio.Lock()
        """Held while messages are recorded: how the run stands must not be said in the middle of that."""
        self._taking: set[StepKey] = set()
        """Steps whose answer, an unaddressed signal, is being committed."""
        self._timeout = live.state.program.graph.settings.timeout

    async def drive(self) -> None:
        """Execute the run as far as it goes now. Raises `StoreError`, `LeaseLost` among them."""
        watchers = [asyncio.create_task(self._keep_lease())]
        try:
            self._begin()
            await self.journal.flush()
            mark = self.means.store.mark()
            await self._read_messages()
            watchers.append(asyncio.create_task(self._listen(mark)))
            await self._execute()
            async with self._reading:
                await self._close()
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self.journal.close()

    def drain(self) -> None:
        """Stop as soon as may be and leave the run to whoever resumes it; nothing is lost."""
        if not self.draining:
            self._paused = self.live.state.paused
            # What must not be repeated may come to its end: stopped, nobody would know whether it took place.
            asyncio.get_running_loop().call_later(self.live.grace, self.live.cancel_all, "drain")
        self.draining = True
        self.live.state.paused = True
        self.live.drain()

    # -- the parts of a drive -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        state, lease = self.live.state, self.means.lease
        now = datetime.now(UTC)
        if state.started is None:
            inputs = decode_inputs(self.run)
            data = {"inputs": inputs, "trigger": self.run.trigger, "at": timestamp(now), "semantics": SEMANTICS}
            if self.means.graphs:
                data["graphs"] = dict(self.means.graphs)
            if until := until_of(self.run):
                data["until"] = until
            self.live.record(Entry("run.started", None, data), [event("run.started", graph=self.run.graph_id)])
        elif lease.adopted:
            data = {"owner": lease.owner, "at": timestamp(now)}
            self.live.record(Entry("run.adopted", None, data), [event("run.adopted", owner=lease.owner)])
        # Those that the store counts died before they could commit so much as their adoption.
        deaths = lease.adoptions + state.adoptions - (1 if lease.adopted and state.adoptions else 0)
        if deaths >= MAX_ADOPTIONS and not state.ending:
            state.failure = CrashLoop(f"{deaths} workers died while running this without getting anywhere").as_dict()
        self.journal.change("running")

    async def _execute(self) -> None:
        state = self.live.state
        while True:
            self._wake_due()
            if self.journal.failure is not None:
                raise self.journal.failure
            if not state.runnable() and not self.live.unfinished:
                if not state.parked and not state.paused:
                    return
                # A signal that came before its wait is looked at again now that the step waits.
                await self._read_messages()
                if not state.runnable() and not self.live.unfinished:
                    return
            invocation = asyncio.create_task(self._invoke())
            failed = asyncio.create_task(self.journal.failed.wait())
            try:
                await asyncio.wait({invocation, failed}, return_when=asyncio.FIRST_COMPLETED)
                if not invocation.done():
                    self._halt()
                    await asyncio.wait({invocation}, timeout=self.live.grace)
                    invocation.cancel()
                    await asyncio.gather(invocation, return_exceptions=True)
                    continue
                await invocation
            finally:
                failed.cancel()
                if not invocation.done():
                    self.live.cancel_all("drain")
                    invocation.cancel()
                    await asyncio.gather(invocation, return_exceptions=True)

    async def _invoke(self) -> None:
        """One pass of LangGraph's loop: it ends when no step can start."""
        # Where a node of somebody's LangGraph graph drives the run, this is no subgraph of that: it has its own limits,
        # and is not in its checkpoints.
        var_child_runnable_config.set(None)
        async for _ in self.graph.astream({}, stream_mode="custom"):
            pass

    async def _close(self) -> None:
        """Say how the run stands and give the lease back, in one commit."""
        state = self.live.state
        if self.draining:
            state.paused = self._paused
        change: dict[str, Any] = {"release": True}
        told: list[NewEvent] = []
        if state.stopped is not None and not (state.failure or state.cancelled or state.ended):
            await self._stop()
        if state.failure is not None:
            status: RunStatus = "failed"
            change["error"] = _as_error(state.failure)
            self._end(status, error=change["error"])
            told.append(event("run.failed", error=change["error"]))
        elif state.cancelled is not None:
            status = "failed" if state.cancelled.get("failed") else "cancelled"
            said = {name: state.cancelled[name] for name in ("reason", "actor") if name in state.cancelled}
            if status == "failed":
                change["error"] = said["error"] = state.cancelled["failed"]
            self._end(status, error=change.get("error"))
            told.append(event(f"run.{status}", **said))
            for child, on_parent in state.called:
                if on_parent == "cancel":
                    await self.means.cancel_run(child)
        elif state.ended is not None:
            status = state.ended["status"]
            told.append(told_end(state.ended))
            if status == "failed":
                change["error"] = state.ended["error"]
            if status == "completed":
                change["outputs"] = encode_outputs(state.ended.get("outputs") or {})
                if (follows := successor(self.run, state, self.means.new_id())) is not None:
                    change["successor"] = follows
                    told.append(event("run.continued", run=follows.run.id))
        elif state.paused:
            status = "paused"
            told.append(event("run.paused"))
        elif state.parked and not state.runnable():
            status = "waiting"
            moments = [moment for moment in (next_timer(state), self._deadline()) if moment is not None]
            change["wake_at"] = min(moments, default=None)
            told.append(event("run.waiting", steps=[str(key) for key in state.parked]))
        elif self.draining or state.runnable() or self.live.unfinished:
            status = "running"
        else:
            status = "failed"
            change["error"] = RunStuck("nothing of the run can go on").as_dict()
            self._end(status, error=change["error"])
            told.append(event("run.failed", error=change["error"]))
        # In one commit: who hears of an end and looks at the run finds it ended.
        for each in told:
            self.live.tell(each)
        self.journal.change(status, **change, **({"seen": self._seen} if self._seen else {}))
        await self.journal.flush()
        if status in ("completed", "failed", "cancelled"):
            await self.live.clean()

    async def _stop(self) -> None:
        """The graph ended the run itself. A time limit may do so meanwhile."""
        stopped = self.live.state.stopped or {}
        if stopped["status"] == "failed":
            error = RunStopped(stopped.get("message") or "the graph ended the run as failed").as_dict()
            self._end("failed", error=error)
        else:
            await finish_run(self.live)

    def _end(self, status: RunStatus, **data: Any) -> None:
        found = {name: value for name, value in data.items() if value is not None}
        self.live.record(Entry("run.ended", None, {"status": status, "at": timestamp(datetime.now(UTC)), **found}))

    # -- watching the world -------------------------------------------------------------------------------------

    async def _keep_lease(self) -> None:
        """Renew the lease. Once it may have run out, by this machine's own count too, nothing goes on here: the store
        may be out of reach for this worker alone, and another one may have taken the run over."""
        loop, ttl = asyncio.get_running_loop(), self.means.ttl.total_seconds()
        until = self.means.claimed + ttl
        while True:
            await asyncio.sleep(min(ttl / 3, max(0.0, until - loop.time())))
            asked = loop.time()
            try:
                async with asyncio.timeout_at(until):
                    self.journal.lease = await self.means.store.renew(self.journal.lease, self.means.ttl)
                until = asked + ttl
            except LeaseLost as error:
                self._lose(error)
                return
            except (PyAgentError, TimeoutError):
                # The store may be back before the lease expires.
                if loop.time() >= until:
                    self._lose(LeaseLost(f"The lease on run {self.run.id} could not be renewed in time."))
                    return

    def _lose(self, error: LeaseLost) -> None:
        self.journal.failure = error
        self.journal.failed.set()
        self._halt()

    def _halt(self) -> None:
        """Stop every step, and begin none: nothing more can be committed here."""
        self.live.state.paused = True
        self.live.cancel_all("lease_lost")

    async def _listen(self, mark: int) -> None:
        """Messages and timers, while the run is driven; `mark` is from before messages were read last."""
        store, state, time = self.means.store, self.live.state, asyncio.get_running_loop().time
        pause = MESSAGE_PAUSE
        while True:
            self._wake_due()
            timer = next_timer(state)
            limit = self._deadline()
            ends = [moment for moment in (timer, limit) if moment is not None]
            left = (min(ends) - self._now()).total_seconds() if ends else 5.0
            await store.changed(min(5.0, max(0.001, left)), mark)
            # The run's own commits wake this too; looking for messages after each of them would slow the run.
            await asyncio.sleep(pause)
            mark, looked = store.mark(), time()
            with contextlib.suppress(PyAgentError):
                await self._read_messages()
            pause = min(LONGEST_MESSAGE_PAUSE, max(MESSAGE_PAUSE, MESSAGE_SHARE * (time() - looked)))

    def _deadline(self) -> datetime | None:
        started = self.live.state.started
        if self._timeout is None or started is None or self.live.state.ending:
            return None
        return datetime.fromisoformat(started["at"]) + self._timeout

    def _now(self) -> datetime:
        """The store's time: by a clock that is behind it, a run whose time has come would be taken up in vain."""
        return datetime.now(UTC) + self.live.ahead

    def _wake_due(self) -> None:
        now = self._now()
        deadline = self._deadline()
        if deadline is not None and now >= deadline:
            seconds = cast(timedelta, self._timeout).total_seconds()
            data = {"reason": "timeout", "failed": RunTimeout(f"the run took longer than {seconds:g} s").as_dict()}
            self.live.record(Entry("run.cancel", None, data))
            self.live.cancel_all("cancel")
            return
        for key in overdue(self.live.state, now):
            self._cut_off(key)
        woken: list[StepKey] = []
        for key, answer in due(self.live.state, now):
            if key in self._taking:
                continue
            woken.extend(self._answered(key, answer))
        if woken:
            self.live.wake(woken)

    def _cut_off(self, key: StepKey) -> None:
        """A map or call has taken longer than its node's `timeout`: so have the steps inside."""
        node = self.live.state.node(key)
        seconds = cast(timedelta, node.spec.timeout).total_seconds()
        late = NodeTimeout(f"the steps inside took longer than {seconds:g} s")
        error: ErrorData = {**late.as_dict(), "node": key.node, "attempt": 1}
        outputs = failed_outputs(node, error, self.live.state.inputs_of(key), attempt=1)
        data: dict[str, Any] = {"status": "failed", "attempt": 1, "error": error}
        if outputs is not None:
            data["handled"] = node.spec.on_error
        counts = {port: len(items) for port, items in (outputs or {}).items()}
        row = step_row(key, "failed", ended_at=datetime.now(UTC), items_out=counts, error=error)
        told = event("step.failed", str(key), error=error, handled=outputs is not None, items=counts)
        changes = self.live.record(Entry("step.ended", key, data, outputs), [told], [row])
        self.live.wake(changes.ready)

    async def _read_messages(self) -> None:
        """Record what was asked of the run, in the order in which it came (SEMANTICS 21)."""
        state = self.live.state
        woken: list[StepKey] = []
        async with self._reading:
            waits = [wait for wait in state.parked.values() if wait["kind"] == "signal"]
            signals = [(wait.get("name", ""), wait.get("key", "")) for wait in waits]
            for message in await self.means.store.messages(self.run.id, signals):
                self._seen = max(self._seen, message.id)
                if message.id in self._taken:
                    continue
                woken.extend(await self._take(message))
        if woken:
            self.live.wake(woken)

    async def _take(self, message: Message) -> list[StepKey]:
        # Asked again where expressions take long, with the same time each time.
        writes = partial(self._writes, datetime.now(UTC))
        found = await in_time(partial(understand, self.live.state, message, writes))
        if found is None:
            return []
        self._taken.add(message.id)
        for entry in found.entries:
            entry.data["message"] = message.id
        if message.run_id is None and found.entries:
            return await self._take_signal(message, found)
        ready: list[StepKey] = []
        for entry in found.entries:
            ready.extend(self.live.record(entry, found.events, found.steps).ready)
            found = Understood()
        for told in found.events:
            self.live.tell(told)
        self.journal.consume([message.id])
        if self.live.state.cancelled is not None:
            self.live.cancel_all("cancel")
        return ready

    async def _take_signal(self, message: Message, found: Understood) -> list[StepKey]:
        """A signal for whichever run waits: it is this run's once that is committed."""
        (entry,) = found.entries
        key = cast(StepKey, entry.step)
        if key in self._taking:
            self._taken.discard(message.id)
            return []
        self._taking.add(key)
        try:
            if not await self.journal.take(message.id, entry, found.events, found.steps):
                return []
        finally:
            self._taking.discard(key)
        return self.live.state.apply(entry).ready

    def _writes(self, now: datetime, key: StepKey, items: Items, outputs: Outputs) -> Mapping[str, Any]:
        return self.live.values.writes(key, items, outputs, now)

    def _answered(self, key: StepKey, answer: Mapping[str, Any]) -> list[StepKey]:
        entry = Entry("step.answered", key, {"answer": dict(answer)})
        told = event("step.answered", str(key), answer=dict(answer))
        return self.live.record(entry, [told], [answered_row(self.live.state, key)]).ready


def decode_inputs(run: Run) -> dict[str, Any]:
    """The run's inputs."""
    return decode(run.inputs)


def encode_outputs(outputs: Mapping[str, Any]) -> bytes:
    """The run's outputs as the store keeps them."""
    return encode(dict(outputs))


def _as_error(failure: ErrorData) -> ErrorData:
    return {name: value for name, value in failure.items() if name != "outcomes"}
