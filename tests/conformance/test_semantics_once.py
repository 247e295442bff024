"""SEMANTICS 18 and 19 through the engine: effects, `unknown`, and commits that are fenced."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import LeaseLost, NodeError
from pyagent.store.base import Commit, StoreFull


async def test_a_once_try_is_committed_as_begun_before_it_acts(lab: Lab) -> None:
    seen: list[str] = []

    @lab.on("send")
    async def send(items: Any, ctx: Any) -> Any:
        seen.extend(record.kind for record in await lab.store.read_log(ctx.run_id))
        return items

    for durability in ("sync", "exit"):
        seen.clear()
        await lab.run(graph({"send": {"effects": "once"}}, settings={"durability": durability}))
        assert seen == ["run.started", "step.begun"]


async def test_once_items_are_committed_as_begun_item_by_item(lab: Lab) -> None:
    seen: list[list[str]] = []

    @lab.on_item("send")
    async def send(item: Any, ctx: Any) -> Any:
        log = await lab.log(await lab.store.get_run(ctx.run_id), "step.item")
        seen.append([f"{entry.data['index']} {entry.data['status']}" for entry in log])
        return item

    await lab.run(
        graph({"split": SPLIT, "send": {"use": "lab.each", "effects": "once"}}, ["split -> send"]), numbers(1, 2)
    )

    assert seen == [["0 begun"], ["0 begun", "0 completed", "1 begun"]]


@pytest.mark.parametrize("effects", ["idempotent", "once"])
async def test_an_outcome_is_committed_before_anything_that_depends_on_it_acts(lab: Lab, effects: str) -> None:
    seen: list[str] = []

    @lab.on("second")
    async def look(items: Any, ctx: Any) -> Any:
        seen.extend(record.step for record in await lab.store.read_log(ctx.run_id) if record.kind == "step.ended")
        return items

    await lab.run(
        graph(
            {"first": {"effects": "none"}, "middle": {"effects": "none"}, "second": {"effects": effects}},
            ["first -> middle", "middle -> second"],
        )
    )

    assert seen == ["first", "middle"]


async def test_effects_that_depend_on_parameters_are_those_of_the_strictest_item(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {
                "split": SPLIT,
                "send": {"use": "lab.each", "with": {"effects": "{{ $json.n > 1 ? 'once' : 'idempotent' }}"}},
            },
            ["split -> send"],
        ),
        numbers(1, 2),
    )

    assert run.status == "completed", run.error
    assert [entry.data["status"] for entry in await lab.log(run, "step.item")] == ["begun", "completed"] * 2


async def lose(lab: Lab, made: Any, step: str = "send", inputs: Any = None) -> Any:
    """A run whose worker died while the step acted; what it does next time is up to the test."""
    if "#" in step:

        @lab.on_item("send")
        async def never(item: Any, ctx: Any) -> Any:
            if f"{ctx.step}#{ctx.idempotency_key.rpartition(':')[2]}" == step:
                await asyncio.Event().wait()
            return item

    else:
        lab.gate("send")
    run = await lab.engine.start(made, inputs or {"n": 1})
    driving = lab.driving(run)
    await lab.called(step)
    await lab.crash(driving, run)
    lab.acts.clear()
    lab.item_acts.clear()
    return run


def sending(**fields: Any) -> Any:
    routed = fields.get("on_error") == "route"
    return graph(
        {"send": {"effects": "once", **fields}, "end": {}, **({"bad": {}} if routed else {})},
        ["send -> end", *(["send.error -> bad"] if routed else [])],
        outputs={"n": "{{ $('end').first().json.n }}", "bad": None if not routed else "{{ $('bad').first().json }}"},
    )


async def test_a_once_try_whose_worker_died_is_unknown_and_waits(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, sending()))

    assert run.status == "waiting"
    assert (await lab.statuses(run))["send"] == "unknown"
    assert lab.tries() == {"send": 1}


async def test_a_once_try_that_times_out_is_unknown(lab: Lab) -> None:
    lab.gate("send")
    run = await lab.run(sending(timeout="20ms", retry={"attempts": 3}), {"n": 1})

    assert run.status == "waiting"
    assert (await lab.statuses(run))["send"] == "unknown"
    assert lab.tries() == {"send": 1}


async def test_a_once_try_that_fails_by_itself_has_failed(lab: Lab) -> None:
    lab.raises("send", NodeError("refused"))
    run = await lab.run(sending(retry={"attempts": 2, "initial": "1ms"}), {"n": 1})

    assert run.status == "completed"
    assert lab.tries()["send"] == 2


@pytest.mark.integration  # a grace time of five seconds
async def test_in_a_run_that_is_cancelled_unknown_is_recorded_and_nothing_waits(lab: Lab) -> None:
    lab.gate("send")
    run = await lab.engine.start(sending(), {"n": 1})
    driving = lab.driving(run)
    await lab.called("send")
    await lab.engine.cancel(run.id)

    assert (await driving).status == "cancelled"
    assert (await lab.statuses(run))["send"] == "unknown"
    (entry,) = await lab.log(run, "step.ended")
    assert entry.data["unknown"]

    await lab.engine.resume(run.id)
    assert (await lab.drive(run)).status == "waiting"
    assert lab.tries() == {"send": 1}


async def test_a_once_try_that_ends_in_its_grace_time_is_known(lab: Lab) -> None:
    @lab.on("send")
    async def send(items: Any, ctx: Any) -> Any:
        await ctx.cancel.wait()
        return items

    run = await lab.engine.start(sending(), {"n": 1})
    driving = lab.driving(run)
    await lab.called("send")
    await lab.engine.cancel(run.id)

    assert (await driving).status == "cancelled"
    assert (await lab.statuses(run))["send"] == "completed"


async def test_on_unknown_retry_tries_again(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, sending(on_unknown="retry")))

    assert run.status == "completed"
    assert lab.tries()["send"] == 2


async def test_on_unknown_retry_is_bounded(lab: Lab) -> None:
    lab.gate("send")
    run = await lab.run(sending(on_unknown="retry", timeout="10ms", retry={"attempts": 3}), {"n": 1})

    assert run.status == "failed"
    assert (run.error or {})["code"] == "node.unknown"
    assert lab.tries() == {"send": 3}


@pytest.mark.parametrize("policy", ["stop", "route"])
async def test_on_unknown_fail_fails_the_step_by_its_policy(lab: Lab, policy: str) -> None:
    run = await lab.drive(await lose(lab, sending(on_unknown="fail", on_error=policy)))

    assert run.status == ("failed" if policy == "stop" else "completed")
    assert (await lab.steps(run))["send"].error["code"] == "node.unknown"  # type: ignore[index]


async def test_resolve_done_ends_the_step_with_the_items_given(lab: Lab) -> None:
    made = graph(
        {"send": {"effects": "once", "write": {"c": "{{ $json.n }}"}}, "end": {}},
        ["send -> end"],
        state={"c": {"type": "number"}},
        outputs={"n": "{{ $('end').first().json.n }}", "c": "{{ $state.c }}"},
    )
    run = await lab.drive(await lose(lab, made))
    await lab.engine.resolve(run.id, "send", "done", items=[{"n": 7}], actor="ada")
    run = await lab.drive(run)

    assert run.status == "completed"
    assert await lab.outputs(run) == {"n": 7, "c": 7}
    assert lab.tries() == {"send": 1, "end": 1}
    assert (await lab.statuses(run))["send"] == "completed"
    (told,) = await lab.events(run, "step.resolved")
    assert (told.data["how"], told.data["actor"]) == ("done", "ada")


async def test_resolve_retry_tries_again(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, sending()))
    await lab.engine.resolve(run.id, "", "retry")

    assert (await lab.drive(run)).status == "completed"
    assert lab.tries()["send"] == 2


@pytest.mark.parametrize("policy", ["stop", "continue", "route"])
async def test_resolve_failed_fails_the_step_by_its_policy(lab: Lab, policy: str) -> None:
    run = await lab.drive(await lose(lab, sending(on_error=policy)))
    await lab.engine.resolve(run.id, "send", "failed", actor="ada")
    run = await lab.drive(run)

    assert run.status == ("failed" if policy == "stop" else "completed")
    assert (await lab.steps(run))["send"].error["code"] == "node.unknown"  # type: ignore[index]
    if policy == "route":
        assert (await lab.outputs(run))["bad"]["input"] == {"n": 1}
    if policy == "stop":
        await lab.engine.resume(run.id)
        assert (await lab.drive(run)).status == "completed"


def items(**fields: Any) -> Any:
    routed = fields.get("on_error") == "route"
    return graph(
        {
            "split": SPLIT,
            "send": {"use": "lab.each", "effects": "once", **fields},
            "end": {},
            **({"bad": {}} if routed else {}),
        },
        ["split -> send", "send -> end", *(["send.error -> bad"] if routed else [])],
        outputs={"n": "{{ $('end').all().map(item => item.json.n) }}"},
    )


async def test_a_once_item_whose_worker_died_is_unknown_and_never_repeated_by_itself(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, items(), "send#1", numbers(1, 2, 3)))

    assert run.status == "waiting"
    assert lab.tries() == {"send#0": 1, "send#1": 1}


async def test_an_unknown_item_is_settled_as_done_and_the_others_go_on(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, items(), "send#1", numbers(1, 2, 3)))
    await lab.engine.resolve(run.id, "send", "done", items=[{"n": 20}])
    run = await lab.drive(run)

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"n": [1, 20, 3]}
    assert lab.tries() == {"send#0": 1, "send#1": 1, "send#2": 1, "end": 1}


async def test_an_unknown_item_is_settled_as_retry_and_no_other_is_repeated(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, items(), "send#1", numbers(1, 2, 3)))
    await lab.engine.resolve(run.id, "send", "retry")
    run = await lab.drive(run)

    assert await lab.outputs(run) == {"n": [1, 2, 3]}
    assert lab.tries() == {"send#0": 1, "send#1": 2, "send#2": 1, "end": 1}


async def test_an_unknown_item_is_settled_as_failed_and_only_it_is_routed(lab: Lab) -> None:
    run = await lab.drive(await lose(lab, items(on_error="route"), "send#1", numbers(1, 2, 3)))
    await lab.engine.resolve(run.id, "send", "failed")
    run = await lab.drive(run)

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"n": [1, 3]}
    assert lab.tries() == {"send#0": 1, "send#1": 1, "send#2": 1, "end": 1, "bad": 1}


@pytest.mark.parametrize(("policy", "tries"), [("retry", 2), ("fail", 1)])
async def test_on_unknown_holds_for_items(lab: Lab, policy: str, tries: int) -> None:
    made = items(on_unknown=policy, on_error="route")
    run = await lab.drive(await lose(lab, made, "send#1", numbers(1, 2, 3)))

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"n": [1, 2, 3] if policy == "retry" else [1, 3]}
    assert lab.tries()["send#1"] == tries
    assert lab.tries()["send#0"] == 1


async def test_a_timeout_in_the_middle_of_an_item_makes_that_item_unknown(lab: Lab) -> None:
    @lab.on_item("send")
    async def slow(item: Any, ctx: Any) -> Any:
        if item.json["n"] == 2:
            await asyncio.Event().wait()
        return item

    run = await lab.run(items(timeout="60ms", retry={"attempts": 3, "initial": "1ms"}), numbers(1, 2))

    assert run.status == "waiting"
    assert lab.tries() == {"send#0": 1, "send#1": 1}


async def test_a_worker_with_an_old_token_commits_nothing_and_stops(lab: Lab) -> None:
    gate = lab.gate("slow")
    run = await lab.engine.start(graph({"slow": {}, "after": {}}, ["slow -> after"]))
    driving = lab.driving(run)
    await lab.until(run, "step.started", "slow")
    # A partitioned worker: its lease has run out unnoticed, and another has taken the run over.
    lease = await lab.store.claim(run.id, lab.engine.peer, timedelta(seconds=10))
    before = len(await lab.store.read_log(run.id))
    gate.set()

    with pytest.raises(LeaseLost):
        await driving
    assert len(await lab.store.read_log(run.id)) == before
    assert "after" not in lab.calls
    await lab.store.release(lease)
    assert (await lab.drive(run)).status == "completed"


async def test_a_full_disk_stops_the_run_where_it_was_last_committed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    full = False
    commit = lab.store.commit

    async def refuse(lease: Any, change: Commit) -> None:
        if full:
            raise StoreFull("no space")
        await commit(lease, change)

    monkeypatch.setattr(lab.store, "commit", refuse)

    @lab.on("middle")
    async def fill(items: Any, ctx: Any) -> Any:
        nonlocal full
        full = True
        return items

    run = await lab.engine.start(graph({"first": {}, "middle": {}, "last": {}}, ["first -> middle", "middle -> last"]))
    with pytest.raises(StoreFull):
        await lab.drive(run)
    assert "last" not in lab.calls
    full = False
    lab.acts.clear()

    assert (await lab.drive(run)).status == "completed"
    assert lab.tries() == {"first": 1, "middle": 2, "last": 1}


async def test_a_lost_try_of_a_paused_run_waits_for_a_person_when_the_run_is_resumed(lab: Lab) -> None:
    opened = lab.gate("send")
    lab.gate("slow")
    run = await lab.engine.start(graph({"send": {"effects": "once"}, "slow": {}}))
    driving = lab.driving(run)
    await lab.called("send")
    await lab.engine.pause(run.id)
    await lab.until(run, "run.pausing")
    await lab.crash(driving, run)
    await lab.engine.resume(run.id)
    opened.set()
    other = lab.driving(run, lab.another_engine())
    await lab.until(run, "step.unknown", "send")
    await lab.called("slow", 2)
    lab.acts.pop("slow")
    await lab.engine.cancel(run.id)
    await other

    assert lab.tries()["send"] == 1
