"""SEMANTICS 13 and 14 through the engine: branches do not wait for one another, and a replay decides the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.runtime.program import Program
from pyagent.runtime.state import RunState


async def test_a_branch_never_waits_for_anothers_slow_node(lab: Lab) -> None:
    slow = lab.gate("slow")
    two_ways = graph(
        {"start": {}, "slow": {}, "after_slow": {}, "one": {}, "two": {}, "three": {"effects": "none"}, "four": {}},
        ["start -> slow", "slow -> after_slow", "start -> one", "one -> two", "two -> three", "three -> four"],
    )
    run = await lab.engine.start(two_ways)
    driving = lab.driving(run)

    await lab.until(run, "step.completed", "four")
    assert "slow" not in lab.ended
    slow.set()

    assert (await driving).status == "completed"
    assert "after_slow" in lab.ended


@pytest.mark.parametrize("effects", ["none", "idempotent", "once"])
async def test_branches_that_start_together_run_at_the_same_time(lab: Lab, effects: str) -> None:
    meeting = asyncio.Barrier(3)
    for name in ("a", "b", "c"):

        @lab.on(name)
        async def meet(items: Any, ctx: Any) -> Any:
            await meeting.wait()
            return items

    nodes = {"start": {}} | {name: {"effects": effects} for name in ("a", "b", "c")}
    run = await lab.run(graph(nodes, ["start -> a", "start -> b", "start -> c"]))

    assert run.status == "completed"


async def test_settings_parallel_limits_steps_that_run_at_once(lab: Lab) -> None:
    running, most = 0, 0
    names = [f"n{number}" for number in range(6)]
    for name in names:

        @lab.on(name)
        async def count(items: Any, ctx: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(50):
                await asyncio.sleep(0)
            running -= 1
            return items

    run = await lab.run(
        graph(
            {"start": {}} | {name: {} for name in names},
            [f"start -> {name}" for name in names],
            settings={"parallel": 2},
        )
    )

    assert run.status == "completed"
    assert most == 2


async def test_a_step_that_waits_for_its_turn_has_neither_begun_nor_used_its_time(lab: Lab) -> None:
    first = lab.gate("first")
    limited = graph({"first": {}, "second": {"effects": "once", "timeout": "200ms"}}, settings={"parallel": 1})
    run = await lab.engine.start(limited)
    driving = lab.driving(run)
    await lab.called("first")

    async def loop_turns() -> None:
        end = asyncio.get_running_loop().time() + 0.4
        while asyncio.get_running_loop().time() < end:
            await asyncio.wait({driving}, timeout=0.1)

    await loop_turns()
    begun = await lab.log(run, "step.begun")
    first.set()

    assert begun == []
    assert (await driving).status == "completed"
    assert lab.calls == ["first", "second"]


async def test_a_step_that_waits_for_its_turn_does_not_act_after_a_cancel(lab: Lab) -> None:
    lab.gate("first")
    run = await lab.engine.start(graph({"first": {}, "second": {}}, settings={"parallel": 1}))
    driving = lab.driving(run)
    await lab.called("first")
    await lab.engine.cancel(run.id)

    assert (await driving).status == "cancelled"
    assert lab.calls == ["first"]


WAITS: dict[str, dict[str, Any]] = {
    "signal": {"use": "flow.wait", "with": {"signal": "go"}},
    "time": {"use": "flow.wait", "with": {"for": "50ms"}},
    "approval": {"use": "flow.approve"},
}


@pytest.mark.parametrize("kind", list(WAITS))
async def test_a_parked_step_that_is_answered_goes_on_while_another_branch_still_runs(lab: Lab, kind: str) -> None:
    slow = lab.gate("slow")
    branches = graph(
        {"start": {}, "slow": {}, "pause": WAITS[kind], "next": {}, "end": {}},
        ["start -> slow", "start -> pause", "pause -> next", "slow -> end", "next -> end"],
    )
    run = await lab.engine.start(branches)
    driving = lab.driving(run)
    await lab.called("slow")
    await lab.until(run, "step.waiting", "pause")
    if kind == "signal":
        await lab.engine.signal("go", {"now": True}, run_id=run.id)
    if kind == "approval":
        await lab.engine.answer(run.id, "pause", {"approved": True})

    await lab.until(run, "step.completed", "next")
    assert "slow" not in lab.ended
    slow.set()

    assert (await driving).status == "completed"
    assert lab.calls[-1] == "end"


async def test_an_unknown_step_holds_up_only_what_depends_on_it(lab: Lab) -> None:
    @lab.on("send")
    async def never(items: Any, ctx: Any) -> Any:
        await asyncio.Event().wait()

    run = await lab.run(
        graph(
            {"send": {"effects": "once", "timeout": "20ms"}, "sent": {}, "other": {}, "more": {}},
            ["send -> sent", "other -> more"],
        )
    )

    assert run.status == "waiting"
    assert await lab.statuses(run) == {"send": "unknown", "other": "completed", "more": "completed"}


async def test_a_waiting_run_holds_no_lease(lab: Lab) -> None:
    run = await lab.run(graph({"ask": {"use": "flow.approve"}}))

    assert run.status == "waiting"
    assert run.lease_owner is None


async def test_a_replay_of_the_log_gives_the_same_decisions(lab: Lab) -> None:
    everything = graph(
        {
            "split": SPLIT,
            "each": {"use": "flow.map", "body": ({"inner": {"write": {"seen": "{{ $json.n }}"}}})},
            "loop": {"use": "flow.loop"},
            "work": {},
            "pick": {"use": "flow.if", "with": {"when": "{{ $json.n > 1 }}"}},
            "big": {},
            "small": {},
            "ask": {"use": "flow.approve"},
            "end": {"join": "any"},
        },
        [
            "split -> each", "each -> loop", "loop.loop -> work", "work -> loop", "loop.done -> pick",
            "pick.true -> big", "pick.false -> small", "big -> ask", "small -> end", "ask.approved -> end",
        ],
        state={"seen": {"type": "array", "reduce": "append"}},
    )  # fmt: skip
    run = await lab.run(everything, numbers(1, 2, 3))
    await lab.engine.answer(run.id, "", {"approved": True})
    run = await lab.drive(run)
    assert run.status == "completed"

    log = await lab.engine.log(run.id)
    seen: list[Any] = []
    for _ in range(2):
        state = RunState(Program(everything, lab.registry))
        decided = [state.apply(entry) for entry in log]
        seen.append(
            (
                [[str(key) for key in changes.ready] for changes in decided],
                [[str(key) for key in changes.skipped] for changes in decided],
                {str(key): outcome.status for key, outcome in state.outcomes.items()},
                dict(state.frames[""].channels),
                state.ended,
            )
        )
        assert state.startable == {}

    assert seen[0] == seen[1]
    assert seen[0][3] == {"seen": [1, 2, 3]}


async def test_every_prefix_of_a_log_can_be_taken_up_by_another_worker(lab: Lab) -> None:
    branches = graph(
        {
            "split": SPLIT, "a": {}, "b": {"effects": "none"}, "each": {"use": "flow.map", "body": {"inner": {}}},
            "end": {},
        },
        ["split -> a", "split -> b", "a -> each", "b -> end", "each -> end"],
        outputs={"n": "{{ $('end').all().length }}"},
    )  # fmt: skip
    whole = await lab.run(branches, numbers(1, 2))
    log = await lab.engine.log(whole.id)

    for length in range(1, len(log)):
        run = await lab.engine.start(branches, numbers(1, 2))
        from pyagent.runtime.journal import StoreJournal

        lease = await lab.store.claim(run.id, "dead", lab.engine.lease)
        journal = StoreJournal(lab.store, lease, 0)
        for entry in log[:length]:
            journal.add(entry, journal.encoded(entry))
        journal.change("running", release=True)
        await journal.flush()
        await journal.close()

        ended = await lab.drive(run)

        assert ended.status == "completed", f"after {length} entries"
        assert await lab.outputs(ended) == {"n": 4}
