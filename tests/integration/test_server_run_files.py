"""A run goes out of one server as a file, and into another one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from pyagent.runtime.engine import Engine
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.testing import MemoryStore
from server_lab import TOKEN, client_of

ASK = """\
pyagent: 1
id: ask
nodes: [{id: ask, use: flow.approve@1, with: {title: "Keep {{ $inputs.name }}?"}}, {id: end, use: flow.noop@1}]
edges: [ask.approved -> end]
"""


@pytest.fixture
async def servers() -> AsyncIterator[tuple[ServerContext, httpx.AsyncClient, httpx.AsyncClient]]:
    """One server with its client, and the client of another one."""
    async with AsyncExitStack() as stack:
        made: list[tuple[ServerContext, httpx.AsyncClient]] = []
        for _ in range(2):
            store = MemoryStore()
            await store.open()
            stack.push_async_callback(store.close)
            server = ServerContext(engine=Engine(store), keys=Keys(TOKEN), port=8642)
            made.append((server, await stack.enter_async_context(client_of(server))))
        yield made[0][0], made[0][1], made[1][1]


async def test_a_run_goes_from_one_server_to_another(
    servers: tuple[ServerContext, httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    server, here, there = servers
    run = await server.engine.run(ASK, {"name": "Ada"})
    file = await here.get(f"/api/v1/runs/{run.id}/file")
    assert file.status_code == 200
    assert file.headers["content-type"] == "application/zip"
    assert f"{run.id}.run.zip" in file.headers["content-disposition"]
    taken = await there.post("/api/v1/run-files", content=file.content)
    assert taken.status_code == 201, taken.text
    assert taken.json() == {"runs": [run.id], "status": "waiting", "graphs": 1, "replayed": True, "notes": []}
    shown = (await there.get(f"/api/v1/runs/{run.id}")).json()
    assert (shown["status"], shown["error"]["code"]) == ("cancelled", "run.imported")
    assert (await there.post(f"/api/v1/runs/{run.id}/resume")).json()["code"] == "run.imported"
    again = await there.post("/api/v1/run-files", content=file.content)
    assert (again.status_code, again.json()["code"]) == (409, "run_file.exists")
    new = await there.post("/api/v1/run-files?as_new=true", content=file.content)
    assert (new.status_code, new.json()["runs"] != [run.id]) == (201, True)


async def test_what_is_no_run_is_refused(
    servers: tuple[ServerContext, httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    _, here, _ = servers
    for content, code in ((b"", "run_file.no_run"), (b"PK\x03\x04 and more", "run_file.damaged")):
        answer = await here.post("/api/v1/run-files", content=content)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await here.get("/api/v1/runs/0123456789abcdef0123/file")).status_code == 404


async def test_a_file_leaves_nothing_behind_on_the_disk(
    servers: tuple[ServerContext, httpx.AsyncClient, httpx.AsyncClient],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server, here, there = servers
    run = await server.engine.run(ASK, {"name": "Ada"})
    file = await here.get(f"/api/v1/runs/{run.id}/file?data=false&children=true")
    assert b"Ada" not in file.content
    assert (await there.post("/api/v1/run-files", content=file.content)).status_code == 201
    assert (await there.post("/api/v1/run-files", content=file.content[:-1])).status_code == 422
    assert list(tmp_path.iterdir()) == []
