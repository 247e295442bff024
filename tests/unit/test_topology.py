"""The shape of a graph: what is reached, dominators, loops, regions, and the cycles that are refused."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyagent.errors import GraphError
from pyagent.graph.topology import EdgeRole, Topology


def shape(*edges: str, trigger: str | list[str] = "t", done: dict[str, str | None] | None = None) -> Topology:
    triples: list[tuple[str, str, str]] = []
    for edge in edges:
        source, target = edge.split(" -> ")
        source, _, port = source.partition(".")
        triples.append((source, port or "out", target))
    nodes = list(dict.fromkeys(end for source, _, target in triples for end in (source, target)))
    return Topology.build(nodes, triples, trigger, done)


def refusal(*edges: str) -> GraphError:
    with pytest.raises(GraphError) as refused:
        shape(*edges)
    return refused.value


def test_nodes_are_those_that_the_trigger_reaches_in_topological_order() -> None:
    graph = shape("t -> a", "a -> b", "t -> b", "other -> b", "b -> a2", "other -> x")

    assert graph.nodes == ("t", "a", "b", "a2")
    assert [graph.reaches(node) for node in ("a2", "other", "x")] == [True, False, False]
    assert sorted(graph.edges) == [0, 1, 2, 4]


def test_several_triggers_reach_together_and_none_dominates_what_they_share() -> None:
    graph = shape("a -> j", "b -> j", "b -> c", trigger=["a", "b"])

    assert graph.roots == ("a", "b")
    assert graph.immediate_dominator("j") is None
    assert graph.dominates("b", "c")
    assert not graph.dominates("b", "j")


def test_a_node_dominates_itself_and_what_only_it_leads_to() -> None:
    graph = shape("t -> a", "a -> b", "a -> c", "b -> d", "c -> d")

    assert graph.immediate_dominator("d") == "a"
    assert [graph.dominates(node, "d") for node in "tabcd"] == [True, True, False, False, True]


def test_a_loops_region_is_its_cycle_and_what_its_header_dominates_but_not_what_follows_done() -> None:
    graph = shape("t -> h", "h.loop -> b", "b -> h", "b -> log", "h.done -> e", "e -> f", "log -> f")

    assert graph.region("h") == ("h", "b", "log")
    assert [graph.loop_of[node] for node in ("h", "log", "e", "f")] == ["h", "h", None, None]
    loop = graph.loops["h"]
    assert (loop.entry_edges, loop.back_edges, loop.done_edges, loop.exit_edges) == ((0,), (2,), (4,), (6,))
    assert (loop.depth, loop.parent, loop.children) == (1, None, 3)


def test_regions_nest_and_a_tail_of_the_inner_loop_may_return_to_the_outer_one() -> None:
    graph = shape("t -> o", "o -> i", "i -> s", "s.again -> i", "s.log -> x", "x -> o")

    assert graph.loops_around("x") == ("o", "i")
    assert graph.loops["i"].parent == "o"
    assert graph.edges[5] == EdgeRole(back_of="o", leaves=("i",))
    assert list(graph.loops) == ["o", "i"]


def test_an_edge_names_the_loops_it_leaves_outermost_first() -> None:
    graph = shape("t -> o", "o -> i", "i -> s", "s.again -> i", "s.up -> o", "s.out -> j", "t -> j")

    assert graph.edges[5] == EdgeRole(leaves=("o", "i"))
    assert graph.loops["o"].exit_edges == (5,)
    assert graph.loops["i"].exit_edges == (4, 5)


def test_done_of_one_loop_may_enter_the_next() -> None:
    graph = shape("t -> h", "h.loop -> h", "h.done -> k", "k.loop -> k")

    assert graph.edges[2] == EdgeRole(enters="k", done_of="h", leaves=("h",))
    assert graph.loops["k"].depth == 1


def test_done_of_an_inner_loop_may_be_the_way_back_of_the_outer_one() -> None:
    graph = shape("t -> o", "o.loop -> i", "i.loop -> b", "b -> i", "i.done -> o", "o.done -> e")

    assert graph.edges[4] == EdgeRole(back_of="o", done_of="i", leaves=("i",))
    assert graph.loops_around("e") == ()


def test_the_port_that_ends_a_loop_can_have_another_name_or_none() -> None:
    named = shape("t -> h", "h.loop -> h", "h.finished -> e", done={"h": "finished"})
    without = shape("t -> h", "h.loop -> h", "h.done -> e", done={"h": None})

    assert named.loop_of["e"] is None
    assert without.loop_of["e"] == "h"


def test_a_cycle_that_the_trigger_does_not_reach_is_no_error() -> None:
    assert shape("t -> a", "x -> b", "x -> c", "b -> c", "c -> b").loops == {}


def test_a_cycle_entered_at_two_places_is_refused_with_both_entries() -> None:
    error = refusal("t -> o", "o.x -> a", "o.y -> b", "a -> b", "b -> c", "c -> a", "c -> o")

    assert error.code == "graph.loop.irreducible"
    assert sorted(error.details["entries"]) == ["a", "b"]
    assert error.details["entry_edges"] == [1, 2]
    assert sorted(error.details["cycle"]) == ["a", "b", "c"]
    assert error.hint


def test_done_that_leads_back_into_its_own_loop_is_refused() -> None:
    error = refusal("t -> h", "h.loop -> b", "b -> h", "h.done -> k", "k -> m", "m -> h")

    assert error.code == "graph.loop.done_returns"
    assert error.details == {"header": "h", "edge": 5}
    assert refusal("t -> h", "h.done -> h").details == {"header": "h", "edge": 1}


def test_an_edge_to_a_node_that_does_not_exist_is_refused() -> None:
    with pytest.raises(GraphError) as refused:
        Topology.build(["t"], [("t", "out", "gone")], "t")

    assert refused.value.code == "graph.edge.unknown_node"
    assert refused.value.details == {"node": "gone"}


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, n)] * 2), max_size=30)))
def test_dominators_are_those_of_networkx_and_what_it_finds_irreducible_is_refused(
    pairs: list[tuple[int, int]],
) -> None:
    full: nx.DiGraph[int] = nx.DiGraph([(-1, 0), *pairs])
    reached = nx.descendants(full, -1)
    graph = nx.DiGraph(full.subgraph([-1, *reached]))
    above = {node: other for node, other in nx.immediate_dominators(graph, -1).items() if node != -1}

    def dominates(one: int, other: int | None) -> bool:
        while other not in (None, -1, one):
            other = above.get(other)
        return other == one

    graph.remove_edges_from([edge for edge in list(graph.edges) if dominates(edge[1], edge[0])])
    nodes = [str(node) for node in sorted({0, *(end for pair in pairs for end in pair)})]
    edges = [(str(source), "out", str(target)) for source, target in pairs]
    if nx.is_directed_acyclic_graph(graph):
        shape = Topology.build(nodes, edges, "0")
        assert {node: shape.immediate_dominator(str(node)) for node in reached} == {
            node: None if above[node] == -1 else str(above[node]) for node in reached
        }
        assert all(
            shape.dominates(str(one), str(other)) == dominates(one, other) for one in reached for other in reached
        )
    else:
        with pytest.raises(GraphError) as refused:
            Topology.build(nodes, edges, "0")
        assert refused.value.code == "graph.loop.irreducible"
        assert len(refused.value.details["entries"]) > 1
