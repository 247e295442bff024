"""An index from Python: what goes in comes out, errors say what to do, work leaves the event loop alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyagent.errors import InputError, NotFound, StoreError
from pyagent.sdk.memory import Memory, MemoryFilter, MemoryIndex, memory_folder, vector_numbers

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def index(tmp_path: Path) -> MemoryIndex:
    return await MemoryIndex.open(tmp_path / "index")


async def ids(index: MemoryIndex, text: str = "", **more: object) -> list[str]:
    return [hit.memory.id for hit in await index.search(text, **more)]  # type: ignore[arg-type]


async def test_a_memory_comes_back_as_it_went_in(index: MemoryIndex) -> None:
    memory = Memory(
        id="ä/1",
        text="Grüße aus 東京",
        tags=["b", "a"],
        time=NOON + timedelta(milliseconds=1),
        links=["other"],
        data={"n": [1, None, "x"]},
        vector=[3.0, 0.0, 4.0],
    )
    await index.upsert([memory])

    (found,) = await index.get(["ä/1"])
    assert found is not None
    assert (found.id, found.text, found.tags, found.time) == ("ä/1", "Grüße aus 東京", ["a", "b"], memory.time)
    assert (found.links, found.data) == (["other"], {"n": [1, None, "x"]})
    assert isinstance(found.vector, bytes)
    assert vector_numbers(found.vector) == pytest.approx([0.6, 0.0, 0.8])
    assert await index.get(["nobody"]) == [None]


async def test_words_and_vectors_and_both_find(index: MemoryIndex) -> None:
    await index.upsert(
        [
            Memory(id="fox", text="a red fox", vector=[1, 0]),
            Memory(id="sea", text="the blue sea", vector=[0, 1]),
            Memory(id="both", text="red sea", vector=[1, 1]),
        ]
    )
    assert await ids(index, "red") == ["both", "fox"]
    assert await ids(index, vector=[0, 1]) == ["sea", "both", "fox"]
    (_, hit) = await index.search("red", vector=[1, 0], limit=2)
    assert hit.memory.id == "fox"
    assert hit.score == pytest.approx(1 / 61 + 1 / 62)
    assert hit.vector_score == pytest.approx(1)
    assert hit.text_score is not None


async def test_a_filter_lets_through_what_fits(index: MemoryIndex) -> None:
    await index.upsert(
        [
            Memory(id="old", text="note", time=NOON - timedelta(days=1), tags=["x"]),
            Memory(id="now", text="note", time=NOON, tags=["x", "y"], links=["old"]),
            Memory(id="far", text="note", time=NOON, tags=["z"]),
        ]
    )
    assert await ids(index, "note", filter=MemoryFilter(tags=["x"])) == ["now", "old"]
    assert await ids(index, "note", filter=MemoryFilter(any_tags=["y", "z"])) == ["far", "now"]
    assert await ids(index, "note", filter=MemoryFilter(without_tags=["x"])) == ["far"]
    assert await ids(index, "note", filter=MemoryFilter(since=NOON)) == ["far", "now"]
    assert await ids(index, "note", filter=MemoryFilter(before=NOON)) == ["old"]
    assert await ids(index, "note", filter=MemoryFilter(near=["old"])) == ["now", "old"]
    assert [(memory.id, steps) for memory, steps in await index.neighbours(["old"])] == [("now", 1)]


async def test_what_was_deleted_is_found_no_more(index: MemoryIndex) -> None:
    await index.upsert([Memory(id="a", text="note"), Memory(id="b", text="note")])
    assert await index.delete(["a", "nobody"]) == 1
    assert await ids(index, "note") == ["b"]
    assert (await index.stats()).memories == 1


async def test_a_snapshot_keeps_what_was_there(index: MemoryIndex, tmp_path: Path) -> None:
    await index.upsert([Memory(id="a", text="note")])
    await index.snapshot(tmp_path / "copy")
    await index.delete(["a"])
    await index.compact()
    copy = await MemoryIndex.open(tmp_path / "copy", create=False)
    assert await ids(copy, "note") == ["a"]
    await copy.verify()


async def test_many_write_and_read_at_once(index: MemoryIndex) -> None:
    async def write(number: int) -> None:
        for turn in range(5):
            await index.upsert([Memory(id=f"{number}-{turn}", text="note")])
            assert len(await index.search("note", limit=100)) >= turn + 1

    await asyncio.gather(*(write(number) for number in range(8)))
    assert (await index.stats()).memories == 40


async def test_errors_say_what_to_do(index: MemoryIndex, tmp_path: Path) -> None:
    await index.upsert([Memory(id="a", vector=[1, 2])])
    with pytest.raises(InputError, match="1 components; those of this index have 2") as caught:
        await index.upsert([Memory(id="b", vector=[1])])
    assert caught.value.code == "memory.invalid"
    with pytest.raises(InputError):
        await index.upsert([Memory(id="b", vector=[0, 0])])
    with pytest.raises(InputError, match="not JSON"):
        await index.upsert([Memory(id="b", data={"x": object()})])
    with pytest.raises(NotFound):
        await MemoryIndex.open(tmp_path / "nothing", create=False)
    with pytest.raises(InputError):
        memory_folder("../up")
    (index.folder / "manifest").write_bytes(b"no manifest")
    with pytest.raises(StoreError) as damaged:
        await index.delete(["a"])
    assert damaged.value.code == "memory.corrupt"


async def test_one_process_has_one_handle_until_the_index_is_gone(index: MemoryIndex) -> None:
    assert await MemoryIndex.open(index.folder) is index
    (index.folder / "manifest").unlink()
    with pytest.raises(NotFound):
        await MemoryIndex.open(index.folder, create=False)


async def test_what_is_remembered_is_for_its_user_only(tmp_path: Path) -> None:
    index = await MemoryIndex.open(tmp_path / "new" / "index")
    assert index.folder.stat().st_mode & 0o777 == 0o700
    assert index.folder.parent.stat().st_mode & 0o777 == 0o700
