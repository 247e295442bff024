"""Events by WebSocket: who gets in, what comes, what a slow reader cannot do, and how the end is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.server import sockets, streaming
from pyagent.server.serving import PageServer, serving
from pyagent.store.base import Event
from pyagent.store.location import open_store

pytestmark = pytest.mark.integration

TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}
GRAPH = """\
pyagent: 1
id: many
inputs: {list: {type: array}}
outputs: {list: "{{ $inputs.list }}"}
nodes: [{id: split, use: data.split@1, with: {field: list}}, {id: end, use: flow.noop@1}]
edges: [split -> end]
"""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    (tmp_path / "many.yaml").write_text(GRAPH)
    store = open_store(str(tmp_path / "store.db"))
    await store.open()
    yield Engine(store, library=GraphLibrary([tmp_path]))
    await store.close()


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[PageServer]:
    async with serving(engine, token=TOKEN, port=0, work=False) as made:
        yield made


@asynccontextmanager
async def opened(server: PageServer, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    address = server.address.replace("http:", "ws:") + path
    async with connect(address, proxy=None, **options) as socket:
        yield socket


async def until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not found or found[-1]["kind"] != kind:
            found.append(json.loads(await socket.recv()))
    return found


async def until_last(socket: ClientConnection, run_id: str) -> list[dict[str, Any]]:
    found = await until(socket, "run.completed")
    while found[-1]["run_id"] != run_id:
        found += await until(socket, "run.completed")
    return found


async def test_events_come_in_the_shape_and_order_of_the_stream(engine: Engine, server: PageServer) -> None:
    run = await engine.start("many", {"list": [{"n": 1}]})
    async with opened(server, f"/api/v1/runs/{run.id}/events/ws", additional_headers=BEARER) as socket:
        await engine.drive(run.id)
        told = await until(socket, "run.completed")
    async with httpx.AsyncClient(headers=BEARER) as client:
        page = (await client.get(f"{server.address}/api/v1/runs/{run.id}/events")).json()
    assert told == page["events"]


async def test_a_reader_that_wants_some_kinds_is_told_nothing_of_the_others(
    engine: Engine, server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await engine.run("many", {"list": [{"n": 1}]})
    events = await engine.store.read_events(0, run.id)

    async def one_by_one(after: int = 0, run_id: str | None = None) -> AsyncIterator[list[Event]]:
        for event in events:
            yield [event]
        await asyncio.Event().wait()

    monkeypatch.setattr(engine.store, "follow", one_by_one)
    async with opened(server, "/api/v1/events/ws?kinds=run.", additional_headers=BEARER) as socket:
        told = await until(socket, "run.completed")
    assert [event["kind"] for event in told] == ["run.queued", "run.started", "run.completed"]


async def test_a_reader_goes_on_after_its_cursor(engine: Engine, server: PageServer) -> None:
    run = await engine.run("many", {"list": []})
    async with opened(server, "/api/v1/events/ws", additional_headers=BEARER) as socket:
        first = [json.loads(await socket.recv()) for _ in range(2)]
    path = f"/api/v1/events/ws?after={first[-1]['cursor']}&kinds=run."
    async with opened(server, path, additional_headers=BEARER) as socket:
        rest = await until(socket, "run.completed")
    assert rest[0]["cursor"] > first[-1]["cursor"]
    assert {event["run_id"] for event in rest} == {run.id}
    assert all(event["kind"].startswith("run.") for event in rest)


async def test_the_token_may_be_a_subprotocol_or_the_first_message(engine: Engine, server: PageServer) -> None:
    await engine.run("many", {"list": []})
    protocols = ["pyagent.events", f"bearer.{TOKEN}"]
    async with opened(server, "/api/v1/events/ws", subprotocols=protocols) as socket:
        assert socket.subprotocol == "pyagent.events"
        await until(socket, "run.completed")
    async with opened(server, "/api/v1/events/ws") as socket:
        await socket.send(json.dumps({"token": TOKEN}))
        await until(socket, "run.completed")


async def test_a_cookie_opens_only_with_the_origin_of_the_page(engine: Engine, server: PageServer) -> None:
    await engine.run("many", {"list": []})
    async with httpx.AsyncClient() as client:
        await client.get(server.link())
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    async with opened(server, "/api/v1/events/ws", additional_headers=cookie, origin=server.address) as socket:
        await until(socket, "run.completed")
    with pytest.raises(InvalidStatus):
        async with opened(server, "/api/v1/events/ws", additional_headers=cookie, origin="http://evil.example"):
            pass
    async with opened(server, "/api/v1/events/ws", additional_headers=cookie) as socket:
        await socket.send("{}")
        assert await closed_by(socket) == 4401


@pytest.mark.parametrize("first", ['{"token": "wrong"}', "no json", "[]", '{"token": 1}', "[" * 30_000])
async def test_a_wrong_first_message_is_told_and_closes(server: PageServer, first: str) -> None:
    async with opened(server, "/api/v1/events/ws") as socket:
        await socket.send(first)
        told = json.loads(await socket.recv())
        assert (told["kind"], told["data"]["error"]["code"]) == ("stream.error", "server.unauthorized")
        assert await closed_by(socket) == 4401


async def test_who_says_nothing_is_not_waited_for(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PATIENCE", 0.05)
    async with opened(server, "/api/v1/events/ws") as socket:
        assert await closed_by(socket) == 4401


async def test_a_wrong_token_in_the_header_is_refused_before_it_opens(server: PageServer) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with opened(server, "/api/v1/events/ws", additional_headers={"Authorization": "Bearer wrong"}):
            pass
    assert caught.value.response.status_code == 403


async def test_a_run_that_does_not_exist_is_told(server: PageServer) -> None:
    async with opened(server, "/api/v1/runs/abcdef0/events/ws", additional_headers=BEARER) as socket:
        told = json.loads(await socket.recv())
        assert told["data"]["error"]["code"] == "run.not_found"
        assert await closed_by(socket) == 4404


async def test_a_quiet_stream_says_that_it_is_alive(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT", 0.02)
    async with opened(server, "/api/v1/events/ws", additional_headers=BEARER) as socket:
        assert (await until(socket, "stream.alive"))[-1]["cursor"] == 0


async def test_a_reader_that_does_not_read_holds_up_neither_runs_nor_others(engine: Engine, server: PageServer) -> None:
    async with opened(server, "/api/v1/events/ws", additional_headers=BEARER, max_queue=1) as slow:
        runs = [await engine.run("many", {"list": [{"text": "x" * 500_000}]}) for _ in range(20)]
        assert {run.status for run in runs} == {"completed"}
        async with opened(server, "/api/v1/events/ws", additional_headers=BEARER) as quick:
            seen = await until_last(quick, runs[-1].id)
        found = await until_last(slow, runs[-1].id)
    assert found == seen


async def test_the_end_of_the_server_is_told_and_says_to_come_back(engine: Engine) -> None:
    async with serving(engine, token=TOKEN, port=0, work=False) as server:
        address = server.address.replace("http:", "ws:") + "/api/v1/events/ws"
        socket = await connect(address, proxy=None, additional_headers=BEARER)
    told = await until(socket, "stream.stopping")
    assert told[-1]["kind"] == "stream.stopping"
    assert await closed_by(socket) == 1012


async def closed_by(socket: ClientConnection) -> int:
    async with asyncio.timeout(10):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0
