"""The shape of a graph seen from a trigger: what is reached, dominators, loops and their regions (SEMANTICS 6, 8, 9).

Everything here is a function of the graph alone, iterative and O(edges × log nodes), so that graphs of tens of
thousands of nodes cost milliseconds. The checker explains errors with it, the rules run on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pyagent.errors import GraphError, Where

Edge = tuple[str, str, str]
"""`(source, source_port, target)`; an edge's index in the file's list is its identity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """A loop: a header, the edges that come back to it, and the region that iterates with it."""

    header: str
    """The node that dominates the whole region; it names the loop."""
    parent: str | None
    """Header of the loop whose region holds this one, or None."""
    depth: int
    """1 for an outermost loop; the length of a scope inside it."""
    entry_edges: tuple[int, ...]
    """Edges that enter at the header, from outside."""
    back_edges: tuple[int, ...]
    """Edges that return to the header from inside the region."""
    done_edges: tuple[int, ...]
    """Edges at the header's `done` port: they deliver once, when the loop has ended."""
    exit_edges: tuple[int, ...]
    """All other edges that leave the region."""
    children: int
    """How many nodes and inner loops are directly in the region, the header included."""


@dataclass(frozen=True, slots=True)
class EdgeRole:
    """What an edge is to the loops of the graph; several can be true of one edge."""

    back_of: str | None = None
    """Header of the loop whose next iteration it feeds."""
    enters: str | None = None
    """Header of the loop that it enters."""
    done_of: str | None = None
    """Header of the loop whose end makes it deliver."""
    leaves: tuple[str, ...] = ()
    """Headers of the loops it leaves, outermost first; a `done` edge leaves its own loop, too."""


class Topology:
    """The reached part of a graph, its dominators and loops. Immutable; build it with `build`.

    Nodes are named by id and edges by their index in the list that was given. Edges whose source the trigger
    does not reach take no part and have no role.
    """

    __slots__ = ("_chains", "_dominator", "_index", "_spans", "edges", "loop_of", "loops", "nodes", "roots")

    def __init__(
        self,
        *,
        roots: tuple[str, ...],
        nodes: tuple[str, ...],
        dominator: dict[str, str | None],
        loops: dict[str, Loop],
        loop_of: dict[str, str | None],
        edges: dict[int, EdgeRole],
    ) -> None:
        self.roots = roots
        """The trigger, or the nodes that an implicit trigger feeds."""
        self.nodes = nodes
        """Reached nodes in topological order (back edges not followed)."""
        self.loops: Mapping[str, Loop] = loops
        """Loops by header, outer ones before inner ones."""
        self.loop_of: Mapping[str, str | None] = loop_of
        """Header of the innermost region a node is in (a header is in its own), None outside of loops."""
        self.edges: Mapping[int, EdgeRole] = edges
        """Role of each edge that takes part, by its index."""
        self._index = {node: rank for rank, node in enumerate(nodes)}
        self._dominator = dominator
        self._spans: dict[str, tuple[int, int]] | None = None
        self._chains: dict[str | None, tuple[str, ...]] = {None: ()}
        for header, loop in loops.items():
            self._chains[header] = (*self._chains[loop.parent], header)

    @classmethod
    def build(
        cls,
        nodes: Sequence[str],
        edges: Sequence[Edge],
        trigger: str | Sequence[str],
        done_ports: Mapping[str, str | None] | None = None,
    ) -> Topology:
        """What `trigger` reaches in the graph of `nodes` and `edges`.

        `trigger` is a node id, or several: the nodes that an implicit trigger or a map's element feeds.
        `done_ports` names the port of a header that delivers when its loop has ended (default `done`; None: no
        such port).

        Raises `GraphError`: `graph.edge.unknown_node` for an edge or trigger that names no node,
        `graph.loop.irreducible` for a cycle entered at two places (details: `entries`, `entry_edges`, `cycle`),
        `graph.loop.done_returns` if `done` leads back into its own loop (details: `header`, `edge`).
        """
        return _Builder(nodes, edges, trigger, done_ports or {}).topology()

    def reaches(self, node: str) -> bool:
        """Whether the trigger reaches `node`."""
        return node in self._index

    def immediate_dominator(self, node: str) -> str | None:
        """The nearest other node that lies on every path from the trigger to `node`; None for roots."""
        return self._dominator[node]

    def dominates(self, above: str, node: str) -> bool:
        """Whether every path from the trigger to `node` goes through `above` (a node dominates itself)."""
        if self._spans is None:
            self._spans = self._dominator_spans()
        first, last = self._spans[above]
        return first <= self._spans[node][0] <= last

    def _dominator_spans(self) -> dict[str, tuple[int, int]]:
        """Per node its number in a walk down the tree of dominators, and the last number below it."""
        size = dict.fromkeys(self.nodes, 1)
        for node in reversed(self.nodes):
            above = self._dominator[node]
            if above is not None:
                size[above] += size[node]
        first: dict[str, int] = {}
        following: dict[str | None, int] = {None: 0}
        for node in self.nodes:
            above = self._dominator[node]
            first[node] = following[above]
            following[above] += size[node]
            following[node] = first[node] + 1
        return {node: (first[node], first[node] + size[node] - 1) for node in self.nodes}

    def loops_around(self, node: str) -> tuple[str, ...]:
        """Headers of the regions that hold `node`, outermost first; its scope has one number for each."""
        return self._chains[self.loop_of[node]]

    def region(self, header: str) -> tuple[str, ...]:
        """All nodes that iterate with the loop of `header`, inner loops included, in topological order."""
        place = self.loops[header].depth - 1
        chains = self._chains
        return tuple(
            node for node in self.nodes if len(chain := chains[self.loop_of[node]]) > place and chain[place] == header
        )


class _Builder:
    """Works on integers; index `len(nodes)` is a virtual root in front of the triggers."""

    def __init__(
        self,
        nodes: Sequence[str],
        edges: Sequence[Edge],
        trigger: str | Sequence[str],
        done_ports: Mapping[str, str | None],
    ) -> None:
        self.names = nodes
        self.given = edges
        index = {node: place for place, node in enumerate(nodes)}
        self.virtual = len(nodes)
        try:
            roots = (trigger,) if isinstance(trigger, str) else trigger
            self.roots = tuple(dict.fromkeys(index[root] for root in roots))
            self.source = [index[edge[0]] for edge in edges]
            self.target = [index[edge[2]] for edge in edges]
        except KeyError as missing:
            raise GraphError(
                f"no node has the id {missing.args[0]!r}",
                code="graph.edge.unknown_node",
                hint="Correct the id in `edges`, or add the node.",
                details={"node": missing.args[0]},
            ) from None
        self.outgoing: list[list[int]] = [[] for _ in range(self.virtual)]
        for edge, source in enumerate(self.source):
            self.outgoing[source].append(edge)
        self.is_done = [edge[1] == done_ports.get(edge[0], "done") for edge in edges]
        self.order = self._reverse_postorder()
        self.rank = [-1] * (self.virtual + 1)
        for place, node in enumerate(self.order):
            self.rank[node] = place

    def topology(self) -> Topology:
        """Put everything together, under the nodes' names."""
        incoming = self._forward_edges()
        self._dominators(incoming)
        back = [edge for edge in self._reached_edges() if self._retreats(edge)]
        for edge in back:
            if self._climb(self.source[edge], self.depth[self.target[edge]]) != self.target[edge]:
                raise self._irreducible()
        self._regions(incoming, headers={self.target[edge] for edge in back})
        for edge in back:
            self._check_done(edge)
        names, virtual = self.names, self.virtual
        order = tuple(names[node] for node in self.order if node != virtual)
        roles, loops = self._roles(set(back))
        return Topology(
            roots=tuple(names[root] for root in self.roots),
            nodes=order,
            dominator={
                names[node]: None if (above := self.above[node]) == virtual else names[above]
                for node in self.order
                if node != virtual
            },
            loops=loops,
            loop_of={names[node]: self._name(self.loop[node]) for node in self.order if node != virtual},
            edges=roles,
        )

    def _name(self, node: int) -> str | None:
        return None if node < 0 else self.names[node]

    def _reached_edges(self) -> Iterable[int]:
        return (edge for edge, source in enumerate(self.source) if self.rank[source] >= 0)

    def _retreats(self, edge: int) -> bool:
        return self.rank[self.target[edge]] <= self.rank[self.source[edge]]

    def _reverse_postorder(self) -> list[int]:
        """Depth first from the virtual root; the order is topological once retreating edges are left out."""
        seen = bytearray(self.virtual + 1)
        finished: list[int] = []
        stack: list[tuple[int, list[int]]] = [(self.virtual, list(self.roots))]
        seen[self.virtual] = 1
        while stack:
            node, rest = stack[-1]
            while rest:
                # From the end, so that the reversed order keeps siblings as they stand in the file.
                successor = rest.pop()
                if not seen[successor]:
                    seen[successor] = 1
                    stack.append((successor, [self.target[edge] for edge in self.outgoing[successor]]))
                    break
            else:
                finished.append(node)
                stack.pop()
        finished.reverse()
        return finished

    def _forward_edges(self) -> list[list[int]]:
        """Per node the incoming edges that do not retreat; -1 stands for the edge from the virtual root."""
        incoming: list[list[int]] = [[] for _ in range(self.virtual + 1)]
        for root in self.roots:
            incoming[root].append(-1)
        for edge in self._reached_edges():
            if not self._retreats(edge):
                incoming[self.target[edge]].append(edge)
        return incoming

    def _dominators(self, incoming: list[list[int]]) -> None:
        """One pass without the retreating edges: exact if each of them ends at a dominator of its source.

        And that is so exactly if the graph is reducible (Hecht and Ullman, 1974). `jump` holds skew-binary jump
        pointers (Myers, 1983), which find common dominators in O(log n) however deep the tree is.
        """
        size = self.virtual + 1
        self.above = [-1] * size
        self.depth = [0] * size
        self.jump = [self.virtual] * size
        above, depth, jump = self.above, self.depth, self.jump
        for node in self.order:
            if node == self.virtual:
                continue
            found = -1
            for edge in incoming[node]:
                source = self.source[edge] if edge >= 0 else self.virtual
                found = source if found < 0 else self._meet(found, source)
            above[node] = found
            depth[node] = depth[found] + 1
            far = jump[found]
            even = depth[found] - depth[far] == depth[far] - depth[jump[far]]
            jump[node] = jump[far] if even else found

    def _climb(self, node: int, depth: int) -> int:
        """The dominator of `node` at `depth`, or `node` itself if it is not deeper."""
        while self.depth[node] > depth:
            node = self.jump[node] if self.depth[self.jump[node]] >= depth else self.above[node]
        return node

    def _meet(self, one: int, other: int) -> int:
        """The deepest node that dominates both."""
        one, other = self._climb(one, self.depth[other]), self._climb(other, self.depth[one])
        while one != other:
            if self.jump[one] != self.jump[other]:
                one, other = self.jump[one], self.jump[other]
            else:
                one, other = self.above[one], self.above[other]
        return one

    def _regions(self, incoming: list[list[int]], headers: set[int]) -> None:
        """The innermost loop of each node.

        A node that a header dominates is in its region if no path from `done` leads to it, that is if all its
        forward edges come out of the region other than by `done`. Regions nest, so the loops of a node are those
        that all its forward edges come from: the lowest common one in the tree of loops.
        """
        size = self.virtual + 1
        self.loop = [-1] * size
        self.outer = [-1] * size
        self.level = [0] * size
        for node in self.order:
            if node == self.virtual:
                continue
            common = -2
            for edge in incoming[node]:
                inside = self._side(edge)
                common = inside if common == -2 else self._common_loop(common, inside)
            if node in headers:
                self.loop[node] = node
                self.outer[node] = common
                self.level[node] = 1 if common < 0 else self.level[common] + 1
            else:
                self.loop[node] = common

    def _side(self, edge: int) -> int:
        """The innermost loop in which an edge's deliveries are made; `done` delivers outside of its own."""
        if edge < 0:
            return -1
        source = self.source[edge]
        loop = self.loop[source]
        return self.outer[source] if loop == source and self.is_done[edge] else loop

    def _common_loop(self, one: int, other: int) -> int:
        while one != other:
            if one < 0 or other < 0:
                return -1
            if self.level[one] >= self.level[other]:
                one = self.outer[one]
            else:
                other = self.outer[other]
        return one

    def _check_done(self, edge: int) -> None:
        """Refuse a back edge that starts outside its header's region: only `done` leads out of it and back."""
        header = self.target[edge]
        inside = self._side(edge)
        while inside >= 0 and inside != header:
            inside = self.outer[inside]
        if inside == header:
            return
        name = self.names[header]
        source, port, _ = self.given[edge]
        raise GraphError(
            f"the `done` port of {name} leads back to {name}, by {source}.{port} -> {name}",
            code="graph.loop.done_returns",
            hint="What leaves by `done` comes after the loop: use another port for what goes round again.",
            where=Where(node=name),
            details={"header": name, "edge": edge},
        )

    def _roles(self, back: set[int]) -> tuple[dict[int, EdgeRole], dict[str, Loop]]:
        names = self.names
        chains: dict[int, tuple[str, ...]] = {-1: ()}
        headers = [node for node in self.order if node != self.virtual and self.loop[node] == node]
        for header in headers:
            chains[header] = (*chains[self.outer[header]], names[header])
        children = dict.fromkeys(headers, 0)
        for node in self.order:
            if node == self.virtual:
                continue
            children_of = self.loop[node]
            if children_of >= 0:
                children[children_of] += 1
            if children_of == node and self.outer[node] >= 0:
                children[self.outer[node]] += 1
        kinds: dict[str, dict[int, list[int]]] = {
            kind: {header: [] for header in headers} for kind in ("entry", "back", "done", "exit")
        }
        roles: dict[int, EdgeRole] = {}
        plain = EdgeRole()
        for edge in self._reached_edges():
            source, target = self.source[edge], self.target[edge]
            is_header = self.loop[target] == target
            arrives = self.loop[target] if not is_header or edge in back else self.outer[target]
            from_loop = self.loop[source]
            done = from_loop == source and self.is_done[edge]
            leaves = chains[from_loop][len(chains[arrives]) :] if from_loop != arrives else ()
            if not is_header and not leaves:
                roles[edge] = plain
                continue
            roles[edge] = EdgeRole(
                back_of=names[target] if edge in back else None,
                enters=names[target] if is_header and edge not in back else None,
                done_of=names[source] if done else None,
                leaves=leaves,
            )
            if is_header:
                kinds["back" if edge in back else "entry"][target].append(edge)
            if done:
                kinds["done"][source].append(edge)
            left = self.outer[source] if done else from_loop
            while left != arrives:
                kinds["exit"][left].append(edge)
                left = self.outer[left]
        loops = {
            names[header]: Loop(
                header=names[header],
                parent=self._name(self.outer[header]),
                depth=self.level[header],
                entry_edges=tuple(kinds["entry"][header]),
                back_edges=tuple(kinds["back"][header]),
                done_edges=tuple(kinds["done"][header]),
                exit_edges=tuple(kinds["exit"][header]),
                children=children[header],
            )
            for header in headers
        }
        return roles, loops

    def _irreducible(self) -> GraphError:
        """Say where the cycle is entered: a strong component once all true back edges are gone."""
        # Only this error needs a general algorithm, and importing networkx costs more than a whole build.
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_edges_from((self.virtual, root) for root in self.roots)
        graph.add_edges_from((self.source[edge], self.target[edge]) for edge in self._reached_edges())
        above = cast("dict[int, int]", nx.immediate_dominators(graph, self.virtual))  # pyright: ignore[reportUnknownMemberType]

        def dominates(header: int, node: int | None) -> bool:
            while node is not None and node != header:
                following = above.get(node)
                node = None if following == node else following
            return node == header

        retreating = [edge for edge in self._reached_edges() if self._retreats(edge)]
        true_back = {
            (self.source[edge], self.target[edge])
            for edge in retreating
            if dominates(self.target[edge], self.source[edge])
        }
        graph.remove_edges_from(true_back)
        cycle = next(part for part in nx.strongly_connected_components(graph) if len(part) > 1)
        entry_edges = [
            edge
            for edge in self._reached_edges()
            if self.target[edge] in cycle
            and self.source[edge] not in cycle
            and (self.source[edge], self.target[edge]) not in true_back
        ]
        inside = [node for node in self.order if node in cycle]
        entered = {self.target[edge] for edge in entry_edges} | (set(self.roots) & cycle)
        entries = [self.names[node] for node in inside if node in entered]
        return GraphError(
            f"a cycle is entered at several nodes: {', '.join(entries)}",
            code="graph.loop.irreducible",
            hint="Let one node be the loop's header: lead all edges from outside to it.",
            where=Where(node=entries[0]),
            details={
                "entries": entries,
                "entry_edges": entry_edges,
                "cycle": [self.names[node] for node in inside],
            },
        )
