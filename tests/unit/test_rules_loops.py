"""Loops and scopes (SEMANTICS 8-12), where the conformance cases do not pin them."""

from __future__ import annotations

from typing import Any

import pytest

from pyagent.errors import GraphError
from pyagent.runtime.rules import Frame, NodeRule, Plan, StepId
from virtual_time import Outcome, edge_rules, plan_of, run


def play(**case: Any) -> Outcome:
    return run({"start": "t", **case})


def test_the_iteration_after_the_bound_fails_the_run_and_names_the_header() -> None:
    outcome = play(edges=["t -> h", "h -> a", "a -> h"], max={"h": 2})

    assert outcome.frame is not None
    failure = outcome.frame.failure
    assert failure is not None
    assert (failure.code, failure.node) == ("run.loop_limit", "h")
    assert "2 iterations" in failure.message


def test_a_loop_without_a_bound_of_its_own_goes_round_a_thousand_times() -> None:
    outcome = play(edges=["t -> h", "h -> h"])

    assert outcome.end == "run.loop_limit"
    assert len(outcome.steps) == 1001


def test_a_loop_bounded_by_its_batches_has_no_bound() -> None:
    outcome = play(edges=["t -> h", "h.loop -> h"], emit={"h": {"loop": [1] * 1500 + [0]}}, max={"h": None})

    assert outcome.end == "completed"
    assert len(outcome.steps) == 1502


def test_each_entry_of_an_inner_loop_counts_its_own_iterations() -> None:
    outcome = play(
        edges=["t -> o", "o.loop -> i", "i.again -> i", "i.done -> o"],
        emit={"o": {"loop": [1, 1, 1, 0]}, "i": {"again": [1, 1, 0], "done": [0, 0, 1]}},
        max={"i": 3},
    )

    assert outcome.end == "completed"
    assert "i@3.3(1)" in outcome.written()


def test_more_starts_an_iteration_that_sees_no_items_even_if_all_that_follows_was_skipped() -> None:
    outcome = play(
        edges=["t -> h", "h.loop -> b", "b -> h", "h.done -> e"],
        emit={"h": {"loop": [0, 1, 0], "done": [0, 0, 1]}},
        more={"h": [True]},
    )

    assert outcome.written() == ["b@2(1)", "e(1)", "h@1(1)", "h@2(0)", "h@3(1)", "t(1)"]
    assert outcome.skipped == ["b@1", "b@3"]


def test_more_of_a_node_that_is_no_header_means_nothing() -> None:
    outcome = play(edges=["t -> h", "h -> b", "b -> h"], emit={"b": {"out": 0}}, more={"b": [True], "t": [True]})

    assert outcome.written() == ["b@1(1)", "h@1(1)", "t(1)"]


def test_what_all_iterations_put_on_done_is_delivered_at_the_end_in_their_order() -> None:
    outcome = play(edges=["t -> h", "h.loop -> h", "h.done -> e"], emit={"h": {"loop": [1, 1, 0], "done": [2, 0, 3]}})

    assert list(outcome.steps) == ["t", "h@1", "h@2", "h@3", "e"]
    assert outcome.steps["e"] == 5


def test_a_done_port_that_gave_nothing_skips_what_follows_in_the_outer_scope() -> None:
    outcome = play(edges=["t -> h", "h.loop -> h", "h.done -> e"], emit={"h": {"loop": [1, 0]}})

    assert outcome.skipped == ["e"]


def test_the_port_called_done_of_a_node_that_is_no_header_is_an_ordinary_port() -> None:
    assert play(edges=["t.done -> a"]).written() == ["a(1)", "t(1)"]


def test_a_header_without_a_done_port_may_have_a_port_of_that_name() -> None:
    edges = edge_rules(["t -> h", "h.again -> h", "h.done -> e"])
    nodes = [NodeRule(id=node, done_port=None) for node in "the"]
    frame = Frame(Plan.build(nodes, edges, ["t"]))
    frame.start()
    frame.end_step(StepId("t"), {"out": 1})

    ready = frame.end_step(StepId("h", (1,)), {"done": 1, "again": 1}).ready

    assert sorted(str(step.step) for step in ready) == ["e@1", "h@2"]


def test_done_of_an_inner_loop_is_delivered_in_each_iteration_of_the_outer_one() -> None:
    outcome = play(
        edges=["t -> o", "o.loop -> i", "i.again -> i", "i.done -> x", "x -> o", "o.done -> e"],
        emit={
            "o": {"loop": [1, 1, 0], "done": [0, 0, 1]},
            "i": {"again": [1, 0], "done": [0, 1]},
            "x": {"out": 1},
        },
    )

    assert [step for step in outcome.steps if step.startswith("x")] == ["x@1", "x@2"]


def test_done_of_an_inner_loop_that_leaves_the_outer_one_waits_for_its_end_at_an_all_join() -> None:
    outcome = play(
        edges=["t -> o", "o -> i", "i.again -> i", "i.done -> j", "i.up -> o", "t -> c", "c -> j"],
        emit={"o": {"out": 1}, "i": {"again": [1, 0], "done": [0, 2], "up": 1}},
        max={"o": 2},
    )
    assert outcome.end == "run.loop_limit"

    outcome = play(
        edges=["t -> o", "o.in -> i", "i.again -> i", "i.done -> j", "i.up -> o", "t -> c", "c -> j"],
        emit={"o": {"in": [1, 1, 0]}, "i": {"again": [1, 0], "done": [0, 2], "up": 1}},
    )
    assert outcome.steps["j"] == 5
    assert list(outcome.steps)[-1] == "j"


def test_an_inner_loop_that_is_not_entered_in_an_iteration_closes_what_leaves_it() -> None:
    outcome = play(
        edges=["t -> o", "o.x -> i", "i -> b", "b.again -> i", "b -> o", "o.y -> a", "a -> o"],
        emit={"o": {"x": [0, 0], "y": [1, 0]}},
    )

    assert outcome.end == "completed"
    assert outcome.written() == ["a@1(1)", "o@1(1)", "o@2(1)", "t(1)"]
    assert outcome.skipped == ["a@2"]


def test_the_first_delivery_that_leaves_a_loop_starts_any_outside_and_later_ones_are_ignored() -> None:
    outcome = play(
        edges=["t -> h", "h -> s", "s.again -> h", "s.log -> j", "t -> c", "c -> j"],
        join={"j": "any"},
        emit={"s": {"again": [1, 1, 0], "log": [3, 0, 7]}},
        takes={"c": 2},
    )

    assert outcome.ignored == ["3 from s@1 > j", "3 from s@3 > j"]


def test_a_late_entry_of_a_header_is_recorded_as_ignored_by_its_first_iteration() -> None:
    outcome = play(
        edges=["t -> a", "t -> b", "a -> h", "b -> h", "h.more -> h"],
        join={"h": "any"},
        takes={"b": 30},
        emit={"h": {"more": [1, 0]}},
    )

    assert outcome.ignored == ["3 from b > h@1"]
    assert outcome.end == "completed"


def test_back_edges_do_not_count_for_the_join_of_a_header() -> None:
    outcome = play(
        edges=["t -> a", "t -> b", "t -> c", "a -> h", "b -> h", "c -> h", "h.more -> h"],
        join={"h": "2 of 3"},
        takes={"c": 30},
        emit={"h": {"more": [1, 0]}},
    )

    assert outcome.steps["h@1"] == 2


def test_the_next_iteration_waits_for_all_back_edges_of_this_one() -> None:
    outcome = play(
        edges=["t -> h", "h -> fast", "h -> slow", "fast -> h", "slow -> h"],
        emit={"fast": {"out": [1, 0]}, "slow": {"out": [1, 0]}},
        takes={"slow": 9},
    )

    assert list(outcome.steps)[3:] == ["slow@1", "h@2", "fast@2", "slow@2"]
    assert outcome.steps["h@2"] == 2


def test_a_loop_entered_inside_a_tail_has_its_own_scope_in_each_iteration() -> None:
    outcome = play(
        edges=["t -> h", "h.again -> h", "h.log -> k", "k.again -> k", "k.end -> e"],
        emit={"h": {"again": [1, 0], "log": 1}, "k": {"again": [1, 0], "end": [0, 1]}},
    )

    assert sorted(outcome.steps) == ["e@1.2", "e@2.2", "h@1", "h@2", "k@1.1", "k@1.2", "k@2.1", "k@2.2", "t"]


def test_a_plan_refuses_what_the_checks_refuse() -> None:
    with pytest.raises(GraphError) as refused:
        plan_of({"start": "t", "edges": ["t.x -> a", "t.y -> b", "a -> b", "b -> a"]})

    assert refused.value.code == "graph.loop.irreducible"
