"""What an engine counts of the runs that it drives: by graph, node type and store, into a registry of `pyagent_core`.

The registry's figures are atomics in Rust: a record takes well below 100 ns where a handle for its labels is at hand.
Names, their labels and what they mean are in docs/guides/observability.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyagent.native import MetricRegistry
from pyagent.runtime.observe import Driving
from pyagent.runtime.trace import trace_of

if TYPE_CHECKING:
    from pyagent.store.base import Commit, NewEvent, Store

Record = Callable[[float, str | None], None]
"""Takes seconds, and the id of a trace as their example."""
TOGETHER = 64
"""Commits of a run that are counted at once: alone each would find the processor's caches full of other things, and
take twice as long."""
OTHER = "other"
"""The label values of what came after a metric's 200th set of them."""


class RunMetrics:
    """Counts what becomes of runs. An `Observer`."""

    wants_steps = False

    def __init__(self, registry: MetricRegistry, *, store: str = "none") -> None:
        """`store`: what the runs are kept in, as `store_kind` names it."""
        self.runs = registry.counter("pyagent_runs_total", "Runs that ended here", ["graph", "status"])
        self.run_seconds = registry.histogram(
            "pyagent_run_duration_seconds", "From the first start to the end of runs that ended here", ["graph"]
        )
        self.steps = registry.histogram(
            "pyagent_step_duration_seconds",
            "How long steps took that ended here, all tries together",
            ["node", "status"],
        )
        self.retries = registry.counter(
            "pyagent_step_retries_total", "Tries that failed and were followed by another", ["node"]
        )
        self.takeovers = registry.counter(
            "pyagent_lease_takeovers_total", "Runs taken over from workers that died"
        ).of()
        self.commits = registry.histogram(
            "pyagent_commit_duration_seconds", "How long commits of runs took in the store", ["store"]
        ).of(store)
        self.driving_now = registry.amount("pyagent_runs_driving", "Runs that this process executes now").of()

        self.open: set[_Recording] = set()
        """Of runs that are executed now."""

    def settle(self) -> None:
        """Count what was told and not counted yet. To be called before the registry is read."""
        for recording in self.open:
            recording.count()

    def driving(self, driving: Driving) -> _Recording:
        """Count what becomes of a run that is taken up."""
        if driving.lease.adopted:
            self.takeovers.add()
        return _Recording(self, driving)


def store_kind(store: Store) -> str:
    """What a store is called where it is a label: `sqlite`, `neo4j`, …"""
    return type(store).__name__.removesuffix("Store").lower()


_STEP_ENDED = {"step.completed": "completed", "step.failed": "failed", "step.cancelled": "cancelled"}
_RUN_ENDED = {"run.completed": "completed", "run.failed": "failed", "run.cancelled": "cancelled"}


class _Recording:
    """Counts what one run commits."""

    def __init__(self, metrics: RunMetrics, driving: Driving) -> None:
        self._metrics = metrics
        self._type_of = driving.types.of
        self._record_commit = metrics.commits.record
        self._run = driving.run
        self._began: dict[str, datetime] = {}
        self._steps: dict[tuple[str, str], Record] = {}
        """Handles of the run's node types and how their steps ended, so that only the first of each is looked up."""
        context = driving.trace.context()
        # An example is worth something where a span can be looked up.
        sampled = context is not None and context.sampled
        self._trace = trace_of(driving.run.id, driving.run.labels) if sampled else None
        self._told: list[Sequence[NewEvent]] = []
        self._seconds: list[float] = []
        metrics.open.add(self)
        metrics.driving_now.add()

    def committed(self, commit: Commit, seconds: float) -> None:
        """Take in a commit, to be counted with others."""
        told = self._told
        told.append(commit.events)
        self._seconds.append(seconds)
        if len(told) >= TOGETHER:
            self.count()

    def closed(self) -> None:
        """The run is executed here no longer."""
        self.count()
        self._metrics.open.discard(self)
        self._metrics.driving_now.add(-1)

    def count(self) -> None:
        """Count what was told."""
        told, self._told = self._told, []
        taken, self._seconds = self._seconds, []
        trace, began, steps, type_of = self._trace, self._began, self._steps, self._type_of
        for seconds in taken:
            self._record_commit(seconds, trace)
        for events in told:
            for event in events:
                kind = event.kind
                if kind == "step.started":
                    began.setdefault(event.step, event.at)
                elif kind in _STEP_ENDED:
                    start = began.pop(event.step, None)
                    took = event.data.get("seconds")
                    if took is None:
                        took = 0.0 if start is None else (event.at - start).total_seconds()
                    ended = type_of(event.step), kind
                    record = steps.get(ended)
                    if record is None:
                        record = steps[ended] = self._metrics.steps.of(ended[0], _STEP_ENDED[kind]).record
                    record(took, trace)
                elif kind == "step.retrying":
                    self._metrics.retries.of(type_of(event.step)).add()
                elif kind in _RUN_ENDED:
                    self._metrics.runs.of(self._run.graph_id, _RUN_ENDED[kind]).add()
                    took = (event.at - (self._run.started_at or self._run.created_at)).total_seconds()
                    self._metrics.run_seconds.of(self._run.graph_id).record(took, trace)


__all__ = ["OTHER", "RunMetrics", "store_kind"]
