"""SEMANTICS 12, 21 and 22 through the engine: cancel, pause, drain, resume, waits, start keys, several engines."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import NodeError, NotFound
from pyagent.store import open_store
from pyagent.store.base import KeyTaken

TWO = graph({"first": {}, "second": {}}, ["first -> second"])


async def test_a_loop_that_went_too_far_fails_of_the_same_when_it_is_resumed(lab: Lab) -> None:
    nodes: dict[str, Any] = {"start": {}, "head": {"loop": {"max": 2}}, "again": {}}
    run = await lab.run(graph(nodes, ["start -> head", "head -> again", "again -> head"]))
    await lab.engine.resume(run.id)
    resumed = await lab.drive(run)

    assert [(found.status, (found.error or {})["code"]) for found in (run, resumed)] == [
        ("failed", "run.loop_limit"),
        ("failed", "run.loop_limit"),
    ]
    assert lab.tries()["head@2"] == 1


async def test_writes_that_cannot_meet_fail_of_the_same_when_the_run_is_resumed(lab: Lab) -> None:
    nodes = {name: {"write": {"total": "{{ 1 }}"}} for name in ("a", "b")}
    run = await lab.run(
        graph({"start": {}, **nodes}, ["start -> a", "start -> b"], state={"total": {"type": "number"}})
    )
    await lab.engine.resume(run.id)
    resumed = await lab.drive(run)

    assert (run.status, resumed.status) == ("failed", "failed")
    assert (run.error or {})["code"] == (resumed.error or {})["code"] == "run.concurrent_write"


@pytest.mark.parametrize("effects", ["none", "idempotent"])
async def test_cancel_stops_running_steps_and_ends_the_run(lab: Lab, effects: str) -> None:
    lab.gate("first")
    run = await lab.engine.start(graph({"first": {"effects": effects}, "second": {}}, ["first -> second"]))
    driving = lab.driving(run)
    await lab.called("first")
    await lab.engine.cancel(run.id, reason="enough", actor="ada")

    assert (await driving).status == "cancelled"
    assert lab.calls == lab.ended == ["first"]
    (entry,) = await lab.log(run, "run.cancel")
    assert (entry.data["reason"], entry.data["actor"]) == ("enough", "ada")


async def test_a_cancelled_step_may_clean_up(lab: Lab) -> None:
    cleaned: list[str] = []

    @lab.on("first")
    async def first(items: Any, ctx: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(ctx.cancel.reason)

    run = await lab.engine.start(TWO)
    driving = lab.driving(run)
    await lab.called("first")
    await lab.engine.cancel(run.id)
    await driving

    assert cleaned == ["cancel"]


async def test_cancel_ends_a_waiting_run(lab: Lab) -> None:
    run = await lab.run(graph({"ask": {"use": "flow.approve"}}))
    await lab.engine.cancel(run.id)

    assert run.id in await lab.store.claimable()
    assert (await lab.drive(run)).status == "cancelled"


async def test_a_pause_lets_running_steps_end_and_starts_nothing_new(lab: Lab) -> None:
    gate = lab.gate("first")
    run = await lab.engine.start(TWO)
    driving = lab.driving(run)
    await lab.called("first")
    await lab.engine.pause(run.id)
    await lab.until(run, "run.pausing")
    gate.set()

    paused = await driving
    assert (paused.status, paused.lease_owner) == ("paused", None)
    assert lab.calls == ["first"]
    assert run.id not in await lab.store.claimable()

    await lab.engine.resume(run.id)
    assert run.id in await lab.store.claimable()
    assert (await lab.drive(run)).status == "completed"
    assert lab.calls == ["first", "second"]


async def test_a_waiting_run_can_be_paused_and_resumed_and_still_waits(lab: Lab) -> None:
    run = await lab.run(graph({"ask": {"use": "flow.approve"}, "end": {}}, ["ask.approved -> end"]))
    await lab.engine.pause(run.id)
    assert (await lab.drive(run)).status == "paused"
    await lab.engine.answer(run.id, "ask", {"approved": True})
    assert (await lab.drive(run)).status == "paused"
    assert lab.calls == []
    await lab.engine.resume(run.id)

    assert (await lab.drive(run)).status == "completed"
    assert lab.calls == ["end"]


async def test_a_pause_that_is_taken_back_while_a_step_runs_holds_up_nothing(lab: Lab) -> None:
    gate = lab.gate("slow")
    quick = lab.gate("quick")
    run = await lab.engine.start(graph({"slow": {}, "quick": {}, "next": {}}, ["quick -> next"]))
    driving = lab.driving(run)
    await lab.called("slow")
    await lab.called("quick")
    await lab.engine.pause(run.id)
    await lab.until(run, "run.pausing")
    quick.set()
    await lab.until(run, "step.completed", "quick")
    await lab.engine.resume(run.id)

    await lab.until(run, "step.completed", "next")
    assert "slow" not in lab.ended
    gate.set()
    assert (await driving).status == "completed"


async def test_a_drained_run_is_left_for_the_next_worker_which_begins_the_step_again(lab: Lab) -> None:
    lab.gate("slow")
    run = await lab.engine.start(graph({"slow": {}, "ask": {"use": "flow.approve"}}))
    driving = lab.driving(run)
    await lab.called("slow")
    await lab.until(run, "step.waiting", "ask")
    lab.engine.drain()

    assert (await driving).status == "running"
    assert run.id in await lab.store.claimable()
    lab.acts.clear()
    assert (await lab.drive(run)).status == "waiting"
    assert lab.tries() == {"slow": 2}
    assert (await lab.steps(run))["slow"].attempt == 1


async def test_resume_of_a_failed_run_tries_the_failed_step_only(lab: Lab) -> None:
    lab.raises("bad", NodeError("no"), NodeError("no"))
    run = await lab.run(
        graph(
            {"first": {}, "bad": {"retry": {"attempts": 2, "initial": "1ms"}}, "beside": {}, "after": {}},
            ["first -> bad", "first -> beside", "bad -> after"],
        )
    )
    assert run.status == "failed"
    await lab.engine.resume(run.id)
    run = await lab.drive(run)

    assert run.status == "completed"
    assert run.error is None or run.status == "completed"
    assert lab.tries() == {"first": 1, "bad": 3, "beside": 1, "after": 1}


async def test_resume_of_a_failed_run_tries_only_the_failed_items(lab: Lab) -> None:
    fail = True

    @lab.on_item("each")
    async def some(item: Any, ctx: Any) -> Any:
        if fail and item.json["n"] == 2:
            raise NodeError("no")
        return item

    run = await lab.run(
        graph({"split": SPLIT, "each": {"use": "lab.each", "effects": "once"}}, ["split -> each"]), numbers(1, 2, 3)
    )
    assert run.status == "failed"
    fail = False
    await lab.engine.resume(run.id)

    assert (await lab.drive(run)).status == "completed"
    assert lab.tries() == {"each#0": 1, "each#1": 2, "each#2": 1}


async def test_resume_of_a_run_that_failed_inside_a_map_keeps_the_elements_that_ended(lab: Lab) -> None:
    lab.raises("inner", None, NodeError("no"))
    run = await lab.run(
        graph(
            {"split": SPLIT, "each": {"use": "flow.map", "with": {"parallel": 1}, "body": {"inner": {}}}},
            ["split -> each"],
        ),
        numbers(1, 2, 3),
    )
    assert run.status == "failed"
    await lab.engine.resume(run.id)

    assert (await lab.drive(run)).status == "completed"
    assert lab.tries() == {"each[0]/inner": 1, "each[1]/inner": 2, "each[2]/inner": 1}


async def test_a_worker_takes_up_a_failed_run_that_is_resumed(lab: Lab) -> None:
    lab.raises("bad", NodeError("no"))
    run = await lab.run(graph({"bad": {}}))
    await lab.engine.resume(run.id)

    assert run.id in await lab.store.claimable()


async def test_resume_of_a_run_that_timed_out_gives_it_its_time_again(lab: Lab) -> None:
    lab.gate("slow")
    run = await lab.run(graph({"slow": {}}, settings={"timeout": "200ms"}))
    assert (run.status, (run.error or {})["code"]) == ("failed", "run.timeout")
    lab.acts.clear()
    await lab.engine.resume(run.id)

    assert (await lab.drive(run)).status == "completed"


async def test_settings_timeout_ends_a_run_that_waits(lab: Lab) -> None:
    run = await lab.run(graph({"ask": {"use": "flow.approve"}}, settings={"timeout": "150ms"}))
    assert run.status == "waiting"
    assert run.wake_at is not None
    while run.id not in await lab.store.claimable():
        await lab.store.changed(0.02)

    ended = await lab.drive(run)
    assert (ended.status, (ended.error or {})["code"]) == ("failed", "run.timeout")


SIGNAL = graph(
    {"wait": {"use": "flow.wait", "with": {"signal": "paid", "key": "{{ $inputs.order }}"}}, "end": {}},
    ["wait -> end"],
    id="orders",
    outputs={"said": "{{ $('end').first().json.signal.value }}"},
)


@pytest.mark.parametrize("addressed", [True, False])
async def test_a_signal_that_comes_before_its_wait_is_kept(lab: Lab, addressed: bool) -> None:
    run = await lab.engine.start(SIGNAL, {"order": "7"})
    await lab.engine.signal("paid", 30, key="7", run_id=run.id if addressed else None)
    run = await lab.drive(run)

    assert run.status == "completed"
    assert await lab.outputs(run) == {"said": 30}


async def test_a_signal_reaches_only_the_wait_with_its_key(lab: Lab) -> None:
    runs = [await lab.run(SIGNAL, {"order": order}) for order in ("7", "8")]
    await lab.engine.signal("paid", 30, key="8")
    await lab.engine.signal("sent", 30, key="7")

    assert await lab.store.claimable() == [runs[1].id]
    assert (await lab.drive(runs[1])).status == "completed"
    assert (await lab.drive(runs[0])).status == "waiting"


async def test_one_signal_wakes_one_of_the_runs_that_wait_for_it(lab: Lab) -> None:
    runs = [await lab.run(SIGNAL, {"order": "7"}) for _ in range(4)]
    await lab.engine.signal("paid", 30, key="7")
    engines = [lab.another_engine() for _ in runs]
    ended = await asyncio.gather(*(lab.drive(run, engine) for run, engine in zip(runs, engines, strict=True)))

    assert Counter(run.status for run in ended) == {"completed": 1, "waiting": 3}
    assert await lab.store.claimable() == []


async def test_two_waits_for_one_name_take_one_signal_each(lab: Lab) -> None:
    wait = {"use": "flow.wait", "with": {"signal": "go"}}
    run = await lab.run(graph({"a": wait, "b": wait}))
    await lab.engine.signal("go", 1, run_id=run.id)
    assert (await lab.drive(run)).status == "waiting"
    await lab.engine.signal("go", 2)
    assert (await lab.drive(run)).status == "completed"


async def test_an_approval_records_who_when_and_what_was_seen(lab: Lab) -> None:
    run = await lab.run(
        graph({"ask": {"use": "flow.approve", "with": {"title": "Sure?"}}, "end": {}}, ["ask.approved -> end"],
              outputs={"said": "{{ $('end').first().json.approval }}"}),
        {"n": 3},
    )  # fmt: skip
    await lab.engine.answer(run.id, "", {"approved": True, "comment": "fine"}, actor="ada")
    run = await lab.drive(run)

    said = (await lab.outputs(run))["said"]
    assert (said["approved"], said["comment"], said["actor"], said["by"]) == (True, "fine", "ada", "person")
    (entry,) = await lab.log(run, "step.answered")
    assert entry.data["answer"]["seen"]["items"] == [{"n": 3}]
    assert entry.data["answer"]["at"]


async def test_an_answer_to_what_does_not_wait_is_refused(lab: Lab) -> None:
    run = await lab.run(TWO)

    with pytest.raises(NotFound):
        await lab.engine.answer(run.id, "first", {"approved": True})


async def test_a_wait_for_a_signal_gives_up_in_time(lab: Lab) -> None:
    wait = {"use": "flow.wait", "with": {"signal": "go", "timeout": "30ms"}}
    run = await lab.run(graph({"wait": wait, "end": {}, "late": {}}, ["wait -> end", "wait.timeout -> late"]))
    while run.status == "waiting":
        await lab.store.changed(0.02)
        run = await lab.drive(run)

    assert lab.calls == ["late"]


# -- SEMANTICS 22 -------------------------------------------------------------------------------------------------


async def test_a_start_key_that_is_taken_rejects_gives_the_run_or_replaces_it(lab: Lab) -> None:
    waiting = graph({"ask": {"use": "flow.approve"}})
    run = await lab.run(waiting, key="k")

    with pytest.raises(KeyTaken):
        await lab.engine.start(waiting, key="k")
    assert (await lab.engine.start(waiting, key="k", key_policy="existing")).id == run.id
    assert (await lab.engine.start(waiting, key="other")).id != run.id

    new = await lab.engine.start(waiting, key="k", key_policy="replace")
    assert new.id != run.id
    assert (await lab.drive(run)).status == "cancelled"
    assert (await lab.drive(new)).status == "waiting"


async def test_a_start_key_is_free_when_its_run_has_ended_but_for_the_window(lab: Lab) -> None:
    run = await lab.run(TWO, key="k")
    again = await lab.run(TWO, key="k", key_window=timedelta(hours=1))
    assert again.id != run.id

    with pytest.raises(KeyTaken):
        await lab.engine.start(TWO, key="k")


# -- several engines ----------------------------------------------------------------------------------------------


async def test_two_engines_race_for_fifty_runs_and_each_step_runs_once(lab: Lab) -> None:
    url = f"sqlite:///{lab.folder.parent}/lab.db"
    done: list[str] = []

    @lab.on("work")
    async def work(items: Any, ctx: Any) -> Any:
        done.append(ctx.run_id)
        return items

    other = open_store(url)
    await other.open()
    engines = [lab.engine, lab.another_engine(store=other)]
    made = graph(
        {"first": {}, "work": {"effects": "once"}, "last": {"effects": "none"}}, ["first -> work", "work -> last"]
    )
    runs = [await engines[number % 2].start(made, {"n": number}) for number in range(50)]
    working = [asyncio.create_task(engine.work(limit=8)) for engine in engines]
    try:
        for run in runs:
            ended = await asyncio.wait_for(lab.engine.wait(run.id), 30)
            assert ended.status == "completed", ended.error
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await other.close()

    assert Counter(done) == {run.id: 1 for run in runs}
    assert all([not await lab.log(run, "run.adopted") for run in runs])


async def test_one_engine_that_works_and_is_asked_to_drive_does_not_take_its_own_run_over(lab: Lab) -> None:
    gate = lab.gate("first")
    run = await lab.engine.start(TWO)
    working = asyncio.create_task(lab.engine.work())
    await lab.called("first")
    second = lab.driving(run)
    await asyncio.wait({second}, timeout=0.1)
    gate.set()
    await asyncio.gather(second, return_exceptions=True)
    ended = await lab.engine.wait(run.id)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert ended.status == "completed"
    assert lab.tries() == {"first": 1, "second": 1}


# -- losers of SEMANTICS 4 that wait ------------------------------------------------------------------------------


async def test_a_loser_that_waits_for_a_person_does_not_hold_the_run(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"start": {}, "quick": {}, "ask": {"use": "flow.approve"}, "end": {"join": "any", "losers": "cancel"}},
            ["start -> quick", "start -> ask", "quick -> end", "ask.approved -> end"],
        )
    )

    assert run.status == "completed"
    assert lab.calls == ["start", "quick", "end"]


async def test_a_step_that_is_answered_while_its_run_is_paused_draws_no_other_signal(lab: Lab) -> None:
    run = await lab.run(graph({"wait": {"use": "flow.wait", "with": {"signal": "go"}}}))
    await lab.engine.pause(run.id)
    await lab.engine.signal("go", 1)
    assert (await lab.drive(run)).status == "paused"
    await lab.engine.signal("go", 2)

    assert await lab.store.claimable() == []
    assert (await lab.steps(run))["wait"].wait is None

    await lab.engine.resume(run.id)
    assert (await lab.drive(run)).status == "completed"
    assert [entry.data["answer"]["value"] for entry in await lab.log(run, "step.answered")] == [1]


async def test_an_approval_that_is_given_while_its_run_is_paused_cannot_be_given_again(lab: Lab) -> None:
    run = await lab.run(graph({"ask": {"use": "flow.approve"}}))
    await lab.engine.pause(run.id)
    await lab.engine.answer(run.id, "ask", True)
    assert (await lab.drive(run)).status == "paused"

    with pytest.raises(NotFound):
        await lab.engine.answer(run.id, "ask", False)
