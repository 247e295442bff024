"""Readers of the stream that are slow or late: no run waits for them, memory is bounded, and what is gone is told."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import pytest

from engine_lab import Lab, graph, opened
from pyagent.sdk import Context, Items
from pyagent.server.serving import PageServer, serving
from pyagent.store.base import Commit, NewRun

pytestmark = pytest.mark.integration

TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SAID = "x" * 1000


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


@pytest.fixture
async def server(lab: Lab) -> AsyncIterator[PageServer]:
    async with serving(lab.engine, token=TOKEN, port=0, work=False) as made:
        yield made


def deaf(server: PageServer, path: str, more: str) -> socket.socket:
    """A connection that asks for a stream and never reads: its own buffer is as small as can be."""
    host, port = server.address.removeprefix("http://").split(":")
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect((host, int(port)))
    head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n{more}\r\n"
    made.sendall(head.encode())
    return made


STREAM = ("/api/v1/events", "Accept: text/event-stream\r\n")
SOCKET = (
    "/api/v1/events/ws",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n",
)


async def talk(lab: Lab, lines: int) -> float:
    """Run a node that says so many lines of a thousand characters; how many seconds that took."""

    @lab.on("a")
    async def act(items: Items, ctx: Context) -> Items:
        for number in range(lines):
            ctx.log(SAID, number=number)
            if not number % 100:
                await asyncio.sleep(0)
        return items

    before = perf_counter()
    run = await asyncio.wait_for(lab.engine.run(graph({"a": {}})), 60)
    assert run.status == "completed"
    return perf_counter() - before


@pytest.mark.parametrize(("path", "more"), [STREAM, SOCKET], ids=["SSE", "WebSocket"])
async def test_readers_that_never_read_neither_hold_up_a_run_nor_grow_in_memory(
    lab: Lab, server: PageServer, path: str, more: str
) -> None:
    await talk(lab, 500)
    alone = min([await talk(lab, 3000) for _ in range(2)])
    readers = [deaf(server, path, more) for _ in range(10)]
    try:
        await talk(lab, 3000)  # by now each stands still
        with_readers = min([await talk(lab, 3000) for _ in range(2)])
        tracemalloc.start()
        for _ in range(2):
            await talk(lab, 3000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        for reader in readers:
            reader.close()
    # Six million bytes of events were told meanwhile; each of ten readers would hold them, were they kept for it.
    assert grown < 6_000_000
    # Not a measurement: whoever waited for a reader would wait for ever.
    assert with_readers < 5 * alone + 2


@pytest.mark.parametrize("door", ["SSE", "WebSocket", "page"])
async def test_a_reader_whose_events_are_forgotten_is_told_and_goes_on_with_what_there_is(
    lab: Lab, server: PageServer, door: str
) -> None:
    await talk(lab, 5)
    cursors = [event.cursor for event in await lab.store.read_events()]
    seen, gone = cursors[1], cursors[4]
    await lab.store.forget_events(gone)

    if door == "page":
        async with httpx.AsyncClient(headers=BEARER, base_url=server.address) as client:
            answer = await client.get(f"/api/v1/events?after={seen}")
            whole = await client.get("/api/v1/events")
        assert (answer.status_code, answer.json()["code"]) == (410, "store.events_forgotten")
        assert answer.json()["details"] == {"after": seen, "kept_after": gone}
        assert [event["cursor"] for event in whole.json()["events"]] == cursors[5:]
        return
    told = await first_of(server, door, seen, len(cursors) - 5 + 1)
    assert (told[0]["kind"], told[0]["cursor"], told[0]["data"]) == ("stream.forgotten", gone, {"after": seen})
    assert [event["cursor"] for event in told[1:]] == cursors[5:]


async def first_of(server: PageServer, door: str, after: int, count: int) -> list[Any]:
    found: list[Any] = []
    if door == "WebSocket":
        from websockets.asyncio.client import connect

        address = f"{server.address.replace('http', 'ws')}/api/v1/events/ws?after={after}"
        async with connect(address, additional_headers=BEARER, proxy=None) as client, asyncio.timeout(20):
            while len(found) < count:
                found.append(json.loads(await client.recv()))
        return found
    headers = {**BEARER, "Accept": "text/event-stream", "Last-Event-ID": str(after)}
    async with (
        httpx.AsyncClient(headers=headers, base_url=server.address) as client,
        client.stream("GET", "/api/v1/events") as stream,
        asyncio.timeout(20),
    ):
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
            if len(found) == count:
                break
    return found


async def test_a_reader_is_told_of_what_is_forgotten_while_it_reads(lab: Lab, server: PageServer) -> None:
    made = await lab.store.create_run(NewRun(id="r" * 20, graph_id="g", graph_hash="h", trigger="", inputs=b"{}"))
    await talk(lab, 3)
    last = await lab.store.last_cursor()
    told = await first_of(server, "SSE", 0, last)
    assert [event["cursor"] for event in told] == list(range(1, last + 1))
    await lab.store.forget_events(last)
    lease = await lab.store.claim(made.id, "w", lab.engine.lease)
    await lab.store.commit(lease, Commit(events=[], release=True))
    await talk(lab, 1)
    again = await first_of(server, "SSE", 1, 2)
    assert (again[0]["kind"], again[0]["cursor"], again[1]["cursor"]) == ("stream.forgotten", last, last + 1)
