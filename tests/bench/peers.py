"""LangGraph's side of the rows: the same graphs as ordinary StateGraphs, and its savers."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import StateGraph


class State(TypedDict):
    """One item that runs through."""

    json: dict[str, Any]


def adding(field: str) -> Any:
    """A node that adds a field."""

    async def add(state: State) -> State:
        return {"json": {**state["json"], field: 0}}

    return add


def chain(nodes: int) -> Any:
    """A builder with a chain of nodes."""
    builder = StateGraph(State)
    for index in range(nodes):
        builder.add_node(f"n{index}", adding(f"f{index}"))
    for index in range(nodes - 1):
        builder.add_edge(f"n{index}", f"n{index + 1}")
    builder.set_entry_point("n0")
    builder.set_finish_point(f"n{nodes - 1}")
    return builder


@asynccontextmanager
async def saver(kind: str, folder: str, synchronous: str = "normal") -> AsyncGenerator[Any]:
    """None for an empty kind, `sqlite`: AsyncSqliteSaver with that PRAGMA, `neo4j`: AsyncNeo4jSaver."""
    if kind == "sqlite":
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        async with AsyncSqliteSaver.from_conn_string(str(Path(folder) / "peer.db")) as found:
            await found.setup()
            await found.conn.execute("PRAGMA journal_mode = WAL")
            await found.conn.execute(f"PRAGMA synchronous = {synchronous}")
            yield found
    elif kind == "neo4j":
        from langgraph.checkpoint.neo4j.aio import AsyncNeo4jSaver
        from neo4j import AsyncGraphDatabase

        user, _, password = os.environ["BENCH_NEO4J_AUTH"].partition(":")
        async with AsyncGraphDatabase.driver(os.environ["BENCH_NEO4J"], auth=(user, password)) as driver:
            found = AsyncNeo4jSaver(driver)
            await found.setup()
            yield found
    else:
        yield None


async def run(compiled: Any, inputs: Any, thread: int, steps: int, *, durable: bool) -> int:
    """Run to the end and receive every update; returns how many there were."""
    config = {"configurable": {"thread_id": str(thread)}, "recursion_limit": steps + 10}
    more = {"durability": "sync"} if durable else {}
    received = 0
    async for _ in compiled.astream(inputs, config, stream_mode="updates", **more):
        received += 1
    return received
