"""The memory nodes: items become memories and memories items."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import NodeCancelled
from pyagent.testing import TestCancelToken, run_node
from pyagent_nodes.memory.delete import delete
from pyagent_nodes.memory.embed import embed
from pyagent_nodes.memory.search import search
from pyagent_nodes.memory.upsert import upsert

NOTES = [{"text": "a red fox"}, {"text": "the blue sea"}, {"text": "a red sea"}]


def with_text(**more: Any) -> Any:
    return lambda json, index: {"text": json["text"], **more}


async def found(folder: Path, **params: Any) -> list[dict[str, Any]]:
    return (await run_node(search, [{}], {"folder": str(folder), **params})).json()


async def test_items_are_passed_on_with_their_ids_and_found_with_their_data(tmp_path: Path) -> None:
    run = await run_node(upsert, NOTES, with_text(folder=str(tmp_path), tags=["note"]))
    assert [json["text"] for json in run.json()] == [note["text"] for note in NOTES]
    assert run.sources() == [[0], [1], [2]]
    (fox, sea) = await found(tmp_path, text="red fox")
    assert fox["data"] == {"text": "a red fox"}
    assert fox["id"] == run.json()[0]["memory"]
    assert (fox["tags"], sea["text"]) == (["note"], "a red sea")


async def test_the_same_text_is_there_once(tmp_path: Path) -> None:
    for _ in range(2):
        await run_node(upsert, NOTES, with_text(folder=str(tmp_path)))
    assert len(await found(tmp_path)) == 3


async def test_time_is_when_the_step_began_unless_it_is_given(tmp_path: Path) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    await run_node(upsert, [{}], {"folder": str(tmp_path), "id": "now", "text": "x"}, now=now)
    await run_node(upsert, [{}], {"folder": str(tmp_path), "id": "then", "text": "x", "time": "2020-01-01T00:00:00Z"})
    assert [each["id"] for each in await found(tmp_path, since="2026-01-01T00:00:00Z")] == ["now"]
    assert (await found(tmp_path, before="2026-01-01T00:00:00Z"))[0]["time"] == "2020-01-01T00:00:00+00:00"


async def test_words_and_meaning_rank_together_or_alone(tmp_path: Path) -> None:
    await run_node(upsert, NOTES, with_text(folder=str(tmp_path), model="hashing"))
    both = await found(tmp_path, text="red fox", model="hashing", limit=1)
    assert both[0]["text"] == "a red fox"
    assert both[0]["text_score"] > 0
    assert both[0]["vector_score"] > 0.5
    words = await found(tmp_path, text="red fox", model="hashing", by="words")
    assert [each["vector_score"] for each in words] == [None, None]
    near = await found(tmp_path, text="red fox", model="hashing", by="vector")
    assert [each["text_score"] for each in near] == [None, None, None]


async def test_each_item_may_go_into_another_index(tmp_path: Path) -> None:
    items = [{"text": "a", "index": "one"}, {"text": "b", "index": "two"}]
    await run_node(
        upsert, items, lambda json, index: {"text": json["text"], "index": json["index"], "folder": str(tmp_path)}
    )
    assert [each["text"] for each in await found(tmp_path, index="two")] == ["b"]
    assert await found(tmp_path, index="three") == []
    run = await run_node(search, [{}], {"folder": str(tmp_path), "index": "three", "missing": "fail"}, on_error="route")
    assert run.json("error")[0]["error"]["code"] == "memory.not_found"


async def test_many_items_are_written_in_batches(tmp_path: Path) -> None:
    items = [{"text": f"note {number}"} for number in range(600)]
    run = await run_node(upsert, items, with_text(folder=str(tmp_path)))
    assert len(run.json()) == 600
    assert len(await found(tmp_path, text="note", limit=1000)) == 600


async def test_what_is_deleted_is_gone_and_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    await run_node(upsert, NOTES, with_text(folder=str(tmp_path)))
    ids = [{"id": each["id"]} for each in await found(tmp_path)]
    run = await run_node(delete, [*ids[:2], {"id": "nobody"}], lambda json, index: {**json, "folder": str(tmp_path)})
    assert len(run.json()) == 3
    assert run.logs[-1]["count"] == 2
    assert len(await found(tmp_path)) == 1
    await run_node(delete, ids, lambda json, index: {**json, "folder": str(tmp_path), "index": "nothing"})


async def test_a_vector_goes_into_the_field_that_is_named() -> None:
    run = await run_node(embed, NOTES, with_text(model="hashing", into="meaning.vector"))
    assert len(run.json()[0]["meaning"]["vector"]) == 256
    assert run.json()[0]["text"] == "a red fox"
    assert run.sources() == [[0], [1], [2]]


async def test_a_cancelled_step_writes_no_more(tmp_path: Path) -> None:
    token = TestCancelToken()
    token.trigger()
    with pytest.raises(NodeCancelled):
        await run_node(upsert, NOTES, with_text(folder=str(tmp_path)), cancel=token)
    assert await found(tmp_path) == []


@pytest.mark.parametrize("params", [{"by": "vector"}, {"by": "words"}, {"index": "Not A Name"}, {"limit": 0}])
async def test_what_makes_no_sense_is_refused(params: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"give|pattern|greater"):
        await found(tmp_path, **params)
