"""Hypothesis strategies for graphs, and for what their steps do and the order in which they end.

`plays()` gives valid graphs in two ways: composed of blocks as people draw them (with extra edges thrown in), and as
a random forward graph with back edges from random nodes to what dominates them, which reaches every reducible shape.
`any_graphs()` gives graphs that may be refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from reference.interpreter import Entry, Step
from reference.shape import Edge, Graph, Node, Refused, Shape

Tail = tuple[str, str]
Whole = Callable[[int], int]
"""Draws a whole number from 0 to one less than what is given; 0 is the simplest."""


@dataclass(frozen=True)
class Play:
    """A graph and all that chance decides in a run of it."""

    graph: Graph
    emits: dict[Tail, int]
    """By node and port: bit n says whether the port delivers in a step of age n."""
    says_more: dict[str, int]
    """By node: bit n says whether a step of age n says that it has more; only a header's word counts."""
    fails: frozenset[Step]
    """Steps whose only try fails."""
    max_steps: int
    """How many steps the run may have."""
    order: int
    """Which running step ends next, as digits of a mixed radix; 0 is: the one that started first."""

    def entry(self, step: Step) -> Entry:
        """How a step ends. Its age is the number of iterations before it in all its loops, so that loops end."""
        name, scope = step
        age = sum(scope) - len(scope)
        ports = sorted({edge.port for edge in self.graph.edges if edge.source == name})
        delivers = [port for port in ports if self.emits.get((name, port), 0) >> age & 1]
        # An empty port and a missing one are the same (rule 2): say it either way.
        counts = {port: (1 + age if port in delivers else 0) for port in ports if port in delivers or port < "n"}
        return Entry(step, counts, bool(self.says_more.get(name, 0) >> age & 1))

    def chooser(self) -> Callable[[list[Step]], Step]:
        """A function that says which of the running steps ends next, one choice after the other."""
        rest = self.order

        def choose(running: list[Step]) -> Step:
            nonlocal rest
            rest, digit = divmod(rest, len(running))
            return running[digit]

        return choose


class Blocks:
    """A graph composed of sequences, branches and loops; a block takes loose ends and leaves loose ends."""

    def __init__(self, whole: Whole, size: int) -> None:
        self.whole = whole
        self.left = size
        self.names: list[str] = []
        self.edges: list[Edge] = []
        self.races: set[str] = set()
        """Nodes with `join: any` and `losers: cancel`."""

    def node(self, entries: list[Tail]) -> str:
        """A new node that all the loose ends lead to."""
        name = f"n{len(self.names)}"
        self.names.append(name)
        self.left -= 1
        self.edges += [Edge(source, port, name) for source, port in entries]
        return name

    def block(self, entries: list[Tail], depth: int) -> list[Tail]:
        """Some block; at least one node."""
        kind = self.whole(7) if depth and self.left > 1 else 0
        blocks = [self.step, self.branches, self.loop, self.batches, self.sequence, self.side, self.race]
        return blocks[kind](entries, depth - 1)

    def step(self, entries: list[Tail], depth: int) -> list[Tail]:
        """One node, perhaps one that loops to itself."""
        name = self.node(entries)
        if self.whole(6) == 5:
            self.edges.append(Edge(name, "again", name))
        return [(name, "out")]

    def sequence(self, entries: list[Tail], depth: int) -> list[Tail]:
        """Two blocks, one after the other."""
        return self.block(self.block(entries, depth), depth)

    def branches(self, entries: list[Tail], depth: int) -> list[Tail]:
        """A node with two or three branches, some of them bare edges; they meet or stay apart."""
        name = self.node(entries)
        ends: list[Tail] = []
        for port in ["x", "y", "z"][: 2 + self.whole(2)]:
            ends += self.block([(name, port)], depth) if self.whole(4) else [(name, port)]
        return [(self.node(ends), "out")] if self.whole(3) else ends

    def race(self, entries: list[Tail], depth: int) -> list[Tail]:
        """Branches of which the first to come wins, some of them a step only; the others are cancelled."""
        name = self.node(entries)
        slow = [self.block, self.loop][self.whole(2)]
        ends = self.step([(name, "x")], depth) + slow([(name, ["x", "y"][self.whole(2)])], depth)
        meeting = self.node(ends)
        self.races.add(meeting)
        return [(meeting, "out")]

    def side(self, entries: list[Tail], depth: int) -> list[Tail]:
        """A node with a branch that leads nowhere."""
        name = self.node(entries)
        self.block([(name, "out")], depth)
        return [(name, "out")]

    def loop(self, entries: list[Tail], depth: int) -> list[Tail]:
        """A loop by hand: the ends of its body go back, leave, or both."""
        header = self.node(entries)
        leaves: list[Tail] = []
        ends = self.block([(header, "out")], depth)
        for number, (source, port) in enumerate(ends):
            choice = self.whole(3)
            if number == 0 or choice:
                self.edges.append(Edge(source, "again", header))
            if number == 0 or choice != 1:
                leaves.append((source, port))
        return leaves

    def batches(self, entries: list[Tail], depth: int) -> list[Tail]:
        """A header with `loop` and `done`."""
        header = self.node(entries)
        for source, port in self.block([(header, "loop")], depth):
            self.edges.append(Edge(source, port, header))
        return [(header, "done")]


def composed(whole: Whole) -> tuple[list[Node], list[Edge], int]:
    """Nodes and edges of composed blocks and a few more edges; the third part is how many nodes are triggers."""
    blocks = Blocks(whole, 4 + whole(10))
    blocks.node([])
    ends: list[Tail] = [("n0", "out")]
    while blocks.left > 0:
        ends = blocks.block(ends, 3)
    for _ in range(whole(4)):
        source, target = (blocks.names[whole(len(blocks.names))] for _ in range(2))
        if target != "n0":
            blocks.edges.append(Edge(source, ["out", "x", "done"][whole(3)], target))
    race = {name: Node(name, join="any", losers=True) for name in blocks.races}
    return [race.get(name, Node(name)) for name in blocks.names], blocks.edges, 1


def reducible(whole: Whole) -> tuple[list[Node], list[Edge], int]:
    """A random forward graph and back edges to dominators; several triggers now and then."""
    size = 2 + whole(10)
    triggers = 1 + (whole(5) == 4)
    names = [f"n{number}" for number in range(size)]
    dominators: list[set[int]] = []
    edges: list[Edge] = []
    for number in range(size):
        over: set[int] | None = None
        for _ in range([1, 1, 2, 2, 3][whole(5)] if number >= triggers else 0):
            parent = number - 1 - whole(min(number, 5))
            edges.append(Edge(names[parent], ["out", "x", "y", "done"][whole(4)], names[number]))
            over = dominators[parent] if over is None else over & dominators[parent]
        dominators.append({number} | (over or set()))
    for _ in range(whole(5)):
        source = triggers + whole(size - triggers) if size > triggers else 0
        above = sorted(target for target in dominators[source] if target >= triggers)
        if above:
            target = above[whole(len(above))]
            edges.append(Edge(names[source], ["again", "out", "x"][whole(3)], names[target]))
    return [Node(name) for name in names], edges, triggers


def mended(nodes: list[Node], edges: list[Edge], triggers: int) -> Graph:
    """The graph without the edges that make it invalid: later edges go first, `done` becomes another port."""
    while True:
        graph = Graph(tuple(nodes), tuple(edges), tuple(node.id for node in nodes[:triggers]))
        try:
            Shape(graph)
        except Refused as refused:
            if refused.code == "graph.loop.done_returns":
                edges = [
                    replace(edge, port="loop") if (edge.source, edge.port) == (refused.node, "done") else edge
                    for edge in edges
                ]
            else:
                edges = edges[:-1]
        else:
            return graph


def dressed(whole: Whole, graph: Graph, stray: bool) -> Play:
    """The graph with joins, limits, an order of its edges and a part that the trigger does not reach; and a play."""
    nodes = list(graph.nodes)
    edges = list(graph.edges)
    if stray:
        target = nodes[-1].id
        nodes.append(Node("stray"))
        edges.append(Edge("stray", "out", target))
        edges.append(Edge("stray", "again", "stray"))
    if shuffle := whole(8):
        random.Random(shuffle).shuffle(edges)
    full = Graph(tuple(nodes), tuple(edges), graph.triggers)
    shape = Shape(full)
    known: list[Node] = []
    for node in nodes:
        # Edges from what is not reached are in M as it is written: such a join may be one that can never be met.
        counted = [i for i, edge in enumerate(edges) if edge.target == node.id and i not in shape.back]
        if not node.losers and (len(counted) > 1 or (counted and whole(8) == 7)):
            kind = whole(4)
            join = "all" if kind < 2 else "any" if kind == 2 else 1 + whole(len(counted))
            node = replace(node, join=join, losers=kind >= 2 and bool(whole(3)))
        if node.id in shape.headers:
            node = replace(node, max=[1000, None, 1000, None, 4, 3, 2, 1][whole(8)])
        known.append(node)
    ports = sorted({(edge.source, edge.port) for edge in edges})
    looping = [name for name in shape.nodes if shape.path[name]]
    emits = {tail: [7, 3, 1, 7, 5, 6, 3, 0][whole(8)] if tail[0] in looping else int(whole(6) != 5) for tail in ports}
    says_more = {name: whole(4) for name in looping if name in shape.headers or whole(4) == 3}
    fails: frozenset[Step] = frozenset()
    if whole(10) == 9:
        name = shape.nodes[whole(len(shape.nodes))]
        fails = frozenset({(name, (1,) * len(shape.path[name]))})
    max_steps = 1 + whole(12) if whole(16) == 15 else 100_000
    return Play(replace(full, nodes=tuple(known)), emits, says_more, fails, max_steps, whole(2**96))


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """Valid graphs with a play of each."""

    def whole(below: int) -> int:
        return draw(st.integers(0, below - 1)) if below > 1 else 0

    nodes, edges, triggers = (reducible if whole(2) else composed)(whole)
    return dressed(whole, mended(nodes, edges, triggers), stray=whole(6) == 5)


@st.composite
def any_graphs(draw: st.DrawFn) -> Graph:
    """Small graphs of any shape, valid or not."""

    def whole(below: int) -> int:
        return draw(st.integers(0, below - 1)) if below > 1 else 0

    names = [f"n{number}" for number in range(2 + whole(5))]
    edges = [
        Edge(names[whole(len(names))], ["out", "done", "x"][whole(3)], names[1 + whole(len(names) - 1)])
        for _ in range(1 + whole(9))
    ]
    return Graph(tuple(Node(name) for name in names), tuple(edges), ("n0",))
