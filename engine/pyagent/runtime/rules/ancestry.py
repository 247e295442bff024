"""Ancestors (SEMANTICS 27): which steps lead to a step, and which of them `$('Node')` reads.

A chain of edges leads from one step to another, each delivered or closed when its target started. Where all joins on
the way wait for all their edges, each edge of the graph is such a link: sets of nodes, computed once for a plan as
bits of an integer, answer without a search. Joins that run early (`any`, `N of M`) leave edges out; if one lies on
the way, the links that the frame remembers are followed back.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyagent.runtime.rules.plan import NOWHERE, Plan
from pyagent.runtime.rules.state import ENDED, Iteration

Path = tuple[int, ...]
Place = tuple[int, Path]
"""A node's index and a scope; a header's entry has the scope around its loop."""


class Ancestry:
    """Answers for one frame, whose outermost scope is `root`."""

    __slots__ = ("_plan", "_root")

    def __init__(self, plan: Plan, root: Iteration) -> None:
        self._plan = plan
        self._root = root

    def resolve(self, reader: Place, node: int) -> Path | None:
        """The scope of the step of `node` that `reader` reads, or None.

        Of its ancestors those that share the longest part of its scope, of these the latest iteration.
        """
        if self._is_certain(reader, node):
            return reader[1][: len(self._plan.chain[node])]
        if self._plan.reach.may_be_partial(node, reader[0]):
            return self._resolve_by_search(reader, node)
        chain = self._plan.chain[node]
        common = self._common(node, reader[0])
        for shared in range(common, -1, -1):
            # Asked first as if each loop had gone on: saves looking at each iteration in vain.
            if self._leads(node, None, reader, shared, common):
                for path in self._paths(chain, reader[1], shared, common):
                    if self._has_ended(node, path) and self._leads(node, path, reader, shared, common):
                        return path
        return None

    def is_ancestor(self, place: Place, reader: Place) -> bool:
        """Whether a chain leads from the ended step at `place` to the started one of `reader`."""
        node, path = place
        if place == reader or not self._has_ended(node, path):
            return False
        common = self._common(node, reader[0])
        shared = 0
        while shared < common and path[shared] == reader[1][shared]:
            shared += 1
        if shared < common and path[shared] > reader[1][shared]:
            return False
        if not self._leads(node, path, reader, shared, common):
            return False
        if not self._plan.reach.may_be_partial(node, reader[0]):
            return True
        return any(found == place for found in self._search(reader))

    def latest(self, node: int) -> Path | None:
        """The scope of the latest step of `node` that has ended, in the order of iterations."""
        paths = self._paths(self._plan.chain[node], (), 0, 0)
        return next((path for path in paths if self._has_ended(node, path)), None)

    # Without a search -------------------------------------------------------------------------------------------

    def _common(self, one: int, other: int) -> int:
        """In how many loops both nodes are."""
        count = 0
        for mine, theirs in zip(self._plan.chain[one], self._plan.chain[other], strict=False):
            if mine != theirs:
                break
            count += 1
        return count

    def _is_certain(self, reader: Place, node: int) -> bool:
        """Whether `node` is on every way to the reader in the iterations that both are in: the usual case."""
        plan = self._plan
        depth = len(plan.chain[node])
        return (
            node != reader[0]
            and plan.chain[reader[0]][:depth] == plan.chain[node]
            and plan.topology.dominates(plan.ids[node], plan.ids[reader[0]])
            and self._has_ended(node, reader[1][:depth])
        )

    def _leads(self, node: int, path: Path | None, reader: Place, shared: int, common: int) -> bool:
        """Whether a chain leads from the step to `reader`, of whose scope it shares just `shared` numbers.

        The chain leaves the loops around `node` one by one, inner ones first, going round where it can. Having gone
        round once it goes on from the header, which leads to all that anything in the loop leads to. With `path`
        None each loop is taken to have gone on.
        """
        plan, reach = self._plan, self._plan.reach
        chain = plan.chain[node]
        wraps = shared < common
        at = node
        for depth in range(len(chain) - 1, shared - (not wraps), -1):
            header = chain[depth]
            if reach.returns(at, header) and (path is None or self._went_on(chain, path, depth)):
                at = header
        if wraps:
            return reach.returns(at, chain[shared])
        around = plan.chain[reader[0]]
        return reach.leads(at, around[common] if len(around) > common else reader[0])

    def _went_on(self, chain: tuple[int, ...], path: Path, depth: int) -> bool:
        """Whether there was an iteration after the one at `depth` in `path`."""
        scope = self._scope(chain[:depth], path[:depth])
        return scope is not None and path[depth] < len(scope.loops[chain[depth]].iterations)

    def _paths(self, chain: tuple[int, ...], reader: Path, shared: int, common: int) -> Iterator[Path]:
        """Scopes inside the loops of `chain` that share just `shared` numbers with `reader`, latest first."""
        start = self._scope(chain[:shared], reader[:shared])
        if start is None:
            return
        if shared == len(chain):
            yield start.path
            return
        latest = reader[shared] - 1 if shared < common else None
        stack = [self._downwards(start, chain[shared], latest)]
        while stack:
            scope = next(stack[-1], None)
            if scope is None:
                stack.pop()
            elif len(scope.path) == len(chain):
                yield scope.path
            else:
                stack.append(self._downwards(scope, chain[len(scope.path)], None))

    @staticmethod
    def _downwards(scope: Iteration, header: int, latest: int | None) -> Iterator[Iteration]:
        loop = scope.loops.get(header)
        if loop is None:
            return iter(())
        return reversed(loop.iterations if latest is None else loop.iterations[:latest])

    def _scope(self, chain: tuple[int, ...], path: Path) -> Iteration | None:
        scope = self._root
        for header, number in zip(chain, path, strict=True):
            loop = scope.loops.get(header)
            if loop is None or number > len(loop.iterations):
                return None
            scope = loop.iterations[number - 1]
        return scope

    def _has_ended(self, node: int, path: Path) -> bool:
        chain = self._plan.chain[node]
        scope = self._scope(chain, path) if len(chain) == len(path) else None
        return scope is not None and scope.status.get(node) is ENDED

    # By a search ------------------------------------------------------------------------------------------------

    def _resolve_by_search(self, reader: Place, node: int) -> Path | None:
        best: tuple[int, Path] | None = None
        for found, path in self._search(reader):
            if found == node:
                shared = 0
                for mine, theirs in zip(path[: self._common(node, reader[0])], reader[1], strict=False):
                    if mine != theirs:
                        break
                    shared += 1
                best = max(best or (-1, ()), (shared, path))
        return best[1] if best is not None else None

    def _search(self, reader: Place) -> Iterator[Place]:
        """All ancestors of `reader`, following the links back from it."""
        seen: set[Place] = {reader}
        stack = [reader]
        while stack:
            for link in self._links(*stack.pop()):
                if link not in seen:
                    seen.add(link)
                    stack.append(link)
                    if self._has_ended(*link):
                        yield link

    def _links(self, node: int, path: Path) -> Iterator[Place]:
        """The sources of the edges into a node that were delivered or closed when it started, or was skipped."""
        plan = self._plan
        chain = plan.chain[node]
        if plan.is_header[node] and len(path) == len(chain):
            if path[-1] > 1:
                before = self._scope(chain, (*path[:-1], path[-1] - 1))
                for source in plan.back_sources[node]:
                    yield from self._sources(source, before)
                return
            path = path[:-1]
        scope = self._scope(chain[: len(path)], path)
        if scope is None:
            return
        join = scope.joins.get(node)
        for edge in plan.incoming[node]:
            if edge.source == NOWHERE:
                continue
            if join is None or edge.index in join.closed:
                yield from self._sources(edge.source, scope)
            else:
                for delivery in join.deliveries:
                    if delivery.edge == edge.index:
                        yield edge.source, delivery.source.scope

    def _sources(self, source: int, scope: Iteration | None) -> Iterator[Place]:
        """All steps of `source` in `scope` or in loops inside it; the entry of a loop that was never entered."""
        chain = self._plan.chain[source]
        stack = [scope]
        while stack:
            scope = stack.pop()
            if scope is None:
                continue
            depth = len(scope.path)
            if depth == len(chain):
                yield source, scope.path
            elif chain[depth] in scope.loops:
                stack.extend(scope.loops[chain[depth]].iterations)
            else:
                yield chain[depth], scope.path
