"""Lists longer than a page through the whole engine: written as they come, read when wanted, kept like any output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, numbers, opened
from pyagent.errors import NotFound
from pyagent.runtime.inspect import Origin, step_data
from pyagent.runtime.log import decode
from pyagent.runtime.paging import pages_of
from pyagent.sdk import Context, Item, Items, NodeError, NodeParams, NoParams, node
from pyagent.sdk.pages import PAGE_ITEMS, PagedItems

COUNT = 2 * PAGE_ITEMS + 100


class CountParams(NodeParams):
    """How many items there are to be."""

    count: int = COUNT


class Made:
    """What the node `lab.many` did."""

    def __init__(self) -> None:
        self.given = 0
        self.ended = False
        self.reached = asyncio.Event()
        self.held: asyncio.Event | None = None
        """Where it waits in the middle."""


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
def made(lab: Lab) -> Made:
    told = Made()

    @node("lab.many", title="Many", effects="none", makes_items=True)
    async def many(items: Items, params: CountParams, ctx: Context) -> AsyncIterator[Any]:
        try:
            for start in range(0, params.count, 1000):
                if start > PAGE_ITEMS and told.held is not None:
                    told.reached.set()
                    await told.held.wait()
                yield [{"n": n} for n in range(start, min(start + 1000, params.count))]
                told.given += 1
        finally:
            told.ended = True

    @node("lab.sides", title="Sides", effects="none", ports_out=("even", "odd"))
    async def sides(items: Items, params: NoParams, ctx: Context) -> AsyncIterator[Any]:
        async for item in items:
            yield {"even" if item.json["n"] % 2 == 0 else "odd": [item]}

    @node("lab.picky", title="Picky", effects="none", each_item=True)
    async def picky(item: Item, params: NoParams, ctx: Context) -> Any:
        if item.json["n"] % 5000 == 4999:
            raise NodeError(f"not {item.json['n']}", code="node.picky")
        return {"m": item.json["n"], "key": ctx.idempotency_key.rpartition(":")[2]}

    for made in (many, sides, picky):
        lab.registry.add(made)
    return told


MANY = {"use": "lab.many"}
FEW = {"use": "data.limit", "with": {"count": 5000, "keep": "last"}}
LAST = "{{ $('few').last().json.n }}"
EVEN = {"use": "flow.filter", "with": {"when": "{{ $json.n % 2 == 0 }}"}}


async def test_a_long_list_is_filtered_and_cut_with_its_lineage(lab: Lab, made: Made) -> None:
    few = {"use": "data.limit", "with": {"count": 5000, "offset": 10}}
    run = await lab.run(graph({"many": MANY, "even": EVEN, "few": few}, ["many -> even", "even -> few"]))
    assert run.status == "completed"
    filtered, cut = (await step_data(lab.engine, run.id, "even")), (await step_data(lab.engine, run.id, "few"))
    for found in (filtered.inputs["in"], filtered.outputs["out"], filtered.outputs["rest"], cut.outputs["out"]):
        assert isinstance(found, PagedItems)
    assert [item.json["n"] for item in filtered.outputs["rest"]] == list(range(1, COUNT, 2))
    for index, item in enumerate(cut.outputs["out"]):
        assert item.json == {"n": 2 * (index + 10)}
        assert cut.origin(item.sources[0]) == Origin(step="even", port="out", index=index + 10)
    assert filtered.outputs["out"][3].sources[0].item == 6
    # The log holds tables, and what is passed on is not written again.
    assert sum(len(record.body) for record in await lab.store.read_log(run.id)) < 8000
    blobs = await lab.store.blobs_of(run.id)
    pages = {digest for found in (filtered.inputs["in"], *filtered.outputs.values()) for digest in pages_of(found)}
    assert pages <= set(blobs)
    assert len(blobs) == len(pages)


async def test_a_list_that_a_node_returns_whole_leaves_memory_too(lab: Lab) -> None:
    lab.on("a")(_returns([{"n": n} for n in range(COUNT)]))
    run = await lab.run(
        graph({"a": {}, "one": {"use": "data.aggregate", "with": {"fields": ["n"]}}}, ["a -> one"]),
    )
    found = await step_data(lab.engine, run.id, "one")
    assert isinstance(found.inputs["in"], PagedItems)
    assert found.outputs["out"][0].json == {"n": list(range(COUNT))}


async def test_a_long_list_in_one_item_is_split_and_gathered_again(lab: Lab) -> None:
    nodes = {"split": SPLIT, "all": {"use": "data.aggregate", "with": {"fields": ["n"]}}}
    outputs = {"sum": "{{ $('all').first().json.n.length }}"}
    run = await lab.run(graph(nodes, ["split -> all"], outputs=outputs), numbers(*range(COUNT)))
    assert await lab.outputs(run) == {"sum": COUNT}
    found = await step_data(lab.engine, run.id, "split")
    assert {item.sources[0].item for item in found.outputs["out"]} == {0}


async def test_large_items_have_pages_of_their_own(lab: Lab) -> None:
    lab.on("a")(_returns([{"n": n, "text": "x" * 700_000} for n in range(4)]))
    lab.on("b")(_returns([{"n": 1, "text": "y" * 3_000_000}]))
    run = await lab.run(
        graph({"a": {}, "b": {}}, ["a -> b"], outputs={"size": "{{ $('b').first().json.text.length }}"})
    )
    assert await lab.outputs(run) == {"size": 3_000_000}
    items = (await step_data(lab.engine, run.id, "a")).outputs["out"]
    assert isinstance(items, PagedItems)
    assert [piece.count for piece in items.pieces] == [2, 2]
    assert len(items[3].json["text"]) == 700_000


async def test_what_a_node_yields_by_port_goes_to_its_port(lab: Lab, made: Made) -> None:
    run = await lab.run(graph({"many": MANY, "sides": {"use": "lab.sides"}}, ["many -> sides"]))
    found = await step_data(lab.engine, run.id, "sides")
    assert [item.json["n"] for item in found.outputs["odd"]] == list(range(1, COUNT, 2))
    assert [item.sources[0].item for item in found.outputs["even"]] == list(range(0, COUNT, 2))


async def test_a_few_items_that_a_node_yields_are_an_ordinary_output(lab: Lab, made: Made) -> None:
    run = await lab.run(graph({"many": {**MANY, "with": {"count": 3}}}, outputs={"n": "{{ $('many').all().length }}"}))
    assert await lab.outputs(run) == {"n": 3}
    entry = next(record for record in await lab.store.read_log(run.id) if record.step == "many")
    assert [item["json"]["n"] for item in decode(entry.body)["outputs"]["out"]] == [0, 1, 2]


@pytest.mark.parametrize("policy", ["stop", "continue", "route"])
async def test_one_failing_item_of_many_is_treated_as_its_policy_says(lab: Lab, made: Made, policy: str) -> None:
    run = await lab.run(
        graph(
            {
                "many": MANY,
                "picky": {"use": "lab.picky", "on_error": policy},
                **({"after": {}} if policy == "route" else {}),
            },
            ["many -> picky", *(["picky.error -> after"] if policy == "route" else [])],
        )
    )
    if policy == "stop":
        assert (run.status, (run.error or {})["code"], (run.error or {})["message"]) == (
            "failed",
            "node.picky",
            "not 4999",
        )
        return
    assert run.status == "completed"
    outputs = (await step_data(lab.engine, run.id, "picky")).outputs
    if policy == "route":
        assert [item.json["error"]["message"] for item in outputs["error"]] == ["not 4999"]
        assert outputs["error"][0].json["input"] == {"n": 4999}
        assert len(outputs["out"]) == COUNT - 1
        assert outputs["out"][4999].sources[0].item == 5000
    else:
        assert outputs["out"][4999].json["error"]["code"] == "node.picky"
        assert len(outputs["out"]) == COUNT
    assert outputs["out"][-1].json == {"m": COUNT - 1, "key": str(COUNT - 1)}


async def test_a_list_that_no_expression_or_script_can_hold_is_refused_before_it_is_read(
    lab: Lab, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyagent.runtime.expression_context.MOST_ITEMS", 8000)
    run = await lab.run(graph({"many": MANY}, outputs={"all": "{{ $('many').all() }}", "n": 1}))
    assert (run.status, (run.error or {})["code"]) == ("failed", "expr.memory")
    code = {"use": "code.javascript", "with": {"code": "return items", "memory": "1 MiB"}}
    monkeypatch.setattr("pyagent.runtime.context._SMALLEST", 200)
    run = await lab.run(graph({"many": MANY, "code": code}, ["many -> code"]))
    assert (run.error or {})["code"] == "node.code_memory"
    assert "8,292 items" in (run.error or {})["message"]


async def test_a_node_that_yields_is_closed_when_its_run_is_cancelled(lab: Lab, made: Made) -> None:
    made.held = asyncio.Event()
    run = await lab.engine.start(graph({"many": MANY}))
    driving = lab.driving(run)
    await asyncio.wait_for(made.reached.wait(), 20)
    await lab.engine.cancel(run.id)
    assert (await asyncio.wait_for(driving, 20)).status == "cancelled"
    assert made.ended


async def test_another_worker_goes_on_from_pages_that_are_committed(lab: Lab, made: Made) -> None:
    lab.gate("wait")
    run = await lab.engine.start(graph({"many": MANY, "wait": {}, "even": EVEN}, ["many -> wait", "wait -> even"]))
    task = lab.driving(run)
    await lab.called("wait")
    await lab.crash(task, run)
    lab.on("wait")(_passes)
    other = lab.another_engine()
    assert (await lab.drive(run, other)).status == "completed"
    assert made.given == 9, "the list was made once"
    found = await step_data(other, run.id, "even")
    assert [item.json["n"] for item in found.outputs["out"]] == list(range(0, COUNT, 2))


async def test_pages_of_a_try_that_was_cut_short_count_for_nothing_and_go_with_the_run(lab: Lab, made: Made) -> None:
    made.held = asyncio.Event()
    run = await lab.engine.start(graph({"many": MANY, "few": FEW}, ["many -> few"], outputs={"n": LAST}))
    task = lab.driving(run)
    await asyncio.wait_for(made.reached.wait(), 20)
    left = await lab.store.blobs_of(run.id)
    assert len(left) == 1, "a full page is kept before the step has ended"
    await lab.crash(task, run)
    made.held = None
    assert (await lab.drive(run, lab.another_engine())).status == "completed"
    assert await lab.outputs(run) == {"n": COUNT - 1}
    assert await lab.store.blobs_of(run.id) != left
    await lab.store.delete_run(run.id)
    assert (await lab.store.stats()).blobs == 0


async def test_a_fork_keeps_the_pages_when_its_source_is_deleted(lab: Lab, made: Made) -> None:
    run = await lab.run(graph({"many": MANY, "even": EVEN}, ["many -> even"]))
    fork = await lab.engine.fork(run.id, "even")
    left = (await step_data(lab.engine, run.id, "even")).outputs["rest"]
    await lab.store.delete_run(run.id)
    assert (await lab.drive(fork)).status == "completed"
    found = await step_data(lab.engine, fork.id, "even")
    assert len(found.outputs["out"]) == COUNT / 2
    assert made.given == 9
    assert len(left) == COUNT / 2
    await lab.store.delete_run(fork.id)
    with pytest.raises(NotFound):
        found.outputs["out"][COUNT // 2 - 1]


def _returns(values: list[dict[str, Any]]) -> Any:
    async def act(items: Items, ctx: Context) -> Any:
        return values

    return act


async def _passes(items: Items, ctx: Context) -> Items:
    return items
