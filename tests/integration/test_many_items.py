"""Lists that no memory need hold, and items that are large, through the engine on both stores."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from engine_lab import SPLIT, Lab, graph, opened
from neo4j_server import Neo4jServer
from pyagent.runtime.inspect import step_data
from pyagent.sdk import Context, Items
from pyagent.sdk.pages import PAGE_ITEMS, PagedItems
from pyagent.store.neo4j import Neo4jStore

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).parents[1] / "programs" / "long_list.py"
MEBIBYTE = 1024 * 1024


async def test_a_quarter_of_a_million_items_are_filtered_and_cut_in_bounded_memory(tmp_path: Path) -> None:
    count = 250_000
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), f"sqlite:///{tmp_path}/long.db", str(count), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    found = json.loads(said)
    assert found["outputs"] == {"last": [count // 2 - 4, count // 2 - 2]}
    assert found["steps"]["even"] == {"out": count // 2, "rest": count // 2}
    assert found["steps"]["half"] == {"out": count // 4}
    assert found["peak"] < 300 * MEBIBYTE
    assert found["peak"] - found["before"] < 100 * MEBIBYTE  # the items take ten times as much
    assert found["seconds"] < 60, "of the processor"


async def test_a_million_small_items_of_one_list_are_split_filtered_cut_and_gathered(tmp_path: Path) -> None:
    count = 1_000_000
    async with opened(tmp_path) as lab:
        lab.on("list")(_returns([{"list": list(range(count))}]))
        nodes: dict[str, Any] = {
            "list": {},
            "split": SPLIT,
            "half": {"use": "data.limit", "with": {"count": count // 2, "keep": "last"}},
            "all": {"use": "data.aggregate", "with": {"fields": {"all": "list"}}},
        }
        run = await lab.engine.run(graph(nodes, ["list -> split", "split -> half", "half -> all"]))
        assert run.status == "completed"
        found = await step_data(lab.engine, run.id, "all")
        assert found.outputs["out"][0].json == {"all": list(range(count // 2, count))}
        assert (await lab.steps(run))["split"].items_out == {"out": count}


async def test_an_item_of_50_mebibytes_goes_through(tmp_path: Path) -> None:
    async with opened(tmp_path) as lab:
        await _large_item(lab)


async def test_neo4j_keeps_long_lists_and_large_items(tmp_path: Path, neo4j: Neo4jServer) -> None:
    store = Neo4jStore(neo4j.url)
    await store.open()
    lab = Lab(store, tmp_path)
    try:
        count = 2 * PAGE_ITEMS + 10
        lab.on("a")(_returns([{"n": n} for n in range(count)]))
        even = {"use": "flow.filter", "with": {"when": "{{ $json.n % 2 == 0 }}"}}
        few = {"use": "data.limit", "with": {"count": 10, "offset": 4000}}
        outputs = {"n": "{{ $('few').first().json.n }}"}
        run = await lab.run(graph({"a": {}, "even": even, "few": few}, ["a -> even", "even -> few"], outputs=outputs))
        assert await lab.outputs(run) == {"n": 8000}
        items = (await step_data(lab.engine, run.id, "even")).outputs["out"]
        assert isinstance(items, PagedItems)
        assert [item.json["n"] async for item in items] == [item.json["n"] for item in items]
        digests = {piece.digest for piece in items.pieces}

        async def ask(of: Any) -> list[str]:
            result = await of.run(
                "MATCH (:Step {run: $run, step: 'even'})-[:PRODUCED]->(b:Blob)<-[:USED]-(:Step {step: 'few'})"
                " RETURN b.digest AS digest",
                run=run.id,
            )
            return [record["digest"] async for record in result]

        assert digests <= set(await store.connection.read(ask))
        await _large_item(lab)
    finally:
        await lab.close()
        await store.close()


async def _large_item(lab: Lab) -> None:
    text = "0123456789" * (5 * MEBIBYTE)
    lab.on("large")(_returns([{"text": text, "n": 1}]))
    keep = {"use": "flow.filter", "with": {"when": True}}
    run = await lab.engine.run(
        graph({"large": {}, "keep": keep, "few": {"use": "data.limit"}}, ["large -> keep", "keep -> few"], id="large")
    )
    assert run.status == "completed", run.error
    assert (await step_data(lab.engine, run.id, "few")).outputs["out"][0].json == {"text": text, "n": 1}


def _returns(values: list[dict[str, Any]]) -> Any:
    async def act(items: Items, ctx: Context) -> Any:
        return values

    return act
