"""What the rows are made of: ordinary SDK nodes, graphs of them, and runs whose every event a subscriber receives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import Document, dump, load_text
from pyagent.runtime.engine import Engine
from pyagent.sdk import Context, Item, Items, NodeParams, Registry, node

Sample = Callable[[], Awaitable[float]]
Effects = Literal["none", "idempotent", "once"]


class AddParams(NodeParams):
    """Which field a node adds, and what it does to the world."""

    field: str
    seconds: float = 0.0
    most: int | None = None
    """Items that it passes on: where branches meet again and again, their number would double each time."""


def _adding(name: str, effects: Effects) -> Any:
    @node(name, title="Add a field", effects=effects)
    async def add(items: Items, params: AddParams, ctx: Context) -> list[Item]:
        if params.seconds:
            await asyncio.sleep(params.seconds)
        return [
            item.derive({**item.json, params.field: index}, index) for index, item in enumerate(items[: params.most])
        ]

    return add


def registry() -> Registry:
    """The installed nodes, and `bench.none`, `bench.idempotent` and `bench.once`, which add a field."""
    found = Registry.installed()
    for effects in ("none", "idempotent", "once"):
        found.add(_adding(f"bench.{effects}", effects))
    return found


def document(nodes: list[dict[str, Any]], edges: list[str], **more: Any) -> Document:
    """A graph file."""
    spec = {"pyagent": 1, "id": "bench", "nodes": nodes, "edges": edges, **more}
    return load_text(dump(GraphSpec.model_validate(spec)))


def chain(nodes: int, *effects: Effects) -> Document:
    """A chain whose nodes have these effects in turn."""
    return document(
        [
            {"id": f"n{index}", "use": f"bench.{effects[index % len(effects)]}@1", "with": {"field": f"f{index}"}}
            for index in range(nodes)
        ],
        [f"n{index} -> n{index + 1}" for index in range(nodes - 1)],
    )


@asynccontextmanager
async def engine(url: str | None = None) -> AsyncGenerator[Engine]:
    """An engine with the nodes of the rows, on `PYAGENT_STORE` or another store."""
    async with Engine.open(url, registry=registry()) as opened:
        yield opened


async def run(on: Engine, graph: Document, inputs: Mapping[str, Any]) -> float:
    """Seconds from the start of a run to its last event, all of them received by a subscriber."""
    after = await on.store.last_cursor()
    received = 0

    async def subscribe(run_id: str) -> None:
        nonlocal received
        async for batch in on.store.follow(after, run_id):
            received += len(batch)
            if any(event.kind in ("run.completed", "run.failed") for event in batch):
                return

    started = time.perf_counter()
    begun = await on.start(graph, inputs)
    subscriber = asyncio.create_task(subscribe(begun.id))
    ended = await on.drive(begun.id)
    await subscriber
    taken = time.perf_counter() - started
    if ended.status != "completed" or received <= len(graph.spec.nodes):
        raise AssertionError(f"{ended.status}, {received} events: {ended.error}")
    return taken
