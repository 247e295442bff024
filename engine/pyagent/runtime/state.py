"""The state of a run as a fold over its log: pure, without I/O. The same log always gives the same state.

`RunState.apply` takes one entry and says what follows from it. The rules inside one frame are in `runtime.rules`;
this module adds frames (maps, called graphs), outcomes, waits, state channels and failures on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pyagent.errors import PyAgentError, RunError
from pyagent.runtime.book import LoadProgram, RunBook
from pyagent.runtime.endings import ConcurrentWrite, TooManySteps, of_rules
from pyagent.runtime.failure import ErrorData, failed_outputs
from pyagent.runtime.frames import (
    Changes,
    Expansion,
    FrameState,
    Outcome,
    compact,
    expansion_outputs,
    key_in,
    leaf_items,
    new_key,
    writes_inside,
)
from pyagent.runtime.log import Entry, Outputs, StepKey, one_item
from pyagent.runtime.reduce import Channels
from pyagent.runtime.rules import Decisions, Frame, Ready
from pyagent.sdk.items import Items

GIVEN = "given"
"""The name under which entries keep the items that a run begins with."""

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


class RunState(RunBook):
    """The run's book, and how an entry changes it."""

    def apply(self, entry: Entry) -> Changes:
        """Take one entry of the log and say what follows. An entry that was applied before changes nothing."""
        changes = Changes()
        kind = entry.kind
        if kind == "run.started" and self.ended is not None:
            self.reset()
        if entry.id:
            if entry.id in self.applied:
                return changes
            self.applied.add(entry.id)
        self.length += 1
        if self._over:
            self._forget_frames()
        if kind == "step.ended" and entry.step is not None:
            # By far the most frequent one.
            self.adoptions = 0
            self._end(entry.step, entry, changes)
            return changes
        if kind in _PROGRESS:
            self.adoptions = 0
        data = entry.data
        match kind, entry.step:
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
        nodes = self.program.root(data.get("trigger", ""), data.get("until", ""))
        frame = FrameState(
            name="",
            program=self.program,
            nodes=nodes,
            rules=Frame(nodes.plan, self._max_steps),
            inputs=data["inputs"],
            entry=one_item(data["inputs"]) if self.given is None else self.given,
            channels=Channels(self.program.graph.state, begin=data.get("state")),
            calls=True,
        )
        self.frames[""] = frame
        self._start_frame(frame, changes)

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
            self.failure, self.cancelled, self.ended = self.beyond_mending, None, None
            if "" in self.frames and self.frames[""].closed:
                self.awaiting[""] = None
            for key in list(self.startable):
                self.tries.pop(key, None)

    def _begin(self, frame: FrameState, found: Sequence[Ready], changes: Changes) -> None:
        """Steps of the frame have become ready."""
        before, name = self.steps, frame.name
        self.steps = before + len(found)
        if self.steps > self._max_steps and self.failure is None:
            many = TooManySteps(f"the run has more than {self._max_steps} steps, those of its maps and calls included")
            self.failure = many.as_dict()
            changes.cancel.extend((key, "failed") for key in self.startable)
        for ready in found:
            before += 1
            key = new_key(StepKey, (name, *ready.step))
            self.startable[key] = before
            self.deliveries[key] = ready.deliveries
            changes.ready.append(key)

    def _start_frame(self, frame: FrameState, changes: Changes) -> None:
        ready = frame.rules.start_straight()
        if ready is None:
            self._decide(frame, frame.rules.start(), changes)
        else:
            self._begin(frame, ready, changes)

    def _end_in(self, frame: FrameState, key: StepKey, outputs: Outputs, changes: Changes, more: bool = False) -> None:
        """Ask the rules what follows from a step's end with these outputs, none of them empty."""
        rules = frame.rules
        ready = None if more else rules.end_straight(key[1:], outputs)
        if ready is None:
            counts = {port: len(items) for port, items in outputs.items()}
            self._decide(frame, rules.end_branching(key.id, counts, more), changes)
        elif ready:
            self._begin(frame, ready, changes)
        elif rules.ended:
            self._close(frame, changes)

    def _decide(self, frame: FrameState, decisions: Decisions, changes: Changes) -> None:
        self._begin(frame, decisions.ready, changes)
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
        if self.expansions and (expansion := self.expansions.pop(key, None)) is not None:
            # A map or call that is ended from outside, by its timeout: so is all inside. Its frames stay, since
            # their steps may be running still until they have heard of it.
            self._drop_frames(expansion, changes)
        outputs = entry.outputs or {}
        for items in outputs.values():
            if not len(items):
                outputs = {port: items for port, items in outputs.items() if len(items)}
                break
        status, error = data["status"], data.get("error")
        if status != "completed":
            if status == "failed" and not data.get("handled"):
                self.begun.pop(key, None)
                self.parked.pop(key, None)
                self._fail_frame(frame, {"step": str(key), **(error or {})}, changes)
                return
            if status == "cancelled" and data.get("reason") != "loser":
                # The run is ending; should it be resumed, the step begins again, or is unknown if its try was begun.
                return
        self._keep(frame, key, Outcome(status, outputs, error))
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
        self._end_in(frame, key, outputs, changes, data.get("more", False))

    def _keep(self, frame: FrameState, key: StepKey, outcome: Outcome) -> None:
        self.startable.pop(key, None)
        if self.parked:
            self.parked.pop(key, None)
        if self.answers:
            self.answers.pop(key, None)
        if self.begun:
            self.begun.pop(key, None)
        if self.item_outcomes:
            self.item_outcomes.pop(key, None)
        self.outcomes[key] = outcome
        if (steps := frame.steps.get(key.node)) is None:
            frame.steps[key.node] = [key]
        else:
            steps.append(key)

    def _write(self, frame: FrameState, key: StepKey, writes: Mapping[str, Any], changes: Changes) -> bool:
        if writes and frame.shares:
            frame.channels, frame.shares = Channels(frame.program.graph.state, frame.channels), False
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

    def pin(self, key: StepKey) -> Any:
        """What is pinned to the step's node in the graph that is run; those that it calls have nodes of their own."""
        return self.program.graph.pins.get(key.node) if self.frames[key.frame].program is self.program else None

    # -- frames -------------------------------------------------------------------------------------------------

    def _expand(self, key: StepKey, entry: Entry, changes: Changes) -> None:
        data = entry.data
        graph, given = data.get("graph"), entry.outputs or {}
        program = self._load(graph) if graph else self.frames[key.frame].program
        elements, starts = compact(given[str(number)] for number in range(len(given)))
        expansion = Expansion(
            step=key,
            kind=data["kind"],
            elements=elements,
            starts=starts,
            parallel=data.get("parallel", 1),
            on_error=data.get("on_error", "stop"),
            program=program,
            nodes=program.root() if graph else program.body(key.node),
            calls=bool(graph),
            shares=not graph and not (program.graph.state and writes_inside(self.node(key).spec.body)),
            until=datetime.fromisoformat(data["until"]) if data.get("until") else None,
            refused=data.get("refused", {}),
            inputs=data.get("inputs"),
        )
        self.expansions[key] = expansion
        self._spawn(expansion, changes)

    def _spawn(self, expansion: Expansion, changes: Changes) -> None:
        if expansion.opening:
            return
        expansion.opening = True
        while expansion.started < len(expansion.elements) and (
            expansion.started - expansion.ended < expansion.parallel
        ):
            element = expansion.started
            expansion.started += 1
            self._open(expansion, element, changes)
            if expansion.step not in self.expansions:
                return
        expansion.opening = False
        if expansion.ended == len(expansion.elements):
            self._finish_expansion(expansion, changes)

    def _open(self, expansion: Expansion, element: int, changes: Changes) -> None:
        outer = self.frames[expansion.step.frame]
        program, calls = expansion.program, expansion.calls
        entry = expansion.entry(element)
        name = expansion.kept[element] = expansion.frame(element)
        if expansion.shares:
            channels = outer.channels
        else:
            channels = Channels(program.graph.state, None if calls else outer.channels)
        inputs = expansion.inputs
        if inputs is None:
            inputs = entry[0].json if calls and len(entry) else outer.inputs
        self.frames[name] = frame = FrameState(
            name,
            program,
            expansion.nodes,
            Frame(expansion.nodes.plan, program.graph.settings.max_steps),
            inputs,
            entry,
            channels,
            expansion.step,
            element,
            calls,
            expansion.shares,
            passes=expansion.inputs is not None,
        )
        if expansion.refused and (error := expansion.refused.get(str(element))) is not None:
            self._fail_frame(frame, error, changes)
            return
        self._start_frame(frame, changes)

    def _close(self, frame: FrameState, changes: Changes) -> None:
        frame.closed = True
        if frame.calls:
            if frame.passes and frame.parent is not None:
                self._frame_result(frame.parent, frame.element, leaf_items(frame, self.outcomes), changes)
                return
            self.awaiting[frame.name] = None
            changes.finished.append(frame.name)
        elif frame.parent is not None:
            if not frame.shares and frame.channels.writes:
                self.expansions[frame.parent].writes[frame.element] = frame.channels.writes
            self._over.append(frame)
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
        if expansion.calls:
            self.awaiting.pop(expansion.frame(element), None)
        if isinstance(result, Items):
            expansion.keep(element, result)
        else:
            expansion.errors[element] = result
        expansion.ended += 1
        self._spawn(expansion, changes)

    def _forget_frames(self) -> None:
        """Free what nobody can read any more of ended elements: only their results and their writes are left."""
        for frame in self._over:
            expansion = self.expansions.get(frame.parent) if frame.parent is not None else None
            for steps in frame.steps.values():
                for key in steps:
                    self.outcomes.pop(key, None)
                    self.deliveries.pop(key, None)
            frame.steps = {}
            # Where an element failed, others of its steps may be running still until they have heard of it.
            running = frame.rules.running
            if expansion is None or len(running) <= 1:
                for step in running:
                    self.deliveries.pop(key_in(frame.name, step), None)
                self.frames.pop(frame.name, None)
                if expansion is not None:
                    expansion.kept.pop(frame.element, None)
        self._over.clear()

    def _finish_expansion(self, expansion: Expansion, changes: Changes) -> None:
        key = expansion.step
        del self.expansions[key]
        if key not in self.startable:
            return
        frame, node = self.frames[key.frame], self.node(key)
        if expansion.kind == "map" and not expansion.calls:
            self._over.extend(self.frames[name] for name in expansion.kept.values())
            for element in sorted(expansion.writes):
                for name, value in expansion.writes[element]:
                    if not self._write(frame, key, {name: value}, changes):
                        return
        outputs = expansion_outputs(expansion, node)
        self._keep(frame, key, Outcome("completed", outputs))
        changes.expanded.append(key)
        self._end_in(frame, key, outputs, changes)

    # -- failures -----------------------------------------------------------------------------------------------

    def _fail_frame(self, frame: FrameState, error: ErrorData, changes: Changes) -> None:
        """A failure that no policy of its step handled: the innermost map or call that has one decides.

        Where none has, the run fails and its frames stay as they are, so that it can be resumed at the failed step.
        """
        handler = self._handler(frame)
        if handler is None:
            self.failure = error
            if (step := error.get("step")) is None or StepKey.parse(step) not in self.startable:
                self.beyond_mending = error
            changes.cancel.extend((key, "failed") for key in self.startable)
            return
        frame, element_only = handler
        parent = frame.parent
        if parent is None:
            return
        self._drop(frame, changes)
        if element_only:
            frame.closed = True
            if not frame.calls:
                self._over.append(frame)
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
        if (expansion := self.expansions.pop(key, None)) is not None:
            self._drop_frames(expansion, changes)
        frame, node = self.frames[key.frame], self.node(key)
        outputs = failed_outputs(node, error, self.inputs_of(key), attempt=1) or {}
        self._keep(frame, key, Outcome("failed", outputs, error))
        changes.expanded.append(key)
        self._end_in(frame, key, {port: items for port, items in outputs.items() if len(items)}, changes)

    def _drop_frames(self, expansion: Expansion, changes: Changes) -> None:
        """A map or call is over: so are its frames."""
        for name in expansion.kept.values():
            self.awaiting.pop(name, None)
            if (frame := self.frames.get(name)) is not None:
                self._drop(frame, changes)

    def _drop(self, frame: FrameState, changes: Changes) -> None:
        """Nothing of the frame may start or wait any more."""
        for key in self._in_order(self._inside(frame)):
            changes.cancel.append((key, "failed"))
            self.startable.pop(key, None)
            self.parked.pop(key, None)
            self.expansions.pop(key, None)

    def _inside(self, frame: FrameState) -> list[StepKey]:
        """Open steps of the frame and of the frames inside it."""
        found: list[StepKey] = []
        frames = [frame]
        while frames:
            frame = frames.pop()
            for step in frame.rules.running:
                key = key_in(frame.name, step)
                if key in self.startable:
                    found.append(key)
                    if (expansion := self.expansions.get(key)) is not None:
                        frames += [self.frames[name] for name in expansion.kept.values() if name in self.frames]
        return found

    def _in_order(self, keys: list[StepKey]) -> list[StepKey]:
        """Open steps in the order in which they became ready."""
        return sorted(keys, key=self.startable.__getitem__)

    def _within(self, key: StepKey) -> list[StepKey]:
        """The open step, and for a map or call the open steps inside."""
        if key not in self.startable:
            return []
        expansion = self.expansions.get(key)
        names = expansion.kept.values() if expansion is not None else ()
        inside = [key for name in names if name in self.frames for key in self._inside(self.frames[name])]
        return [key, *self._in_order(inside)]


__all__ = ["GIVEN", "LoadProgram", "RunState"]
