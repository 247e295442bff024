"""The one door for whoever watches runs from inside this process: spans and metrics come from what was committed.

An observer hears of a commit after it is kept, so that it never tells what did not happen. Without observers the
journal commits to the store itself, and nothing of this is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, cast

from pyagent.runtime.log import Entry, StepKey, decode
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.runtime.trace import NO_TRACE, RunTrace
from pyagent.store.base import Commit, Lease, Run, StepRecord, Store

_ELEMENT = re.compile(r"\[\d+\]")


class NodeTypes:
    """The node types of a run's steps, also of those in frames that have ended."""

    def __init__(self, state: RunState, entries: Iterable[Entry]) -> None:
        """`entries`: what the log held when the run was taken up."""
        self._state = state
        self._called: dict[str, str] = {}
        """Hashes of graphs that steps call, by the step without the numbers of elements and iterations."""
        for entry in entries:
            if entry.kind == "step.expanded" and entry.step is not None:
                self._learn(str(entry.step), entry.data)

    def learn(self, commit: Commit) -> None:
        """Take in which graphs are called."""
        for record in commit.entries:
            if record.kind == "step.expanded":
                self._learn(record.step, decode(record.body)["data"])

    def of(self, step: str) -> str:
        """The name of the step's node type, `domain.name`; empty for a step that the run has not got."""
        if (found := self._state.program.nodes.get(step)) is not None:
            return found.type.name
        if "/" not in step:
            return _type_of(self._state.program, step.partition("@")[0])
        frame, _, own = step.rpartition("/")
        node = own.partition("@")[0]
        graph = None
        while frame and graph is None:
            owner = owner_of(frame)
            graph = self._called.get(_ELEMENT.sub("", str(StepKey.parse(owner)._replace(scope=()))))
            frame = owner.rpartition("/")[0]
        return _type_of(self._state.program if graph is None else self._state.called_program(graph), node)

    def _learn(self, step: str, data: dict[str, Any]) -> None:
        if (graph := data.get("graph")) is not None:
            self._called[_ELEMENT.sub("", str(StepKey.parse(step)._replace(scope=())))] = graph


def _type_of(program: Program, node: str) -> str:
    found = program.nodes.get(node)
    return "" if found is None else found.type.name


def owner_of(frame: str) -> str:
    """The step, as text, that runs a frame: a map's element or a called graph."""
    return frame.removesuffix("()") if frame.endswith("()") else frame.rpartition("[")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Driving:
    """A run that this process has taken up."""

    run: Run
    lease: Lease
    types: NodeTypes
    trace: RunTrace = NO_TRACE
    steps: Sequence[StepRecord] = ()
    """How its steps stood, for observers with `wants_steps`."""


class RunObserver(Protocol):
    """Watches one run as long as this process drives it."""

    def committed(self, commit: Commit, seconds: float) -> None:
        """The run's next commit is kept; it took that long. Must be quick, and must not raise."""
        ...

    def closed(self) -> None:
        """This process drives the run no longer, as it stands."""
        ...


class Observer(Protocol):
    """Watches the runs that an engine drives."""

    wants_steps: bool
    """Whether it needs `Driving.steps`, which costs a read."""

    def driving(self, driving: Driving) -> RunObserver:
        """A run is taken up; what to tell of its commits."""
        ...


class ObservedStore:
    """The store as a run's journal sees it while somebody watches."""

    def __init__(self, store: Store, types: NodeTypes, observers: Sequence[RunObserver]) -> None:
        self._store = store
        self._types = types
        self._observers = observers

    async def commit(self, lease: Lease, commit: Commit) -> None:
        """As the store's; then it is told."""
        started = perf_counter()
        await self._store.commit(lease, commit)
        seconds = perf_counter() - started
        self._types.learn(commit)
        for observer in self._observers:
            observer.committed(commit, seconds)

    def closed(self) -> None:
        """The run is driven here no longer."""
        for observer in self._observers:
            observer.closed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def observed(
    store: Store,
    observers: Sequence[Observer],
    run: Run,
    lease: Lease,
    state: RunState,
    entries: Iterable[Entry],
    trace: Callable[[Run], RunTrace],
) -> Store:
    """The store for the journal of a run that is taken up; the same where nobody watches. Raises `StoreError`."""
    if not observers:
        return store
    types = NodeTypes(state, entries)
    steps = await store.steps(run.id) if any(observer.wants_steps for observer in observers) else ()
    driving = Driving(run=run, lease=lease, types=types, trace=trace(run), steps=steps)
    return cast(Store, ObservedStore(store, types, [observer.driving(driving) for observer in observers]))


def unobserved(store: Store) -> None:
    """Tell those who watch, if `store` came from `observed`, that the run is driven here no longer."""
    if isinstance(store, ObservedStore):
        store.closed()


__all__ = ["Driving", "NodeTypes", "ObservedStore", "Observer", "RunObserver", "observed", "owner_of", "unobserved"]
