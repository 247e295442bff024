"""What a step was given and what it gave, read from the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NotFound
from pyagent.runtime.inspect import Origin, step_data
from pyagent.sdk import Context, Item, Items
from pyagent.sdk.items import ItemSource


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as made:
        yield made


async def test_a_step_shows_what_it_was_given_and_what_it_gave_by_port(lab: Lab) -> None:
    run = await lab.run(
        graph(
            {"split": SPLIT, "odd": {"use": "flow.if", "with": {"when": "{{ $json.n % 2 == 1 }}"}}}, ["split -> odd"]
        ),
        numbers(1, 2, 3),
    )
    found = await step_data(lab.engine, run.id, "odd")
    assert {port: [item.json for item in items] for port, items in found.inputs.items()} == {
        "in": [{"n": 1}, {"n": 2}, {"n": 3}]
    }
    assert {port: [item.json["n"] for item in items] for port, items in found.outputs.items()} == {
        "true": [1, 3],
        "false": [2],
    }
    assert found.record.status == "completed"


async def test_lineage_names_the_step_and_the_item_that_an_item_came_from(lab: Lab) -> None:
    lab.on("a")(_one("a"))
    lab.on("b")(_one("b"))
    run = await lab.run(graph({"a": {}, "b": {}, "join": {"use": "flow.merge"}}, ["a -> join.in1", "b -> join.in2"]))
    found = await step_data(lab.engine, run.id, "join")
    sources = [found.origin(source) for item in found.outputs["out"] for source in item.sources]
    assert sources == [Origin(step="a", port="out", index=0), Origin(step="b", port="out", index=0)]
    begun = await step_data(lab.engine, run.id, "a")
    assert begun.origin(ItemSource(0)) == Origin(step=None, port="", index=0)


async def test_the_steps_of_a_maps_elements_are_shown_after_the_map_has_ended(lab: Lab) -> None:
    lab.on("inner")(_one("inner"))
    map_ = {"use": "flow.map", "body": {"inner": {}}}
    run = await lab.run(graph({"split": SPLIT, "each": map_}, ["split -> each"]), numbers(1, 2))
    found = await step_data(lab.engine, run.id, "each[1]/inner")
    assert [item.json for item in found.inputs["in"]] == [{"n": 2}]
    assert [item.json for item in found.outputs["out"]] == [{"by": "inner"}]
    whole = await step_data(lab.engine, run.id, "each")
    assert len(whole.inputs["in"]) == 2
    assert [item.json for item in whole.outputs["out"]] == [{"by": "inner"}, {"by": "inner"}]


async def test_a_node_means_its_latest_step_and_an_unknown_one_names_those_there_are(lab: Lab) -> None:
    run = await lab.run(graph({"a": {}, "b": {}}, ["a -> b"]))
    assert (await step_data(lab.engine, run.id, "b")).record.step == "b"
    with pytest.raises(NotFound) as caught:
        await step_data(lab.engine, run.id, "nothing")
    assert caught.value.code == "run.no_step"
    assert "a, b" in caught.value.hint


async def test_tries_that_failed_and_the_answer_of_a_wait_are_told(lab: Lab) -> None:
    lab.raises("a", ValueError("no"), None)
    run = await lab.run(
        graph({"a": {"retry": {"attempts": 2, "initial": "1ms"}}, "ask": {"use": "flow.approve"}}, ["a -> ask"])
    )
    assert [tried["attempt"] for tried in (await step_data(lab.engine, run.id, "a")).failures] == [1]
    await lab.engine.answer(run.id, "ask", {"approved": True}, actor="ann")
    await lab.drive(run)
    answer = (await step_data(lab.engine, run.id, "ask")).answer
    assert answer is not None
    assert (answer["value"], answer["actor"]) == ({"approved": True, "comment": ""}, "ann")


def _one(name: str):
    async def act(items: Items, ctx: Context) -> list[Item]:
        return [Item({"by": name})]

    return act
