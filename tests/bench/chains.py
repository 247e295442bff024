"""P1 to P4: milliseconds a node and bytes on disk of a chain, of pure nodes and of durable nodes with effects.

Each node adds a field to the one item that runs through. Ours are ordinary SDK nodes with lineage kept, on a store, and
a subscriber receives every event; LangGraph's give an update each, which the caller receives.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.frame import Bar, Row, Side

PIECE = 2048
"""Bytes of an item that does not compress."""


@asynccontextmanager
async def ours(nodes: int, durable: bool, folder: str) -> AsyncGenerator[Any]:
    """PyAgent; durable: `idempotent` and `once` nodes in turn, each step committed."""
    from bench import work

    graph = work.chain(nodes, "idempotent", "once") if durable else work.chain(nodes, "none")
    async with work.engine() as engine:

        async def sample() -> float:
            return await work.run(engine, graph, {"start": 0}) * 1000 / nodes

        yield sample


@asynccontextmanager
async def langgraph(nodes: int, saver: str, folder: str, synchronous: str = "") -> AsyncGenerator[Any]:
    """LangGraph, with a saver durability `sync`."""
    from bench import peers

    builder = peers.chain(nodes)
    async with peers.saver(saver, folder, synchronous) as found:
        compiled = builder.compile(checkpointer=found)
        thread = 0

        async def sample() -> float:
            nonlocal thread
            thread += 1
            started = time.perf_counter()
            received = await peers.run(compiled, {"json": {"start": 0}}, thread, nodes, durable=bool(saver))
            taken = time.perf_counter() - started
            assert received == nodes
            return taken * 1000 / nodes

        yield sample


@asynccontextmanager
async def plain(nodes: int, folder: str) -> AsyncGenerator[Any]:
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


def _size(folder: str, name: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file() and name in str(path))


@asynccontextmanager
async def our_bytes(nodes: int, folder: str) -> AsyncGenerator[Any]:
    """Bytes that a run adds to our store; each node changes the item's one field, of bytes that do not compress."""
    from bench import work
    from pyagent.sdk import Context, Item, Items, NodeParams, Registry, node

    class ChangeParams(NodeParams):
        pass

    globals().update(ChangeParams=ChangeParams, Items=Items, Context=Context, Item=Item)

    @node("bench.change", title="Change the item", effects="idempotent")
    async def change(items: Items, params: ChangeParams, ctx: Context) -> list[Item]:
        return [item.derive({"piece": os.urandom(PIECE // 2).hex()}, index) for index, item in enumerate(items)]

    registry = Registry({})
    registry.add(change)
    graph = work.document(
        [{"id": f"n{index}", "use": "bench.change@1"} for index in range(nodes)],
        [f"n{index} -> n{index + 1}" for index in range(nodes - 1)],
    )
    from pyagent.runtime.engine import Engine

    async def sample() -> float:
        before = _size(folder, "bench.db")
        async with Engine.open(registry=registry) as engine:
            assert (await engine.run(graph, {"piece": ""})).status == "completed"
        gc.collect()
        return _size(folder, "bench.db") - before

    yield sample


@asynccontextmanager
async def peer_bytes(nodes: int, folder: str) -> AsyncGenerator[Any]:
    """Bytes that a run adds to AsyncSqliteSaver's file."""
    from langgraph.graph import StateGraph

    from bench import peers

    def changing() -> Any:
        async def change(state: peers.State) -> peers.State:
            return {"json": {"piece": os.urandom(PIECE // 2).hex()}}

        return change

    builder = StateGraph(peers.State)
    for index in range(nodes):
        builder.add_node(f"n{index}", changing())
    for index in range(nodes - 1):
        builder.add_edge(f"n{index}", f"n{index + 1}")
    builder.set_entry_point("n0")
    builder.set_finish_point(f"n{nodes - 1}")
    thread = 0

    async def sample() -> float:
        nonlocal thread
        thread += 1
        before = _size(folder, "peer.db")
        async with peers.saver("sqlite", folder) as found:
            await peers.run(builder.compile(checkpointer=found), {"json": {}}, thread, nodes, durable=True)
        return _size(folder, "peer.db") - before

    yield sample


def _pure(id: str, nodes: int) -> Row:
    return Row(
        id=id,
        work=f"chain of {nodes:,} pure nodes, a node",
        unit="ms",
        ours=Side(name="PyAgent", sampler="bench.chains:ours", options={"nodes": nodes, "durable": False}),
        peer=Side(name="LangGraph", sampler="bench.chains:langgraph", options={"nodes": nodes, "saver": ""}),
        limit=Side(name="asyncio", sampler="bench.chains:plain", options={"nodes": nodes}),
        bar=Bar(text="≥ 10 x", ratio=10),
        samples=9 if nodes <= 100 else 5,
    )


def _durable(id: str, synchronous: str) -> Row:
    return Row(
        id=id,
        work=f"chain of 100 nodes with effects, half of them once, synchronous={synchronous}, a node",
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
            options={"nodes": 100, "saver": "sqlite", "synchronous": synchronous},
        ),
        bar=Bar(text="≥ 4 x", ratio=4) if synchronous == "normal" else None,
    )


ROWS = [
    _pure("P1", 100),
    _pure("P1b", 1000),
    _durable("P2", "normal"),
    _durable("P2b", "full"),
    Row(
        id="P3",
        work="as P2, on Neo4j",
        unit="ms",
        needs="neo4j",
        ours=Side(name="PyAgent", sampler="bench.chains:ours", options={"nodes": 100, "durable": True}),
        peer=Side(
            name="LangGraph, langgraph-checkpoint-neo4j",
            sampler="bench.chains:langgraph",
            options={"nodes": 100, "saver": "neo4j"},
        ),
        bar=Bar(text="≥ 4 x", ratio=4),
        samples=5,
    ),
    Row(
        id="P4",
        work="bytes on disk of a chain of 1,000 nodes, each changing an incompressible 2 KB item",
        unit="B",
        ours=Side(name="PyAgent", sampler="bench.chains:our_bytes", options={"nodes": 1000}),
        peer=Side(name="LangGraph, AsyncSqliteSaver", sampler="bench.chains:peer_bytes", options={"nodes": 1000}),
        bar=Bar(text="≥ 10 x", ratio=10),
        samples=3,
    ),
]
