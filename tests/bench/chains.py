"""P1 and P2: milliseconds a node in a chain, of pure nodes and of durable nodes with effects.

Each node adds a field to the one item that runs through. Ours are ordinary SDK nodes with lineage kept, on the SQLite
store, and a subscriber receives every event; LangGraph's give an update each, which the caller receives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.frame import Row, Side

Sample = Callable[[], Awaitable[float]]


@asynccontextmanager
async def ours(nodes: int, durable: bool, folder: str) -> AsyncGenerator[Sample]:
    """PyAgent on its SQLite store; durable: `idempotent` and `once` nodes in turn, each step committed."""
    from pyagent.graph.spec import GraphSpec
    from pyagent.graph.yaml import dump, load_text
    from pyagent.runtime.engine import Engine
    from pyagent.sdk import Context, Item, Items, NodeParams, Registry, node

    class AddParams(NodeParams):
        field: str

    def declare(name: str, effects: Any) -> Any:
        @node(name, title="Add a field", effects=effects)
        async def add(items: Items, params: AddParams, ctx: Context) -> list[Item]:
            return [item.derive({**item.json, params.field: index}, index) for index, item in enumerate(items)]

        return add

    # The decorator reads the annotations, which name what this function has imported.
    globals().update(AddParams=AddParams, Items=Items, Context=Context, Item=Item)
    registry = Registry({})
    names = ("bench.keyed", "bench.once") if durable else ("bench.pure", "bench.pure")
    for name, effects in zip(names, ("idempotent", "once") if durable else ("none", "none"), strict=True):
        registry.add(declare(name, effects))
    spec = GraphSpec.model_validate(
        {
            "pyagent": 1,
            "id": "chain",
            "nodes": [
                {"id": f"n{index}", "use": f"{names[index % 2]}@1", "with": {"field": f"f{index}"}}
                for index in range(nodes)
            ],
            "edges": [f"n{index} -> n{index + 1}" for index in range(nodes - 1)],
        }
    )
    graph = load_text(dump(spec))
    async with Engine.open(registry=registry) as engine:

        async def sample() -> float:
            seen = 0
            after = await engine.store.last_cursor()

            async def subscribe(run_id: str) -> None:
                nonlocal seen
                async for batch in engine.store.follow(after, run_id):
                    seen += len(batch)
                    if any(event.kind == "run.completed" for event in batch):
                        return

            started = time.perf_counter()
            run = await engine.start(graph, {"start": 0})
            subscriber = asyncio.create_task(subscribe(run.id))
            ended = await engine.drive(run.id)
            await subscriber
            taken = time.perf_counter() - started
            assert ended.status == "completed", ended.error
            assert seen > nodes
            return taken * 1000 / nodes

        yield sample


@asynccontextmanager
async def langgraph(nodes: int, synchronous: str, folder: str) -> AsyncGenerator[Sample]:
    """LangGraph; with `synchronous`, on AsyncSqliteSaver with that PRAGMA and durability `sync`."""
    from contextlib import AsyncExitStack
    from typing import TypedDict

    from langgraph.graph import StateGraph

    class State(TypedDict):
        json: dict[str, Any]

    globals().update(State=State)

    def add(field: str) -> Any:
        async def added(state: State) -> State:
            return {"json": {**state["json"], field: 0}}

        return added

    builder = StateGraph(State)
    for index in range(nodes):
        builder.add_node(f"n{index}", add(f"f{index}"))
    for index in range(nodes - 1):
        builder.add_edge(f"n{index}", f"n{index + 1}")
    builder.set_entry_point("n0")
    builder.set_finish_point(f"n{nodes - 1}")
    async with AsyncExitStack() as stack:
        saver = None
        if synchronous:
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

            path = str(Path(folder) / "peer.db")
            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
            await saver.setup()
            await saver.conn.execute("PRAGMA journal_mode = WAL")
            await saver.conn.execute(f"PRAGMA synchronous = {synchronous}")
        compiled: Any = builder.compile(checkpointer=saver)
        thread = 0

        async def sample() -> float:
            nonlocal thread
            thread += 1
            config = {"configurable": {"thread_id": str(thread)}, "recursion_limit": nodes + 10}
            more = {"durability": "sync"} if saver else {}
            seen = 0
            started = time.perf_counter()
            async for _ in compiled.astream({"json": {"start": 0}}, config, stream_mode="updates", **more):
                seen += 1
            taken = time.perf_counter() - started
            assert seen == nodes
            return taken * 1000 / nodes

        yield sample


@asynccontextmanager
async def plain(nodes: int, folder: str) -> AsyncGenerator[Sample]:
    """Plain asyncio: a task for each node, and nothing else."""

    async def add(json: dict[str, Any], field: str) -> dict[str, Any]:
        return {**json, field: 0}

    async def sample() -> float:
        json: dict[str, Any] = {"start": 0}
        started = time.perf_counter()
        for index in range(nodes):
            json = await asyncio.create_task(add(json, f"f{index}"))
        return (time.perf_counter() - started) * 1000 / nodes

    yield sample


def _pure(id: str, nodes: int) -> Row:
    return Row(
        id=id,
        work=f"chain of {nodes:,} pure nodes, a node",
        unit="ms",
        ours=Side(name="PyAgent", sampler="bench.chains:ours", options={"nodes": nodes, "durable": False}),
        peer=Side(name="LangGraph", sampler="bench.chains:langgraph", options={"nodes": nodes, "synchronous": ""}),
        limit=Side(name="asyncio", sampler="bench.chains:plain", options={"nodes": nodes}),
        samples=9 if nodes <= 100 else 5,
    )


def _durable(id: str, synchronous: str) -> Row:
    return Row(
        id=id,
        work=f"chain of 100 nodes with effects, half of them once, durable, synchronous={synchronous}, a node",
        unit="ms",
        ours=Side(
            name="PyAgent",
            sampler="bench.chains:ours",
            options={"nodes": 100, "durable": True},
            environment={"PYAGENT_SQLITE_SYNCHRONOUS": synchronous},
        ),
        peer=Side(
            name="LangGraph, AsyncSqliteSaver",
            sampler="bench.chains:langgraph",
            options={"nodes": 100, "synchronous": synchronous},
        ),
    )


ROWS = [_pure("P1", 100), _pure("P1b", 1000), _durable("P2", "full"), _durable("P2b", "normal")]
