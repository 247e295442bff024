"""Give a step another outcome and forget what followed from the old one (SEMANTICS 24, LangGraph's `update_state`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pyagent.errors import InputError, RunError, Where
from pyagent.runtime.log import Entry, Outputs, StepKey, items_of, one_item
from pyagent.runtime.program import NodeProgram
from pyagent.runtime.state import RunState


def override(state: RunState, log: Sequence[Mapping[str, Any]], node: str, value: Any) -> list[dict[str, Any]]:
    """The log in which the newest step of `node` ended with `value`, as dictionaries.

    Raises `RunError` (`run.no_step`) when the node has no step to speak for.
    """
    key = newest_step(state, node)
    kept = [dict(entry) for entry in log if keeps(state, Entry.from_dict(entry), key)]
    ended = Entry(
        "step.ended", key, {"status": "completed", "attempt": 1, "given": True}, given_outputs(state.node(key), value)
    )
    return [*kept, ended.as_dict()]


def newest_step(state: RunState, node: str) -> StepKey:
    """The open step of the node, else the one that ended last. Raises `RunError` (`run.no_step`)."""
    found = [key for key in state.startable if key.node == node]
    found = found or [key for key in state.outcomes if key.node == node]
    if not found:
        raise RunError(
            f"the node {node} has no step in this run yet",
            code="run.no_step",
            where=Where(node=node),
            hint="Give an outcome to a node that is ready, waits, or has run.",
        )
    return found[-1]


def keeps(state: RunState, entry: Entry, changed: StepKey) -> bool:
    """Whether an entry stands when the outcome of `changed` does not."""
    if entry.step is None:
        return entry.kind == "run.started"
    return not descends(state, entry.step, changed)


def descends(state: RunState, step: StepKey, of: StepKey) -> bool:
    """Whether a step is `of` itself, inside it, or follows from it."""
    while True:
        if step == of:
            return True
        frame = state.frames.get(step.frame)
        if frame is None:
            # A forgotten element: its map is what counts.
            step = StepKey.owner_of(step.frame)
            continue
        if step.frame == of.frame and frame.rules.is_ancestor(of.id, step.id):
            return True
        if frame.parent is None:
            return False
        step = frame.parent


def given_outputs(node: NodeProgram, value: Any) -> Outputs:
    """Items by port from what a person gives: an object, a list of objects, or `{port: list}`.

    Raises `InputError` (`run.given_items`).
    """
    first = node.ports_out[0] if node.ports_out else "out"
    if value is None:
        return {}
    if isinstance(value, Mapping):
        values = cast(Mapping[str, Any], value)
        by_port = bool(values) and all(port in node.ports_out and _is_items(made) for port, made in values.items())
        if by_port:
            return {port: items_of(made) for port, made in values.items() if made}
        return {first: one_item(values)}
    if _is_items(value):
        return {first: items_of(value)} if value else {}
    raise InputError(
        f"{type(value).__name__} is no outcome for the node {node.id}",
        code="run.given_items",
        where=Where(node=node.id),
        hint='Give a JSON object, a list of objects, or {"port": [objects]}.',
    )


def _is_items(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in cast("Iterable[Any]", value))
