"""A partial run takes the steps of the whole one that belong to what leads to its node, and no others: on random graphs
with loops and joins, in random orders."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from property.test_rules_agree import EXAMPLES, MANY_ENTRIES, agreed, end_step, plan_of
from pyagent.graph.spec import Edge as FileEdge
from pyagent.runtime.partial import leading_to
from pyagent.runtime.rules import Frame
from reference.generator import Play, plays
from reference.interpreter import Step
from reference.shape import Graph


def part_of(graph: Graph, until: str) -> Graph:
    """The graph up to a node, as `Program.root` takes it."""
    edges = [FileEdge(edge.source, edge.port, edge.target, None) for edge in graph.edges]
    leading = leading_to(until, edges)
    return replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node.id in leading),
        edges=tuple(edge for edge in graph.edges if edge.target in leading),
        triggers=tuple(node for node in graph.triggers if node in leading),
    )


def played(play: Play, graph: Graph, order: list[Step] | None) -> tuple[list[Step], set[Step]] | None:
    """The steps in the order in which they ended, and those that were skipped; None for a run that fails.

    `order`: that of another run; else as the play says.
    """
    frame = Frame(plan_of(graph), play.max_steps)
    choose = play.chooser()
    running: list[Step] = []
    ended: list[Step] = []
    skipped: set[Step] = set()
    now = frame.start()
    for _ in range(MANY_ENTRIES):
        if now.failure:
            return None
        running += [(ready.step.node, ready.step.scope) for ready in now.ready]
        skipped |= {(step.node, step.scope) for step in now.skipped}
        if not running:
            assert now.ended
            return ended, skipped
        if order is None:
            step = choose(running)
        else:
            assert set(running) <= set(order), "it took a step that the whole run did not take"
            step = min(running, key=order.index)
        running.remove(step)
        ended.append(step)
        now = end_step(frame, play.entry(step))
    return None


@settings(agreed, max_examples=EXAMPLES // 2)
@given(plays(), st.integers(0, 1000))
def test_a_partial_run_takes_the_steps_of_what_leads_to_its_node(play: Play, pick: int) -> None:
    # What loses may lose earlier where less follows from it, and then another run it is.
    whole_graph = replace(play.graph, nodes=tuple(replace(node, losers=False) for node in play.graph.nodes))
    whole = played(play, whole_graph, None)
    assume(whole is not None)
    assert whole is not None
    reached = sorted({step[0] for step in whole[0]})
    until = reached[pick % len(reached)]
    part = part_of(whole_graph, until)
    names = {node.id for node in part.nodes}

    found = played(play, part, whole[0])
    assert found is not None
    assert set(found[0]) == {step for step in whole[0] if step[0] in names}
    assert found[1] == {step for step in whole[1] if step[0] in names}
