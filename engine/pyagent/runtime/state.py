"""The state of a run as a fold over its log: pure, without I/O. The same log always gives the same state.

`RunState.apply` takes one entry and says what follows from it. The rules inside one frame are in `runtime.rules`;
this module adds frames (maps, called graphs), outcomes, waits, state channels and failures on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from pyagent.errors import PyAgentError, RunError
from pyagent.runtime.endings import ConcurrentWrite, TooManySteps, of_rules
from pyagent.runtime.failure import ErrorData, failed_outputs
from pyagent.runtime.frames import Changes, Expansion, FrameState, Outcome, expansion_outputs, leaf_items
from pyagent.runtime.log import Entry, Outputs, StepKey, one_item
from pyagent.runtime.program import NodeProgram, Program
from pyagent.runtime.reduce import Channels
from pyagent.runtime.rules import Decisions, Delivery, Frame, Ready
from pyagent.sdk.items import Items

GIVEN = "given"
"""The name under which entries keep the items that a run begins with."""
LoadProgram = Callable[[str], Program]
"""A called graph's program by its hash."""


_PROGRESS = frozenset(
    {
        "step.ended",
        "step.item",
        "step.parked",
        "step.unknown",
        "step.answered",
        "step.expanded",
        "frame.ended",
        "run.resume",
    }
)
"""Entries after which an adoption is no longer one more in a row."""


class RunState:
    """Everything that the log says of a run."""

    def __init__(self, program: Program, load: LoadProgram | None = None) -> None:
        self.program = program
        self._max_steps = program.graph.settings.max_steps
        self._load = load or _no_programs
        self.reset()

    def reset(self) -> None:
        """Back to before the first entry."""
        self.steps = 0
        """Steps that became ready."""
        self.adoptions = 0
        """Workers that died since the run got on."""
        self.applied: set[str] = set()
        self.length = 0
        self.started: dict[str, Any] | None = None
        """Data of `run.started`."""
        self.given: Items | None = None
        """What the trigger puts out, where the run it continues has said so (`runtime.restart`)."""
        self.frames: dict[str, FrameState] = {}
        self.expansions: dict[StepKey, Expansion] = {}
        self.awaiting: dict[str, None] = {}
        """Graphs' frames that have ended and whose outputs are not in the log yet."""
        self.startable: dict[StepKey, Ready] = {}
        """Steps that are ready and have not ended, in the order in which they became so."""
        self.deliveries: dict[StepKey, tuple[Delivery, ...]] = {}
        self.outcomes: dict[StepKey, Outcome] = {}
        self.parked: dict[StepKey, dict[str, Any]] = {}
        """Steps that wait, with what for; `kind: unknown` for those that a person must settle."""
        self.answers: dict[StepKey, dict[str, Any]] = {}
        self.begun: dict[StepKey, int] = {}
        """`once` tries whose beginning is in the log and whose end is not: the try's number."""
        self.tries: dict[StepKey, int] = {}
        """Failed tries."""
        self.item_outcomes: dict[StepKey, dict[int, dict[str, Any]]] = {}
        self.reusable: dict[StepKey, Entry] = {}
        """Outcomes of `once` steps that a fork keeps for when they become ready."""
        self.called: list[tuple[str, str]] = []
        """Runs started by calls that were not waited for, and what becomes of them when this run is cancelled."""
        self.failure: ErrorData | None = None
        self.cancelled: dict[str, Any] | None = None
        self.paused = False
        self.stopped: dict[str, Any] | None = None
        """Set by `flow.stop`: the run ends early, as its `status` says."""
        self.ended: dict[str, Any] | None = None

    def called_program(self, hash: str) -> Program:
        """The program of a graph that the run calls."""
        return self._load(hash)

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def ending(self) -> bool:
        """Nothing new may start: the run failed, was cancelled or stopped, or has ended."""
        return bool(self.failure or self.cancelled or self.stopped or self.ended)

    @property
    def restarting(self) -> bool:
        """The run is ending, and a successor goes on for it."""
        return "restart" in (self.stopped or {})

    @property
    def settled(self) -> bool:
        """The run's own frame has ended, or the run is ending."""
        return self.ending or bool(self.frames and self.frames[""].closed)

    def runnable(self) -> list[StepKey]:
        """Steps that may be started now."""
        if self.ending or self.paused:
            return []
        return [key for key in self.startable if key not in self.parked and key not in self.expansions]

    def node(self, key: StepKey) -> NodeProgram:
        """The node of a step."""
        return self.frames[key.frame].program.nodes[key.node]

    def inputs_of(self, key: StepKey) -> dict[str, Items]:
        """The step's items by input port, in the order of SEMANTICS 3; ports that only dead edges lead to are empty."""
        frame = self.frames[key.frame]
        deliveries = self.deliveries[key]
        named = frame.nodes.ports_in(key.node)
        if len(deliveries) == 1 == len(named) and (edge := deliveries[0].edge) >= 0:
            source = deliveries[0].source
            outcome = self.outcomes[StepKey(key.frame, source.node, source.scope)]
            return {named[0]: outcome.outputs[frame.nodes.edges[edge].source_port]}
        parts: dict[str, list[Items]] = {port: [] for port in named}
        for edge, source in deliveries:
            if edge < 0:
                parts.setdefault("in", []).append(frame.entry)
                continue
            rule = frame.nodes.edges[edge]
            outcome = self.outcomes[StepKey(key.frame, source.node, source.scope)]
            parts.setdefault(rule.target_port, []).append(outcome.outputs[rule.source_port])
        return {port: Items.concat(found) if found else Items.of(()) for port, found in parts.items()}

    # -- the fold -----------------------------------------------------------------------------------------------

    def apply(self, entry: Entry) -> Changes:
        """Take one entry of the log and say what follows. An entry that was applied before changes nothing."""
        changes = Changes()
        if entry.kind == "run.started" and self.ended is not None:
            self.reset()
        if entry.id:
            if entry.id in self.applied:
                return changes
            self.applied.add(entry.id)
        self.length += 1
        if entry.kind == "step.ended" and entry.step is not None:
            # By far the most frequent one.
            self.adoptions = 0
            self._end(entry.step, entry, changes)
            return changes
        if entry.kind in _PROGRESS:
            self.adoptions = 0
        data = entry.data
        match entry.kind, entry.step:
            case "run.started", _:
                self._start(entry, changes)
            case "run.cancel", _:
                self.cancelled = data
            case "run.pause", _:
                self.paused = True
            case "run.resume", _:
                self.paused = False
                self._again(data)
                changes.ready.extend(self.runnable())
            case "run.adopted", _:
                self.adoptions += 1
            case "run.ended", _:
                self.ended = data
                self.awaiting.clear()
            case "step.begun", StepKey() as key:
                self.begun[key] = data["attempt"]
            case "step.tried", StepKey() as key:
                self.tries[key] = data["attempt"]
                self.begun.pop(key, None)
                self._forget_begun_items(key)
            case "step.item", StepKey() as key:
                self.item_outcomes.setdefault(key, {})[data["index"]] = {**data, "outputs": entry.outputs}
            case "step.parked", StepKey() as key:
                self.parked[key] = data["wait"]
            case "step.unknown", StepKey() as key:
                self.begun.pop(key, None)
                self.parked[key] = {"kind": "unknown", **data}
            case "step.answered", StepKey() as key:
                self.parked.pop(key, None)
                self.answers[key] = data["answer"]
                self._forget_begun_items(key)
                if key in self.startable:
                    changes.ready.append(key)
            case "step.expanded", StepKey() as key:
                self._expand(key, entry, changes)
            case "step.reused", StepKey() as key:
                self.reusable[key] = entry
            case "frame.ended", StepKey() as key:
                self._frame_outputs(key, data, changes)
            case kind, _:
                raise RunError(
                    f"the log holds an entry of an unknown kind {kind!r}",
                    code="run.log_kind",
                    hint="A newer PyAgent has written it: upgrade this one.",
                )
        return changes

    def _start(self, entry: Entry, changes: Changes) -> None:
        data = self.started = entry.data
        self.given = (entry.outputs or {}).get(GIVEN)
        nodes = self.program.root(data.get("trigger", ""))
        frame = FrameState(
            name="",
            program=self.program,
            nodes=nodes,
            rules=Frame(nodes.plan, self.program.graph.settings.max_steps),
            inputs=data["inputs"],
            entry=one_item(data["inputs"]) if self.given is None else self.given,
            channels=Channels(self.program.graph.state, begin=data.get("state")),
            calls=True,
        )
        self.frames[""] = frame
        self._decide(frame, frame.rules.start(), changes)

    def _forget_begun_items(self, key: StepKey) -> None:
        """Items whose `once` tries were begun and lost, and that are to be tried again."""
        items = self.item_outcomes.get(key, {})
        for index in [index for index, data in items.items() if data["status"] == "begun"]:
            del items[index]

    def _again(self, data: dict[str, Any]) -> None:
        """`pyagent resume` on a run that failed: what failed it is tried afresh."""
        if data.get("retry"):
            # Its time begins anew: one that ran out of it would fail again at once.
            self.started = {**(self.started or {}), "at": data["at"]}
            self.failure = self.cancelled = self.ended = None
            if "" in self.frames and self.frames[""].closed:
                self.awaiting[""] = None
            for key in list(self.startable):
                self.tries.pop(key, None)

    def _decide(self, frame: FrameState, decisions: Decisions, changes: Changes) -> None:
        self.steps += len(decisions.ready)
        if self.steps > (most := self._max_steps) and self.failure is None:
            many = TooManySteps(f"the run has more than {most} steps, those of its maps and calls included")
            self.failure = many.as_dict()
            changes.cancel.extend((key, "failed") for key in self.startable)
        for ready in decisions.ready:
            node, scope = ready.step
            key = StepKey(frame.name, node, scope)
            self.startable[key] = ready
            self.deliveries[key] = ready.deliveries
            changes.ready.append(key)
        for step in decisions.skipped:
            changes.skipped.append(StepKey(frame.name, step.node, step.scope))
        for step in decisions.losers:
            key = StepKey(frame.name, step.node, step.scope)
            changes.cancel.extend((inner, "loser") for inner in self._within(key))
        if decisions.failure is not None:
            self._fail_frame(frame, of_rules(decisions.failure), changes)
        elif decisions.ended:
            self._close(frame, changes)

    def _end(self, key: StepKey, entry: Entry, changes: Changes) -> None:
        data = entry.data
        frame = self.frames.get(key.frame)
        if key not in self.startable or frame is None:
            return
        if key in self.expansions:
            # A map or call that is ended from outside, by its timeout: so is all inside.
            del self.expansions[key]
            for name in [name for name, inner in self.frames.items() if inner.parent == key]:
                self.awaiting.pop(name, None)
                changes.cancel.extend((inner, "failed") for inner in self._inside(name))
                self._drop(name)
                del self.frames[name]
        outputs: Outputs = {}
        counts: dict[str, int] = {}
        for port, items in (entry.outputs or {}).items():
            if size := len(items):
                outputs[port] = items
                counts[port] = size
        outcome = Outcome(data["status"], outputs, data.get("error"))
        if outcome.status == "failed" and not data.get("handled"):
            self.begun.pop(key, None)
            self.parked.pop(key, None)
            self._fail_frame(frame, {"step": str(key), **(outcome.error or {})}, changes)
            return
        if outcome.status == "cancelled" and data.get("reason") != "loser":
            # The run is ending; should it be resumed, the step begins again, or is unknown if its try was begun.
            return
        self._keep(frame, key, outcome)
        if called := data.get("called"):
            self.called.append((called, data.get("on_parent", "abandon")))
        if stop := data.get("stop"):
            if "restart" in stop and not self._write(self.frames[key.frame], key, data.get("writes", {}), changes):
                return
            self.stopped = {**stop, "step": str(key)}
            changes.cancel.extend((other, "stopped") for other in self.startable)
            return
        if "writes" in data and not self._write(frame, key, data["writes"], changes):
            return
        self._decide(frame, frame.rules.end_step(key.id, counts, data.get("more", False)), changes)

    def _keep(self, frame: FrameState, key: StepKey, outcome: Outcome) -> None:
        self.startable.pop(key, None)
        for store in (self.parked, self.answers, self.begun, self.item_outcomes):
            if store:
                store.pop(key, None)
        self.outcomes[key] = outcome
        if (steps := frame.steps.get(key.node)) is None:
            frame.steps[key.node] = [key]
        else:
            steps.append(key)

    def _write(self, frame: FrameState, key: StepKey, writes: Mapping[str, Any], changes: Changes) -> bool:
        for name, value in writes.items():
            try:
                last = frame.channels.write(name, value, key)
            except PyAgentError as error:
                self._fail_frame(frame, {"step": str(key), "node": key.node, **error.as_dict()}, changes)
                return False
            if last is not None and last.frame == key.frame and not frame.rules.is_ancestor(last.id, key.id):
                error = ConcurrentWrite(f"{last} and {key} both wrote {name!r}, and neither is upstream of the other")
                self._fail_frame(frame, {"step": str(key), **error.as_dict(), "node": key.node}, changes)
                return False
        return True

    # -- frames -------------------------------------------------------------------------------------------------

    def _expand(self, key: StepKey, entry: Entry, changes: Changes) -> None:
        data = entry.data
        program = self._load(data["graph"]) if data.get("graph") else self.frames[key.frame].program
        expansion = Expansion(
            step=key,
            kind=data["kind"],
            elements=[entry.outputs[str(number)] for number in range(len(entry.outputs))] if entry.outputs else [],
            parallel=data.get("parallel", 1),
            on_error=data.get("on_error", "stop"),
            program=program,
            nodes=program.root() if data.get("graph") else program.body(key.node),
            calls=bool(data.get("graph")),
            until=datetime.fromisoformat(data["until"]) if data.get("until") else None,
            refused=data.get("refused", {}),
        )
        self.expansions[key] = expansion
        self._spawn(expansion, changes)

    def _spawn(self, expansion: Expansion, changes: Changes) -> None:
        while expansion.started < len(expansion.elements) and (
            expansion.started - expansion.ended < expansion.parallel
        ):
            element = expansion.started
            expansion.started += 1
            self._open(expansion, element, changes)
            if expansion.step not in self.expansions:
                return
        if expansion.ended == len(expansion.elements):
            self._finish_expansion(expansion, changes)

    def _open(self, expansion: Expansion, element: int, changes: Changes) -> None:
        outer = self.frames[expansion.step.frame]
        entry = expansion.elements[element]
        name = expansion.frame(element)
        frame = FrameState(
            name=name,
            program=expansion.program,
            nodes=expansion.nodes,
            rules=Frame(expansion.nodes.plan, expansion.program.graph.settings.max_steps),
            inputs=entry[0].json if expansion.calls and len(entry) else outer.inputs,
            entry=entry,
            channels=Channels(expansion.program.graph.state)
            if expansion.calls
            else Channels(expansion.program.graph.state, outer.channels),
            parent=expansion.step,
            element=element,
            calls=expansion.calls,
        )
        self.frames[name] = frame
        if (error := expansion.refused.get(str(element))) is not None:
            self._fail_frame(frame, error, changes)
            return
        self._decide(frame, frame.rules.start(), changes)

    def _close(self, frame: FrameState, changes: Changes) -> None:
        frame.closed = True
        if frame.calls:
            self.awaiting[frame.name] = None
            changes.finished.append(frame.name)
        elif frame.parent is not None:
            self._frame_result(frame.parent, frame.element, leaf_items(frame, self.outcomes), changes)

    def _frame_outputs(self, step: StepKey, data: Mapping[str, Any], changes: Changes) -> None:
        expansion = self.expansions.get(step)
        if expansion is None:
            return
        if "error" not in data:
            self._frame_result(step, data["element"], one_item(data["outputs"]), changes)
            return
        name = expansion.frame(data["element"])
        self.awaiting.pop(name, None)
        self._fail_frame(self.frames[name], data["error"], changes)

    def _frame_result(self, step: StepKey, element: int, result: Items | ErrorData, changes: Changes) -> None:
        expansion = self.expansions.get(step)
        if expansion is None:
            return
        name = expansion.frame(element)
        self.awaiting.pop(name, None)
        if isinstance(result, Items):
            expansion.results[element] = result
        else:
            expansion.errors[element] = result
        expansion.ended += 1
        if expansion.kind == "map" and not expansion.calls:
            self._forget(expansion, element)
        self._spawn(expansion, changes)

    def _forget(self, expansion: Expansion, element: int) -> None:
        """Free what nobody can read any more of an ended element: only its result and its writes are left."""
        frame = self.frames[expansion.frame(element)]
        for steps in frame.steps.values():
            for key in steps:
                del self.outcomes[key]
                self.deliveries.pop(key, None)
        frame.steps = {}
        frame.rules = Frame(frame.nodes.plan)

    def _finish_expansion(self, expansion: Expansion, changes: Changes) -> None:
        key = expansion.step
        del self.expansions[key]
        if key not in self.startable:
            return
        frame, node = self.frames[key.frame], self.node(key)
        if expansion.kind == "map" and not expansion.calls:
            for element in range(len(expansion.elements)):
                inner = self.frames.pop(expansion.frame(element))
                if element not in expansion.results:
                    continue
                for name, value in inner.channels.writes:
                    if not self._write(frame, key, {name: value}, changes):
                        return
        outputs = expansion_outputs(expansion, node)
        self._keep(frame, key, Outcome("completed", outputs))
        changes.expanded.append(key)
        counts = {port: len(items) for port, items in outputs.items()}
        self._decide(frame, frame.rules.end_step(key.id, counts), changes)

    # -- failures -----------------------------------------------------------------------------------------------

    def _fail_frame(self, frame: FrameState, error: ErrorData, changes: Changes) -> None:
        """A failure that no policy of its step handled: the innermost map or call that has one decides.

        Where none has, the run fails and its frames stay as they are, so that it can be resumed at the failed step.
        """
        handler = self._handler(frame)
        if handler is None:
            self.failure = error
            changes.cancel.extend((key, "failed") for key in self.startable)
            return
        frame, element_only = handler
        parent = frame.parent
        if parent is None:
            return
        changes.cancel.extend((key, "failed") for key in self._inside(frame.name))
        self._drop(frame.name)
        if element_only:
            frame.closed = True
            self._frame_result(parent, frame.element, error, changes)
        else:
            self._fail_step(parent, error, changes)

    def _handler(self, frame: FrameState) -> tuple[FrameState, bool] | None:
        """The frame whose map or call deals with its failure, and whether only that element is lost."""
        while frame.parent is not None:
            expansion = self.expansions[frame.parent]
            if expansion.kind == "map" and expansion.on_error != "stop":
                return frame, True
            if self.node(frame.parent).spec.on_error != "stop":
                return frame, False
            frame = self.frames[frame.parent.frame]
        return None

    def _fail_step(self, key: StepKey, error: ErrorData, changes: Changes) -> None:
        """A map's or call's step fails, and its own policy says what follows."""
        self.expansions.pop(key, None)
        for name in [name for name, frame in self.frames.items() if frame.parent == key]:
            self.awaiting.pop(name, None)
            changes.cancel.extend((inner, "failed") for inner in self._inside(name))
            self._drop(name)
        frame, node = self.frames[key.frame], self.node(key)
        outputs = failed_outputs(node, error, self.inputs_of(key), attempt=1) or {}
        self._keep(frame, key, Outcome("failed", outputs, error))
        changes.expanded.append(key)
        counts = {port: len(items) for port, items in outputs.items()}
        self._decide(frame, frame.rules.end_step(key.id, counts), changes)

    def _drop(self, frame: str) -> None:
        """Nothing of the frame may start or wait any more."""
        for key in self._inside(frame):
            for store in (self.startable, self.parked, self.expansions):
                store.pop(key, None)

    def _inside(self, frame: str) -> list[StepKey]:
        """Open steps of the frame and of the frames inside it."""
        return [key for key in self.startable if key.is_in(frame)]

    def _within(self, key: StepKey) -> Iterable[StepKey]:
        """The step, and for a map or call the open steps inside."""
        if key in self.startable:
            yield key
        yield from [other for other in self.startable if other.is_inside(key)]


def _no_programs(_: str) -> Program:
    raise RunError(
        "this run cannot call other graphs", code="run.no_graphs", hint="Give RunState a way to load programs."
    )
