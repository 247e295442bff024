"""Where the engine drives, a LangGraph task carries on (ADR 0011): turns, tasks and commits that a run needs."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from engine_lab import Lab, graph
from pyagent.runtime import lanes
from pyagent.store.base import Commit, Lease


def chains(length: int, *names: str) -> tuple[dict[str, Any], list[str]]:
    """Chains of nodes `idempotent` and `once` in turn, all of them after `start`."""
    nodes: dict[str, Any] = {"start": {}}
    edges: list[str] = []
    for name in names:
        for index in range(length):
            nodes[f"{name}{index}"] = {"effects": "once" if index % 2 else "idempotent"}
            edges.append(f"{name}{index - 1} -> {name}{index}" if index else f"start -> {name}0")
    return nodes, edges


async def test_branches_that_wait_for_turns_take_them_one_after_the_other(lab: Lab) -> None:
    run = await lab.run(graph(*chains(3, "a", "b", "c"), settings={"parallel": 1}))

    assert run.status == "completed"
    assert lab.calls == ["start", "a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


@pytest.mark.parametrize("then", ["p", "p, q"])
async def test_a_branch_that_computes_leaves_its_turn_to_others(lab: Lab, then: str) -> None:
    gates = [lab.gate(name) for name in then.split(", ")]
    nodes: dict[str, Any] = {"start": {}, "a": {}, "b": {}, "c": {}} | {
        name: {"effects": "none"} for name in then.split(", ")
    }
    edges = ["start -> a", "start -> b", "start -> c", *(f"a -> {name}" for name in then.split(", "))]
    driving = lab.driving(await lab.engine.start(graph(nodes, edges, settings={"parallel": 1})))

    await lab.called("c")
    for gate in gates:
        gate.set()

    assert (await driving).status == "completed"


async def test_a_step_that_ends_beside_a_slow_one_that_computes_leaves_its_turn_to_others(lab: Lab) -> None:
    slow = lab.gate("slow")
    nodes: dict[str, Any] = {"start": {"effects": "none"}, "slow": {"effects": "none"}, "quick": {"effects": "none"}}
    edges = ["start -> slow", "start -> quick"]
    for name in ("a", "b", "c"):
        nodes[name] = {}
        edges.append(f"quick -> {name}")
    driving = lab.driving(await lab.engine.start(graph(nodes, edges, settings={"parallel": 1})))

    await lab.called("c")
    slow.set()

    assert (await driving).status == "completed"


async def test_a_run_has_as_many_tasks_as_it_is_wide(lab: Lab) -> None:
    started: list[str] = []

    def counted(*args: Any) -> Any:
        started.append(str(args[-1]))
        return start(*args)

    start = lanes._STEP  # pyright: ignore[reportPrivateUsage]
    with patch.object(lanes, "_STEP", counted):
        run = await lab.run(graph(*chains(20, "a", "b", "c")))

    assert run.status == "completed"
    assert len(lab.calls) == 61
    assert len(started) <= 2


async def test_a_chain_costs_one_transaction_a_step(lab: Lab) -> None:
    commits: list[Commit] = []
    commit = lab.store.commit

    async def counted(lease: Lease, change: Commit) -> None:
        commits.append(change)
        await commit(lease, change)

    with patch.object(lab.store, "commit", counted):
        run = await lab.run(graph(*chains(20, "a")))

    assert run.status == "completed"
    assert len(commits) <= 20 + 4
    for change in commits:
        kinds = [entry.kind for entry in change.entries]
        assert "step.begun" not in kinds or kinds[-1] == "step.begun"


async def test_what_ended_is_committed_before_what_follows_acts(lab: Lab) -> None:
    nodes, edges = chains(6, "a")
    nodes["a3"] = {"effects": "none"}
    known: dict[str, set[str]] = {}
    run = await lab.engine.start(graph(nodes, edges))
    for name in nodes:

        @lab.on(name)
        async def look(items: Any, ctx: Any) -> Any:
            known[ctx.node_id] = {str(entry.step) for entry in await lab.log(run, "step.ended")}
            return items

    await lab.drive(run)

    order = ["start", "a0", "a1", "a2", "a3", "a4", "a5"]
    for index, name in enumerate(order):
        assert known[name] >= set(order[:index])
