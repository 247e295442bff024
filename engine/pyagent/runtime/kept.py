"""Which earlier run has the data that a node needs, and what of them no longer fits the graph (ADR 0020)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pyagent.errors import PyAgentError
from pyagent.graph.spec import GraphSpec
from pyagent.runtime.forking import changed_nodes, follows
from pyagent.runtime.imported import is_imported
from pyagent.runtime.log import Entry
from pyagent.runtime.partial import leading_to, outermost
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState
from pyagent.store.base import Run, RunFilter

if TYPE_CHECKING:
    from pyagent.runtime.engine import Engine

LOOKED_AT = 10
"""Runs that are looked at, newest first."""
KeptState = Literal["kept", "stale", "missing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptNode:
    """An ancestor of the node."""

    node: str
    state: KeptState
    """`kept`: a fork takes its outcomes over; `stale`: it or what leads to it has changed since; `missing`: it has no
    outcome there."""
    step: str | None
    """Its step that ended last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptData:
    """What the best of the earlier runs has for a node."""

    node: str
    run: Run | None
    """None: no run has anything that could be kept."""
    reached: bool
    """The run came to the node itself."""
    ancestors: tuple[KeptNode, ...]
    """In the order of the file."""

    @property
    def complete(self) -> bool:
        """Whether a fork at the node would run that alone."""
        return self.run is not None and all(one.state == "kept" for one in self.ancestors)


async def kept_data(engine: Engine, spec: GraphSpec, node: str) -> KeptData:
    """What the earlier run that has most of it has for the node; of equal ones the newest.

    Raises `NotFound` (`run.until_unknown`), `GraphError`.
    """
    chosen = outermost(spec, node)
    leading = leading_to(chosen, spec.edges) - {chosen}
    ancestors = [one.id for one in spec.nodes if one.id in leading]
    best: KeptData | None = None
    for run in await engine.store.list_runs(RunFilter(graph_id=spec.id, limit=LOOKED_AT)):
        if is_imported(run):
            continue
        try:
            state, entries = await engine.replay(run.id)
            # Who asks this edits the graph, and a run of what is edited is a test run.
            new = engine.program(spec, production=False)
            found = await asyncio.to_thread(_of_run, run, state, entries, new, chosen, ancestors)
        except PyAgentError:
            # A run whose version cannot be read any more serves nobody.
            continue
        if best is None or _count(found) > _count(best):
            best = found
        if best.complete and best.reached:
            break
    if best is not None and (_count(best) or best.reached):
        return best
    missing = tuple(KeptNode(node=one, state="missing", step=None) for one in ancestors)
    return KeptData(node=chosen, run=None, reached=False, ancestors=missing)


def _count(found: KeptData) -> int:
    return sum(one.state == "kept" for one in found.ancestors)


def _of_run(
    run: Run, state: RunState, entries: Sequence[Entry], new: Program, node: str, ancestors: Sequence[str]
) -> KeptData:
    for entry in entries:
        state.apply(entry)
    changed = changed_nodes(state.program, new, tests=(not run.production, True))
    frame = state.frames.get("")
    steps = frame.steps if frame is not None else {}
    found: list[KeptNode] = []
    for one in ancestors:
        ended = [key for key in steps.get(one, ()) if state.outcomes[key].status == "completed"]
        kept: KeptState = "missing"
        if ended:
            kept = "stale" if any(follows(state, key, changed) for key in ended) else "kept"
        elif frame is not None and one in {skipped.node for skipped in frame.rules.skipped}:
            # The run did not come by there, and would not again.
            kept = "stale" if one in changed else "kept"
        found.append(KeptNode(node=one, state=kept, step=str(ended[-1]) if ended else None))
    reached = any(key.node == node and not key.frame for key in state.deliveries)
    return KeptData(node=node, run=run, reached=reached, ancestors=tuple(found))


__all__ = ["KeptData", "KeptNode", "kept_data"]
