"""A run that is being executed in this process: its state, the steps that run now, and their cancel tokens."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyagent.errors import NodeCancelled, RunError
from pyagent.runtime.frames import Changes
from pyagent.runtime.journal import LINGER, Journal
from pyagent.runtime.lineage import told_lineage
from pyagent.runtime.log import Entry, StepKey
from pyagent.runtime.scratch import has_scratch, remove_scratch, scratch_directory
from pyagent.runtime.speech import Speech
from pyagent.runtime.state import RunState
from pyagent.runtime.trace import NO_TRACE, RunTrace
from pyagent.runtime.values import Values
from pyagent.sdk.commands import Restart
from pyagent.store.base import NewEvent, StepRecord, StepStatus

StartGraph = Callable[[str, dict[str, Any], dict[str, Any]], Awaitable[str]]
"""Start a graph by id with inputs and options (`parent_step`, `on_parent`), and return the new run's id."""
Credentials = Callable[[str], Awaitable[dict[str, str]]]
SendSignal = Callable[[str, Any, str, str | None, str], Awaitable[None]]
"""Send a signal: name, value, key, run (None: whichever waits), and the word by which it is sent once."""
Prepare = Callable[[Restart, Callable[[], Awaitable[Mapping[str, Any]]]], Awaitable[dict[str, Any]]]
"""What the log keeps of a run's successor, given the step's own state writes: see `runtime.restart`."""
Resolve = Callable[[str], Awaitable[str]]
"""The hash of the version of a graph that this run is pinned to, by the graph's id."""


TIME_LIMITS = frozenset({"timeout", "idle_timeout"})


class Token:
    """A step's cancel token; see `pyagent.sdk.CancelToken`."""

    __slots__ = ("_event", "reason", "stop")

    def __init__(self) -> None:
        self.reason = ""
        self.stop: Callable[[], None] | None = None
        """Called when a stop is asked for."""
        self._event: asyncio.Event | None = None

    @property
    def cancelled(self) -> bool:
        return bool(self.reason)

    def set(self, reason: str) -> None:
        """Ask for a stop; the first reason stays, but for a time limit, after which the step may be tried again."""
        if not self.reason or (self.reason in TIME_LIMITS and reason not in TIME_LIMITS):
            self.reason = reason
            if self._event is not None:
                self._event.set()
            if self.stop is not None:
                self.stop()

    async def wait(self) -> None:
        if self._event is None:
            self._event = asyncio.Event()
            if self.reason:
                self._event.set()
        await self._event.wait()

    def check(self) -> None:
        if self.reason:
            raise NodeCancelled(f"the step was stopped: {self.reason}")


@dataclass(kw_only=True)
class LiveRun:
    """What the steps of one run share while it runs here."""

    run_id: str
    state: RunState
    journal: Journal
    values: Values
    production: bool = True
    start_graph: StartGraph
    resolve_graph: Resolve
    credentials: Credentials
    send_signal: SendSignal = field(default_factory=lambda: _no_signals)
    prepare_restart: Prepare = field(default_factory=lambda: _no_restart)
    ahead: timedelta = timedelta(0)
    """How far the store's clock, which decides about timers, is ahead of this machine's."""
    trace: RunTrace = NO_TRACE
    grace: float = 5.0
    """Seconds a cancelled step gets to end by itself."""
    default_parallel: int | None = None
    """Steps with effects that run at once, where the graph does not say."""
    fuse: bool = True
    """Run pure steps inside the task of the step that made them ready."""
    running: dict[StepKey, Token] = field(default_factory=dict[StepKey, Token])
    session_begun: set[StepKey] = field(default_factory=set[StepKey])
    """`once` tries begun in this process: their outcome is not unknown."""
    told: Callable[[NewEvent], None] | None = None
    """Also gets each event at once (LangGraph's custom stream)."""
    recorded: Callable[[Entry, Changes], None] | None = None
    """Called for each entry (LangGraph's channel collects them for its checkpoint)."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a step became ready from outside, or the last running step ended."""
    outside: list[StepKey] = field(default_factory=list[StepKey])
    """Steps that became ready by a message or a timer, for the listener to start."""
    listening: bool = False
    outputs: dict[str, Any] | None = None
    secrets: list[str] = field(default_factory=list[str])
    """Values of credentials that steps have read: masked in whatever the run says."""
    waits_open: int = 0
    """Steps that ask LangGraph for an answer in this superstep."""
    waits_tried: int = 0
    answered: bool = False
    """One of them got its answer: the others stay parked until nothing else can run."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    doomed: set[StepKey] = field(default_factory=set[StepKey])
    """Steps that are ready and can only feed what will be ignored."""
    cut_short: list[Speech] = field(default_factory=list[Speech])
    """What tries said that was too much; told of when their steps have ended."""
    breathe_at: float = 0.0
    """Time of the event loop from which on it is to get its turn between two steps; see `breathe`."""
    timed: bool = False
    """A map or call was expanded that may take only so long."""
    queued: deque[StepKey] = field(default_factory=deque[StepKey])
    """Claimed steps that wait for a turn, or for a place, and that no lane has begun (`runtime.lanes`)."""
    _limit: asyncio.Semaphore | None = None
    _work_dir: Path | None = None

    def __post_init__(self) -> None:
        parallel = self.state.program.graph.settings.parallel or self.default_parallel
        if parallel is not None:
            self._limit = asyncio.Semaphore(parallel)
        self.timed = any(expansion.until is not None for expansion in self.state.expansions.values())

    @property
    def limit(self) -> asyncio.Semaphore | None:
        """Held by each running step with effects, where the graph sets `parallel`."""
        return self._limit

    @property
    def unfinished(self) -> list[str]:
        """Graphs whose frame has ended and whose outputs were not evaluated yet, as after a crash in between."""
        return [] if self.state.ending else list(self.state.awaiting)

    @property
    def awaits(self) -> bool:
        """Whether something from outside may make steps ready: an answer, the end of a pause, a map that takes too
        long."""
        return self.timed or bool(self.state.parked) or self.state.paused

    @property
    def work_dir(self) -> Path:
        """The run's scratch directory, made when first asked for."""
        if self._work_dir is None:
            self._work_dir = scratch_directory(self.run_id)
        return self._work_dir

    def record(self, entry: Entry, events: Sequence[NewEvent] = (), steps: Sequence[StepRecord] = ()) -> Changes:
        """Apply an entry and gather it for the next commit; running steps that it makes pointless are cancelled.

        Raises `NodeError` (`node.returned`), and changes nothing, for an entry that holds what is not JSON.
        """
        if self.recorded is not None:
            entry.id = uuid.uuid4().hex
        # First of all: what cannot be kept must not be decided on either.
        body = self.journal.encoded(entry)
        if self.journal.keeps_lineage and entry.kind == "step.ended" and entry.step is not None:
            # Before it is applied: the end of a map's element makes the state forget what its steps were given.
            lineage = told_lineage(self.state, entry.step, entry.outputs or {}, body)
            steps = [replace(row, lineage=lineage) if row.step == str(entry.step) else row for row in steps]
        changes = self.state.apply(entry)
        if changes.skipped or changes.expanded or changes.cancel:
            events, steps = self._told_of(changes, events, steps)
        self.journal.add(entry, body, events, steps)
        if self.told is not None:
            for each in events:
                self.told(each)
        if self.recorded is not None:
            self.recorded(entry, changes)
        for key, reason in changes.cancel:
            if (token := self.running.get(key)) is not None:
                token.set(reason)
            elif reason == "loser" and key in self.state.parked:
                more = self._lose(key)
                changes.ready.extend(more.ready)
                changes.finished.extend(more.finished)
            elif reason == "loser":
                self.doomed.add(key)
        return changes

    def _told_of(
        self, changes: Changes, events: Sequence[NewEvent], steps: Sequence[StepRecord]
    ) -> tuple[list[NewEvent], list[StepRecord]]:
        """What is told of an entry, with what it brought about."""
        now = datetime.now(UTC)
        more = list(events)
        rows = list(steps)
        for key in changes.skipped:
            more.append(NewEvent(kind="step.skipped", step=str(key), at=now))
            rows.append(step_row(key, "skipped", ended_at=now))
        for key in changes.expanded:
            outcome = self.state.outcomes[key]
            counts = {port: len(items) for port, items in outcome.outputs.items()}
            more.append(NewEvent(kind=f"step.{outcome.status}", step=str(key), at=now, data={"items": counts}))
            lineage = told_lineage(self.state, key, outcome.outputs, b"") if self.journal.keeps_lineage else None
            rows.append(
                step_row(key, outcome.status, ended_at=now, items_out=counts, error=outcome.error, lineage=lineage)
            )
        for key, _ in changes.cancel:
            if key not in self.running and key not in self.state.startable:
                rows.append(step_row(key, "cancelled", ended_at=now))
        return more, rows

    def _lose(self, key: StepKey) -> Changes:
        """End a waiting step that could only feed what is ignored: nobody is asked any more."""
        now = datetime.now(UTC)
        entry = Entry("step.ended", key, {"status": "cancelled", "reason": "loser"}, {})
        told = NewEvent(kind="step.cancelled", step=str(key), at=now, data={"reason": "loser", "unknown": False})
        return self.record(entry, [told], [step_row(key, "cancelled", ended_at=now)])

    async def breathe(self) -> None:
        """Let the event loop have its turn where steps have followed one another for some time, so that what was
        gathered is committed and a stop is heard."""
        time = asyncio.get_running_loop().time
        if time() >= self.breathe_at:
            await asyncio.sleep(0)
            self.breathe_at = time() + LINGER

    def claim(self, key: StepKey) -> Token:
        """Count a step as running, from before its task begins. One that can only lose is cancelled as it begins."""
        if (token := self.running.get(key)) is None:
            token = self.running[key] = Token()
            if key in self.doomed:
                self.doomed.discard(key)
                token.set("loser")
        return token

    def leave(self, key: StepKey) -> None:
        """The step runs here no more."""
        self.running.pop(key, None)
        if self.cut_short:
            self.tell_left_out()
        if not self.running:
            self.woken.set()

    def tell(self, event: NewEvent, step: StepRecord | None = None) -> None:
        """Say something that no decision depends on."""
        self.journal.tell(event, step)
        if self.told is not None:
            self.told(event)

    def tell_left_out(self) -> None:
        """Say how much was left out of what steps said that have ended here."""
        ended = [speech for speech in self.cut_short if speech.key not in self.running]
        for speech in ended:
            self.cut_short.remove(speech)
            self.tell(speech.last())

    def await_resume(self, token: Token) -> None:
        """A step's turn to act has come: in a run that was paused meanwhile, it is to begin when the run is resumed."""
        if self.state.paused:
            token.set("drain")

    def cancel_all(self, reason: str, but: StepKey | None = None) -> None:
        """Ask every running step to stop."""
        for key, token in self.running.items():
            if key != but:
                token.set(reason)
        self.woken.set()

    def drain(self) -> None:
        """Ask every running step to stop that another worker can begin again, and leave out begun `once` tries."""
        state = self.state
        for key, token in self.running.items():
            items = state.item_outcomes.get(key, {}).values()
            if key not in state.begun and not any(item["status"] == "begun" for item in items):
                token.set("drain")
        self.woken.set()

    def wake(self, keys: Sequence[StepKey]) -> None:
        """Steps became ready from outside."""
        self.outside.extend(keys)
        self.woken.set()

    async def clean(self) -> None:
        """Remove the run's scratch directory; a work tree holds thousands of files, and other runs go on meanwhile."""
        if has_scratch(self.run_id):
            await asyncio.to_thread(remove_scratch, self.run_id)


def step_row(key: StepKey, status: StepStatus, **more: Any) -> StepRecord:
    """The row of a step that lists and queries show."""
    return StepRecord(step=str(key), node=key.node, scope=".".join(map(str, key.scope)), status=status, **more)


async def _no_signals(name: str, value: Any, key: str, run: str | None, once: str) -> None:
    raise RunError(
        f"the signal {name!r} reaches nobody here", code="run.no_engine", hint="Run the graph with pyagent.Engine."
    )


async def _no_restart(command: Restart, writes: Callable[[], Awaitable[Mapping[str, Any]]]) -> dict[str, Any]:
    raise RunError("the run cannot begin anew here", code="run.no_engine", hint="Run the graph with pyagent.Engine.")
