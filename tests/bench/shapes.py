"""P7, P8 and P17: a map over many items, large graphs, and a fast branch beside a slow one."""

from __future__ import annotations

import asyncio
import operator
import random
import resource
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from bench.frame import Bar, Row, Side

ITEMS = 10_000


@asynccontextmanager
async def our_map(effects: Any, memory: bool, folder: str) -> AsyncGenerator[Any]:
    """Seconds of a map, or megabytes that it adds at its highest."""
    from bench import work

    body = {"nodes": [{"id": "add", "use": f"bench.{effects}@1", "with": {"field": "f"}}]}
    graph = work.document(
        [
            {"id": "split", "use": "data.split@1", "with": {"field": "numbers", "into": "n"}},
            {"id": "each", "use": "flow.map@1", "body": body},
        ],
        ["split -> each"],
    )
    async with work.engine() as engine:
        await work.run(engine, graph, {"numbers": [1]})

        async def sample() -> float:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            taken = await work.run(engine, graph, {"numbers": list(range(ITEMS))})
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            return grown / 1024 if memory else taken

        yield sample


class _Mapped(TypedDict):
    done: Annotated[list[Any], operator.add]


@asynccontextmanager
async def peer_map(saver: str, folder: str) -> AsyncGenerator[Any]:
    """Seconds of as many `Send`s."""
    from langgraph.graph import StateGraph
    from langgraph.types import Send

    from bench import peers

    async def add(state: Any) -> Any:
        return {"done": [{**state, "f": 0}]}

    builder = StateGraph(_Mapped)
    builder.add_node("split", lambda state: {})
    builder.add_node("add", add)
    builder.set_entry_point("split")
    builder.add_conditional_edges("split", lambda state: [Send("add", {"n": n}) for n in range(ITEMS)], ["add"])
    async with peers.saver(saver, folder) as found:
        compiled = builder.compile(checkpointer=found)
        thread = 0

        async def sample() -> float:
            nonlocal thread
            thread += 1
            started = time.perf_counter()
            await peers.run(compiled, {"done": []}, thread, 10, durable=bool(saver))
            return time.perf_counter() - started

        yield sample


def _layered(nodes: int) -> tuple[list[dict[str, Any]], list[str]]:
    """A random layered graph: ten nodes a layer, each fed by one to three of the layer before."""
    chance = random.Random(nodes)
    made = [
        {"id": f"n{index}", "use": "bench.idempotent@1", "with": {"field": f"f{index % 10}", "most": 1}}
        for index in range(nodes)
    ]
    edges = [
        f"n{source} -> n{index}"
        for index in range(10, nodes)
        for source in sorted(chance.sample(range(index // 10 * 10 - 10, index // 10 * 10), chance.randint(1, 3)))
    ]
    return made, edges


@asynccontextmanager
async def our_graph(nodes: int, folder: str) -> AsyncGenerator[Any]:
    """Milliseconds a node, as many times those of a graph of a hundred."""
    from bench import work

    async def each(engine: Any, graph: Any, size: int) -> float:
        return await work.run(engine, graph, {"start": 0}) * 1000 / size

    async with work.engine() as engine:
        small, large = work.document(*_layered(100)), work.document(*_layered(nodes))

        async def sample() -> float:
            hundreds = sorted([await each(engine, small, 100) for _ in range(5)])
            return await each(engine, large, nodes) / hundreds[2]

        yield sample


@asynccontextmanager
async def our_branches(folder: str) -> AsyncGenerator[Any]:
    """Seconds until the fast branch has ended."""
    from bench import work

    fast = [
        {"id": f"fast{index}", "use": "bench.idempotent@1", "with": {"field": f"f{index}", "seconds": 0.01}}
        for index in range(10)
    ]
    slow = {"id": "slow", "use": "bench.idempotent@1", "with": {"field": "s", "seconds": 1.0}}
    graph = work.document([slow, *fast], [f"fast{index} -> fast{index + 1}" for index in range(9)])
    async with work.engine() as engine:

        async def sample() -> float:
            started = time.perf_counter()
            run = await engine.start(graph, {})
            driving = asyncio.create_task(engine.drive(run.id))
            async for batch in engine.store.follow(0, run.id):
                if any(event.kind == "step.completed" and event.step == "fast9" for event in batch):
                    break
            taken = time.perf_counter() - started
            await driving
            return taken

        yield sample


@asynccontextmanager
async def peer_branches(folder: str) -> AsyncGenerator[Any]:
    """LangGraph's superstep waits for its slowest task."""
    from langgraph.graph import StateGraph

    def resting(name: str, seconds: float) -> Any:
        async def rest(state: Any) -> Any:
            await asyncio.sleep(seconds)
            return {"done": [name]}

        return rest

    builder = StateGraph(_Mapped)
    builder.add_node("begin", lambda state: {})
    builder.add_node("slow", resting("slow", 1.0))
    builder.set_entry_point("begin")
    builder.add_edge("begin", "slow")
    before = "begin"
    for index in range(10):
        builder.add_node(f"fast{index}", resting(f"fast{index}", 0.01))
        builder.add_edge(before, f"fast{index}")
        before = f"fast{index}"
    compiled = builder.compile()

    async def sample() -> float:
        started = time.perf_counter()
        ended = 0.0
        async for update in compiled.astream({"done": []}, stream_mode="updates"):
            if "fast9" in update:
                ended = time.perf_counter() - started
        return ended

    yield sample


def _map(id: str, effects: str, saver: str, ratio: float) -> Row:
    return Row(
        id=id,
        work=f"map over {ITEMS:,} items, body one {'pure' if effects == 'none' else effects} node",
        unit="s",
        ours=Side(name="PyAgent", sampler="bench.shapes:our_map", options={"effects": effects, "memory": False}),
        peer=Side(
            name="LangGraph Send" + (", AsyncSqliteSaver" if saver else ""),
            sampler="bench.shapes:peer_map",
            options={"saver": saver},
        ),
        bar=Bar(text=f"≥ {ratio:g} x", ratio=ratio),
        samples=3,
    )


def _large(id: str, nodes: int) -> Row:
    return Row(
        id=id,
        work=f"random layered graph of {nodes:,} nodes with effects, a node, beside one of 100",
        unit="times",
        ours=Side(name="PyAgent", sampler="bench.shapes:our_graph", options={"nodes": nodes}),
        bar=Bar(text="≤ 1.5", value=1.5),
        samples=3,
    )


ROWS = [
    _map("P7", "none", "", 5),
    _map("P7b", "idempotent", "", 2),
    Row(
        id="P7m",
        work=f"memory that P7 adds at its highest ({ITEMS:,} items)",
        unit="MB",
        ours=Side(name="PyAgent", sampler="bench.shapes:our_map", options={"effects": "none", "memory": True}),
        bar=Bar(text="≤ 50", value=50),
        samples=1,
        warm=False,
    ),
    _large("P8a", 1000),
    _large("P8", 10_000),
    Row(
        id="P17",
        work="until the fast branch (ten steps of 10 ms) ends beside a slow one (1 s)",
        unit="s",
        ours=Side(name="PyAgent", sampler="bench.shapes:our_branches"),
        peer=Side(name="LangGraph", sampler="bench.shapes:peer_branches"),
        bar=Bar(text="≤ 0.25", value=0.25),
        samples=5,
    ),
]
