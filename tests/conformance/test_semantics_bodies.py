"""SEMANTICS 15 through the engine: maps and called graphs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.errors import NodeError


def mapped(body: Any, **more: Any) -> dict[str, Any]:
    """A map over the items of `split`."""
    params = {key: more.pop(key) for key in ("parallel", "on_error", "batch", "graph") if key in more}
    return {"use": "flow.map", "with": params, **({"body": body} if body is not None else {}), **more}


async def numbers_out(lab: Lab, run: Any, node: str = "each") -> list[Any]:
    (entry,) = [found for found in await lab.log(run, "step.ended") if found.step and found.step.node == "end"]
    return [item.json.get("n") for item in (entry.outputs or {}).get("out", [])]


async def test_a_map_runs_its_body_for_each_item_and_gives_results_in_item_order(lab: Lab) -> None:
    gates = {n: asyncio.Event() for n in (1, 2, 3)}

    @lab.on("inner")
    async def backwards(items: Any, ctx: Any) -> Any:
        n = items[0].json["n"]
        if n < 3:
            await gates[n + 1].wait()
        gates[n].set()
        return items

    run = await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": {}}), "end": {}}, ["split -> each", "each -> end"]),
        numbers(1, 2, 3),
    )

    assert run.status == "completed"
    assert lab.ended[:3] == ["each[2]/inner", "each[1]/inner", "each[0]/inner"]
    assert await numbers_out(lab, run) == [1, 2, 3]


async def test_a_map_runs_at_most_parallel_elements_at_once(lab: Lab) -> None:
    inside, most = 0, 0

    @lab.on("inner")
    async def count(items: Any, ctx: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return items

    run = await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": {}}, parallel=2)}, ["split -> each"]), numbers(*range(7))
    )

    assert run.status == "completed"
    assert most == 2


async def test_a_map_over_batches_gives_each_body_a_batch(lab: Lab) -> None:
    sizes: list[int] = []

    @lab.on("inner")
    async def count(items: Any, ctx: Any) -> Any:
        sizes.append(len(items))
        return items

    await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": {}}, batch=2)}, ["split -> each"]), numbers(1, 2, 3, 4, 5)
    )

    assert sorted(sizes) == [1, 2, 2]


async def test_a_map_over_nothing_is_skipped_and_what_follows_too(lab: Lab) -> None:
    run = await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": {}}), "end": {}}, ["split -> each", "each -> end"]), numbers()
    )

    assert run.status == "completed"
    assert (await lab.statuses(run))["end"] == "skipped"


async def test_a_map_that_is_given_no_items_by_a_loops_header_ends_at_once(lab: Lab) -> None:
    empty = graph({"each": mapped({"inner": {}}), "end": {}}, ["each -> end"])

    @lab.on("inner")
    async def drop(items: Any, ctx: Any) -> Any:
        return []

    run = await lab.run(empty, {"n": 1})

    assert run.status == "completed"
    assert await lab.statuses(run) | {"each": "completed", "end": "skipped"} == await lab.statuses(run)


async def test_a_failing_element_stops_the_map_and_the_run(lab: Lab) -> None:
    lab.raises("inner", NodeError("no", code="lab.no"))
    run = await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": {}}, parallel=1)}, ["split -> each"]), numbers(1, 2)
    )

    assert run.status == "failed"
    assert (run.error or {})["code"] == "lab.no"
    assert lab.calls == ["each[0]/inner"]


async def test_a_failing_element_is_skipped(lab: Lab) -> None:
    lab.raises("inner", None, NodeError("no"))
    run = await lab.run(
        graph(
            {"split": SPLIT, "each": mapped({"inner": {}}, parallel=1, on_error="skip"), "end": {}},
            ["split -> each", "each -> end"],
        ),
        numbers(1, 2, 3),
    )

    assert run.status == "completed"
    assert await numbers_out(lab, run) == [1, 3]


async def test_a_failing_element_goes_to_the_port_error(lab: Lab) -> None:
    lab.raises("inner", None, NodeError("no", code="lab.no"))
    run = await lab.run(
        graph(
            {"split": SPLIT, "each": mapped({"inner": {}}, parallel=1, on_error="route"), "end": {}, "bad": {}},
            ["split -> each", "each -> end", "each.error -> bad"],
            outputs={"error": "{{ $('each').all() }}", "bad": "{{ $('bad').first().json }}"},
        ),
        numbers(1, 2, 3),
    )

    assert run.status == "completed"
    assert await numbers_out(lab, run) == [1, 3]
    bad = (await lab.outputs(run))["bad"]
    assert bad["error"]["code"] == "lab.no"
    assert bad["input"] == [{"n": 2}]


async def test_a_failing_element_cancels_only_its_own_steps(lab: Lab) -> None:
    other = lab.gate("other")

    @lab.on("boom")
    async def boom(items: Any, ctx: Any) -> Any:
        if ctx.step == "each[0]/boom":
            await lab.called("each[0]/other")
            raise NodeError("no")
        return items

    body = ({"fork": {}, "boom": {}, "other": {}}, ["fork -> boom", "fork -> other"])
    run = await lab.engine.start(
        graph(
            {"split": SPLIT, "each": mapped(body, parallel=2, on_error="skip")},
            ["split -> each"],
        ),
        numbers(1, 2),
    )
    driving = lab.driving(run)
    await lab.until(run, "step.cancelled", "each[0]/other")
    other.set()

    assert (await driving).status == "completed"
    statuses = await lab.statuses(run)
    assert statuses["each[0]/other"] == "cancelled"
    assert statuses["each[1]/other"] == "completed"


async def test_an_element_sees_its_own_state_writes_and_the_run_sees_them_when_the_map_ends(lab: Lab) -> None:
    body = (
        {
            "first": {"write": {"log": "{{ $json.n }}"}},
            "second": {"value": "{{ $state.log }}"},
        },
        ["first -> second"],
    )
    run = await lab.run(
        graph(
            {
                "split": {**SPLIT, "write": {"log": 0}},
                "each": mapped(body, parallel=1),
                "end": {"value": "{{ $state.log }}"},
            },
            ["split -> each", "each -> end"],
            state={"log": {"type": "array", "reduce": "append"}},
        ),
        numbers(7, 8),
    )

    assert run.status == "completed"
    assert lab.values["each[0]/second"] == [0, 7]
    assert lab.values["each[1]/second"] == [0, 8]
    assert lab.values["end"] == [0, 7, 8]


async def test_writes_of_elements_apply_in_element_order(lab: Lab) -> None:
    gates = {n: asyncio.Event() for n in (1, 2, 3)}

    @lab.on("inner")
    async def backwards(items: Any, ctx: Any) -> Any:
        n = items[0].json["n"]
        if n < 3:
            await gates[n + 1].wait()
        gates[n].set()
        return items

    run = await lab.run(
        graph(
            {
                "split": SPLIT,
                "each": mapped({"inner": {"write": {"last": "{{ $json.n }}", "all": "{{ $json.n }}"}}}),
                "end": {"value": "{{ [$state.last, $state.all] }}"},
            },
            ["split -> each", "each -> end"],
            state={"last": {"type": "number"}, "all": {"type": "array", "reduce": "append"}},
        ),
        numbers(1, 2, 3),
    )

    assert run.status == "completed"
    assert lab.values["end"] == [3, [1, 2, 3]]


async def test_maps_nest(lab: Lab) -> None:
    inner = {"rows": SPLIT, "cells": mapped({"cell": {"write": {"sum": "{{ $json.n }}"}}})}
    body = (inner, ["rows -> cells"])
    run = await lab.run(
        graph(
            {
                "split": {"use": "data.split", "with": {"field": "rows"}},
                "each": mapped(body),
                "end": {"value": "{{ $state.sum }}"},
            },
            ["split -> each", "each -> end"],
            state={"sum": {"type": "number", "reduce": "add"}},
        ),
        {"rows": [numbers(1, 2), numbers(3)]},
    )

    assert run.status == "completed"
    assert await numbers_out(lab, run) == [1, 2, 3]
    assert lab.values["end"] == 6
    assert "each[0]/cells[1]/cell" in lab.calls


async def test_a_loop_inside_a_body_and_a_map_inside_a_loop_run(lab: Lab) -> None:
    body = (
        {"first": {}, "loop": {"use": "flow.loop"}, "work": {}, "out": {}},
        ["first -> loop", "loop.loop -> work", "work -> loop", "loop.done -> out"],
    )
    run = await lab.run(
        graph(
            {
                "split": SPLIT,
                "outer": {"use": "flow.loop", "with": {"batch": 2}},
                "each": mapped(body),
                "end": {},
            },
            ["split -> outer", "outer.loop -> each", "each -> outer", "outer.done -> end"],
        ),
        numbers(1, 2, 3),
    )

    assert run.status == "completed"
    assert await numbers_out(lab, run) == [1, 2, 3]
    assert "each@2[0]/work@1" in lab.calls


async def test_a_body_gives_what_its_last_nodes_put_out_in_the_order_of_the_file(lab: Lab) -> None:
    body = ({"b": {}, "a": {}, "middle": {}, "c": {}}, ["middle -> c"])

    for name in ("a", "b", "c"):

        @lab.on(name)
        async def say(items: Any, ctx: Any) -> Any:
            return [{"n": ctx.node_id}]

    run = await lab.run(
        graph({"split": SPLIT, "each": mapped(body), "end": {}}, ["split -> each", "each -> end"]), numbers(1)
    )

    assert await numbers_out(lab, run) == ["b", "a", "c"]


CALLED = graph(
    {"double": {"value": "{{ $inputs.n * $inputs.by }}"}},
    id="called",
    inputs={"n": {"type": "number"}, "by": {"type": "number", "default": 2}},
    outputs={"n": "{{ $inputs.n * $inputs.by }}"},
)


async def test_a_map_over_a_graph_runs_it_for_each_item(lab: Lab) -> None:
    lab.file(CALLED)
    run = await lab.run(
        graph({"split": SPLIT, "each": mapped(None, graph="called"), "end": {}}, ["split -> each", "each -> end"]),
        numbers(1, 2, 3),
    )

    assert run.status == "completed", run.error
    assert await numbers_out(lab, run) == [2, 4, 6]


async def test_a_called_graph_is_part_of_the_run_in_a_deeper_scope_with_its_own_inputs(lab: Lab) -> None:
    lab.file(CALLED)
    run = await lab.run(
        graph(
            {"call": {"use": "flow.graph", "with": {"graph": "called", "inputs": {"n": "{{ $json.n }}"}}}, "end": {}},
            ["call -> end"],
            outputs={"n": "{{ $('end').first().json.n }}"},
        ),
        {"n": 21},
    )

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"n": 42}
    assert lab.calls == ["call()/double", "end"]
    assert len(await lab.store.list_runs()) == 1


async def test_a_called_graphs_inputs_are_checked(lab: Lab) -> None:
    lab.file(CALLED)
    run = await lab.run(graph({"call": {"use": "flow.graph", "with": {"graph": "called", "inputs": {"n": "x"}}}}))

    assert run.status == "failed"
    assert (run.error or {})["code"] == "input.invalid"
    assert (run.error or {})["node"] == "call"


@pytest.mark.parametrize("policy", ["stop", "continue", "route"])
async def test_calling_a_graph_that_does_not_exist_fails_the_step(lab: Lab, policy: str) -> None:
    call = {"use": "flow.graph", "with": {"graph": "{{ 'no' + 'where' }}"}, "on_error": policy}
    edges = ["call -> end"] + (["call.error -> end"] if policy == "route" else [])
    run = await lab.run(graph({"call": call, "end": {}}, edges))

    assert run.status == ("failed" if policy == "stop" else "completed")
    assert (await lab.steps(run))["call"].error["code"] == "graph.not_found"  # type: ignore[index]


async def test_a_called_graph_with_several_triggers_fails_the_step(lab: Lab) -> None:
    lab.file(graph({"a": {"use": "lab.trigger"}, "b": {"use": "lab.trigger"}}, id="two"))
    run = await lab.run(graph({"call": {"use": "flow.graph", "with": {"graph": "two"}}}))

    assert run.status == "failed"
    assert (run.error or {})["code"] == "graph.trigger.unknown"


async def test_a_called_graph_has_state_channels_of_its_own(lab: Lab) -> None:
    lab.file(
        graph(
            {"inner": {"write": {"seen": "inner"}, "value": "{{ $state.seen }}"}},
            id="called",
            state={"seen": {"type": "array", "reduce": "append"}},
        )
    )
    run = await lab.run(
        graph(
            {
                "first": {"write": {"seen": "outer"}},
                "call": {"use": "flow.graph", "with": {"graph": "called"}},
                "end": {"value": "{{ $state.seen }}"},
            },
            ["first -> call", "call -> end"],
            state={"seen": {"type": "array", "reduce": "append"}},
        )
    )

    assert run.status == "completed", run.error
    assert lab.values == {"first": None, "call()/inner": [], "end": ["outer"]}


async def test_a_cancel_reaches_the_steps_of_a_called_graph(lab: Lab) -> None:
    lab.file(graph({"inner": {}}, id="called"))
    lab.gate("inner")
    run = await lab.engine.start(graph({"call": {"use": "flow.graph", "with": {"graph": "called"}}}))
    driving = lab.driving(run)
    await lab.called("call()/inner")
    await lab.engine.cancel(run.id)

    assert (await driving).status == "cancelled"
    assert lab.ended == ["call()/inner"]


@pytest.mark.parametrize("inside", ["running", "waiting"])
@pytest.mark.parametrize("policy", ["stop", "route"])
async def test_the_callers_deadline_reaches_a_called_graph(lab: Lab, policy: str, inside: str) -> None:
    lab.file(graph({"inner": {} if inside == "running" else {"use": "flow.approve"}}, id="called"))
    lab.gate("inner")
    call = {"use": "flow.graph", "with": {"graph": "called"}, "timeout": "60ms", "on_error": policy}
    edges = ["call -> end"] + (["call.error -> late"] if policy == "route" else [])
    run = await lab.engine.start(
        graph({"call": call, "end": {}, "late": {}} if policy == "route" else {"call": call, "end": {}}, edges)
    )
    ended = await lab.drive(run)
    while ended.status == "waiting":
        await asyncio.wait([asyncio.create_task(lab.store.changed(0.05))])
        ended = await lab.drive(run)

    assert ended.status == ("failed" if policy == "stop" else "completed")
    assert (await lab.steps(run))["call"].error["code"] == "node.timeout"  # type: ignore[index]
    assert ("late" in lab.calls) == (policy == "route")


async def test_a_failure_inside_a_called_graph_is_the_calls_failure(lab: Lab) -> None:
    lab.file(graph({"inner": {}}, id="called"))
    lab.raises("inner", NodeError("no", code="lab.no"))
    run = await lab.run(
        graph(
            {"call": {"use": "flow.graph", "with": {"graph": "called"}, "on_error": "route"}, "end": {}, "bad": {}},
            ["call -> end", "call.error -> bad"],
            outputs={"error": "{{ $('bad').first().json.error.code }}", "end": "{{ $('end').first().json }}"},
        )
    )

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"error": "lab.no", "end": None}


async def test_outputs_of_a_called_graph_that_fail_fail_the_call(lab: Lab) -> None:
    lab.file(graph({"inner": {}}, id="called", outputs={"n": "{{ $json.a.b.c }}"}))
    run = await lab.run(
        graph(
            {"call": {"use": "flow.graph", "with": {"graph": "called"}, "on_error": "route"}, "end": {}, "bad": {}},
            ["call -> end", "call.error -> bad"],
        )
    )

    assert run.status == "completed", run.error
    assert "bad" in lab.calls


async def test_outputs_that_fail_fail_the_run(lab: Lab) -> None:
    run = await lab.run(graph({"only": {}}, outputs={"n": "{{ $json.a.b.c }}"}))

    assert run.status == "failed"
    assert (run.error or {})["code"].startswith("expr.")
    assert "outputs.n" in str(run.error)


async def test_a_call_that_is_not_waited_for_starts_a_run_of_its_own(lab: Lab) -> None:
    lab.file(CALLED)
    call = {"use": "flow.graph", "with": {"graph": "called", "inputs": {"n": 4}, "wait": False}}
    run = await lab.run(
        graph({"call": call, "end": {}}, ["call -> end"], outputs={"id": "{{ $('call').first().json.run_id }}"})
    )

    assert run.status == "completed", run.error
    child = await lab.store.get_run((await lab.outputs(run))["id"])
    assert (child.status, child.parent_run, child.parent_step) == ("queued", run.id, "call")
    assert (await lab.drive(child)).status == "completed"
    assert await lab.outputs(child) == {"n": 8}


async def test_a_call_that_is_not_waited_for_starts_one_run_though_its_worker_dies_after_it(lab: Lab) -> None:
    lab.file(CALLED)
    call = {"use": "flow.graph", "with": {"graph": "called", "inputs": {"n": 4}, "wait": False}}
    caller = graph({"call": call})
    run = await lab.engine.start(caller)
    # What the dead worker had done: the child runs, has even ended, and the caller's log does not know of it.
    child = await lab.engine.start(
        "called", {"n": 4}, key=f"{run.id}/call", key_policy="existing", parent_run=run.id, parent_step="call",
        key_window=timedelta(days=1),
    )  # fmt: skip
    await lab.drive(child)

    await lab.drive(run)

    assert [found.id for found in await lab.store.list_runs() if found.parent_run] == [child.id]


@pytest.mark.parametrize("on_parent", ["abandon", "cancel"])
async def test_a_run_that_is_cancelled_cancels_or_abandons_those_it_started(lab: Lab, on_parent: str) -> None:
    lab.file(graph({"inner": {"use": "flow.approve"}}, id="called"))
    call = {"use": "flow.graph", "with": {"graph": "called", "wait": False, "on_parent": on_parent}}
    run = await lab.run(graph({"call": call, "ask": {"use": "flow.approve"}}, ["call -> ask"]))
    (child,) = [found for found in await lab.store.list_runs() if found.parent_run == run.id]
    await lab.drive(child)

    await lab.engine.cancel(run.id)
    assert (await lab.drive(run)).status == "cancelled"

    assert (await lab.drive(child)).status == ("cancelled" if on_parent == "cancel" else "waiting")


async def test_max_steps_bounds_the_whole_run_with_its_bodies(lab: Lab) -> None:
    run = await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": {}})}, ["split -> each"], settings={"max_steps": 5}),
        numbers(*range(10)),
    )

    assert run.status == "failed"
    assert (run.error or {})["code"] == "run.max_steps"
    assert len(lab.calls) < 10


async def test_a_map_may_be_the_last_node_of_a_maps_body(lab: Lab) -> None:
    inner = mapped({"deep": {}})

    run = await lab.run(
        graph({"split": SPLIT, "each": mapped({"inner": inner}), "end": {}}, ["split -> each", "each -> end"]),
        numbers(1, 2, 3),
    )

    assert run.status == "completed"
    assert await numbers_out(lab, run) == [1, 2, 3]


@pytest.mark.parametrize("use", ["flow.map", "flow.graph"])
async def test_the_beginning_of_a_step_that_is_expanded_is_told_once(lab: Lab, use: str) -> None:
    lab.file(graph({"inner": {}}, id="called"))
    into: dict[str, Any] = {"body": {"inner": {}}} if use == "flow.map" else {"with": {"graph": "called"}}
    run = await lab.run(graph({"start": {}, "outer": {"use": use, **into}}, ["start -> outer"]))

    assert run.status == "completed"
    assert [event.step for event in await lab.events(run, "step.started") if event.step == "outer"] == ["outer"]
