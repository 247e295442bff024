"""What an expression would give now: evaluated by the engine's own means with the data of a run, before anything runs.

Where the run has come to the node in the graph as it was, its step's own data are used, as they were when it began.
Else the outcomes that there are are put through the graph as the editor has it: the run's by node, then pins. Where a
node has neither, that is told if the expression reads it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson

from pyagent.errors import NotFound, PyAgentError, RunError, Where
from pyagent.graph.editing import is_deeper
from pyagent.graph.problems import nearest
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.expressions import (
    EvaluationContext,
    Expressions,
    NodeView,
    is_template,
    references,
)
from pyagent.runtime.log import Entry, Outputs, StepKey, items_of, timestamp
from pyagent.runtime.override import given_outputs
from pyagent.runtime.partial import leading_to, outermost
from pyagent.runtime.program import NodeProgram, Program
from pyagent.runtime.state import RunState
from pyagent.runtime.values import Values
from pyagent.sdk.items import Items
from pyagent.store.base import Run

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine

SHOWN_BYTES = 64 * 1024
"""Of a value's JSON; a longer one is cut."""
SHOWN_DEPTH = 64
"""Levels of a value that are shown; what is deeper is left out."""
_SECONDS = 5.0
"""How long all expressions of a template may take together: each may take a second."""
_MOST_STEPS = 20_000
"""Outcomes that are put through the graph on the way to a node."""
_OWN = frozenset({"$json", "$binary", "$input", "$itemIndex", "$prevNode"})
"""Names that read what the node itself is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What an expression gave."""

    value: Any = None
    text: str = ""
    """The value as it is shown: a text as it is, anything else as JSON."""
    cut: bool = False
    """The text is the beginning only, and `value` is left out."""
    error: PyAgentError | None = None
    reads: tuple[str, ...] = ()
    """Names that the template reads: `$json`, `$('decide')`."""
    items: int = 0
    """How many items the node is given: which of them the expression is evaluated for can be chosen."""
    step: str | None = None
    """The run's step whose data they are."""


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


async def preview(
    engine: Engine,
    spec: GraphSpec,
    node: str,
    template: Any,
    *,
    run_id: str | None = None,
    step: str | None = None,
    item: int = 0,
    inputs: Mapping[str, Any] | None = None,
) -> Preview:
    """Evaluate a template as the engine would for item `item` of the node. What it raises is in the answer.

    Raises `NotFound` (`run.not_found`).
    """
    state: RunState | None = None
    entries: Sequence[Entry] = ()
    expressions = engine.draft_expressions(spec)
    run = await engine.store.get_run(run_id) if run_id is not None else None
    seen = engine.seen_steps.get(run, node, step) if run is not None else None
    if run is not None and seen is None:
        state, entries = await engine.replay(run.id)

    def look() -> Found:
        """What the node is given: raises `PyAgentError`."""
        if seen is not None:
            return seen
        name = run.id if run is not None else "preview"
        exact = _exact(state, entries, expressions, node, step, name) if state is not None else None
        if run is not None and exact is not None:
            engine.seen_steps.keep(run, node, step, exact)
            return exact
        whole = _folded(state, entries) if state is not None else None
        return _built(engine.draft(spec), expressions, node, whole, inputs, name)

    def work() -> Preview:
        return _previewed(spec, expressions, node, template, item, look)

    return await asyncio.get_running_loop().run_in_executor(_workers(), work)


@cache
def _workers() -> ThreadPoolExecutor:
    """Threads of their own: what waits here for wild expressions keeps nobody else waiting."""
    return ThreadPoolExecutor(max_workers=3, thread_name_prefix="preview")


def _previewed(
    spec: GraphSpec, expressions: Expressions, node: str, template: Any, item: int, look: Callable[[], Found]
) -> Preview:
    try:
        reads, nodes, computed = _reads(template)
    except PyAgentError as error:
        return Preview(error=error)
    try:
        found = look()
        names = _names(spec)
        missing = {names.get(name, name) for name in nodes} & found.missing
        # A computed name may be that of any.
        if computed:
            missing |= found.missing
        if missing or (found.starved and not _OWN.isdisjoint(reads)):
            raise _no_data(node, sorted(missing or found.missing))
        items = Items.concat(list(found.ports.values())) if found.ports else Items.of(())
        given = items[item] if 0 <= item < len(items) else None
        if given is None and (item or len(items)):
            raise NotFound(
                f"{node} has no item {item}", code="preview.no_item", hint=f"It is given {len(items)} items, from 0."
            )
        context = found.values.script_context(found.key, item, found.ports, given, datetime.now(UTC))
        context = replace(_renamed(context, names), deadline=time.monotonic() + _SECONDS)
        value = expressions.evaluate(template, context)
        return replace(_shown(value), reads=reads, items=len(items), step=found.step)
    except PyAgentError as error:
        return Preview(error=error, reads=reads)


def _reads(template: Any) -> tuple[tuple[str, ...], frozenset[str], bool]:
    """The names that a template reads, and the nodes among them."""
    roots: set[str] = set()
    nodes: set[str] = set()
    computed = False
    open_: list[Any] = [template]
    while open_:
        value = open_.pop()
        if isinstance(value, Mapping):
            open_.extend(cast("Mapping[str, Any]", value).values())
        elif isinstance(value, list):
            open_.extend(cast("list[Any]", value))
        elif is_template(value):
            named = references(value)
            roots |= named.roots
            nodes |= named.nodes
            computed |= named.computed_node
    shown = sorted(root for root in roots if root not in ("$", "$node") or computed)
    return (*shown, *(f"$('{name}')" for name in sorted(nodes))), frozenset(nodes), computed


def _names(spec: GraphSpec) -> dict[str, str]:
    """Ids of nodes by their names; an id goes before a name, the first name before others."""
    found = {node.name: node.id for node in reversed(spec.by_id.values()) if node.name}
    return {name: id for name, id in found.items() if name not in spec.by_id}


def _renamed(context: EvaluationContext, names: Mapping[str, str]) -> EvaluationContext:
    """The context in which nodes go by the names that the editor has for them; ids do not change."""
    look = context.node

    def node(name: str) -> NodeView | None:
        return look(names.get(name, name)) if look is not None else None

    return replace(context, node=node)


def _no_data(node: str, missing: Sequence[str]) -> RunError:
    return RunError(
        f"there are no data yet of {', '.join(missing)}" if missing else f"there are no data yet for {node}",
        code="preview.no_data",
        where=Where(node=node),
        hint="Run the graph to here, or pin data to the nodes before.",
        details={"missing": list(missing)},
    )


def _exact(
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


def _built(
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


def _folded(state: RunState, entries: Sequence[Entry]) -> RunState:
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


def _shown(value: Any) -> Preview:
    text = value if isinstance(value, str) else _json(value)
    seen = text.encode("utf-8", "replace")
    if len(seen) > SHOWN_BYTES or is_deeper(value, SHOWN_DEPTH):
        return Preview(text=seen[:SHOWN_BYTES].decode("utf-8", "ignore"), cut=True)
    clear = _clear(value, SHOWN_DEPTH)
    return Preview(value=clear, text=clear if isinstance(clear, str) else text)


def _clear(value: Any, levels: int) -> Any:
    """The value without what an answer cannot hold: halves of surrogate pairs, and what is nested deeper."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        if not levels:
            return "…"
        return {_clear(key, 0): _clear(one, levels - 1) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, Sequence):
        return [_clear(one, levels - 1) for one in cast("Sequence[Any]", value)] if levels else "…"
    return value


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        # Nested deeper than it goes, a number beyond 64 bits, or half of a surrogate pair.
        return json.dumps(_clear(value, SHOWN_DEPTH), indent=2, ensure_ascii=False)


__all__ = ["Preview", "preview"]
