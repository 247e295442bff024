"""The work of the rules grows with what happens, not with the size of the graph: lines executed, not time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from pyagent.graph import topology
from pyagent.runtime.rules import Frame, Plan, StepId, frame
from virtual_time import plan_of

Case = dict[str, Any]
SMALL, FACTOR = 150, 4


def lines(work: Callable[[], object]) -> int:
    """How many lines of the engine's modules `work` executes."""
    files = {frame.__file__.rsplit("/", 1)[0], topology.__file__.rsplit("/", 1)[0]}
    count = 0

    def trace(at: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if at.f_code.co_filename.rsplit("/", 1)[0] not in files:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def chain(size: int) -> Case:
    return {"start": "n0", "edges": [f"n{i} -> n{i + 1}" for i in range(size)]}


def wide_join(size: int) -> Case:
    return {"start": "t", "edges": [edge for i in range(size) for edge in (f"t -> n{i}", f"n{i} -> j")]}


def join_of_a_whole_chain(size: int) -> Case:
    return {"start": "n0", "edges": [edge for i in range(size) for edge in (f"n{i} -> n{i + 1}", f"n{i} -> j")]}


def ladder_of_early_joins(size: int) -> Case:
    rungs = [f"n{i}" for i in range(size)]
    return {
        "start": "n0",
        "edges": [edge for i in range(size - 2) for edge in (f"n{i} -> n{i + 1}", f"n{i} -> n{i + 2}")],
        "join": dict.fromkeys(rungs, "any"),
        "losers": rungs,
    }


def many_iterations(size: int) -> Case:
    return {
        "start": "t",
        "edges": ["t -> h", "h -> a", "a.again -> h", "a -> log", "a -> j", "t -> j"],
        "max": {"h": None},
        "last": ("a", size),
    }


def loops_in_a_row(size: int) -> Case:
    edges = ["t -> h0"]
    for i in range(size):
        edges += [f"h{i}.loop -> b{i}", f"b{i} -> h{i}", f"h{i}.done -> h{i + 1}"]
    return {"start": "t", "edges": edges, "last": ("h", 2)}


def dead_branches(size: int) -> Case:
    return {"start": "t", "edges": ["t.never -> n0", *(f"n{i} -> n{i + 1}" for i in range(size))], "last": ("t", 0)}


SHAPES = [
    chain,
    wide_join,
    join_of_a_whole_chain,
    ladder_of_early_joins,
    many_iterations,
    loops_in_a_row,
    dead_branches,
]


def play(plan: Plan, case: Case) -> Frame:
    """Each step delivers on all its ports, until the iteration that `last` names."""
    run = Frame(plan)
    node, last = case.get("last", ("", 0))
    waiting = list(run.start().ready)
    while waiting:
        step = waiting.pop().step
        counts = {"out": 1, "again": 1, "loop": 1, "done": 1}
        if step.node.startswith(node) and node and (not step.scope or step.scope[-1] >= last):
            counts = {"out": 1, "done": 1}
        waiting += run.end_step(step, counts).ready
    assert run.ended
    return run


@pytest.mark.parametrize("make", SHAPES)
def test_a_graph_four_times_as_big_takes_four_times_the_work_to_plan(make: Callable[[int], Case]) -> None:
    small, big = make(SMALL), make(SMALL * FACTOR)

    # Dominators cost a logarithm more.
    assert lines(lambda: plan_of(big)) < lines(lambda: plan_of(small)) * FACTOR * 1.5


@pytest.mark.parametrize("make", SHAPES)
def test_a_run_four_times_as_long_takes_four_times_the_work(make: Callable[[int], Case]) -> None:
    small, big = make(SMALL), make(SMALL * FACTOR)
    small_plan, big_plan = plan_of(small), plan_of(big)

    assert lines(lambda: play(big_plan, big)) < lines(lambda: play(small_plan, small)) * FACTOR * 1.1


def test_reading_the_trigger_costs_the_same_at_the_end_of_a_longer_chain() -> None:
    costs: list[int] = []
    for size in (SMALL, SMALL * FACTOR):
        run = play(plan_of(chain(size)), {})
        reader = StepId(f"n{size}")
        run.resolve(reader, "n0")
        costs.append(lines(lambda run=run, reader=reader: run.resolve(reader, "n0")))

    assert costs[0] == costs[1]


def test_long_chains_and_deep_nests_of_loops_need_no_recursion() -> None:
    size = 10_000
    play(plan_of(chain(size)), {})
    nest = chain(1_200)
    nest["edges"] += [f"n1200.again -> n{i}" for i in range(1_200)]
    play(plan_of(nest), {"last": ("n", 1)})
