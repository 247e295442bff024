"""Runs many items through filter and limit, and says what that took: `long_list.py STORE ITEMS`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from pyagent.graph.spec import GraphSpec
from pyagent.runtime.engine import Engine
from pyagent.sdk import Context, Items, NodeParams, Registry, node
from pyagent.store import open_store


class ManyParams(NodeParams):
    """Parameters of `lab.many`."""

    count: int


@node("lab.many", title="Many", effects="none", makes_items=True)
async def many(items: Items, params: ManyParams, ctx: Context) -> AsyncIterator[list[dict[str, object]]]:
    """Numbers with names."""
    for start in range(0, params.count, 1000):
        yield [{"n": n, "name": f"item {n}"} for n in range(start, min(start + 1000, params.count))]


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


async def main(url: str, count: int) -> None:
    """Run the graph and print figures as JSON."""
    graph = GraphSpec.model_validate(
        {
            "pyagent": 1,
            "id": "long",
            "nodes": [
                {"id": "many", "use": "lab.many@1", "with": {"count": count}},
                {"id": "even", "use": "flow.filter@1", "with": {"when": "{{ $json.n % 2 == 0 }}"}},
                {"id": "half", "use": "data.limit@1", "with": {"count": count // 4}},
                {"id": "last", "use": "data.limit@1", "with": {"count": 2, "keep": "last"}},
            ],
            "edges": ["many -> even", "even -> half", "half -> last"],
            "outputs": {"last": "{{ $('last').all().map(item => item.json.n) }}"},
        }
    )
    registry = Registry.installed()
    registry.add(many)
    store = open_store(url)
    await store.open()
    engine = Engine(store, registry=registry)
    peak = before = resident()

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, resident())
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    began = time.process_time()
    run = await engine.run(graph)
    seconds = time.process_time() - began
    watching.cancel()
    steps = {record.step: dict(record.items_out) for record in await store.steps(run.id)}
    outputs = await engine.outputs(run.id)
    await store.close()
    print(json.dumps({"peak": peak, "before": before, "seconds": seconds, "steps": steps, "outputs": outputs}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
