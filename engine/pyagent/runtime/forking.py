"""Forks: which entries of a run's log stand in a new run that begins at one of its steps (SEMANTICS 24). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pyagent.errors import InputError, NotFound
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.runtime.migration import Migrate, migrated_entries
from pyagent.runtime.override import descends, given_outputs, newest_step
from pyagent.runtime.paging import binaries_of, pages_of
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
) -> list[Entry]:
    """The new run's first entries.

    Kept is what does not descend from `step` (an id of a step, or a node: its newest step) and whose node and
    ancestors are the same in `new`. `writes` gives the state writes of the step whose outcome is given; `migration`
    is given the state and the run's inputs and changes values of channels that are others in `new`.

    Raises `NotFound` (`run.no_step`), `InputError` (`run.fork_once`, `run.fork_items`, `run.state_migration`).
    """
    state = RunState(old, load)
    for entry in entries:
        state.apply(entry)
    key = _step(state, step)
    changed = _changed_nodes(old, new)
    kept: list[Entry] = []
    dropped_once: list[str] = []
    reused: list[Entry] = []
    for entry in entries:
        if entry.kind not in _KEPT_KINDS:
            continue
        if entry.step is None:
            # The new run's time begins now; another version calls the graphs that there are now.
            dropped = {"at"} if old.hash == new.hash else {"at", "graphs"}
            data = {name: value for name, value in entry.data.items() if name not in dropped}
            kept.append(Entry(entry.kind, None, {**data, "at": timestamp(now)}))
            continue
        stands = not descends(state, entry.step, key) and not _follows(state, entry.step, changed)
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
    if items is not None:
        if old.hash != new.hash:
            state = _kept_state(kept, new, load, key)
        outputs = given_outputs(state.node(key), items)
        found = dict(writes(state, key, outputs))
        data = {"status": "completed", "attempt": 1, "given": True, **({"writes": found} if found else {})}
        kept.append(Entry("step.ended", key, data, outputs))
    if once == "reuse":
        kept.extend(Entry("step.reused", entry.step, entry.data, entry.outputs) for entry in reused)
    return kept


def _kept_state(kept: Sequence[Entry], new: Program, load: LoadProgram, key: StepKey) -> RunState:
    """The state that the entries make on the new version, in which the step can be given an outcome."""
    state = RunState(new, load)
    for entry in kept:
        state.apply(entry)
    if key not in state.startable:
        raise InputError(
            f"{key} cannot be given an outcome on this version: it does not follow from what is the same in both",
            code="run.fork_items",
            hint="Fork without items, or at a step further up that is the same in both versions.",
        )
    return state


def _step(state: RunState, step: str) -> StepKey:
    key = StepKey.parse(step)
    if key in state.deliveries:
        return key
    if step in state.program.nodes:
        return newest_step(state, step)
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


def _changed_nodes(old: Program, new: Program) -> frozenset[str]:
    """Nodes whose own text or incoming edges differ between two versions."""
    if old.hash == new.hash:
        return frozenset()

    def text(program: Program) -> dict[str, str]:
        found = {name: node.spec.model_dump_json(exclude={"name", "notes"}) for name, node in program.nodes.items()}
        edges = sorted(str(edge) for edge in program.graph.edges)
        return {
            name: value + "|".join(edge for edge in edges if edge.partition("->")[2].split(".")[0].strip() == name)
            for name, value in found.items()
        }

    before, after = text(old), text(new)
    return frozenset(name for name in before if before[name] != after.get(name))


def _follows(state: RunState, step: StepKey, changed: frozenset[str]) -> bool:
    if not changed:
        return False
    if step.node in changed:
        return True
    return any(key.node in changed and descends(state, step, key) for key in state.deliveries)
