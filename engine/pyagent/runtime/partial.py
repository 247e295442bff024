"""Partial runs: only one node and what leads to it take part (ADR 0020). Which those are is a function of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pyagent.errors import InputError, NotFound, Where
from pyagent.graph.problems import nearest
from pyagent.graph.spec import Edge, GraphSpec

if TYPE_CHECKING:
    from pyagent.store.base import Run

UNTIL = "pyagent.until"
"""The label under which a run keeps the node that it ends at, so that lists show it; its log is what decides."""


def until_of(run: Run) -> str:
    """The node at which the run ends; empty for a whole run."""
    return run.labels.get(UNTIL, "")


def labelled(labels: Mapping[str, str], until: str) -> dict[str, str]:
    """The labels of a run that ends at `until`; empty: of a whole one."""
    kept = {name: value for name, value in labels.items() if name != UNTIL}
    return {**kept, UNTIL: until} if until else kept


def outermost(graph: GraphSpec, node: str) -> str:
    """The node of the graph itself that `node` is, or in whose body it is. Raises `NotFound` (`run.until_unknown`)."""
    owners = {place.node.id: place.owner for place in graph.places()}
    if node not in owners:
        raise NotFound(
            f"the graph {graph.id} has no node {node!r}",
            code="run.until_unknown",
            hint=nearest(node, owners) or "`pyagent graph show` lists its nodes.",
            where=Where(node=node),
        )
    while (owner := owners[node]) is not None:
        node = owner
    return node


def leading_to(node: str, edges: Iterable[Edge]) -> set[str]:
    """The node and all from which a chain of edges leads to it, edges that return to a loop's header included."""
    before: dict[str, list[str]] = {}
    for edge in edges:
        before.setdefault(edge.target, []).append(edge.source)
    found, open_ = {node}, [node]
    while open_:
        for source in before.get(open_.pop(), ()):
            if source not in found:
                found.add(source)
                open_.append(source)
    return found


def unreached(graph: GraphSpec, trigger: str, until: str, leading: Sequence[str]) -> InputError:
    """The error of a partial run that could never come to its node; `leading` are the triggers that lead there."""
    said = f"from the trigger {trigger}" if trigger else "from where the graph begins"
    return InputError(
        f"no edges lead {said} to {until}",
        code="run.until_unreached",
        where=Where(node=until),
        hint=f"Start at {', '.join(leading)}."
        if leading
        else f"Connect {until}, so that the graph {graph.id} reaches it.",
    )
