"""What a step was given and what it gave: its items by port, with their lineage, read again from the run's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyagent.errors import NotFound, Where
from pyagent.runtime.log import Entry, Outputs, StepKey
from pyagent.runtime.state import RunState
from pyagent.sdk.items import Items, ItemSource
from pyagent.store.base import Run, StepRecord

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """One delivery that a step was given: `count` items of another step's port."""

    port: str
    """The input port."""
    start: int
    """Index of its first item among the items of that port."""
    count: int
    step: str | None
    """The step that made them; None for what the run, the map's element or the called graph began with."""
    from_port: str
    """The port of that step; empty where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The item of another step that an item came from."""

    step: str | None
    """None: the item that the run, the map's element or the called graph began with."""
    port: str
    index: int
    """Index among the items of that port."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepData:
    """A step with its data."""

    run: Run
    record: StepRecord
    inputs: Mapping[str, Items]
    """Items by input port; empty for a step that never became ready, such as a skipped one."""
    outputs: Mapping[str, Items]
    """Items by output port; empty until the step has ended."""
    deliveries: tuple[Delivered, ...] = ()
    """Where the inputs came from, in the order in which the step saw them."""
    failures: tuple[Mapping[str, Any], ...] = ()
    """The tries that failed and were repeated: what the log says of each, `attempt` and `error` among it."""
    answer: Mapping[str, Any] | None = None
    """What ended the step's wait: `kind`, `value`, `actor`, `at` and what the person had `seen`."""

    def origin(self, source: ItemSource) -> Origin | None:
        """Which step's item an input item was; None where the log does not say."""
        for found in self.deliveries:
            if found.port == source.port and found.start <= source.item < found.start + found.count:
                return Origin(step=found.step, port=found.from_port, index=source.item - found.start)
        return None


async def step_data(engine: Engine, run_id: str, step: str) -> StepData:
    """A step's inputs, outputs and lineage, also while the run goes on.

    `step` is a step's id (`frame/node@scope`), or a node: its step that began last. Raises `NotFound` (`run.not_found`,
    `run.no_step`).
    """
    run = await engine.store.get_run(run_id)
    record = _record(run, await engine.store.steps(run.id), step)
    state, entries = await engine.replay(run.id)
    seen = _Seen(StepKey.parse(record.step))
    for entry in entries:
        seen.take(state, entry)
    return StepData(
        run=run,
        record=record,
        inputs=seen.inputs,
        outputs=seen.outputs,
        deliveries=tuple(seen.deliveries),
        failures=tuple(seen.failures),
        answer=seen.answer,
    )


def _record(run: Run, records: list[StepRecord], step: str) -> StepRecord:
    by_id = {record.step: record for record in records}
    if step in by_id:
        return by_id[step]
    if of_node := [record for record in records if record.node == step]:
        return of_node[-1]
    known = ", ".join(list(by_id)[:20]) or "none yet"
    raise NotFound(
        f"the run {run.id} has no step {step!r}",
        code="run.no_step",
        hint=f"Its steps: {known}{' …' if len(by_id) > 20 else ''}.",
        where=Where(step=step),
    )


@dataclass(slots=True)
class _Seen:
    """What the fold shows of one step. It is taken while the log is folded: later a map's elements are forgotten."""

    key: StepKey
    inputs: dict[str, Items] = field(default_factory=dict[str, Items])
    outputs: Outputs = field(default_factory=dict[str, Items])
    deliveries: list[Delivered] = field(default_factory=list[Delivered])
    failures: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    answer: Mapping[str, Any] | None = None
    _ready: bool = False

    def take(self, state: RunState, entry: Entry) -> None:
        """Apply the entry, and keep what it tells of the step."""
        if entry.kind == "run.started" and state.ended is not None:
            self._ready, self.inputs, self.outputs = False, {}, {}
        if entry.step == self.key:
            match entry.kind:
                case "step.tried":
                    self.failures.append(entry.data)
                case "step.answered":
                    self.answer = entry.data["answer"]
                case "step.ended":
                    self.outputs = entry.outputs or {}
                case _:
                    pass
        state.apply(entry)
        if not self._ready and self.key in state.startable:
            self._ready = True
            self.inputs = state.inputs_of(self.key)
            self.deliveries = _deliveries(state, self.key)
        if self.key in state.outcomes:
            # Maps and calls end without an entry of their own.
            self.outputs = state.outcomes[self.key].outputs


def _deliveries(state: RunState, key: StepKey) -> list[Delivered]:
    frame = state.frames[key.frame]
    counted: dict[str, int] = {}
    found: list[Delivered] = []
    for edge, sender in state.deliveries[key]:
        if edge < 0:
            port, step, from_port, items = "in", None, "", frame.entry
        else:
            rule = frame.nodes.edges[edge]
            made_by = StepKey(key.frame, sender.node, sender.scope)
            port, step, from_port = rule.target_port, str(made_by), rule.source_port
            items = state.outcomes[made_by].outputs[rule.source_port]
        start = counted.get(port, 0)
        counted[port] = start + len(items)
        found.append(Delivered(port=port, start=start, count=len(items), step=step, from_port=from_port))
    return found


__all__ = ["Delivered", "Origin", "StepData", "step_data"]
