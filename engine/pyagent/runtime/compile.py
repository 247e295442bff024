"""A graph as a LangGraph graph: `ainvoke`, `astream`, history, `aupdate_state` and interrupts work on it.

Each node of the graph is a node of Pregel. The channel `ReadySteps` folds the log into `Send`s, so each step is a
LangGraph task of its own; pure steps may be fused into the task of the step before them.
"""

# LangGraph's own annotations leave these partly unknown.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from langgraph.channels import LastValue, Topic
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_config, get_stream_writer
from langgraph.constants import TAG_HIDDEN, TASKS
from langgraph.errors import GraphInterrupt
from langgraph.pregel import NodeBuilder, Pregel
from langgraph.pregel._read import PregelNode
from langgraph.pregel._write import ChannelWriteTupleEntry
from langgraph.types import Send, interrupt

from pyagent.errors import NotFound, PyAgentError, RunError, Where
from pyagent.graph.source import read_graph
from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import load_file
from pyagent.runtime.channel import FINISH, LANE, START, Newest, ReadySteps, StepTask
from pyagent.runtime.expressions import Expressions
from pyagent.runtime.finish import finish_frames, finish_run
from pyagent.runtime.frames import Changes
from pyagent.runtime.journal import NoJournal
from pyagent.runtime.lanes import Lanes, run_step
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import Entry, StepKey, timestamp
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.runtime.values import Values
from pyagent.sdk.registry import Registry
from pyagent.store.base import NewEvent

_STEPS_WITHOUT_END = 2**31 - 1
"""LangGraph's recursion limit; SEMANTICS 7 and 12 bound a run."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a LangGraph task of ours returns: the entries it recorded, and what LangGraph's users see of them."""

    entries: Sequence[dict[str, Any]]
    steps: Sequence[dict[str, Any]]
    state: tuple[int, dict[str, Any]] | None
    outputs: dict[str, Any] | None


_collector: ContextVar[list[Entry] | None] = ContextVar("pyagent_collector", default=None)


def compile(
    graph: GraphSpec | str | Path,
    *,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    registry: Registry | None = None,
    graphs: Mapping[str, GraphSpec] | None = None,
    trigger: str = "",
    fuse: bool | None = None,
) -> CompiledGraph:
    """A LangGraph graph that runs by the rules of SEMANTICS.

    `graph` is a model, a path of a YAML file, or YAML text. The input is the run's inputs, the output its `outputs`;
    the channels `steps` (what the last superstep's steps put out) and `state` can be streamed. `aupdate_state(config,
    items, as_node=X)` gives X's newest step an outcome: a JSON object, a list of them, or `{port: list}`; outcomes
    that descend from an older one of it are forgotten. Waiting steps raise LangGraph's interrupt when nothing else
    can run; `Command(resume=...)` answers.

    With a `checkpointer` every step is a superstep's task, so that history shows each of them; without one, or with
    `fuse=True`, chains of pure nodes run as one task. `graphs` are the graphs it may call, by id. Only the async
    methods work, as with any LangGraph graph whose nodes are async.

    Raises `GraphError` when the graph does not hold together.
    """
    # A model is run as it is, and a name without a suffix is a file too: there are no ids here.
    document = None if isinstance(graph, GraphSpec) else read_graph(graph) or load_file(Path(graph))
    spec = document.spec if document is not None else cast(GraphSpec, graph)
    program = Program(spec, registry or Registry.installed())
    others = {called.hash(): Program(called, registry or Registry.installed()) for called in (graphs or {}).values()}
    pinned = {called.graph.id: hash for hash, called in others.items()}
    contexts = {
        each.hash: Expressions(timezone=each.graph.settings.timezone or "UTC") for each in (program, *others.values())
    }
    fused = checkpointer is None if fuse is None else fuse

    async def resolve(graph_id: str) -> str:
        if graph_id not in pinned:
            raise NotFound(
                f"there is no graph {graph_id!r} to call",
                code="graph.not_found",
                hint="Pass it to pyagent.compile(..., graphs={id: graph}).",
            )
        return pinned[graph_id]

    def make() -> LiveRun:
        state = RunState(program, others.__getitem__)
        run_id = uuid.uuid4().hex
        return LiveRun(
            run_id=run_id,
            state=state,
            journal=NoJournal(durable=checkpointer is None),
            values=Values(state, lambda called: contexts[called.hash], run_id=run_id),
            start_graph=_no_engine,
            resolve_graph=resolve,
            credentials=_no_credentials,
            fuse=fused,
            recorded=_collect,
        )

    return CompiledGraph(program, program.trigger(trigger), make, checkpointer=checkpointer)


async def _no_engine(graph: str, inputs: dict[str, Any], options: dict[str, Any]) -> str:
    raise RunError(
        f"cannot start {graph!r} as a run of its own here",
        code="run.no_engine",
        hint="Run the graph with pyagent.Engine, or wait for the called graph.",
    )


async def _no_credentials(name: str) -> dict[str, str]:
    raise NotFound(
        f"there is no credential {name!r}",
        code="credential.not_found",
        hint="Credentials are the engine's: run the graph with pyagent.Engine.",
    )


def _collect(entry: Entry, changes: Changes) -> None:
    found = _collector.get()
    if found is not None:
        found.append(entry)


class CompiledGraph(Pregel[Any, Any, Any, Any]):
    """A LangGraph graph made of a PyAgent graph."""

    def __init__(
        self,
        program: Program,
        trigger: str,
        make: Callable[[], LiveRun] | None,
        *,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
    ) -> None:
        """`make` builds a run for each thread; None where the engine hands its runs to `driving`."""
        self.program = program
        program.root(trigger)
        nodes: dict[str, PregelNode | NodeBuilder] = {LANE: _node(None)}
        if make is not None:
            nodes = {name: _node(name) for name in (*program.nodes, FINISH)}
            nodes[START] = _start(trigger)
        super().__init__(
            nodes=nodes,
            channels={
                "inputs": LastValue(dict),
                "outputs": LastValue(dict),
                "steps": Topic(dict),
                "state": Newest(dict),
            },
            input_channels="inputs",
            output_channels="outputs",
            stream_channels=["inputs", "outputs", "steps", "state"],
            trigger_to_nodes={"inputs": [START]} if make is not None else {"outputs": []},
            checkpointer=checkpointer,
            config={"recursion_limit": _STEPS_WITHOUT_END},
            name=program.graph.name or program.graph.id,
            auto_validate=False,
        )
        if make is not None:
            self.channels[TASKS] = ReadySteps(make)

    def driving(self, live: LiveRun) -> CompiledGraph:
        """The same graph, driving this run: what the engine invokes. It was made without `make`."""
        made = copy.copy(self)
        made.channels = {**self.channels, TASKS: ReadySteps(lambda: live, live)}
        return made


def _start(trigger: str) -> PregelNode:
    """Begins a run when inputs come in."""

    async def start(inputs: dict[str, Any]) -> dict[str, Any]:
        entry = Entry("run.started", None, {"inputs": inputs, "trigger": trigger, "at": timestamp(datetime.now(UTC))})
        return entry.as_dict()

    def writes(entry: dict[str, Any]) -> Sequence[tuple[str, Any]]:
        return [(TASKS, Send(START, {"entries": [entry]}))]

    builder = NodeBuilder().subscribe_only("inputs").do(start).meta(TAG_HIDDEN)
    return builder.write_to(cast(Any, ChannelWriteTupleEntry(writes))).build()


def _node(name: str | None) -> PregelNode:
    """A node whose tasks execute steps; `name` is None where the engine drives and nobody updates by hand."""

    def writes(value: Any) -> Sequence[tuple[str, Any]]:
        if not isinstance(value, Recorded):
            return [(TASKS, Send(name or "", {"update": value}))]
        found: list[tuple[str, Any]] = []
        if value.entries:
            found.append((TASKS, Send(name or START, {"entries": list(value.entries)})))
        found.extend(("steps", step) for step in value.steps)
        if value.state is not None:
            found.append(("state", value.state))
        if value.outputs is not None:
            found.append(("outputs", value.outputs))
        return found

    builder = NodeBuilder().do(execute)
    if name == FINISH:
        builder = builder.meta(TAG_HIDDEN)
    return builder.write_to(cast(Any, ChannelWriteTupleEntry(writes))).build()


async def execute(todo: StepTask) -> Recorded:
    """The body of every LangGraph task of ours."""
    live = todo.live
    if live.journal.durable and live.recorded is None:
        await _perform(live, todo)
        return _NOTHING
    entries: list[Entry] = []
    reset = _collector.set(entries)
    writer = get_stream_writer()
    live.told = lambda event: writer(_as_custom(event))
    try:
        await _perform(live, todo)
    finally:
        _collector.reset(reset)
    if live.state.failure is not None:
        raise _as_error(live.state.failure)
    if live.state.stopped is not None and live.state.ended is None:
        reset = _collector.set(entries)
        await finish_run(live)
        _collector.reset(reset)
    if live.state.ended is not None and live.state.ended["status"] == "failed":
        raise _as_error(live.state.ended["error"])
    return _report(live, entries)


async def _perform(live: LiveRun, todo: StepTask) -> None:
    lanes = _lanes(live, todo) if live.journal.durable else None
    key = todo.key
    if todo.mode == "finish":
        await finish_frames(live, Changes(finished=live.unfinished))
        return
    if key is None:
        return
    if todo.mode == "wait" and not await _answer(live, key):
        return
    if lanes is not None:
        await lanes.listen()
        await lanes.run(key)
    elif not await _begin_first(live, key):
        await run_step(live, key, None)


def _lanes(live: LiveRun, todo: StepTask) -> Lanes:
    """The lanes of the superstep, which its first task makes."""
    if todo.superstep.lanes is None:
        todo.superstep.lanes = Lanes(live)
    return todo.superstep.lanes


async def _begin_first(live: LiveRun, key: StepKey) -> bool:
    """With a checkpointer of LangGraph's, a `once` try's beginning is a superstep of its own, kept before it acts."""
    node = live.state.node(key)
    if node.effects != "once" or node.type.each_item or node.type.kind == "trigger" or key in live.state.begun:
        return False
    attempt = live.state.tries.get(key, 0) + 1
    live.session_begun.add(key)
    data = {"attempt": attempt, "at": timestamp(datetime.now(UTC))}
    live.record(Entry("step.begun", key, data))
    live.running.pop(key, None)
    return True


async def _answer(live: LiveRun, key: StepKey) -> bool:
    """Wait for what a parked step waits for; False if it stays parked because another one was answered."""
    wait = live.state.parked[key]
    if wait["kind"] == "time":
        left = (datetime.fromisoformat(wait["until"]) - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(0.0, left))
        answer: dict[str, Any] = {"kind": "time", "at": timestamp(datetime.now(UTC))}
    else:
        value = await _ask(live, key, wait)
        if value is _UNANSWERED:
            return False
        answer = {"kind": wait["kind"], "value": value, "at": timestamp(datetime.now(UTC))}
        if wait["kind"] == "unknown":
            answer = {"resolve": value if isinstance(value, str) else "retry"}
    live.record(Entry("step.answered", key, {"answer": answer}))
    live.claim(key)
    return True


async def _ask(live: LiveRun, key: StepKey, wait: dict[str, Any]) -> Any:
    """LangGraph's interrupt. If another step's was answered, this one is asked again when nothing else can run."""
    try:
        value = interrupt({"step": str(key), "node": key.node, **wait})
    except GraphInterrupt:
        await _all_asked(live)
        if live.answered:
            return _UNANSWERED
        raise
    live.answered = True
    await _all_asked(live)
    return value


async def _all_asked(live: LiveRun) -> None:
    """Wait until every step was asked that LangGraph's `max_concurrency` lets be asked at once."""
    live.waits_tried += 1
    most = get_config().get("max_concurrency")
    # A step that waits for a time has a place meanwhile.
    places = live.waits_open if most is None else most - (len(live.state.parked) - live.waits_open)
    if live.waits_tried >= min(live.waits_open, places):
        live.asked.set()
        live.asked = asyncio.Event()
        return
    await live.asked.wait()


_UNANSWERED = object()
_NOTHING = Recorded((), (), None, None)


def _report(live: LiveRun, entries: Sequence[Entry]) -> Recorded:
    ended = [entry for entry in entries if entry.kind == "step.ended" and entry.step is not None]
    steps = [
        {
            "step": str(entry.step),
            "node": entry.step.node if entry.step else "",
            "status": entry.data["status"],
            "outputs": {port: [item.json for item in items] for port, items in (entry.outputs or {}).items()},
        }
        for entry in ended
    ]
    wrote = any("writes" in entry.data for entry in ended)
    state = (live.state.length, dict(live.state.frames[""].channels)) if wrote else None
    return Recorded([entry.as_dict() for entry in entries], steps, state, live.outputs)


def _as_custom(event: NewEvent) -> dict[str, Any]:
    return {"kind": event.kind, "step": event.step, "at": timestamp(event.at), "data": dict(event.data)}


def _as_error(data: dict[str, Any]) -> PyAgentError:
    return RunError(
        data.get("message", "the run failed"),
        code=data.get("code", "run.failed"),
        hint=data.get("hint"),
        where=Where(node=data.get("node"), step=data.get("step")),
    )
