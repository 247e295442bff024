"""Forks: which entries of a run's log stand in a new run that begins at one of its steps (SEMANTICS 24). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from pyagent.errors import InputError, NotFound, RunError, Where
from pyagent.runtime.live import step_row
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.runtime.migration import Migrate, migrated_entries
from pyagent.runtime.override import descends, given_outputs, newest_step
from pyagent.runtime.paging import binaries_of, pages_of
from pyagent.runtime.partial import outermost
from pyagent.runtime.program import Program
from pyagent.runtime.state import LoadProgram, RunState
from pyagent.store.base import StepRecord

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
    tests: tuple[bool, bool] = (False, False),
) -> list[Entry]:
    """The new run's first entries.

    Kept is what does not descend from `step` (an id of a step, or a node: its newest step, if it has one) and whose
    node and ancestors are the same in `new`. `writes` gives the state writes of the step whose outcome is given;
    `migration` is given the state and the run's inputs and changes values of channels that are others in `new`. With
    `until` only that node and what leads to it take part, as started by `trigger`. `tests`: whether the source is a
    test run, in which pins count, and whether the new one is.

    Raises `NotFound` (`run.no_step`), `InputError` (`run.fork_once`, `run.fork_items`, `run.state_migration`).
    """
    state = RunState(old, load)
    for entry in entries:
        state.apply(entry)
    key = _step(state, step, new)
    changed = changed_nodes(old, new, tests=tests)
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


def kept_rows(entries: Sequence[Entry], program: Program, load: LoadProgram) -> list[StepRecord]:
    """How the steps of a new run stand after its first entries."""
    state = RunState(program, load)
    rows: dict[StepKey, StepRecord] = {}
    given: dict[StepKey, int] = {}
    for entry in entries:
        # On another version there may be no such step.
        own = entry.step if entry.step in state.startable else None
        changes = state.apply(entry)
        for key in changes.ready:
            given[key] = sum(len(items) for items in state.inputs_of(key).values())
        for key in changes.skipped:
            rows[key] = step_row(key, "skipped")
        for key in changes.expanded:
            outcome = state.outcomes[key]
            counts = {port: len(items) for port, items in outcome.outputs.items()}
            before = rows.get(key)
            began = before.started_at if before is not None else None
            rows[key] = step_row(
                key, outcome.status, started_at=began, items_in=given.get(key, 0), items_out=counts, error=outcome.error
            )
        if own is not None and (row := _row(entry, own, given.get(own, 0))) is not None:
            rows[own] = row
    return list(rows.values())


def _row(entry: Entry, key: StepKey, items_in: int) -> StepRecord | None:
    """How a step stands after an entry of its own; None for entries that say nothing of that."""
    data = entry.data
    if entry.kind == "step.parked":
        return step_row(key, "waiting", attempt=data.get("attempt", 1), items_in=items_in, wait=data["wait"])
    if entry.kind == "step.expanded" or entry.kind == "step.answered":
        return step_row(key, "running", items_in=items_in)
    if entry.kind != "step.ended":
        return None
    began, ended = [datetime.fromisoformat(data[name]) if name in data else None for name in ("started_at", "ended_at")]
    return step_row(
        key,
        "unknown" if data.get("unknown") else data["status"],
        attempt=data.get("attempt", 1),
        started_at=began,
        ended_at=ended,
        items_in=items_in,
        items_out={port: len(items) for port, items in (entry.outputs or {}).items()},
        error=data.get("error"),
    )


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


def changed_nodes(old: Program, new: Program, *, tests: tuple[bool, bool] = (False, False)) -> frozenset[str]:
    """Nodes whose own text or incoming edges differ between two versions, or whose pins do, which count in test runs
    alone: `tests` says of which version there is one."""
    if old.hash == new.hash:
        return frozenset()

    def text(program: Program, *, test: bool) -> dict[str, str]:
        found = {name: node.spec.model_dump_json(exclude={"name", "notes"}) for name, node in program.nodes.items()}
        if test:
            pinned = program.graph.pins
            found = {name: f"{value}{pinned[name]}" if name in pinned else value for name, value in found.items()}
        edges = sorted(str(edge) for edge in program.graph.edges)
        return {
            name: value + "|".join(edge for edge in edges if edge.partition("->")[2].split(".")[0].strip() == name)
            for name, value in found.items()
        }

    before, after = text(old, test=tests[0]), text(new, test=tests[1])
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
