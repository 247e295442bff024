"""`graph check` rejects exactly the joins that no outcomes can start: search over all outcomes of small graphs.

Each node may put out something, nothing, or fail (where its `error` port leads somewhere); between any two nodes there
is no edge, one of either sort, or both; each join is `all`, `any` or any `N of M`. The reference interpreter says what
starts. Graphs of up to three nodes are all tried so, larger ones by a stride or by chance.

All graphs of four and five nodes are tried at once for each beginning: whatever a last node's edges and join may be,
one node stands for it behind the same three or four. No such node leads anywhere, so each starts as it would alone.
What starts is then said in closed form (`reference.outcomes`), which the interpreter is compared with. `all` and `any`
both want one edge: where the closed form is used, they are one. `python -m property.test_joins_exhaustive 4` (in
`tests/`) tries all that begin with four nodes, and says how many they were.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations, islice, product
from typing import Any

import pytest

from pyagent.graph.check import check
from pyagent.graph.check.context import Check
from pyagent.graph.check.flow import check_flow
from pyagent.graph.parts import Edge as FileEdge
from pyagent.graph.spec import GraphSpec, NodeSpec
from pyagent.graph.yaml import load_text
from reference.interpreter import Entry, History
from reference.outcomes import Coming, Link, Outcomes, edges_of, prefixes
from reference.shape import Edge, Graph, Node
from unit.test_graph_check import FakeCatalogue, FakeType

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


BOTH: tuple[Link, ...] = ((0, 0), (1, 0), (0, 1), (1, 1))
SWITCHED: tuple[Link, ...] = (*BOTH, (2, 0), (2, 1))
"""Also by two ports that success may deliver on together, as those of a switch."""
PORTS = ("out", "two")


class Switches(FakeCatalogue):
    """Each node may put out by two ports."""

    def get(self, use: str) -> FakeType:
        return FakeType(outs=PORTS)


class NoTree:
    """Problems are told apart by node, so they need no lines."""

    def locate(self, path: Any, *, key: bool = False) -> tuple[int, int]:
        return (1, 1)


@cache
def file_node(name: str, coming: tuple[Link, ...], wanted: int) -> tuple[NodeSpec, tuple[FileEdge, ...]]:
    """A node that wants so many of the edges that lead to it, and these."""
    edges = [
        FileEdge(f"n{place}", port, name, "in")
        for place, (succeeds, fails) in enumerate(coming)
        for port in (*PORTS[:succeeds], *("error",) * fails)
    ]
    join = f"{wanted} of {len(edges)}" if wanted > 1 else "all"
    made = NodeSpec.model_validate({"id": name, "use": "t.do@1", "join": join, "on_error": "route"})
    return made, tuple(edges)


@cache
def last_nodes(before: int, links: tuple[Link, ...]) -> list[tuple[str, Coming]]:
    """Every node that may come after so many."""
    found = [
        (coming, wanted)
        for coming in product(links, repeat=before)
        for wanted in range(1, max(edges_of(coming), 1) + 1)
    ]
    return [(f"last{number}", coming) for number, coming in enumerate(found)]


def compare_all_behind(nodes: tuple[Coming, ...], links: tuple[Link, ...], outcomes: Outcomes) -> tuple[int, int]:
    """Compare for everything that may come after these nodes; how many graphs that were, and how many of them the
    check refuses."""
    last = last_nodes(len(nodes), links)
    named = [*((f"n{place}", coming) for place, coming in enumerate(nodes)), *last]
    made = [file_node(name, *coming) for name, coming in named]
    spec = GraphSpec.model_construct(
        pyagent=1,
        id="joins",
        nodes=tuple(node for node, _ in made),
        edges=tuple(edge for _, some in made for edge in some),
    )
    tree: Any = NoTree()
    run = Check(spec=spec, tree=tree, text="", file=None, catalogue=Switches(), expressions=None)
    check_flow(run)
    assert {problem.code for problem in run.problems} <= {"graph.join.never"}
    said = {problem.where.node for problem in run.problems}
    started = outcomes.started(nodes)
    reached = cache(lambda coming: outcomes.reached(started, coming))
    never = {f"n{place}" for place, found in enumerate(started) if not found}
    never |= {name for name, (coming, wanted) in last if edges_of(coming) and not reached(coming)[wanted]}
    assert said <= never, (nodes, said - never)
    begins = {
        name
        for name, (coming, _) in named
        if not any(f"n{place}" in never and any(link) for place, link in enumerate(coming))
    }
    # It is said of the node where it begins, not of those behind it.
    assert never & begins <= said, (nodes, never & begins - said)
    refused = len(last) if any(f"n{place}" in never for place in range(len(nodes))) else len(never)
    return len(last), refused


def compare_beginnings(size: int, links: tuple[Link, ...], stride: int = 1) -> tuple[int, int]:
    """Compare for every `stride`th beginning of so many nodes."""
    outcomes = Outcomes(size)
    tried = refused = 0
    for nodes in islice(prefixes(size, links), stride // 2, None, stride):
        some, bad = compare_all_behind(nodes, links, outcomes)
        tried += some
        refused += bad
    return tried, refused


def test_the_closed_form_says_what_the_interpreter_says() -> None:
    def closed(graph: Graph) -> set[str]:
        names = [node.id for node in graph.nodes]
        nodes = [
            (
                tuple(
                    tuple(
                        sum(e.source == other and e.target == node.id and e.port == port for e in graph.edges)
                        for port in ("out", "error")
                    )
                    for other in names[:place]
                ),
                node.join if isinstance(node.join, int) else 1,
            )
            for place, node in enumerate(graph.nodes)
        ]
        found = Outcomes(len(nodes)).started(nodes)  # type: ignore[arg-type]
        return {name for name, started in zip(names, found, strict=True) if started}

    for graph in (*graphs(1, 1), *graphs(2, 1), *graphs(3, 1), *graphs(4, 997), *chosen_graphs(5, 50)):
        assert closed(graph) == startable(graph), graph


def test_the_check_rejects_exactly_the_joins_that_cannot_start_on_all_graphs_of_four_nodes() -> None:
    assert compare_beginnings(3, BOTH) == (29915, 18295)


@pytest.mark.integration
def test_the_same_holds_for_beginnings_of_graphs_of_five_nodes_and_of_four_with_switches() -> None:
    assert compare_beginnings(3, SWITCHED, 5)[0] > 200_000
    assert compare_beginnings(4, BOTH, 120)[0] > 200_000


def test_the_same_holds_for_every_thousandth_graph_of_four_nodes() -> None:
    compare(graphs(4, 997))


@pytest.mark.integration
def test_the_same_holds_for_many_graphs_of_four_and_five_nodes() -> None:
    compare(graphs(4, 199))
    compare(chosen_graphs(5, 600))


if __name__ == "__main__":
    chosen = SWITCHED if "switched" in sys.argv else BOTH
    print("graphs, refused: ", *compare_beginnings(int(sys.argv[1]), chosen))
