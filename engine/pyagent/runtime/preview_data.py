"""What a node is given now, for previews: from the run's own step, or from what there is, put through the graph.

Where the run has come to the node in the graph as it was, its step's own data are used, as they were when it began.
Else the outcomes that there are are put through the graph as the editor has it: the run's by node, then pins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyagent.errors import NotFound, RunError, Where
from pyagent.graph.problems import nearest
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.expressions import Expressions
from pyagent.runtime.log import Entry, Outputs, StepKey, items_of, timestamp
from pyagent.runtime.override import given_outputs
from pyagent.runtime.partial import leading_to, outermost
from pyagent.runtime.program import NodeProgram, Program
from pyagent.runtime.state import RunState
from pyagent.runtime.values import Values
from pyagent.sdk.items import Items
from pyagent.store.base import Run

_MOST_STEPS = 20_000
"""Outcomes that are put through the graph on the way to a node."""


@dataclass(kw_only=True, slots=True)
class Found:
    """What a node would be given."""

    values: Values
    key: StepKey
    ports: Mapping[str, Items]
    missing: frozenset[str] = field(default_factory=frozenset[str])
    """Ancestors without data."""
    starved: bool = False
    """Some of what the node itself is given is missing."""
    step: str | None = None


class SeenSteps:
    """What steps of runs were given, for those that were asked for last: while somebody types, it is the same again.

    For several threads: what is in here is only read."""

    MOST = 4
    """A run's data may be large."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, str, str | None], Found] = {}

    def get(self, run: Run, node: str, step: str | None) -> Found | None:
        """What the step was given, if that is known for the run as it stands."""
        return self._kept.get((run.id, run.log_length, node, step))

    def keep(self, run: Run, node: str, step: str | None, found: Found) -> None:
        """Keep what was found out; of too many the oldest goes."""
        kept = {**self._kept, (run.id, run.log_length, node, step): found}
        self._kept = dict(list(kept.items())[-self.MOST :])


def exact_step(
    state: RunState,
    entries: Sequence[Entry],
    expressions: Expressions,
    node: str,
    step: str | None,
    run_id: str,
) -> Found | None:
    """The step as it began in the run, with its state as it was then; None where the run has not come to the node.

    `state` is from before the first entry."""
    wanted = StepKey.parse(step) if step else None
    if wanted is None:
        # Which of its steps was the last one is known at the end only.
        twin = RunState(state.program, state.called_program)
        for entry in entries:
            for key in twin.apply(entry).ready:
                wanted = key if key.node == node else wanted
        if wanted is None:
            return None
    for entry in entries:
        state.apply(entry)
        if wanted in state.startable:
            values = Values(state, lambda _: expressions, run_id=run_id, production=False)
            return Found(values=values, key=wanted, ports=state.inputs_of(wanted), step=str(wanted))
    return None


def put_through(
    program: Program,
    expressions: Expressions,
    node: str,
    run: RunState | None,
    inputs: Mapping[str, Any] | None,
    run_id: str,
) -> Found:
    """The outcomes that there are, put through the graph up to the node."""
    owners = {place.node.id: place.owner for place in program.graph.places()}
    if node not in owners:
        raise NotFound(f"the graph has no node {node!r}", code="preview.no_node", hint=nearest(node, owners))
    top = outermost(program.graph, node)
    bodies: list[str] = []
    inner = owners[node]
    while inner is not None:
        bodies.append(inner)
        inner = owners[inner]
    started = dict((run.started or {}) if run is not None else {})
    given = inputs if inputs is not None else started.get("inputs")
    data = {
        "inputs": dict(given) if given is not None else _default_inputs(program.graph),
        "trigger": program.trigger(_trigger(program, started.get("trigger", ""), top), top),
        "until": top,
        "at": timestamp(datetime.now(UTC)),
        "state": dict(run.frames[""].channels) if run is not None and run.frames else {},
    }
    state = RunState(program)
    open_ = list(state.apply(Entry("run.started", None, data)).ready)
    missing: set[str] = set()
    steps = 0
    while open_ and (steps := steps + 1) <= _MOST_STEPS:
        key = open_.pop(0)
        if key not in state.startable:
            continue
        if key.node == node:
            direct = {sender.node for edge, sender in state.deliveries[key] if edge >= 0}
            values = Values(state, lambda _: expressions, run_id=run_id, production=False)
            return Found(
                values=values,
                key=key,
                ports=state.inputs_of(key),
                missing=frozenset(missing),
                starved=not direct.isdisjoint(missing),
            )
        if key.node in bodies:
            element = Items.concat(list(state.inputs_of(key).values()))[:1]
            entry = Entry("step.expanded", key, {"kind": "map"}, {"0": Items.of(element)})
            open_.extend(state.apply(entry).ready)
            continue
        outputs = _outputs(program, run, key)
        if (
            program.nodes[key.node].type.kind == "loop"
            and key.scope[-1] > 1
            and (run is None or key not in run.outcomes)
        ):
            outputs = _ended(program.nodes[key.node], outputs or {}, state.inputs_of(key))
        if outputs is None:
            outputs = _passed_on(program.nodes[key.node], state.inputs_of(key))
        if outputs is None:
            missing.add(key.node)
            # On each port, so that the node is reached whichever way leads there.
            outputs = {port: items_of([{}]) for port in program.nodes[key.node].ports_out if port != "error"}
        ended = Entry("step.ended", key, {"status": "completed", "attempt": 1}, outputs)
        open_.extend(state.apply(ended).ready)
    raise RunError(
        f"with these data no items come to {node}",
        code="preview.not_reached",
        where=Where(node=node),
        hint="The branch it is on is not taken. Choose another run, or pin data to the nodes before.",
    )


def folded(state: RunState, entries: Sequence[Entry]) -> RunState:
    """The run's state after all entries; `state` may have seen some of them."""
    whole = RunState(state.program, state.called_program)
    for entry in entries:
        whole.apply(entry)
    return whole


def _default_inputs(graph: GraphSpec) -> dict[str, Any]:
    return {name: schema.get("default") for name, schema in graph.inputs.items()}


def _trigger(program: Program, wanted: str, until: str) -> str:
    """The trigger of the run where it still leads there, else the first that does."""
    leading = leading_to(until, program.graph.edges)
    found = [trigger for trigger in program.triggers if trigger in leading]
    return wanted if wanted in found else (found[0] if found else "")


def _outputs(program: Program, run: RunState | None, key: StepKey) -> Outputs | None:
    """The outcome of the node in the run: of that very step, else of its last one; else what is pinned to it."""
    if run is not None:
        if (outcome := run.outcomes.get(key)) is not None:
            return outcome.outputs
        of_node = [found for other, found in run.outcomes.items() if other.node == key.node]
        if of_node:
            return of_node[-1].outputs
    pinned = program.graph.pins.get(key.node)
    return None if pinned is None else given_outputs(program.nodes[key.node], pinned)


def _passed_on(node: NodeProgram, inputs: Mapping[str, Items]) -> Outputs | None:
    """What a node without data would put out, where that is plain: a trigger its item, a loop its first batch, one that
    is disabled all that it is given."""
    items = Items.concat(list(inputs.values())) if inputs else Items.of(())
    if not node.ports_out or not len(items):
        return None
    if node.type.kind == "trigger" or node.spec.disabled:
        return {node.ports_out[0]: items}
    return {node.ports_out[0]: Items.of(items[:1])} if node.type.kind == "loop" else None


def _ended(header: NodeProgram, known: Outputs, inputs: Mapping[str, Items]) -> Outputs:
    """What a loop puts out in the end: what is known of that, else all that came back.

    One iteration stands for all: what is pinned to its header would send it round for ever.
    """
    port = "done" if "done" in header.ports_out else header.ports_out[-1]
    return {port: known[port] if known.get(port) else Items.concat(list(inputs.values()) or [Items.of(())])}
