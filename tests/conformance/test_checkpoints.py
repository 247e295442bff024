"""The LangGraph saver: LangGraph's own suite with all its capabilities, and what that suite does not ask."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from growing_channels import check_growing_channel, grow
from pyagent.errors import StoreError
from pyagent.store import channel_values
from pyagent.store.checkpoints import StoreSaver, langgraph_saver
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store import new_run

ALL_CAPABILITIES = {
    *("put", "put_writes", "get_tuple", "list", "delete_thread"),
    *("delete_for_runs", "copy_thread", "prune"),
}


@pytest.fixture
async def saver(tmp_path: Path) -> AsyncIterator[StoreSaver]:
    async with langgraph_saver(str(tmp_path / "app.db")) as saver:
        yield saver


async def test_langgraphs_suite_passes_with_every_capability_it_knows(tmp_path: Path) -> None:
    count = 0

    @checkpointer_test(name="StoreSaver")
    async def fresh_saver() -> AsyncIterator[StoreSaver]:
        nonlocal count
        count += 1
        async with langgraph_saver(f"sqlite://{tmp_path}/{count}.db") as saver:
            yield saver

    report = await validate(fresh_saver)
    assert {name for name, result in report.results.items() if result.detected} == ALL_CAPABILITIES
    failures = {name: result.failures for name, result in report.results.items() if not result.passed}
    assert failures == {}
    assert sum(result.tests_passed for result in report.results.values()) >= 81


class State(TypedDict):
    done: Annotated[list[str], operator.add]
    text: str


def graph_of(saver: Any, **options: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("one", lambda state: {"done": ["one"], "text": "x" * 1000})
    builder.add_node("ask", lambda state: {"done": [interrupt("go on?")]})
    builder.add_node("two", lambda state: {"done": ["two"]})
    for source, target in ((START, "one"), ("one", "ask"), ("ask", "two"), ("two", END)):
        builder.add_edge(source, target)
    return builder.compile(checkpointer=saver, **options)


async def test_anybodys_graph_is_interrupted_and_resumed_through_the_factory(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/app.db"
    config = {"configurable": {"thread_id": "t"}}
    async with langgraph_saver(url) as saver:
        result = await graph_of(saver).ainvoke({"done": []}, config)
        assert result["__interrupt__"][0].value == "go on?"
    async with langgraph_saver(url) as saver:  # a later process
        graph = graph_of(saver)
        result = await graph.ainvoke(Command(resume="yes"), config)
        assert result["done"] == ["one", "yes", "two"]
        history = [state async for state in graph.aget_state_history(config)]
        assert [len(state.values.get("done", [])) for state in history] == [3, 2, 1, 0, 0]
        forked = await graph.aupdate_state(history[2].config, {"done": ["edited"]}, as_node="ask")
        assert (await graph.ainvoke(None, forked))["done"] == ["one", "edited", "two"]


def test_a_graph_runs_without_an_event_loop(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "app.db")
    store.database.open_now()
    config = {"configurable": {"thread_id": "t"}}
    graph = graph_of(store.langgraph_saver())
    graph.invoke({"done": []}, config)
    assert graph.invoke(Command(resume="yes"), config)["done"] == ["one", "yes", "two"]
    assert len(list(graph.get_state_history(config))) == 5
    store.database.close()


async def test_a_value_is_kept_once_however_many_checkpoints_have_it(saver: StoreSaver, tmp_path: Path) -> None:
    builder = StateGraph(State)
    builder.add_node("large", lambda state: {"text": "".join(map(chr, range(300, 5000)))})
    builder.add_edge(START, "large")
    previous = "large"
    for number in range(20):
        builder.add_node(f"n{number}", lambda state: {"done": ["x"]})
        builder.add_edge(previous, f"n{number}")
        previous = f"n{number}"
    graph = builder.compile(checkpointer=saver)
    await graph.ainvoke({"done": []}, {"configurable": {"thread_id": "t"}})
    assert len([one async for one in saver.alist({"configurable": {"thread_id": "t"}})]) == 23
    with sqlite3.connect(tmp_path / "app.db") as connection:
        kept = connection.execute("SELECT count(*) FROM checkpoint_channels WHERE channel = 'text'").fetchone()
    connection.close()
    assert kept == (1,)


def append(state: list[str], writes: Any) -> list[str]:
    return [*state, *(text for write in writes for text in write)]


class Notes(TypedDict):
    notes: Annotated[list[str], DeltaChannel(append, snapshot_frequency=4)]


def notes_graph(saver: Any) -> Any:
    builder = StateGraph(Notes)
    builder.add_node("note", lambda state: {"notes": [f"note {len(state['notes'])}"]})
    builder.add_edge(START, "note")
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("turns", range(1, 8))
async def test_a_delta_channel_is_whole_after_pruning_at_any_turn(saver: StoreSaver, turns: int) -> None:
    config = {"configurable": {"thread_id": "t"}}
    graph, model = notes_graph(saver), notes_graph(InMemorySaver())
    for turn in range(turns):
        for one in (graph, model):
            await one.ainvoke({"notes": [f"turn {turn}"]}, config)
    before = [one async for one in saver.alist(config)]
    await saver.aprune(["t"])
    after = [one async for one in saver.alist(config)]
    assert after[0].checkpoint == before[0].checkpoint
    assert len(after) <= len(before)
    await saver.acopy_thread("t", "copy")
    for thread in ("t", "copy"):
        there = {"configurable": {"thread_id": thread}}
        assert (await graph.aget_state(there)).values == (await model.aget_state(config)).values
    for one in (graph, model):
        await one.ainvoke({"notes": ["last"]}, config)
    assert (await graph.aget_state(config)).values == (await model.aget_state(config)).values


async def test_pruning_frees_the_values_that_no_kept_checkpoint_has(saver: StoreSaver, tmp_path: Path) -> None:
    config = {"configurable": {"thread_id": "t"}}
    graph = graph_of(saver)
    for thread in ("t", "other"):
        await graph.ainvoke({"done": []}, {"configurable": {"thread_id": thread}})
        await graph.ainvoke(Command(resume="yes"), {"configurable": {"thread_id": thread}})
    await saver.aprune(["t"])
    assert (await graph.aget_state(config)).values["done"] == ["one", "yes", "two"]
    with sqlite3.connect(tmp_path / "app.db") as connection:
        count = "SELECT count(*) FROM checkpoint_channels WHERE channel = 'done' AND thread = ?"
        kept = [connection.execute(count, (thread,)).fetchone()[0] for thread in ("t", "other")]
    connection.close()
    assert kept == [1, 4]


async def test_an_unknown_strategy_of_pruning_is_refused(saver: StoreSaver) -> None:
    with pytest.raises(ValueError, match="keep_everything"):
        await saver.aprune(["t"], strategy="keep_everything")


async def test_objects_are_not_pickled(saver: StoreSaver) -> None:
    class Local:
        pass

    config = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "1"}}
    with pytest.raises(StoreError, match="Local") as caught:
        await saver.aput_writes(config, [("channel", Local())], "task")
    assert caught.value.code == "store.type_unknown"


async def test_a_deleted_run_takes_its_threads_checkpoints_along(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "app.db")
    await store.open()
    run = await store.create_run(new_run())
    saver = store.langgraph_saver()
    config = {"configurable": {"thread_id": run.id}}
    await graph_of(saver).ainvoke({"done": []}, config)
    assert await saver.aget_tuple(config) is not None
    await store.delete_run(run.id)
    assert await saver.aget_tuple(config) is None
    with sqlite3.connect(store.path) as connection:
        for table in ("checkpoints", "checkpoint_channels", "checkpoint_writes"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()
    await store.close()


async def test_versions_grow_and_differ_between_branches(saver: StoreSaver) -> None:
    version = None
    seen: list[str] = []
    for _ in range(300):
        version = saver.get_next_version(version, None)
        seen.append(version)
    assert seen == sorted(seen)
    assert saver.get_next_version(seen[0], None) != seen[1]


async def test_a_growing_channel_is_kept_as_differences_that_are_read_pruned_copied_and_begun_anew(
    saver: StoreSaver, tmp_path: Path
) -> None:
    async with langgraph_saver(str(tmp_path / "app.db")) as later:
        await check_growing_channel(saver, later)


async def test_differences_take_a_third_of_what_whole_values_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[float] = []
    for smallest in (channel_values.SMALLEST, channel_values.LARGEST):
        monkeypatch.setattr(channel_values, "SMALLEST", smallest)
        path = tmp_path / f"{smallest}.db"
        async with langgraph_saver(str(path)) as saver:
            await grow(saver, "a", 60)
        with closing(sqlite3.connect(path)) as connection:
            select = "SELECT total(length(value)) FROM checkpoint_channels WHERE channel = 'lines'"
            sizes.append(connection.execute(select).fetchone()[0])
    assert sizes[0] < sizes[1] / 3


async def test_values_whose_versions_others_made_are_kept_whole(saver: StoreSaver, tmp_path: Path) -> None:
    parent: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    for number in range(3):
        checkpoint = empty_checkpoint() | {"id": f"{number}", "channel_versions": {"c": number}}
        checkpoint["channel_values"] = {"c": [f"line {line}" for line in range(1000 + number)]}
        parent = await saver.aput(parent, checkpoint, {}, {"c": number})
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        assert connection.execute("SELECT count(*), count(base) FROM checkpoint_channels").fetchone() == (3, 0)
