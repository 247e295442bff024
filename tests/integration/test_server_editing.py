"""Editors over the API: texts follow graphs, merges, comparisons, the stream of changes, history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.server.app import create_app
from pyagent.server.context import ServerContext
from pyagent.server.security import Keys
from pyagent.store.location import open_store

TOKEN = "t" * 43
TEXT = """\
pyagent: 1
id: greet
name: Greet  # a comment
nodes:
  - id: first
    use: data.set@1
    with: {fields: {a: 1}}  # what it sets
  - id: second
    use: data.set@1
    with: {fields: {b: 1}}
edges: [first -> second]
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    folder = tmp_path / "graphs"
    folder.mkdir()
    (folder / "greet.yaml").write_text(TEXT)
    store = open_store(str(tmp_path / "store.db"))
    await store.open()
    yield ServerContext(engine=Engine(store, library=GraphLibrary([folder])), keys=Keys(TOKEN))
    await store.close()


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(server), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8642", headers=headers) as client:
        yield client


async def edit(client: httpx.AsyncClient, text: str, spec: Any = None) -> dict[str, Any]:
    answer = await client.post("/api/v1/graphs/edit", json={"text": text, "spec": spec})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_text_is_read_with_all_that_an_editor_draws(client: httpx.AsyncClient) -> None:
    found = await edit(client, TEXT)
    assert (found["ok"], found["text"]) == (True, TEXT)
    assert found["spec"]["nodes"][0]["id"] == "first"
    assert found["nodes"]["first"] == {
        "title": "Set fields",
        "installed": True,
        "kind": "action",
        "trigger": False,
        "effects": "none",
        "ports_in": ["in"],
        "ports_out": ["out"],
        "ports_known": True,
        "owner": None,
        "loop_header": False,
        "back_edges": [],
    }


async def test_an_edit_of_the_data_changes_only_its_lines(client: httpx.AsyncClient) -> None:
    spec = (await edit(client, TEXT))["spec"]
    spec["nodes"][1]["with"]["fields"]["b"] = 2
    assert (await edit(client, TEXT, spec))["text"] == TEXT.replace("b: 1", "b: 2")


async def test_a_save_takes_the_data_instead_of_the_text(client: httpx.AsyncClient) -> None:
    graph = (await client.get("/api/v1/graphs/greet")).json()
    spec = graph["spec"] | {"name": "Hello"}
    saved = await client.put("/api/v1/graphs/greet", json={"spec": spec, "base": graph["text_hash"]})
    assert saved.json()["text"] == TEXT.replace("name: Greet", "name: Hello")


async def test_a_save_takes_exactly_one_of_text_and_data(client: httpx.AsyncClient) -> None:
    bodies: list[dict[str, Any]] = [{}, {"text": TEXT, "spec": {}}]
    for body in bodies:
        assert (await client.put("/api/v1/graphs/greet", json=body)).status_code == 422
