"""The static side of the rules: a graph version and trigger, compiled to arrays that frames walk along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyagent.graph.topology import EdgeRole, Topology
from pyagent.runtime.rules.reach import Reach
from pyagent.runtime.rules.types import INPUT, Delivery, EdgeRule, NodeRule, Ready, StepId

NOWHERE = -1
"""In place of a node's index: the virtual source in front of the roots, or no loop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanEdge:
    """An edge that takes part; nodes are indexes into the plan's arrays."""

    index: int
    """Place in the file; `INPUT` for the virtual source's edges."""
    port: str
    source: int
    target: int
    up: int = 0
    """How many iterations of the source's scope its deliveries leave."""
    back: bool = False
    """It feeds the next iteration of its target."""
    done: bool = False
    """It delivers when the loop of its source has ended."""
    closed_by: int = NOWHERE
    """Header of the outermost loop it leaves, at whose end it closes; else it closes with its source."""


class Straight(NamedTuple):
    """An edge outside loops to a node that nothing else leads to: what it brings about is the same in each frame."""

    port: str
    target: int
    ready: Ready


class Plan:
    """What the rules need to know of a graph version and a trigger: static, immutable, shared between runs.

    Build it with `Plan.build`. The public parts are `topology`, `edges` (the file's list) and `roots`; the arrays
    are for the modules of this package.
    """

    __slots__ = (
        "_ends",
        "_reach",
        "at_end",
        "back_sources",
        "chain",
        "children",
        "edges",
        "hopeless",
        "ids",
        "incoming",
        "index",
        "is_header",
        "need",
        "outgoing",
        "root_edges",
        "roots",
        "rules",
        "simple",
        "starts",
        "steps",
        "straight",
        "topology",
    )

    def __init__(self, topology: Topology, rules: dict[str, NodeRule], edges: tuple[EdgeRule, ...]) -> None:
        self._ends: set[int] | None = None
        self._reach: Reach | None = None
        self.topology = topology
        """Reached nodes, dominators, loops."""
        self.edges = edges
        """The file's edges, those that take no part included."""
        self.roots = topology.roots
        """The nodes that the frame's input feeds."""
        self.ids = topology.nodes
        self.index = {node: place for place, node in enumerate(self.ids)}
        self.rules = tuple(rules[node] for node in self.ids)
        index = self.index
        self.is_header = bytearray(node in topology.loops for node in self.ids)
        self.chain = [tuple(index[header] for header in topology.loops_around(node)) for node in self.ids]
        self.children = {index[header]: loop.children for header, loop in topology.loops.items()}
        self.back_sources = {
            index[header]: [index[edges[edge].source] for edge in loop.back_edges]
            for header, loop in topology.loops.items()
        }
        self._connect()
        self.need = [0 if rule.join.kind == "all" else max(1, rule.join.count) for rule in self.rules]
        self.hopeless: dict[int, list[int]] = {}
        """By loop: nodes whose `N of M` can never be met, since edges from what is not reached do not count."""
        for node, need in enumerate(self.need):
            if need > len(self.incoming[node]):
                self.hopeless.setdefault(self.home(node), []).append(node)
        # A target of one edge that closes as it delivers needs no bookkeeping: it runs or is skipped at once.
        self.simple = bytearray(
            len(edges) == 1 and need < 2 and (edges[0].closed_by == NOWHERE or (edges[0].done and not need))
            for edges, need in zip(self.incoming, self.need, strict=True)
        )
        self.steps = [StepId(node) for node in self.ids]
        """Per node its step outside loops: one object for all frames."""
        self.straight: list[tuple[Straight, ...] | None] = [
            self._straight(edges) if not self.chain[node] else None for node, edges in enumerate(self.outgoing)
        ]
        """Per node its outgoing edges, if all of them are straight."""
        self.starts = None if NOWHERE in self.hopeless else self._straight(self.root_edges)
        """What starts with a frame, if that is the same in each frame."""

    def _straight(self, edges: Sequence[PlanEdge]) -> tuple[Straight, ...] | None:
        """These edges, whose sources are in no loop, if all of them are straight."""
        found: list[Straight] = []
        for edge in edges:
            target = edge.target
            if self.rules[target].cancel_losers or self.is_header[target] or not self.simple[target]:
                return None
            source = StepId("") if edge.source == NOWHERE else self.steps[edge.source]
            found.append(Straight(edge.port, target, Ready(self.steps[target], (Delivery(edge.index, source),))))
        return tuple(found)

    @property
    def reach(self) -> Reach:
        """Which nodes lead to which; built at the first use."""
        if self._reach is None:
            self._reach = Reach(self)
        return self._reach

    def home(self, node: int) -> int:
        """The loop in whose iterations the node's join is met: for a header, the one around its own."""
        chain = self.chain[node]
        inside = len(chain) - self.is_header[node]
        return chain[inside - 1] if inside else NOWHERE

    @classmethod
    def build(cls, nodes: Sequence[NodeRule], edges: Sequence[EdgeRule], triggers: Sequence[str]) -> Plan:
        """The plan of the graph of `nodes` and `edges` (in the file's order) for `triggers`.

        `triggers` is usually one node id. Several are the roots that an implicit trigger (rule 6) or a map's
        element (rule 15) feeds: a virtual source delivers the frame's input to each.

        Raises `GraphError` as `Topology.build` does.
        """
        topology = Topology.build(
            [node.id for node in nodes],
            [(edge.source, edge.source_port, edge.target) for edge in edges],
            triggers,
            {node.id: node.done_port for node in nodes},
        )
        return cls(topology, {node.id: node for node in nodes}, tuple(edges))

    def exits(self, header: int) -> int:
        """How many edges leave the loop, `done` included."""
        loop = self.topology.loops[self.ids[header]]
        return len(loop.exit_edges) + len(loop.done_edges)

    def has_ends(self, header: int) -> bool:
        """Whether something in the loop leads nowhere: a node without outgoing edges, an inner loop without exits."""
        if self._ends is None:
            self._ends = set()
            for node, edges in enumerate(self.outgoing):
                if not edges or (self.is_header[node] and not self.exits(node)):
                    self._ends.update(self.chain[node])
        return header in self._ends

    def _connect(self) -> None:
        """Fill the arrays of edges.

        `outgoing`: per source, in the file's order. `incoming`: per target without back edges, the virtual
        source's included. `at_end`: per header what to look at when its loop has ended, in the file's order.
        """
        size = len(self.ids)
        outgoing: list[list[PlanEdge]] = [[] for _ in range(size)]
        incoming: list[list[PlanEdge]] = [[] for _ in range(size)]
        at_end: dict[int, list[PlanEdge]] = {header: [] for header in self.children}
        root_edges: list[PlanEdge] = []
        for root in self.roots:
            edge = PlanEdge(index=INPUT, port="", source=NOWHERE, target=self.index[root])
            root_edges.append(edge)
            incoming[edge.target].append(edge)
        for place, role in self.topology.edges.items():
            edge = self._edge(place, role)
            outgoing[edge.source].append(edge)
            if not edge.back:
                incoming[edge.target].append(edge)
            if edge.closed_by != NOWHERE:
                at_end[edge.closed_by].append(edge)
            if edge.done and edge.closed_by != edge.source:
                at_end[edge.source].append(edge)
        for edges in at_end.values():
            edges.sort(key=lambda edge: edge.index)
        self.root_edges = tuple(root_edges)
        self.outgoing = [tuple(edges) for edges in outgoing]
        self.incoming = [tuple(edges) for edges in incoming]
        self.at_end = {header: tuple(edges) for header, edges in at_end.items()}

    def _edge(self, place: int, role: EdgeRole) -> PlanEdge:
        rule = self.edges[place]
        return PlanEdge(
            index=place,
            port=rule.source_port,
            source=self.index[rule.source],
            target=self.index[rule.target],
            up=len(role.leaves),
            back=role.back_of is not None,
            done=role.done_of is not None,
            closed_by=self.index[role.leaves[0]] if role.leaves else NOWHERE,
        )
