"""A server in this process, with graphs that the world starts, for tests over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.server.serving import serving
from pyagent.store.base import RunFilter
from pyagent.store.sqlite import SqliteStore

TOKEN = "t" * 43
PATIENCE = 30


SEEN = "seen: \"{{ $('end').first().json }}\""


def hook(graph: str = "hook", *, path: str = "orders", more: str = "", head: str = "", outputs: str = SEEN) -> str:
    """A graph that a webhook starts."""
    given = f"path: '{path}'" + (f", {more}" if more else "")
    return (
        f"pyagent: 1\nid: {graph}\n{head}outputs: {{{outputs}}}\n"
        f"nodes: [{{id: request, use: flow.webhook@1, with: {{{given}}}}}, {{id: end, use: flow.noop@1}}]\n"
        "edges: [request -> end]\n"
    )


class Served:
    """A server in this process with graphs in a folder."""

    def __init__(self, engine: Engine, folder: Path, address: str) -> None:
        self.engine = engine
        self.folder = folder
        self.address = address
        self.api = httpx.AsyncClient(
            base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, timeout=PATIENCE
        )
        self.world = httpx.AsyncClient(base_url=address, trust_env=False, timeout=PATIENCE)

    async def activate(self, text: str) -> str:
        graph = text.split("id: ")[1].split("\n")[0]
        (self.folder / f"{graph}.yaml").write_text(text)
        answer = await self.api.post(f"/api/v1/graphs/{graph}/activate")
        assert answer.status_code == 200, answer.text
        return graph

    async def runs(self) -> list[Any]:
        return (await self.engine.store.list_runs(RunFilter(limit=1000)))[::-1]

    async def outputs(self, answer: httpx.Response) -> Any:
        assert answer.status_code == 202, answer.text
        run = await asyncio.wait_for(self.engine.wait(answer.json()["run"]), PATIENCE)
        assert run.status == "completed", run.error
        return await self.engine.outputs(run.id)


@asynccontextmanager
async def served_in(folder: Path) -> AsyncGenerator[Served]:
    """A server whose store and graphs are in the folder."""
    store = SqliteStore(folder / "store.db")
    await store.open()
    (folder / "graphs").mkdir()
    engine = Engine(store, library=GraphLibrary([folder / "graphs"]))
    async with serving(engine, token=TOKEN, port=0) as server:
        made = Served(engine, folder / "graphs", server.address)
        yield made
        await made.api.aclose()
        await made.world.aclose()
    await store.close()
