"""SEMANTICS 17 and 20 through the engine: tries, time limits, workers that die, and what a failure leads to."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import NodeError


def retry(**fields: Any) -> dict[str, Any]:
    return {"attempts": 3, "initial": "1ms", **fields}


async def test_a_step_is_tried_as_often_as_its_policy_says(lab: Lab) -> None:
    lab.raises("flaky", NodeError("one"), NodeError("two"))
    run = await lab.run(graph({"flaky": {"retry": retry()}}))

    assert run.status == "completed"
    assert lab.tries() == {"flaky": 3}
    assert (await lab.steps(run))["flaky"].attempt == 3


async def test_a_step_fails_when_its_tries_are_used_up(lab: Lab) -> None:
    lab.raises("flaky", *(NodeError(f"number {number}") for number in range(1, 9)))
    run = await lab.run(graph({"flaky": {"retry": retry()}}))

    assert run.status == "failed"
    assert lab.tries() == {"flaky": 3}
    assert ((run.error or {})["message"], (run.error or {})["attempt"]) == ("number 3", 3)


async def test_without_a_policy_there_is_one_try(lab: Lab) -> None:
    lab.raises("flaky", NodeError("no"))

    assert (await lab.run(graph({"flaky": {}}))).status == "failed"
    assert lab.tries() == {"flaky": 1}


async def test_only_the_errors_named_are_tried_again(lab: Lab) -> None:
    lab.raises("flaky", NodeError("busy", code="lab.busy"), NodeError("gone", code="lab.gone"))
    run = await lab.run(graph({"flaky": {"retry": retry(on=["lab.busy"])}}))

    assert run.status == "failed"
    assert (run.error or {})["code"] == "lab.gone"
    assert lab.tries() == {"flaky": 2}


@pytest.mark.parametrize(
    ("fields", "delays"),
    [
        ({"initial": "4ms"}, [0.004, 0.004, 0.004]),
        ({"initial": "4ms", "backoff": "exponential"}, [0.004, 0.008, 0.016]),
        ({"initial": "4ms", "backoff": "exponential", "max": "10ms"}, [0.004, 0.008, 0.010]),
    ],
)
async def test_the_pause_between_tries_grows_as_the_policy_says(
    lab: Lab, fields: dict[str, Any], delays: list[float]
) -> None:
    lab.raises("flaky", *(NodeError("no") for _ in range(3)))
    run = await lab.run(graph({"flaky": {"retry": retry(attempts=4, **fields)}}))
    tried = await lab.log(run, "step.tried")
    begun = [found.at for found in await lab.events(run, "step.started")]

    assert [entry.data["delay"] for entry in tried] == delays
    assert all(
        later - earlier >= timedelta(seconds=delay * 0.9)
        for earlier, later, delay in zip(begun, begun[1:], delays, strict=False)
    )


async def test_jitter_spreads_the_pause_and_is_the_same_in_a_replay(lab: Lab) -> None:
    lab.raises("flaky", NodeError("no"))
    run = await lab.run(graph({"flaky": {"retry": retry(initial="8ms", jitter=True)}}))
    (tried,) = await lab.log(run, "step.tried")

    assert 0.004 <= tried.data["delay"] < 0.012


@pytest.mark.parametrize("effects", ["none", "idempotent"])
async def test_a_try_that_outlives_its_timeout_is_cancelled_and_tried_again(lab: Lab, effects: str) -> None:
    tries = 0

    @lab.on("slow")
    async def slow(items: Any, ctx: Any) -> Any:
        nonlocal tries
        tries += 1
        assert ctx.deadline is not None
        if tries == 1:
            await asyncio.Event().wait()
        return items

    run = await lab.run(graph({"slow": {"timeout": "30ms", "retry": retry(), "effects": effects}}))

    assert run.status == "completed"
    assert lab.tries() == {"slow": 2}


async def test_a_timeout_is_an_error_with_a_code(lab: Lab) -> None:
    lab.gate("slow")
    run = await lab.run(graph({"slow": {"timeout": "20ms"}}))

    assert run.status == "failed"
    assert (run.error or {})["code"] == "node.timeout"
    assert lab.ended == ["slow"]


async def test_a_try_that_shows_no_progress_is_cancelled_and_one_that_does_is_not(lab: Lab) -> None:
    @lab.on("busy")
    async def busy(items: Any, ctx: Any) -> Any:
        for number in range(8):
            ctx.progress(number / 8)
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.02)
        return items

    lab.gate("idle")
    run = await lab.run(
        graph({"busy": {"idle_timeout": "100ms"}, "idle": {"idle_timeout": "30ms", "on_error": "continue"}})
    )

    assert run.status == "completed"
    steps = await lab.steps(run)
    assert steps["busy"].status == "completed"
    assert steps["idle"].error["code"] == "node.timeout"  # type: ignore[index]


async def test_a_node_that_cancels_itself_fails_and_takes_nothing_with_it(lab: Lab) -> None:
    for name, effects in (("pure", "none"), ("other", "idempotent")):
        lab.raises(name, asyncio.CancelledError())
        run = await lab.run(graph({name: {"effects": effects, "on_error": "continue"}, "end": {}}, [f"{name} -> end"]))

        assert run.status == "completed"
        assert (await lab.steps(run))[name].error["code"] == "node.crashed"  # type: ignore[index]


@pytest.mark.parametrize("effects", ["none", "idempotent"])
async def test_a_workers_death_does_not_use_up_a_try(lab: Lab, effects: str) -> None:
    lab.gate("step")
    run = await lab.engine.start(graph({"step": {"effects": effects, "timeout": "1h"}}))
    for deaths in range(1, 4):
        driving = lab.driving(run)
        await lab.called("step", deaths)
        await lab.until(run, "run.started")
        await lab.crash(driving, run)
    lab.acts.clear()

    ended = await lab.drive(run)

    assert ended.status == "completed"
    assert (await lab.steps(run))["step"].attempt == 1


async def test_a_try_counted_before_a_workers_death_counts_after_it(lab: Lab) -> None:
    lab.raises("flaky", NodeError("one"))
    run = await lab.engine.start(graph({"flaky": {"retry": retry(initial="1h", attempts=2)}}))
    driving = lab.driving(run)
    await lab.until(run, "step.retrying")
    await lab.crash(driving, run)
    lab.raises("flaky", NodeError("two"))

    assert (await lab.drive(run)).status == "failed"
    assert lab.tries() == {"flaky": 2}


async def test_five_adoptions_without_progress_fail_the_run(lab: Lab) -> None:
    lab.gate("killer")
    run = await lab.engine.start(graph({"first": {}, "killer": {}}, ["first -> killer"]))
    for deaths in range(1, 6):
        driving = lab.driving(run)
        await lab.called("killer", deaths)
        await lab.crash(driving, run)

    ended = await lab.drive(run)

    assert ended.status == "failed"
    assert (ended.error or {})["code"] == "run.crash_loop"
    assert lab.tries()["killer"] == 5

    lab.acts.clear()
    await lab.engine.resume(run.id)
    assert (await lab.drive(run)).status == "completed"
    assert lab.tries()["first"] == 1


async def test_progress_between_adoptions_is_no_crash_loop(lab: Lab) -> None:
    names = [f"n{number}" for number in range(8)]
    for name in names:
        lab.gate(name)
    run = await lab.engine.start(graph({name: {} for name in names}, [f"{a} -> {b}" for a, b in pairwise(names)]))
    for name in names:
        driving = lab.driving(run)
        await lab.called(name)
        await lab.crash(driving, run)
        del lab.acts[name]

    assert (await lab.drive(run)).status == "completed"


# -- SEMANTICS 20 -------------------------------------------------------------------------------------------------


async def test_stop_cancels_running_steps_and_fails_the_run(lab: Lab) -> None:
    cleaned: list[str] = []

    @lab.on("slow")
    async def slow(items: Any, ctx: Any) -> Any:
        await ctx.cancel.wait()
        cleaned.append(ctx.cancel.reason)
        raise NodeError("stopped")

    @lab.on("bad")
    async def bad(items: Any, ctx: Any) -> Any:
        await lab.called("slow")
        raise NodeError("no", code="lab.no")

    run = await lab.run(graph({"slow": {}, "bad": {}, "after": {}}, ["slow -> after"]))

    assert run.status == "failed"
    assert (run.error or {})["code"] == "lab.no"
    assert cleaned == ["failed"]
    assert await lab.statuses(run) == {"slow": "cancelled", "bad": "failed"}


@pytest.mark.parametrize("effects", ["none", "idempotent"])
async def test_a_step_that_does_not_listen_is_cancelled_after_the_grace_time(lab: Lab, effects: str) -> None:
    lab.gate("deaf")

    @lab.on("bad")
    async def bad(items: Any, ctx: Any) -> Any:
        await lab.called("deaf")
        raise NodeError("no")

    run = await lab.run(graph({"deaf": {"effects": effects}, "bad": {}}))

    assert run.status == "failed"
    assert "deaf" in lab.ended


async def test_continue_passes_the_items_on_with_an_error_field(lab: Lab) -> None:
    lab.raises("bad", NodeError("no", code="lab.no"))
    run = await lab.run(
        graph(
            {"bad": {"on_error": "continue"}, "end": {}},
            ["bad -> end"],
            outputs={"items": "{{ $('end').all().map(item => item.json) }}"},
        ),
        {"n": 1},
    )

    (item,) = (await lab.outputs(run))["items"]
    assert item["n"] == 1
    assert {key: item["error"][key] for key in ("code", "message", "node", "attempt")} == {
        "code": "lab.no", "message": "no", "node": "bad", "attempt": 1,
    }  # fmt: skip


async def test_route_delivers_the_error_and_the_input_on_the_port_error(lab: Lab) -> None:
    lab.raises("bad", NodeError("no", code="lab.no"), NodeError("no", code="lab.no"))
    run = await lab.run(
        graph(
            {"bad": {"on_error": "route", "retry": retry(attempts=2)}, "good": {}, "sorry": {}},
            ["bad -> good", "bad.error -> sorry"],
            outputs={"item": "{{ $('sorry').first().json }}"},
        ),
        {"n": 1},
    )

    item = (await lab.outputs(run))["item"]
    assert item["input"] == {"n": 1}
    assert (item["error"]["code"], item["error"]["attempt"]) == ("lab.no", 2)
    assert (await lab.statuses(run))["good"] == "skipped"


async def test_a_failed_runs_graph_for_failures_is_started_once(lab: Lab) -> None:
    lab.file(graph({"tell": {}}, id="tell_me"))
    lab.raises("bad", NodeError("no", code="lab.no"))
    run = await lab.run(graph({"bad": {}}, settings={"on_failure": "tell_me"}))
    assert run.status == "failed"
    await lab.drive(run)

    (told,) = [found for found in await lab.store.list_runs() if found.graph_id == "tell_me"]
    assert told.parent_run == run.id
    await lab.drive(told)
    (entry,) = await lab.log(told, "run.started")
    assert (entry.data["inputs"]["run"], entry.data["inputs"]["error"]["code"]) == (run.id, "lab.no")


def by_item(**fields: Any) -> Any:
    return graph(
        {"split": SPLIT, "each": {"use": "lab.each", **fields}, "end": {}, "bad": {}}
        if fields.get("on_error") == "route"
        else {"split": SPLIT, "each": {"use": "lab.each", **fields}, "end": {}},
        ["split -> each", "each -> end", *(["each.error -> bad"] if fields.get("on_error") == "route" else [])],
        outputs={"n": "{{ $('end').all().map(item => item.json.n) }}"},
    )


@pytest.mark.parametrize("effects", ["none", "idempotent", "once"])
async def test_only_failing_items_are_tried_again(lab: Lab, effects: str) -> None:
    failures = {2: 1, 3: 2}

    @lab.on_item("each")
    async def some(item: Any, ctx: Any) -> Any:
        if failures.get(item.json["n"], 0) > 0:
            failures[item.json["n"]] -= 1
            raise NodeError("not yet")
        return item

    run = await lab.run(by_item(retry=retry(), effects=effects), numbers(1, 2, 3))

    assert run.status == "completed"
    assert {step: times for step, times in lab.tries().items() if "#" in step} == {
        "each#0": 1,
        "each#1": 2,
        "each#2": 3,
    }
    assert await lab.outputs(run) == {"n": [1, 2, 3]}


async def test_only_failing_items_are_continued_with_an_error(lab: Lab) -> None:
    @lab.on_item("each")
    async def odd(item: Any, ctx: Any) -> Any:
        if item.json["n"] % 2 == 0:
            raise NodeError("even")
        return item

    run = await lab.run(by_item(on_error="continue"), numbers(1, 2, 3))
    (end,) = [entry for entry in await lab.log(run, "step.ended") if entry.step and entry.step.node == "end"]

    assert [("error" in item.json, item.json["n"]) for item in (end.outputs or {})["out"]] == [
        (False, 1), (True, 2), (False, 3),
    ]  # fmt: skip


async def test_only_failing_items_are_routed(lab: Lab) -> None:
    @lab.on_item("each")
    async def odd(item: Any, ctx: Any) -> Any:
        if item.json["n"] % 2 == 0:
            raise NodeError("even", code="lab.even")
        return item

    run = await lab.run(by_item(on_error="route"), numbers(1, 2, 3))
    (bad,) = [entry for entry in await lab.log(run, "step.ended") if entry.step and entry.step.node == "bad"]

    assert await lab.outputs(run) == {"n": [1, 3]}
    (item,) = (bad.outputs or {})["out"]
    assert (item.json["input"], item.json["error"]["code"]) == ({"n": 2}, "lab.even")


@pytest.mark.parametrize("first", [True, False])
async def test_an_items_expression_that_fails_is_that_items_failure(lab: Lab, first: bool) -> None:
    rows = [{"n": 1}, {"n": 2, "a": {"b": {"c": 5}}}]
    run = await lab.run(by_item(on_error="route", value="{{ $json.a.b.c }}"), {"list": rows if first else rows[::-1]})

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"n": [2]}
    assert "bad" in lab.calls


async def test_an_items_key_is_the_steps_key_and_its_index(lab: Lab) -> None:
    keys: list[str] = []

    @lab.on_item("each")
    async def key(item: Any, ctx: Any) -> Any:
        keys.append(ctx.idempotency_key)
        return item

    await lab.run(by_item(), numbers(1, 2))

    first, second = keys
    assert first.rpartition(":")[0] == second.rpartition(":")[0]
    assert (first.rpartition(":")[2], second.rpartition(":")[2]) == ("0", "1")


async def test_the_idempotency_key_is_the_same_for_every_try_and_another_for_every_step(lab: Lab) -> None:
    keys: dict[str, list[str]] = {}

    @lab.on("work")
    async def work(items: Any, ctx: Any) -> Any:
        keys.setdefault(ctx.step, []).append(ctx.idempotency_key)
        if len(keys[ctx.step]) == 1:
            raise NodeError("once more")
        return items

    await lab.run(
        graph(
            {"split": SPLIT, "loop": {"use": "flow.loop"}, "work": {"retry": retry()}, "end": {}},
            ["split -> loop", "loop.loop -> work", "work -> loop", "loop.done -> end"],
        ),
        numbers(1, 2),
    )

    assert all(len(found) == 2 and len(set(found)) == 1 for found in keys.values())
    assert len({found[0] for found in keys.values()}) == 2


@pytest.mark.parametrize("value", [2**70, {1: 2}, object(), timedelta(1)])
@pytest.mark.parametrize("effects", ["none", "idempotent", "once"])
async def test_a_node_that_puts_out_what_is_not_json_fails_and_the_run_goes_on(
    lab: Lab, effects: str, value: Any
) -> None:
    @lab.on("bad")
    async def bad(items: Any, ctx: Any) -> Any:
        return [{"value": value}]

    run = await lab.run(
        graph(
            {"bad": {"effects": effects, "on_error": "route"}, "end": {}, "sorry": {}},
            ["bad -> end", "bad.error -> sorry"],
        )
    )

    assert run.status == "completed", run.error
    assert (await lab.steps(run))["bad"].error["code"] == "node.returned"  # type: ignore[index]


async def test_a_node_may_log_what_is_not_json(lab: Lab) -> None:
    @lab.on("talks")
    async def talk(items: Any, ctx: Any) -> Any:
        ctx.log("look", thing=object(), big=2**70, when=timedelta(1))
        raise NodeError("no", details={"thing": object()})

    run = await lab.run(graph({"talks": {"on_error": "continue"}, "end": {}}, ["talks -> end"]))

    assert run.status == "completed", run.error
    (line,) = await lab.events(run, "step.log")
    assert line.data["message"] == "look"
