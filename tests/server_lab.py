"""A server in the test's own process, and clients of it: no port, no socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.server.app import create_app
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.store.location import open_store

TOKEN = "t" * 43
HOST = "http://127.0.0.1:8642"


def client_of(server: ServerContext, token: str = TOKEN, path: str = "") -> httpx.AsyncClient:
    """A client with the token, for addresses below the path; an empty token: a stranger. What breaks is a 500."""
    transport = httpx.ASGITransport(create_app(server), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(transport=transport, base_url=HOST + path, headers=headers)


@asynccontextmanager
async def server_of_graphs(folder: Path, **texts: str) -> AsyncIterator[ServerContext]:
    """A server for a folder of graphs, into which the texts are written by name, with a store beside it."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    store = open_store(str(folder.parent / "store.db"))
    await store.open()
    try:
        yield ServerContext(engine=Engine(store, library=GraphLibrary([folder])), keys=Keys(TOKEN))
    finally:
        await store.close()
