"""`graph check` rejects exactly the joins that no outcomes can start: search over all outcomes of small graphs.

Each node may put out something, nothing, or fail (where its `error` port leads somewhere); between any two nodes there
is no edge, one of either sort, or both; each join is `all`, `any` or any `N of M`. The reference interpreter says what
starts. Graphs of up to three nodes are all tried, larger ones by a stride or by chance.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import combinations, product

import pytest

from pyagent.graph.check import check
from pyagent.graph.yaml import load_text
from reference.interpreter import Entry, History
from reference.shape import Edge, Graph, Node
from unit.test_graph_check import FakeCatalogue

LINKS = ((), ("out",), ("error",), ("out", "error"))


def graphs(size: int, stride: int) -> Iterator[Graph]:
    """Every `stride`th graph of so many nodes, in the order of the nodes, with every join."""
    names = [f"n{number}" for number in range(size)]
    pairs = list(combinations(names, 2))
    place = 0
    for links in product(LINKS, repeat=len(pairs)):
        edges = tuple(
            Edge(source, port, target) for (source, target), ports in zip(pairs, links, strict=True) for port in ports
        )
        coming = {name: sum(edge.target == name for edge in edges) for name in names}
        joins = [["all", *(["any"] if many else []), *range(2, many + 1)] for many in coming.values()]
        for chosen in product(*joins):
            place += 1
            if place % stride == 0:
                nodes = tuple(Node(name, join=join) for name, join in zip(names, chosen, strict=True))  # type: ignore[arg-type]
                yield Graph(nodes, edges, _roots(names, edges))


def chosen_graphs(size: int, count: int) -> Iterator[Graph]:
    """So many graphs of so many nodes, chosen at random, the same each time."""
    chance = random.Random(size)
    names = [f"n{number}" for number in range(size)]
    for _ in range(count):
        edges = tuple(
            Edge(source, port, target) for source, target in combinations(names, 2) for port in chance.choice(LINKS)
        )
        nodes: list[Node] = []
        for name in names:
            many = sum(edge.target == name for edge in edges)
            nodes.append(Node(name, join=chance.choice(["all", *(["any"] if many else []), *range(2, many + 1)])))
        yield Graph(edges=edges, nodes=tuple(nodes), triggers=_roots(names, edges))


def _roots(names: list[str], edges: tuple[Edge, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if not any(edge.target == name for edge in edges))


def startable(graph: Graph) -> set[str]:
    """The nodes that some outcomes start."""
    can_fail = {edge.source for edge in graph.edges if edge.port == "error"}
    outcomes = [("out", "error", "") if node.id in can_fail else ("out", "") for node in graph.nodes]
    found: set[str] = set()
    for chosen in product(*outcomes):
        puts = dict(zip((node.id for node in graph.nodes), chosen, strict=True))
        history = History(graph)
        history.begin()
        while running := history.running():
            history.end(Entry(running[0], {puts[running[0][0]]: 1}))
        found |= {name for name, _ in history.started}
        if len(found) == len(graph.nodes):
            break
    return found


def refused(graph: Graph) -> set[str]:
    """The nodes whose joins the check refuses."""
    lines = ["pyagent: 1", "id: joins", "nodes:"]
    for node in graph.nodes:
        many = sum(edge.target == node.id for edge in graph.edges)
        join = f"{node.join} of {many}" if isinstance(node.join, int) else node.join
        route = ", on_error: route" if any(e.source == node.id and e.port == "error" for e in graph.edges) else ""
        lines.append(f"  - {{id: {node.id}, use: t.do@1, join: {join}{route}}}")
    lines += ["edges:" if graph.edges else "", *(f"  - {e.source}.{e.port} -> {e.target}" for e in graph.edges)]
    problems = check(load_text("\n".join(lines) + "\n"), FakeCatalogue())
    assert {problem.code for problem in problems} <= {"graph.join.never"}, (problems, lines)
    return {problem.where.node for problem in problems if problem.where and problem.where.node}


def compare(some: Iterable[Graph]) -> tuple[int, int]:
    """Compare on these graphs; how many there were, and how many the check refuses."""
    tried = rejected = 0
    for graph in some:
        starts, said = startable(graph), refused(graph)
        never = {node.id for node in graph.nodes} - starts
        assert bool(said) == bool(never), (graph, never, said)
        assert said <= never, (graph, never, said)
        # It is said of the node where it begins, not of those behind it.
        behind = set(said)
        for edge in graph.edges:
            if edge.source in behind:
                behind.add(edge.target)
        assert never <= behind, (graph, never, said)
        tried += 1
        rejected += bool(said)
    return tried, rejected


def test_the_check_rejects_exactly_the_joins_that_no_outcomes_can_start_on_all_graphs_of_up_to_three_nodes() -> None:
    for size in (1, 2, 3):
        tried, rejected = compare(graphs(size, 1))
        assert tried >= 1
        assert rejected or size == 1


def test_the_same_holds_for_every_thousandth_graph_of_four_nodes() -> None:
    compare(graphs(4, 997))


@pytest.mark.integration
def test_the_same_holds_for_many_graphs_of_four_and_five_nodes() -> None:
    compare(graphs(4, 41))
    compare(chosen_graphs(5, 1500))
