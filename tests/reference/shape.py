"""What a graph is before it runs: reachability, dominators, loops and regions, by their naive definitions.

Places where the text needs an interpretation (the rule, then how it is read here):

* "Only what the trigger reaches takes part; edges from elsewhere do not count" (6). An edge counts if its source is
  reached. N of `N of M` stays as written, so a join may be one that can never be met.
* "A graph without a trigger node has an implicit manual one that feeds every node without incoming edges" (6).
  There may be several starting nodes; they are dominated by an invisible root that all of them hang from.
* "the header's `done` port" (9, 11). Only a header has one; on any other node `done` is a port like all others.
* "that the header's `done` port does not lead to (back edges not followed)" (9). No back edge at all is followed, the
  edge that sits on the `done` port itself included (it may be a back edge of an outer loop).
* "a `done` port that leads back to its own header, other loops' back edges not followed" (11). The header's own back
  edges are followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A node; `join` is `all`, `any` or a number N of `N of M`."""

    id: str
    join: str | int = "all"
    max: int | None = 1000
    losers: bool = False
    done: str | None = "done"


@dataclass(frozen=True)
class Edge:
    """An edge of the file."""

    source: str
    port: str
    target: str


@dataclass(frozen=True)
class Graph:
    """Nodes and edges in the order of the file, and the nodes that a run starts at."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    triggers: tuple[str, ...]


class Refused(Exception):
    """The graph breaks a rule; `code` is that of `graph check`."""

    def __init__(self, code: str, node: str) -> None:
        super().__init__(f"{code}: {node}")
        self.code = code
        self.node = node


def flood(starts: Iterable[str], steps: Iterable[tuple[str, str]]) -> set[str]:
    """All that can be reached from `starts` by the pairs `steps`, the starts included."""
    pairs = list(steps)
    found = set(starts)
    while True:
        more = {target for source, target in pairs if source in found} - found
        if not more:
            return found
        found |= more


class Shape:
    """The graph as one trigger sees it. Raises `Refused` for a graph that has no meaning."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.node = {node.id: node for node in graph.nodes}
        everything = [(edge.source, edge.target) for edge in graph.edges]
        reached = flood(graph.triggers, everything)
        self.nodes = [node.id for node in graph.nodes if node.id in reached]
        self.edges = [index for index, edge in enumerate(graph.edges) if edge.source in reached]
        self.pairs = {index: everything[index] for index in self.edges}

        # A dominator of a node: without it, the node cannot be reached (and each node is one of its own).
        self.dominators: dict[str, set[str]] = {name: {name} for name in self.nodes}
        for removed in self.nodes:
            rest = [pair for pair in self.pairs.values() if removed not in pair]
            left = flood([name for name in graph.triggers if name != removed], rest)
            for name in self.nodes:
                if name not in left:
                    self.dominators[name].add(removed)

        # Rule 8.
        self.back = {i for i, (source, target) in self.pairs.items() if target in self.dominators[source]}
        self.forward = {i: pair for i, pair in self.pairs.items() if i not in self.back}
        for name in self.nodes:
            followers = [target for source, target in self.forward.values() if source == name]
            if name in flood(followers, self.forward.values()):
                raise Refused("graph.loop.irreducible", name)
        self.headers = [name for name in self.nodes if any(self.pairs[i][1] == name for i in self.back)]

        # Rules 9 and 11.
        self.region: dict[str, set[str]] = {}
        for header in self.headers:
            own = [self.pairs[i] for i in self.back if self.pairs[i][1] == header]
            done = [
                self.pairs[i][1]
                for i in self.edges
                if self.is_done(i) and self.pairs[i][0] == header and (i in self.forward or self.pairs[i] in own)
            ]
            if header in flood(done, [*self.forward.values(), *own]):
                raise Refused("graph.loop.done_returns", header)
            backwards = [(target, source) for source, target in self.pairs.values() if target != header]
            cycle = {header} | flood([source for source, _ in own], backwards)
            led_to = flood(done, self.forward.values())
            dominated = {name for name in self.nodes if header in self.dominators[name]}
            self.region[header] = cycle | (dominated - led_to)

        # The loops a node is in, outermost first: of two headers that dominate it, one dominates the other.
        self.path = {
            name: tuple(
                sorted(
                    (header for header in self.headers if name in self.region[header]),
                    key=lambda header: len(self.dominators[header]),
                )
            )
            for name in self.nodes
        }

    def is_done(self, edge: int) -> bool:
        """Whether the edge hangs on the `done` port of a header."""
        source = self.graph.edges[edge].source
        return source in self.headers and self.graph.edges[edge].port == self.node[source].done

    def incoming(self, name: str) -> list[int]:
        """The edges that meet by the node's join: all that count, a header's back edges left out."""
        return [i for i in self.edges if self.pairs[i][1] == name and i not in self.back]

    def returning(self, header: str) -> list[int]:
        """The header's back edges."""
        return [i for i in self.edges if self.pairs[i][1] == header and i in self.back]

    def outgoing(self, name: str) -> list[int]:
        """The node's outgoing edges in the order of the file."""
        return [i for i in self.edges if self.pairs[i][0] == name]

    def outside(self, name: str) -> tuple[str, ...]:
        """The loops in which the node's join is met: for a header, those around its own."""
        return self.path[name][:-1] if name in self.headers else self.path[name]

    def shared(self, edge: int) -> int:
        """How many loops, from the outermost, the two ends of an edge are in together."""
        source, target = (self.path[name] for name in self.pairs[edge])
        count = 0
        while count < min(len(source), len(target)) and source[count] == target[count]:
            count += 1
        return count
