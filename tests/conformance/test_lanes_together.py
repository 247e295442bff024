"""Lanes among each other: nobody waits for a branch that it does not depend on, and no beginning or stop is lost."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.runtime.limits import unbounded
from pyagent.runtime.live import Token
from pyagent.store.base import Commit, Lease

NONE: dict[str, Any] = {"effects": "none"}
ONCE: dict[str, Any] = {"effects": "once"}


async def test_steps_that_compute_side_by_side_leave_their_turn_to_others(lab: Lab) -> None:
    gates = [lab.gate(name) for name in ("a", "p", "q", "r", "s")]
    begin = lab.gate("x")
    names = ("start", "x", "p", "q", "r", "s")
    nodes: dict[str, Any] = dict.fromkeys(names, NONE) | {"a": {}, "b": {}, "c": {}}
    edges = ["start -> a", "start -> x", "x -> b", "x -> c", "a -> p", "a -> q", "c -> r", "c -> s"]
    settings = {"parallel": 1, "durability": "exit"}
    run = await lab.engine.start(graph(nodes, edges, settings=settings))
    driving = lab.driving(run)

    await lab.called("a")
    begin.set()
    # What is told is told after what it brought about: by now `b` and `c` wait for their turn.
    await lab.until(run, "step.completed", "x")
    gates[0].set()
    await asyncio.wait_for(lab.called("b"), 3)
    for gate in gates:
        gate.set()

    assert (await driving).status == "completed"


async def test_a_step_in_the_queue_whose_element_failed_is_forgotten(lab: Lab) -> None:
    hold, begin = lab.gate("h"), lab.gate("x")
    lab.raises("f", ValueError("no"))
    nodes: dict[str, Any] = {
        "start": SPLIT,
        "x": NONE,
        "h": {},
        "m": {"use": "flow.map", "with": {"on_error": "skip"}, "body": {"f": NONE, "y": {}}},
        "p0": NONE,
        "p1": NONE,
        "p2": NONE,
    }
    edges = ["start -> h", "start -> x", "x -> m", "m -> p0", "p0 -> p1", "p1 -> p2"]
    settings = {"parallel": 1, "durability": "exit"}
    run = await lab.engine.start(graph(nodes, edges, settings=settings), numbers(1))
    driving = lab.driving(run)
    await lab.called("h")
    begin.set()
    await lab.until(run, "step.completed", "m")
    hold.set()
    assert (await driving).status == "completed"
    assert "y" not in str(lab.calls), lab.calls


async def test_each_beginning_is_committed_against_a_power_cut(lab: Lab) -> None:
    commits: list[Commit] = []
    commit = lab.store.commit

    async def slow(lease: Lease, change: Commit) -> None:
        commits.append(change)
        await asyncio.sleep(0.002)
        await commit(lease, change)

    nodes: dict[str, Any] = {"start": {}}
    edges: list[str] = []
    for branch in range(6):
        for index in range(6):
            name = f"n{branch}_{index}"
            nodes[name] = {"effects": "once" if (index + branch) % 2 else "idempotent"}
            edges.append(f"n{branch}_{index - 1} -> {name}" if index else f"start -> {name}")
    with patch.object(lab.store, "commit", slow):
        run = await lab.run(graph(nodes, edges))

    assert run.status == "completed"
    assert [c for c in commits if any(e.kind == "step.begun" for e in c.entries) and not c.durable] == []


async def test_what_ended_is_committed_before_what_computes_side_by_side(lab: Lab) -> None:
    known: dict[str, set[str]] = {}
    nodes: dict[str, Any] = {"start": NONE, "a": ONCE, "p": NONE, "q": NONE}
    run = await lab.engine.start(graph(nodes, ["start -> a", "a -> p", "a -> q"]))
    for name in ("p", "q"):

        @lab.on(name)
        async def look(items: Any, ctx: Any) -> Any:
            known[ctx.node_id] = {str(entry.step) for entry in await lab.log(run, "step.ended")}
            return items

    await lab.drive(run)
    assert "a" in known["p"]


async def test_a_map_that_is_cut_off_goes_on_beside_a_slow_branch(lab: Lab) -> None:
    slow, inner = lab.gate("slow"), lab.gate("inner")
    nodes: dict[str, Any] = {
        "start": SPLIT,
        "slow": {},
        "m": {"use": "flow.map", "timeout": "0.3s", "on_error": "continue", "body": {"inner": {}}},
        "after": {},
    }
    run = await lab.engine.start(graph(nodes, ["start -> slow", "start -> m", "m -> after"]), numbers(1))
    driving = lab.driving(run)
    await lab.called("slow")
    await asyncio.wait_for(lab.called("after"), 4)
    slow.set()
    inner.set()
    assert (await driving).status == "completed"


async def test_a_wait_ends_beside_a_slow_computation(lab: Lab) -> None:
    slow = lab.gate("slow")
    nodes: dict[str, Any] = {
        "start": NONE,
        "p": NONE,
        "slow": NONE,
        "w": {"use": "flow.wait", "with": {"for": "0.1s"}},
        "after": {},
    }
    run = await lab.engine.start(graph(nodes, ["start -> p", "start -> slow", "p -> w", "w -> after"]))
    driving = lab.driving(run)
    await lab.called("slow")
    await asyncio.wait_for(lab.called("after"), 4)
    slow.set()
    assert (await driving).status == "completed"


async def test_steps_that_wait_for_a_turn_begin_after_a_pause_and_not_in_it(lab: Lab) -> None:
    gate = lab.gate("a")
    nodes: dict[str, Any] = {"start": NONE, "a": {}, "b": {}, "c": {}, "d": {}}
    run = await lab.engine.start(
        graph(nodes, ["start -> a", "start -> b", "start -> c", "start -> d"], settings={"parallel": 1})
    )
    driving = lab.driving(run)
    await lab.called("a")
    await lab.engine.pause(run.id)
    await lab.until(run, "run.pausing")
    gate.set()
    assert (await driving).status == "paused"
    assert set(lab.calls) == {"start", "a"}
    await lab.engine.resume(run.id)
    assert (await lab.drive(run)).status == "completed"


async def test_a_stop_that_comes_while_a_failed_try_is_committed_is_heard(lab: Lab) -> None:
    lab.raises("a", ValueError("x"))
    commit = lab.store.commit
    nodes: dict[str, Any] = {"a": {"retry": {"attempts": 2, "initial": "30s"}}}
    run = await lab.engine.start(graph(nodes))

    async def hooked(lease: Lease, change: Commit) -> None:
        if any(e.kind == "step.tried" for e in change.entries):
            live = lab.engine._drivers[run.id].live  # pyright: ignore[reportPrivateUsage]
            live.state.cancelled = {"reason": "test"}
            live.cancel_all("cancel")
        await commit(lease, change)

    with patch.object(lab.store, "commit", hooked):
        assert (await asyncio.wait_for(lab.drive(run), 5)).status == "cancelled"


async def test_a_task_whose_step_did_not_heed_its_cancellation_is_not_left_cancelled() -> None:
    token = Token()

    async def swallow() -> int:
        token.set("loser")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 1
        return 2

    assert await unbounded(swallow(), token, grace=0.05) == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
