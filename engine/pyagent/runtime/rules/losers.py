"""Losers (SEMANTICS 4): which running steps could only have fed a join that was met without them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyagent.runtime.rules.plan import NOWHERE, Plan, PlanEdge
from pyagent.runtime.rules.state import RUNNING, Iteration
from pyagent.runtime.rules.types import StepId


def losers(plan: Plan, scope: Iteration, node: int, running: Iterable[StepId]) -> list[StepId]:
    """The steps of `running` from which each way ends at `node` in `scope`, which has just run.

    What can start later and lead only there is marked as doomed in `scope`. The search goes backwards over edges
    that may still deliver, and stops where one way leads elsewhere: its cost is that of what it finds.
    """
    search = _Search(plan, scope)
    search.back_from(node)
    found: list[StepId] = []
    for feeder in search.here:
        if plan.is_header[feeder]:
            continue
        status = scope.status.get(feeder)
        if status is None:
            scope.doom((feeder,))
        elif status is RUNNING:
            found.append(StepId(plan.ids[feeder], scope.path))
    if search.inside:
        scope.doom(search.inside)
        path = scope.path
        names = {plan.ids[feeder] for feeder in search.inside}
        found += (step for step in running if step.node in names and step.scope[: len(path)] == path)
    return found


def is_doomed(scope: Iteration, node: int) -> bool:
    """Whether an earlier search found that `node` in `scope` can only feed what is ignored."""
    while node not in scope.doomed:
        if scope.loop is None:
            return False
        scope = scope.loop.outer
    return True


class _Search:
    """Counts, per node and per loop, the outgoing edges that lead only to the join."""

    def __init__(self, plan: Plan, scope: Iteration) -> None:
        self.plan = plan
        self.scope = scope
        self.depth = len(scope.path)
        self.here: dict[int, None] = {}
        """Nodes and headers directly in `scope` that lead only to the join."""
        self.inside: set[int] = set()
        """Nodes of inner loops that lead only to the join, in any iteration."""
        self.counted: dict[int, int] = {}
        self.counted_exits: dict[int, int] = {}

    def back_from(self, node: int) -> None:
        pending = [node]
        while pending:
            for edge in self.plan.incoming[pending.pop()]:
                if edge.source != NOWHERE:
                    pending.extend(self.feeders(edge))

    def feeders(self, edge: PlanEdge) -> Iterator[int]:
        """`edge` leads only to the join: what can do nothing else because of it, and is worth following."""
        plan = self.plan
        source = edge.source
        chain = plan.chain[source]
        for header in chain[len(chain) - edge.up :]:
            exits = self.counted_exits[header] = self.counted_exits.get(header, 0) + 1
            if exits == plan.exits(header) and not plan.has_ends(header):
                self.inside.update(map(plan.index.__getitem__, plan.topology.region(plan.ids[header])))
                yield from self.add(header, plan.chain[header][:-1])
        if not plan.is_header[source]:
            count = self.counted[source] = self.counted.get(source, 0) + 1
            if count == len(plan.outgoing[source]):
                yield from self.add(source, chain)

    def add(self, node: int, around: tuple[int, ...]) -> Iterator[int]:
        """A node or a whole loop leads only to the join; `around` are the loops it is in."""
        if len(around) > self.depth:
            if not self.plan.is_header[node]:
                self.inside.add(node)
            yield node
            return
        self.here[node] = None
        join = self.scope.joins.get(node)
        decided = node in self.scope.loops if self.plan.is_header[node] else node in self.scope.status
        if not decided or (join is not None and join.open):
            yield node
