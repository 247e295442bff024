"""Active graphs: what activation demands, and the host that starts one run for each occurrence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import GraphError, NodeError
from pyagent.runtime.activation import activate, deactivate
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.live_triggers import scheduled
from pyagent.runtime.trigger_views import trigger_states
from pyagent.runtime.triggers import TriggerHost
from pyagent.sdk import Context, Item, Items, NodeParams, Occurrence, Registry, SourceContext, node
from pyagent.store.base import Run, RunFilter, Store, StoreUnavailable
from pyagent.store.sqlite import SqliteStore
from pyagent.testing import MemoryStore

PATIENCE = 20


class FeedParams(NodeParams):
    channel: str = "main"


class Feed:
    """What the source below gives: a test puts occurrences, or errors to be raised."""

    def __init__(self) -> None:
        self.queues: dict[str, list[asyncio.Queue[Occurrence | Exception | None]]] = {}
        self.started: asyncio.Queue[str] = asyncio.Queue()

    def put(self, found: Occurrence | Exception | None, channel: str = "main") -> None:
        for queue in self.queues[channel]:
            queue.put_nowait(found)

    async def source(self, params: FeedParams, ctx: SourceContext) -> AsyncIterator[Occurrence]:
        queue: asyncio.Queue[Occurrence | Exception | None] = asyncio.Queue()
        self.queues.setdefault(params.channel, []).append(queue)
        self.started.put_nowait(params.channel)
        try:
            while (found := await queue.get()) is not None:
                if isinstance(found, Exception):
                    raise found
                yield found
                ctx.ready()
        finally:
            self.queues[params.channel].remove(queue)


def feed_type(feed: Feed) -> Any:
    @node("test.feed", title="Feed", kind="trigger", ports_in=(), effects="none", source=feed.source)
    async def fed(items: Items, params: FeedParams, ctx: Context) -> list[Item]:
        """Start with what is fed."""
        return [Item(dict(ctx.inputs))]

    return fed


GRAPH = """\
pyagent: 1
id: fed
inputs: {n: {type: integer}}
nodes: [{id: feed, use: test.feed@1}, {id: end, use: flow.noop@1}]
edges: [feed -> end]
"""


class Lab:
    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.feed = Feed()
        self.engine = self.another()
        self.slept: list[float] = []

    def another(self, store: Store | None = None) -> Engine:
        registry = Registry.installed()
        registry.add(feed_type(self.feed))
        return Engine(store or self.store, registry=registry, library=GraphLibrary([self.folder]))

    def write(self, text: str) -> None:
        name = text.split("id: ")[1].split("\n")[0]
        (self.folder / f"{name}.yaml").write_text(text)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def hosted(self, engine: Engine | None = None) -> AsyncIterator[TriggerHost]:
        host = TriggerHost(engine or self.engine, sleep=self.sleep)
        task = asyncio.create_task(host.run())
        try:
            yield host
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def runs(self, count: int) -> list[Run]:
        """The runs, when there are so many."""

        async def enough() -> list[Run]:
            while True:
                mark = self.store.mark()
                found = await self.store.list_runs(RunFilter(limit=1000))
                if len(found) >= count:
                    return found[::-1]
                await self.store.changed(1, mark)

        return await asyncio.wait_for(enough(), PATIENCE)

    async def until(self, holds: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        async def waited() -> Any:
            while not (found := await holds()):  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.01)
            return found

        return await asyncio.wait_for(waited(), PATIENCE)

    async def source_started(self) -> str:
        return await asyncio.wait_for(self.feed.started.get(), PATIENCE)

    async def problem(self) -> Any:
        return (await self.store.activations())[0].problems.get("feed")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    store = MemoryStore()
    await store.open()
    made = Lab(store, tmp_path)
    made.write(GRAPH)
    yield made
    await store.close()


# activating


async def test_an_activation_is_pinned_to_the_version_that_was_there(lab: Lab) -> None:
    first = await activate(lab.engine, "fed", actor="ann")
    lab.write(GRAPH.replace("noop@1", "noop@1, name: Later"))

    (state,) = await trigger_states(lab.engine)
    assert (state.activation.graph_hash, state.activation.actor, state.edited) == (first.graph_hash, "ann", True)
    second = await activate(lab.engine, "fed")
    assert second.graph_hash != first.graph_hash
    assert (await trigger_states(lab.engine))[0].edited is False
    assert await deactivate(lab.engine, "fed") is True
    assert await trigger_states(lab.engine) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GRAPH.replace("feed -> end", "feed -> nowhere"), "graph.edge.unknown_node"),
        (GRAPH.replace("test.feed@1", "flow.manual@1"), "trigger.none"),
        (GRAPH.replace("test.feed@1", 'test.feed@1, with: {channel: "{{ $now }}"}'), "graph.trigger.expression"),
        (GRAPH.replace("test.feed@1", "flow.schedule@1, with: {cron: x}"), "graph.param.invalid"),
        (
            GRAPH.replace(
                "{id: feed, use: test.feed@1}",
                "{id: feed, use: flow.webhook@1, with: {path: 'a/{b}'}},"
                " {id: two, use: flow.webhook@1, with: {path: 'a/{c}', methods: [GET, POST]}}",
            ).replace("[feed -> end]", "[feed -> end, two -> end]"),
            "trigger.address_taken",
        ),
    ],
)
async def test_a_graph_that_cannot_be_started_is_not_activated(lab: Lab, text: str, code: str) -> None:
    lab.write(text)
    with pytest.raises(GraphError) as caught:
        await activate(lab.engine, "fed")
    assert caught.value.code == code
    assert caught.value.hint
    assert await lab.store.activations() == []


async def test_two_active_graphs_have_no_address_together(lab: Lab) -> None:
    hook = GRAPH.replace("test.feed@1", "flow.webhook@1, with: {path: 'a/{b}'}").replace("n: {", "body: {")
    lab.write(hook.replace("id: fed", "id: one"))
    lab.write(hook.replace("id: fed", "id: two").replace("{b}", "{other}"))
    await activate(lab.engine, "one")
    with pytest.raises(GraphError) as caught:
        await activate(lab.engine, "two")
    assert (caught.value.code, caught.value.where.node) == ("trigger.address_taken", "feed")
    assert "one" in caught.value.message
    await deactivate(lab.engine, "one")
    await activate(lab.engine, "two")


async def test_the_next_times_of_a_graph_are_known_before_it_is_active(lab: Lab) -> None:
    lab.write(GRAPH.replace("test.feed@1", "flow.schedule@1, with: {every: 1h}"))
    spec = (await lab.engine.document("fed")).spec
    found = scheduled(lab.engine.registry, spec, datetime(2026, 1, 1, 9, 30, tzinfo=UTC), 2)
    assert {node: [one.hour for one in times] for node, times in found.items()} == {"feed": [10, 11]}


# hosting


async def test_each_occurrence_starts_one_run_at_its_trigger_in_the_active_version(lab: Lab) -> None:
    active = await activate(lab.engine, "fed")
    lab.write(GRAPH.replace("noop@1", "noop@1, name: Not published"))
    async with lab.hosted():
        await lab.source_started()
        for key in ("a", "b", "a"):
            lab.feed.put(Occurrence(key=key, inputs={"n": 1}, facts={"n": 7, "unwanted": True}))
        runs = await lab.runs(2)
        lab.feed.put(Occurrence(key="c", inputs={}, facts={"n": 7}))
        runs = await lab.runs(3)

    assert [run.key for run in runs] == ["feed/a", "feed/b", "feed/c"]
    assert [run.inputs for run in runs] == [b'{"n":1}', b'{"n":1}', b'{"n":7}']
    assert {(run.graph_hash, run.trigger, run.actor, run.production) for run in runs} == {
        (active.graph_hash, "feed", "test.feed", True)
    }
    assert (await lab.engine.drive(runs[0].id)).status == "completed"


async def test_a_run_that_has_ended_still_holds_its_occurrence(lab: Lab) -> None:
    await activate(lab.engine, "fed")
    async with lab.hosted():
        await lab.source_started()
        lab.feed.put(Occurrence(key="a", inputs={"n": 1}))
        await lab.engine.drive((await lab.runs(1))[0].id)
        lab.feed.put(Occurrence(key="a", inputs={"n": 1}))
        lab.feed.put(Occurrence(key="b", inputs={"n": 1}))
        assert [run.key for run in await lab.runs(2)] == ["feed/a", "feed/b"]


async def test_sources_follow_what_is_activated_and_deactivated(lab: Lab) -> None:
    async with lab.hosted():
        await activate(lab.engine, "fed")
        assert await lab.source_started() == "main"
        lab.write(GRAPH.replace("test.feed@1", "test.feed@1, with: {channel: other}"))
        await activate(lab.engine, "fed")
        assert await lab.source_started() == "other"
        assert not lab.feed.queues["main"]
        await deactivate(lab.engine, "fed")

        async def silent() -> bool:
            return not lab.feed.queues["other"]

        await lab.until(silent)
    assert await lab.store.list_runs() == []


async def test_a_new_version_with_the_same_trigger_keeps_its_source_and_starts_the_new_version(lab: Lab) -> None:
    await activate(lab.engine, "fed")
    async with lab.hosted() as host:
        await lab.source_started()
        lab.write(GRAPH.replace("noop@1", "noop@1, name: Later"))
        newer = await activate(lab.engine, "fed")

        async def taken_over() -> bool:
            running = host._running.values()
            return any(one.trigger.activation == newer for one in running)

        await lab.until(taken_over)
        lab.feed.put(Occurrence(key="a", inputs={"n": 1}))
        assert [run.graph_hash for run in await lab.runs(1)] == [newer.graph_hash]
        assert lab.feed.started.empty()


async def test_a_source_that_fails_is_started_again_after_growing_pauses_and_says_why(lab: Lab) -> None:
    await activate(lab.engine, "fed")
    async with lab.hosted():
        for _ in range(3):
            await lab.source_started()
            lab.feed.put(NodeError("no such folder", code="node.folder", hint="Create it."))
        await lab.source_started()
        problem = await lab.until(lab.problem)
        assert (problem["code"], problem["hint"], problem["where"]) == ("node.folder", "Create it.", {"node": "feed"})
        first, second, third = lab.slept[:3]
        assert 0.8 <= first <= 1.2 < second <= 2.4 < third <= 4.8

        lab.feed.put(Occurrence(key="a", inputs={"n": 1}))
        await lab.runs(1)

        async def solved() -> bool:
            return await lab.problem() is None

        await lab.until(solved)
        lab.slept.clear()
        lab.feed.put(ValueError("oops"))
        await lab.source_started()
        assert lab.slept[0] <= 1.2
        assert (await lab.until(lab.problem))["code"] == "node.crashed"


async def test_one_broken_source_does_not_stop_another(lab: Lab) -> None:
    lab.write(GRAPH.replace("id: fed", "id: other").replace("test.feed@1", "test.feed@1, with: {channel: other}"))
    await activate(lab.engine, "fed")
    await activate(lab.engine, "other")
    async with lab.hosted():
        await lab.source_started()
        await lab.source_started()
        lab.feed.put(RuntimeError("broken"))
        lab.feed.put(Occurrence(key="a", inputs={"n": 1}), "other")
        assert [run.graph_id for run in await lab.runs(1)] == ["other"]


async def test_a_source_that_has_no_more_to_tell_ends_without_a_problem(lab: Lab) -> None:
    await activate(lab.engine, "fed")
    async with lab.hosted():
        await lab.source_started()
        lab.feed.put(Occurrence(key="a", inputs={"n": 1}))
        lab.feed.put(None)
        await lab.runs(1)

        async def over() -> bool:
            return not lab.feed.queues["main"]

        await lab.until(over)
        assert await lab.problem() is None
    assert lab.feed.started.empty()


async def test_an_occurrence_that_does_not_fit_the_inputs_is_told_of_until_one_fits(lab: Lab) -> None:
    await activate(lab.engine, "fed")
    async with lab.hosted():
        await lab.source_started()
        lab.feed.put(Occurrence(key="a", inputs={"n": "text"}))
        problem = await lab.until(lab.problem)
        assert (problem["code"], problem["refused"]) == ("input.invalid", "a")
        lab.feed.put(Occurrence(key="b", inputs={"n": 1}))
        assert [run.key for run in await lab.runs(1)] == ["feed/b"]

        async def solved() -> bool:
            return await lab.problem() is None

        await lab.until(solved)


async def test_an_occurrence_waits_for_a_store_that_is_out_of_reach(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await activate(lab.engine, "fed")
    create, refusals = lab.store.create_run, 2

    async def unsteady(*args: Any, **more: Any) -> Run:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise StoreUnavailable("the disk is away")
        return await create(*args, **more)

    monkeypatch.setattr(lab.store, "create_run", unsteady)
    async with lab.hosted():
        await lab.source_started()
        lab.feed.put(Occurrence(key="a", inputs={"n": 1}))
        assert [run.key for run in await lab.runs(1)] == ["feed/a"]
    assert refusals == -1


async def test_two_servers_on_one_store_start_one_run_for_each_occurrence(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "store.db") for _ in range(2)]
    for store in stores:
        await store.open()
    (tmp_path / "graphs").mkdir()
    lab = Lab(stores[0], tmp_path / "graphs")
    lab.write(GRAPH)
    await activate(lab.engine, "fed")
    async with lab.hosted(), lab.hosted(lab.another(stores[1])):
        await lab.source_started()
        await lab.source_started()
        keys = [f"k{number}" for number in range(50)]
        for key in keys:
            lab.feed.put(Occurrence(key=key, inputs={"n": 1}))
        for _ in range(2):
            lab.feed.put(None)

        async def over() -> bool:
            return not lab.feed.queues["main"]

        await lab.until(over)
        runs = await lab.runs(50)
    assert sorted(run.key or "" for run in runs) == sorted(f"feed/{key}" for key in keys)
    for store in stores:
        await store.close()


async def test_schedules_of_two_hosts_in_virtual_time_start_each_time_once(lab: Lab) -> None:
    lab.write(GRAPH.replace("test.feed@1", "flow.schedule@1, with: {every: 1h, inputs: {n: 3}}"))
    await activate(lab.engine, "fed")
    time = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    tasks: list[asyncio.Task[None]] = []

    async def sleep(seconds: float) -> None:
        nonlocal time
        await asyncio.sleep(0)
        if time < datetime(2026, 1, 1, 13, 30, tzinfo=UTC):
            time += timedelta(seconds=seconds)
        else:
            await asyncio.Event().wait()

    for _ in range(2):
        tasks.append(asyncio.create_task(TriggerHost(lab.another(), clock=lambda: time, sleep=sleep).run()))
    runs = await lab.runs(4)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [run.key for run in runs] == [f"feed/2026-01-01T{hour}:00:00Z" for hour in (10, 11, 12, 13)]
