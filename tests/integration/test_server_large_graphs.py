"""Large graphs at the server: none is read or written where everybody waits, and those who send many wait for each
other alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyagent.graph import yaml
from pyagent.graph.spec import GraphSpec
from pyagent.runtime import graph_files
from pyagent.runtime.graph_files import text_hash
from pyagent.server.context import ServerContext
from pyagent.server.graph_shapes import GraphPage
from server_lab import client_of, server_of_graphs

pytestmark = pytest.mark.integration


def long_text(nodes: int, name: str = "Long") -> str:
    """A graph's text of some hundred characters a node."""
    lines = (
        f"  - {{id: n{number}, use: data.set@1, with: {{fields: {{text: {'x' * 60}, number: {number}}}}}}}\n"
        for number in range(nodes)
    )
    return f"pyagent: 1\nid: long\nname: {name}\nnodes:\n{''.join(lines)}edges: []\n"


TEXT = long_text(1000)
SMALL = long_text(1).replace("id: long", "id: small")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerContext]:
    async with server_of_graphs(tmp_path / "graphs", long=TEXT, small=SMALL) as made:
        yield made


@pytest.fixture
async def client(server: ServerContext) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as made:
        yield made


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read, checked or hashed of graphs in the thread of this function from now on."""
    found: list[str] = []
    here = threading.get_ident()

    def tells(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **more: Any) -> Any:
            if threading.get_ident() == here:
                found.append(name)
            return function(*arguments, **more)

        return called

    monkeypatch.setattr(yaml, "parse", tells("read", yaml.parse))
    monkeypatch.setattr(yaml, "render", tells("written", yaml.render))
    monkeypatch.setattr(GraphSpec, "model_validate", tells("checked", GraphSpec.model_validate))
    monkeypatch.setattr(GraphSpec, "to_data", tells("made data", GraphSpec.to_data))
    monkeypatch.setattr(GraphSpec, "hash", tells("hashed", GraphSpec.hash))
    monkeypatch.setattr(GraphPage, "__init__", tells("listed", GraphPage.__init__))
    return found


async def test_nothing_of_a_graph_is_read_or_written_where_everybody_waits(
    server: ServerContext, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = TEXT.replace("name: Long", "name: Other")
    where_all_wait = watched(monkeypatch)

    async def asked(method: str, path: str, **more: Any) -> httpx.Response:
        answer = await client.request(method, f"/api/v1{path}", **more)
        assert (path, where_all_wait) == (path, [])
        return answer

    assert len((await asked("GET", "/graphs")).json()["graphs"]) == 2
    shown = (await asked("GET", "/graphs/long")).json()
    base, spec = shown["text_hash"], shown["spec"]
    spec["nodes"][3]["name"] = "by data"
    assert (await asked("PUT", "/graphs/long", json={"spec": spec, "base": base})).status_code == 200
    merged = await asked("PUT", "/graphs/long", json={"text": TEXT + "# by text\n", "base": base})
    assert merged.json()["merged"] is True
    spec["name"] = "Data"
    assert (await asked("PUT", "/graphs/long", json={"spec": spec, "base": base})).status_code == 200
    conflict = await asked("PUT", "/graphs/long", json={"text": other, "base": base})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "graph.conflict")
    assert (await asked("POST", "/graphs/long/duplicate", json={"id": "copy"})).status_code == 201
    assert (await asked("POST", "/graphs", json={"text": TEXT.replace("id: long", "id: made")})).status_code == 201
    assert (await asked("POST", "/graphs", json={"spec": {**spec, "id": "data"}})).status_code == 201
    assert (await asked("GET", "/graphs/long/svg")).status_code == 200
    versions = (await asked("GET", "/graphs/long/versions")).json()["versions"]
    assert (await asked("GET", f"/graphs/long/diff?old={versions[-1]['hash']}")).json()["changes"]
    assert (await asked("GET", f"/graphs/long/history/{versions[-1]['hash']}")).json()["spec"]
    match = {"If-Match": (await asked("GET", "/graphs/long")).headers["ETag"]}
    assert (await asked("POST", "/graphs/long/rename-file", json={"file": "l.yaml"}, headers=match)).status_code == 200
    assert (await asked("DELETE", "/graphs/long", headers=match)).status_code == 204


async def test_looks_at_a_run_of_a_large_graph_hold_up_nobody(
    server: ServerContext, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [(await server.engine.start("long", {}, production=production)).id for production in (True, False)]
    where_all_wait = watched(monkeypatch)
    link = (await client.post(f"/api/v1/runs/{runs[0]}/share")).json()["path"]
    for path in (
        f"/api/v1/runs/{runs[0]}",
        f"/api/v1/runs/{runs[0]}/svg",
        f"/api/v1/runs/{runs[0]}/html",
        f"/api/v1/runs/compare?a={runs[0]}&b={runs[1]}",
        link,
    ):
        assert (await client.get(path)).status_code == 200
        assert (path, where_all_wait) == (path, [])


async def test_saves_of_one_large_graph_hold_up_neither_other_graphs_nor_other_requests(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = threading.Event(), asyncio.Event()
    loop, load_text = asyncio.get_running_loop(), graph_files.load_text

    def slow(text: str | bytes, file: str | None = None) -> Any:
        if len(text) > len(SMALL) * 2:
            loop.call_soon_threadsafe(begun.set)
            gate.wait()
        return load_text(text, file)

    async def save(name: str, text: str) -> httpx.Response:
        match = {"If-Match": f'"{text_hash(text)}"'}
        return await client.put(f"/api/v1/graphs/{name}", json={"text": f"{text}# saved\n"}, headers=match)

    monkeypatch.setattr(graph_files, "load_text", slow)
    many = [asyncio.create_task(save("long", TEXT)) for _ in range(20)]
    try:
        await begun.wait()
        for _ in range(3):
            assert (await save("small", SMALL)).status_code in (200, 409)
            assert (await client.get("/api/v1/graphs/small")).json()["text"] == f"{SMALL}# saved\n"
        assert not any(task.done() for task in many)
    finally:
        gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*many)} == {200}
