"""SEMANTICS 26 to 28 through the engine: what expressions read, and from which step."""

from __future__ import annotations

from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers
from pyagent.graph.spec import GraphSpec

LOOP = ["split -> loop", "loop.loop -> work", "work -> look", "look -> loop", "loop.done -> end"]


async def test_a_template_that_is_all_keeps_its_type_and_one_inside_text_becomes_text(lab: Lab) -> None:
    await lab.run(graph({"a": {"value": ["{{ $json.n }}", "n={{ $json.n }}", "{{ $inputs }}"]}}), {"n": 3})

    assert lab.values["a"] == [3, "n=3", {"n": 3}]


async def test_a_node_is_read_in_the_nearest_scope(lab: Lab) -> None:
    await lab.run(
        graph({"split": SPLIT, "loop": {"use": "flow.loop"}, "work": {},
               "look": {"value": "{{ $('work').first().json.n }}"},
               "end": {"value": "{{ $('work').first().json.n }}"}}, LOOP),
        numbers(1, 2, 3),
    )  # fmt: skip

    assert [lab.values[f"look@{iteration}"] for iteration in (1, 2, 3)] == [1, 2, 3]
    assert lab.values["end"] == 3


async def test_a_body_reads_what_is_upstream_of_its_map(lab: Lab) -> None:
    await lab.run(
        graph(
            {
                "before": {"value": 1},
                "split": SPLIT,
                "each": {"use": "flow.map", "body": {"inner": {"value": "{{ $('before').first().json.list.length }}"}}},
            },
            ["before -> split", "split -> each"],
        ),
        numbers(1, 2),
    )

    assert lab.values["each[1]/inner"] == 2


@pytest.mark.parametrize("name", ["beside", "inner", "later", "nowhere"])
async def test_what_is_not_upstream_cannot_be_read(lab: Lab, name: str) -> None:
    made = {
        "start": {}, "beside": {}, "each": {"use": "flow.map", "body": {"inner": {}}},
        "reader": {"value": f"{{{{ $('{name}').first() }}}}"}, "later": {},
    }  # fmt: skip
    run = await lab.run(graph(made, ["start -> beside", "start -> each", "each -> reader", "reader -> later"]))

    assert run.status == "failed"
    assert (run.error or {})["code"] == ("expr.unknown_node" if name == "nowhere" else "expr.not_upstream")
    assert (run.error or {})["where"]["field"] == "with.value"


async def test_an_output_that_names_a_skipped_node_is_null(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"pick": {"use": "flow.if", "with": {"when": "{{ $json.n > 1 }}"}}, "big": {}, "small": {}},
            ["pick.true -> big", "pick.false -> small"],
            outputs={"big": "{{ $('big').first().json.n }}", "small": "{{ $('small').first().json.n }}"},
        ),
        {"n": 5},
    )

    assert await lab.outputs(run) == {"big": 5, "small": None}


async def test_item_follows_lineage_through_filters_loops_and_maps(lab: Lab) -> None:
    @lab.on("evens")
    async def evens(items: Any, ctx: Any) -> Any:
        return [item for item in items if item.json["n"] % 2 == 0]

    body = {"use": "flow.map", "body": {"inner": {}}}
    await lab.run(
        graph(
            {
                "split": SPLIT, "evens": {}, "each": body, "loop": {"use": "flow.loop"}, "work": {},
                "end": {"use": "lab.each", "value": "{{ $('split').item.json.n }}"},
            },
            [
                "split -> evens", "evens -> each", "each -> loop", "loop.loop -> work", "work -> loop",
                "loop.done -> end",
            ],
        ),
        numbers(1, 2, 3, 4),
    )  # fmt: skip

    assert [lab.values[f"end#{index}"] for index in (0, 1)] == [2, 4]


async def test_item_inside_a_body_is_the_elements_own(lab: Lab) -> None:
    await lab.run(
        graph(
            {"split": SPLIT, "each": {"use": "flow.map", "body": {"inner": {"value": "{{ $('split').item.json.n }}"}}}},
            ["split -> each"],
        ),
        numbers(4, 5),
    )

    assert [lab.values[f"each[{index}]/inner"] for index in (0, 1)] == [4, 5]


async def test_item_that_is_not_one_says_so(lab: Lab) -> None:
    @lab.on("all")
    async def all_(items: Any, ctx: Any) -> Any:
        from pyagent.sdk import Item

        return [Item({}, None, tuple(source for item in items for source in item.sources))]

    run = await lab.run(
        graph(
            {"split": SPLIT, "all": {}, "end": {"value": "{{ $('split').item.json.n }}"}},
            ["split -> all", "all -> end"],
        ),
        numbers(1, 2),
    )

    assert (run.status, (run.error or {})["code"]) == ("failed", "expr.item_ambiguous")


async def test_a_failing_expression_fails_the_step_with_node_field_line_and_column(lab: Lab) -> None:
    run = await lab.run(graph({"a": {"value": "{{ $json.x.y.z() }}"}}))

    where = (run.error or {})["where"]
    assert run.status == "failed"
    assert (where["node"], where["field"]) == ("a", "with.value")
    assert {"line", "column"} <= set(where)


async def test_an_endless_expression_is_stopped(lab: Lab) -> None:
    run = await lab.run(graph({"a": {"value": "{{ (() => { while (true) {} })() }}"}}))

    assert (run.status, (run.error or {})["code"]) == ("failed", "expr.timeout")


@pytest.mark.parametrize(("production", "mode"), [(True, "production"), (False, "test")])
async def test_the_execution_says_whether_it_is_a_test(lab: Lab, production: bool, mode: str) -> None:
    await lab.run(graph({"a": {"value": "{{ $execution.mode }}"}}), production=production)

    assert lab.values["a"] == mode


async def test_each_graph_version_evaluates_in_its_own_time_zone(lab: Lab) -> None:
    seen: list[Any] = []
    for zone in ("Europe/Berlin", "Asia/Tokyo"):
        made = graph({"a": {"value": "{{ $now.zoneName }}"}}).model_dump(
            by_alias=True, mode="json", exclude_defaults=True
        )
        await lab.run(GraphSpec.model_validate({**made, "settings": {"timezone": zone}}))
        seen.append(lab.values["a"])

    assert seen == ["Europe/Berlin", "Asia/Tokyo"]
