"""The rules decide as the reference interpreter does, on random graphs with random interleavings.

`PYAGENT_RULES_EXAMPLES` sets the number of graphs (2,500 by default); they are the same in each run.
"""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from pyagent.errors import GraphError
from pyagent.runtime.rules import Frame, Plan
from pyagent.runtime.rules.types import Decisions, EdgeRule, Join, NodeRule, Ready, StepId
from reference.generator import Play, any_graphs, plays
from reference.interpreter import Decided, Entry, History, Step
from reference.shape import Graph, Refused, Shape

EXAMPLES = int(os.environ.get("PYAGENT_RULES_EXAMPLES", "2500"))
MANY_ENTRIES = 400

agreed = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate] + [Phase.shrink] * (os.environ.get("PYAGENT_RULES_SHRINK") != "0"),
    print_blob=False,
)


def plan_of(graph: Graph) -> Plan:
    """The graph as the rules take it."""
    nodes = [
        NodeRule(
            id=node.id,
            join=Join(kind=node.join) if node.join in ("all", "any") else Join(kind="count", count=int(node.join)),
            loop_max=node.max,
            cancel_losers=node.losers,
            done_port=node.done,
        )
        for node in graph.nodes
    ]
    return Plan.build(nodes, [EdgeRule(e.source, e.port, e.target) for e in graph.edges], graph.triggers)


def end_step(frame: Frame, entry: Entry) -> Decisions:
    return frame.end_step(StepId(*entry.step), entry.counts, entry.more)


def from_edges(ready: Ready) -> tuple[tuple[int, Step], ...]:
    """What a step sees, without the run's input, which comes by no edge."""
    return tuple((put.edge, tuple(put.source)) for put in ready.deliveries if put.edge >= 0)


def check_same(real: Decisions, expected: Decided, told: set[Step]) -> None:
    """The decisions after one entry are those of the reference; `told` are the losers reported before."""
    ready = {tuple(ready.step): from_edges(ready) for ready in real.ready}
    if expected.failures:
        assert real.failure is not None
        assert (real.failure.code, real.failure.node) in expected.failures
        assert not real.ready
        return
    assert real.failure is None
    assert len(ready) == len(real.ready)
    assert ready == expected.ready
    assert sorted(map(tuple, real.skipped)) == sorted(expected.skipped)
    ignored = [((delivery.edge, tuple(delivery.source)), tuple(step)) for delivery, step in real.ignored]
    assert sorted(ignored) == sorted(expected.ignored)
    assert real.ended == expected.ended
    losers = set(map(tuple, real.losers))
    assert losers <= expected.losers_at_most
    assert expected.losers_at_least - told <= losers


@agreed
@given(plays())
def test_the_rules_decide_as_the_reference_after_every_entry(play: Play) -> None:
    check_agreement(play)


def check_agreement(play: Play) -> None:
    """Play it on both, entry by entry."""
    history, frame = History(play.graph, play.max_steps), Frame(plan_of(play.graph), play.max_steps)
    choose = play.chooser()
    told: set[Step] = set()
    expected, real = history.begin(), frame.start()
    for _ in range(MANY_ENTRIES):
        check_same(real, expected, told)
        told |= set(map(tuple, real.losers))
        if expected.failures or expected.ended:
            return
        running = history.running()
        step = choose(running)
        if step in play.fails:
            return
        entry = play.entry(step)
        expected, real = history.end(entry), end_step(frame, entry)
    raise AssertionError("the run does not end")


@agreed
@given(any_graphs())
def test_the_rules_refuse_the_graphs_that_the_reference_refuses(graph: Graph) -> None:
    try:
        Shape(graph)
        expected = None
    except Refused as refused:
        expected = refused.code
    try:
        plan_of(graph)
        code = None
    except GraphError as error:
        code = error.code
    assert code == expected


@settings(agreed, max_examples=EXAMPLES // 2)
@given(plays())
def test_every_run_ends_with_each_node_run_once_or_skipped_in_each_scope(play: Play) -> None:
    frame = Frame(plan_of(play.graph), play.max_steps)
    choose = play.chooser()
    running: list[Step] = []
    log: list[Entry] = []
    history = [frame.start()]
    for _ in range(MANY_ENTRIES):
        running += [tuple(ready.step) for ready in history[-1].ready]
        if not running or history[-1].failure:
            break
        step = choose(running)
        running.remove(step)
        log.append(play.entry(step))
        history.append(end_step(frame, log[-1]))

    started = [tuple(ready.step) for now in history for ready in now.ready]
    skipped = [tuple(step) for now in history for step in now.skipped]
    assert set(Counter(started + skipped).values()) <= {1}
    assert not any(now.ended for now in history[:-1])
    shape = Shape(play.graph)
    if history[-1].failure is None:
        assert history[-1].ended
        check_every_place_decided(shape, set(started), set(skipped))
    for now in history:
        for ready in now.ready:
            check_join(shape, tuple(ready.step), [delivery.edge for delivery in ready.deliveries])

    again = Frame(plan_of(play.graph), play.max_steps)
    assert [again.start(), *(end_step(again, entry) for entry in log)] == history


def check_every_place_decided(shape: Shape, started: set[Step], skipped: set[Step]) -> None:
    """No join waits at the end: in each iteration that began, each of its nodes ran or was skipped."""
    for name in shape.nodes:
        outside = shape.outside(name)
        scopes = {()} if not outside else {step[1] for step in started if step[0] == outside[-1]}
        for scope in scopes:
            if name not in shape.headers:
                assert ((name, scope) in started) != ((name, scope) in skipped)


def check_join(shape: Shape, step: Step, edges: list[int]) -> None:
    """A step saw what its join asks for."""
    node = shape.node[step[0]]
    if node.id in shape.graph.triggers or (node.id in shape.headers and step[1][-1] > 1):
        return
    assert edges == sorted(edges)
    if node.join == "any":
        assert len(set(edges)) == 1
    elif node.join == "all":
        assert edges
    else:
        assert len(set(edges)) == node.join
