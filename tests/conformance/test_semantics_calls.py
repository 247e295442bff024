"""SEMANTICS 15 through the engine: a graph that is called with items gives what its last nodes put out."""

from __future__ import annotations

from typing import Any

from engine_lab import SPLIT, Lab, graph, numbers


async def numbers_out(lab: Lab, run: Any) -> list[Any]:
    (entry,) = [found for found in await lab.log(run, "step.ended") if found.step and found.step.node == "end"]
    return [item.json.get("n") for item in (entry.outputs or {}).get("out", [])]


WITH_ITEMS = {"use": "flow.graph", "with": {"graph": "called", "items": True, "inputs": {"by": "{{ $inputs.by }}"}}}
BY = {"type": "integer"}


async def test_a_graph_called_with_items_gives_what_its_last_nodes_put_out(lab: Lab) -> None:
    lab.file(graph({"double": {"value": "{{ $json.n * $inputs.by }}"}, "last": {}}, ["double -> last"], id="called"))
    run = await lab.run(
        graph(
            {"split": SPLIT, "call": WITH_ITEMS, "end": {}},
            ["split -> call", "call -> end"],
            outputs={
                "call": "{{ $('call').all().map(item => item.json.n) }}",
                "inner": "{{ $('end').first().json.n }}",
            },
        ),
        {**numbers(1, 2, 3), "by": 2},
    )

    assert run.status == "completed", run.error
    assert lab.calls == ["call()/double", "call()/last", "end"]
    assert lab.values["call()/double"] == 2
    assert await numbers_out(lab, run) == [1, 2, 3]
    assert await lab.outputs(run) == {"call": [1, 2, 3], "inner": 1}


async def test_a_graph_called_with_items_follows_their_lineage(lab: Lab) -> None:
    each = {"use": "data.set", "with": {"fields": {"first": "{{ $('one').item.json.n }}", "n": "{{ $json.n }}"}}}
    one = {"use": "data.set", "with": {"fields": {"n": "{{ $json.n * 10 }}"}}}
    lab.file(graph({"one": one, "each": each}, ["one -> each"], id="called"))
    run = await lab.run(
        graph(
            {"split": SPLIT, "call": {"use": "flow.graph", "with": {"graph": "called", "items": True}}},
            ["split -> call"],
            outputs={"n": "{{ $('call').all().map(item => item.json) }}"},
        ),
        numbers(1, 2),
    )

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"n": [{"n": 10, "first": 10}, {"n": 20, "first": 20}]}


async def test_lineage_leads_through_a_graph_called_with_items_item_by_item(lab: Lab) -> None:
    inner = {
        "sort": {"use": "data.sort", "with": {"by": [{"field": "n", "order": "descending"}]}},
        "few": {"use": "flow.filter", "with": {"when": "{{ $json.n !== 2 }}"}},
        "last": {},
    }
    lab.file(graph(inner, ["sort -> few", "few.out -> last"], id="called"))
    call = {"use": "flow.graph", "with": {"graph": "called", "items": True}}
    ten = {"use": "data.set", "with": {"fields": {"ten": "{{ $json.n * 10 }}"}}}
    end: dict[str, Any] = {
        "use": "data.set",
        "with": {"keep": [], "fields": {"ten": "{{ $('ten').item.json.ten + $json.n }}"}},
    }
    run = await lab.run(
        graph(
            {"split": SPLIT, "ten": ten, "call": call, "other": {**call}, "end": end},
            ["split -> ten", "ten -> call", "call -> other", "other -> end"],
            outputs={"tens": "{{ $('end').all().map(item => item.json.ten) }}"},
        ),
        numbers(3, 1, 2, 4),
    )

    assert run.status == "completed", run.error
    assert await lab.outputs(run) == {"tens": [44, 33, 11]}


async def test_where_a_graph_called_with_items_puts_nothing_out_nothing_follows(lab: Lab) -> None:
    @lab.on("none")
    async def nothing(items: Any, ctx: Any) -> Any:
        return []

    lab.file(graph({"none": {}, "after": {}}, ["none -> after"], id="called"))
    run = await lab.run(
        graph(
            {"split": SPLIT, "call": {"use": "flow.graph", "with": {"graph": "called", "items": True}}, "end": {}},
            ["split -> call", "call -> end"],
        ),
        numbers(1, 2),
    )

    assert run.status == "completed", run.error
    assert lab.calls == ["call()/none"]


async def test_the_inputs_of_a_graph_called_with_items_are_checked_and_its_state_is_its_own(lab: Lab) -> None:
    channel = {"seen": {"type": "array", "reduce": "append"}}
    inner = {"write": {"seen": "inner"}, "value": "{{ $inputs.by }}"}
    lab.file(graph({"inner": inner}, id="called", state=channel, inputs={"by": {**BY, "default": 7}}))
    calling = {"first": {}, "call": WITH_ITEMS, "end": {"value": "{{ $state.seen }}"}}
    edges = ["first -> call", "call -> end"]
    run = await lab.run(graph(calling, edges, state=channel), {"by": 3})

    assert run.status == "completed", run.error
    assert lab.values == {"first": None, "call()/inner": 3, "end": []}

    refused = await lab.run(graph(calling, edges, state=channel), {"by": "three"})
    assert (refused.error or {})["code"] == "input.invalid"


async def test_another_engine_goes_on_inside_a_graph_called_with_items(lab: Lab) -> None:
    inner = {"ask": {"use": "flow.approve"}, "after": {"value": "{{ $json.n * $inputs.by }}"}}
    lab.file(graph(inner, ["ask.approved -> after"], id="called"))
    run = await lab.run(
        graph({"split": SPLIT, "call": WITH_ITEMS, "end": {}}, ["split -> call", "call -> end"]),
        {**numbers(1, 2), "by": 5},
    )
    assert run.status == "waiting"

    other = lab.another_engine()
    await other.answer(run.id, "call()/ask", {"approved": True})
    ended = await other.drive(run.id)

    assert ended.status == "completed", ended.error
    assert lab.values["call()/after"] == 5
    assert await numbers_out(lab, ended) == [1, 2]


async def test_a_graph_called_with_items_is_waited_for(lab: Lab) -> None:
    lab.file(graph({"inner": {}}, id="called"))
    run = await lab.run(
        graph({"call": {"use": "flow.graph", "with": {"graph": "called", "items": True, "wait": "{{ false }}"}}})
    )

    assert run.status == "failed"
    assert "waited for" in (run.error or {})["message"]
