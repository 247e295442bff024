"""Forks: which entries of a run's log stand in a new run that begins at one of its steps (SEMANTICS 24). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from pyagent.errors import InputError, NotFound, RunError, Where
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.runtime.migration import Migrate, migrated_entries
from pyagent.runtime.override import descends, given_outputs, newest_step
from pyagent.runtime.paging import binaries_of, pages_of
from pyagent.runtime.partial import outermost
from pyagent.runtime.program import Program
from pyagent.runtime.state import LoadProgram, RunState

_KEPT_KINDS = frozenset({"run.started", "step.ended", "step.expanded", "frame.ended", "step.parked", "step.answered"})


def fork_entries(
    entries: Sequence[Entry],
    step: str,
    *,
    items: Any,
    once: Literal["ask", "repeat", "reuse"],
    old: Program,
    new: Program,
    load: LoadProgram,
    writes: Callable[[RunState, StepKey, Outputs], Mapping[str, Any]],
    migration: Callable[[Mapping[str, Any], Mapping[str, Any]], Migrate],
    now: datetime,
    trigger: str = "",
    until: str = "",
    test: bool = False,
) -> list[Entry]:
    """The new run's first entries.

    Kept is what does not descend from `step` (an id of a step, or a node: its newest step, if it has one) and whose
    node and ancestors are the same in `new`. `writes` gives the state writes of the step whose outcome is given;
    `migration` is given the state and the run's inputs and changes values of channels that are others in `new`. With
    `until` only that node and what leads to it take part, as started by `trigger`. `test`: pins count.

    Raises `NotFound` (`run.no_step`), `InputError` (`run.fork_once`, `run.fork_items`, `run.state_migration`).
    """
    state = RunState(old, load)
    for entry in entries:
        state.apply(entry)
    key = _step(state, step, new)
    changed = changed_nodes(old, new, pins=test)
    part = new.root(trigger, until).plan.index if until else None
    kept: list[Entry] = []
    dropped_once: list[str] = []
    reused: list[Entry] = []
    for entry in entries:
        if entry.kind not in _KEPT_KINDS:
            continue
        if entry.step is None:
            # The new run's time begins now; another version calls the graphs that there are now.
            dropped = {"at", "until"} if old.hash == new.hash else {"at", "until", "graphs"}
            data = {name: value for name, value in entry.data.items() if name not in dropped}
            kept.append(Entry(entry.kind, None, {**data, "at": timestamp(now)}))
            continue
        if part is not None and root_node(entry.step) not in part:
            continue
        below = key is not None and descends(state, entry.step, key)
        stands = not below and not follows(state, entry.step, changed)
        if stands and not _open(entry):
            kept.append(entry)
        elif entry.kind == "step.ended" and entry.data["status"] == "completed" and entry.step != key:
            node = state.program.nodes.get(entry.step.node)
            if node is not None and node.effects == "once":
                dropped_once.append(str(entry.step))
                reused.append(entry)
    if dropped_once and once == "ask":
        raise InputError(
            f"the run has done steps below {step} that must not be done twice: {', '.join(dropped_once)}",
            code="run.fork_once",
            hint="Choose: --once repeat (do them again) or --once reuse (keep what they gave).",
            details={"steps": dropped_once},
        )
    if old.hash != new.hash:
        kept = migrated_entries(kept, old, new, load, migration)
    if until:
        kept[0].data["until"] = outermost(new.graph, until)
    if items is not None:
        if old.hash != new.hash or key is None:
            state, key = _kept_state(kept, new, load, key or StepKey("", step))
        outputs = given_outputs(state.node(key), items)
        found = dict(writes(state, key, outputs))
        data = {"status": "completed", "attempt": 1, "given": True, **({"writes": found} if found else {})}
        kept.append(Entry("step.ended", key, data, outputs))
    elif key is None and not _goes_on(kept, new, load):
        raise InputError(
            f"nothing would be run: what is kept does not lead to {step}",
            code="run.fork_nothing",
            where=Where(node=step),
            hint="The branch it is on was not taken. Fork at a step further up, with other items, or start a new run.",
        )
    if once == "reuse":
        kept.extend(Entry("step.reused", entry.step, entry.data, entry.outputs) for entry in reused)
    return kept


def _goes_on(kept: Sequence[Entry], new: Program, load: LoadProgram) -> bool:
    """Whether anything is left to do after the entries."""
    state = RunState(new, load)
    for entry in kept:
        state.apply(entry)
    return bool(state.startable)


def _kept_state(kept: Sequence[Entry], new: Program, load: LoadProgram, key: StepKey) -> tuple[RunState, StepKey]:
    """The state that the entries make on the new version, and the step in it that can be given an outcome."""
    state = RunState(new, load)
    for entry in kept:
        state.apply(entry)
    if key not in state.startable:
        # The source never came to it, so nobody knew in which iteration it would be.
        of_node = [found for found in state.startable if not key.scope and found[:2] == key[:2]]
        if of_node:
            return state, of_node[-1]
        raise InputError(
            f"{key} cannot be given an outcome on this version: it does not follow from what is the same in both",
            code="run.fork_items",
            hint="Fork without items, or at a step further up that is the same in both versions.",
        )
    return state, key


def _step(state: RunState, step: str, new: Program) -> StepKey | None:
    """The step that is meant; None for a node that the run has not come to. Raises `NotFound` (`run.no_step`)."""
    key = StepKey.parse(step)
    if key in state.deliveries:
        return key
    known_to = [program for program in (state.program, new) if step in program.nodes]
    if known_to:
        # Of a node in a body the map's step is meant.
        step = outermost(known_to[0].graph, step)
        with suppress(RunError):
            return newest_step(state, step)
        if step in new.nodes:
            return None
    known = ", ".join(sorted({str(found) for found in state.deliveries})[:20])
    hint = f"Its steps: {known}."
    if key.frame:
        hint = f"Steps inside a map or a called graph cannot be forked: fork the map's or the call's step. {hint}"
    raise NotFound(f"the run has no step {step!r} to fork from", code="run.no_step", hint=hint)


def blobs_of(entries: Sequence[Entry]) -> set[str]:
    """Digests of the pages in which items of these entries lie, and of the binaries that items have."""
    return {
        digest
        for entry in entries
        for items in (entry.outputs or {}).values()
        for digest in (*pages_of(items), *binaries_of(items))
    }


def _open(entry: Entry) -> bool:
    """A failed or cancelled outcome that stopped the run is not one to keep."""
    return entry.kind == "step.ended" and entry.data["status"] != "completed" and not entry.data.get("handled")


def changed_nodes(old: Program, new: Program, *, pins: bool = False) -> frozenset[str]:
    """Nodes whose own text or incoming edges differ between two versions; with `pins` also those with other pins."""
    if old.hash == new.hash:
        return frozenset()

    def text(program: Program) -> dict[str, str]:
        found = {name: node.spec.model_dump_json(exclude={"name", "notes"}) for name, node in program.nodes.items()}
        if pins:
            pinned = program.graph.pins
            found = {name: f"{value}{pinned[name]}" if name in pinned else value for name, value in found.items()}
        edges = sorted(str(edge) for edge in program.graph.edges)
        return {
            name: value + "|".join(edge for edge in edges if edge.partition("->")[2].split(".")[0].strip() == name)
            for name, value in found.items()
        }

    before, after = text(old), text(new)
    return frozenset(name for name in before if before[name] != after.get(name))


def root_node(step: StepKey) -> str:
    """The node of the run's own graph that a step is of, or in whose body or call it is."""
    return step.frame.partition("[")[0].partition("(")[0].partition("@")[0] if step.frame else step.node


def follows(state: RunState, step: StepKey, changed: frozenset[str]) -> bool:
    """Whether a step is one of a changed node, or descends from one."""
    if not changed:
        return False
    if step.node in changed:
        return True
    return any(key.node in changed and descends(state, step, key) for key in state.deliveries)
