"""P5: requests a second that a server answers with what a chain of 100 pure nodes makes of them.

Both sides are servers in processes of their own, under uvicorn with the same event loop and parser, and have the same
client: a process with eight clients, each with a connection that it keeps, that sends its next request when the last
one is answered. An answer comes when the run has ended and is saved.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.frame import Bar, Row, Side

NODES = 100
CLIENTS = 8
HOOK = "/webhooks/chain"


@asynccontextmanager
async def ours(requests: int, folder: str) -> AsyncGenerator[Any]:
    """`pyagent serve`, and an active graph that answers with its outputs."""
    from pyagent.graph.spec import GraphSpec
    from pyagent.graph.yaml import dump

    last = f"n{NODES - 1}"
    graph = {
        "pyagent": 1,
        "id": "chain",
        "outputs": {"json": f"{{{{ $('{last}').first().json }}}}"},
        "nodes": [
            {"id": "hook", "use": "flow.webhook@1", "with": {"path": "chain", "inputs": "body", "answer": "outputs"}},
            *({"id": f"n{index}", "use": "bench.add@1", "with": {"field": f"f{index}"}} for index in range(NODES)),
        ],
        "edges": ["hook -> n0", *(f"n{index} -> n{index + 1}" for index in range(NODES - 1))],
    }
    Path(folder, "chain.yaml").write_text(dump(GraphSpec.model_validate(graph)))
    given = {**os.environ, "PYAGENT_GRAPHS": folder, "PYAGENT_NODES": str(Path(__file__).with_name("nodes"))}
    program = str(Path(sys.executable).with_name("pyagent"))
    subprocess.run([program, "activate", "chain"], env=given, cwd=folder, check=True, capture_output=True)  # noqa: ASYNC221
    async with _served([program, "serve", "--port", "0"], given, r"http://127\.0\.0\.1:(\d+)/\?once=", folder) as port:
        yield _Clients(port, requests).sample


@asynccontextmanager
async def peer(requests: int, folder: str) -> AsyncGenerator[Any]:
    """FastAPI, and a thread of its own for each request."""
    line = [sys.executable, "-m", "bench.webhooks", folder]
    async with _served(line, dict(os.environ), r"listens at (\d+)", folder) as port:
        yield _Clients(port, requests).sample


@asynccontextmanager
async def _served(line: list[str], environment: dict[str, str], up: str, folder: str) -> AsyncGenerator[int]:
    """A server in a process of its own; yields its port, which the line that it prints once it is up names."""
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this process yet
        line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        printed = ""
        while (found := re.search(up, printed)) is None:
            read = process.stdout.readline()
            assert read, printed
            printed += read
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(timeout=20)


class _Clients:
    """Eight clients, each with a connection that it keeps for a sample."""

    def __init__(self, port: int, requests: int) -> None:
        self._port = port
        self._requests = requests

    async def sample(self) -> float:
        """Requests a second."""
        kept = [await asyncio.open_connection("127.0.0.1", self._port) for _ in range(CLIENTS)]
        left = iter(range(self._requests))
        started = time.perf_counter()
        await asyncio.gather(*(self._client(*connection, left) for connection in kept))
        taken = time.perf_counter() - started
        for _, writer in kept:
            writer.close()
        return self._requests / taken

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Any) -> None:
        for number in left:
            body = json.dumps({"start": number}).encode()
            head = f"POST {HOOK} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            told = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", told)
            answer = await reader.readexactly(int(length[1]) if length else 0)
            made = json.loads(answer)["json"]
            assert made["start"] == number, told + answer
            assert made[f"f{NODES - 1}"] == 0, made


def serve_peer(folder: str) -> None:
    """The peer's server, in this process."""
    import uvicorn
    from fastapi import FastAPI

    from bench import peers

    thread = 0
    app = FastAPI(openapi_url=None)

    @app.post(HOOK)
    async def hook(body: dict[str, Any]) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        nonlocal thread
        thread += 1
        config = {"configurable": {"thread_id": str(thread)}, "recursion_limit": NODES + 10}
        return await app.state.graph.ainvoke({"json": body}, config, durability="exit")

    async def served() -> None:
        async with peers.saver("sqlite", folder) as saver:
            app.state.graph = peers.chain(NODES).compile(checkpointer=saver)
            with socket.create_server(("127.0.0.1", 0)) as bound:
                print(f"listens at {bound.getsockname()[1]}", flush=True)
                await server.serve([bound])

    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(served())


ROWS = [
    Row(
        id="P5",
        work=f"requests by webhook, answered by a chain of {NODES} pure nodes, {CLIENTS} clients, runs saved",
        unit="/s",
        better="more",
        ours=Side(
            name="PyAgent",
            sampler="bench.webhooks:ours",
            options={"requests": 400},
            environment={"PYAGENT_RATE_WEBHOOKS": "off"},
        ),
        peer=Side(name="FastAPI, LangGraph, AsyncSqliteSaver", sampler="bench.webhooks:peer", options={"requests": 64}),
        bar=Bar(text="≥ 8 x", ratio=8),
        samples=5,
    ),
]


if __name__ == "__main__":
    serve_peer(sys.argv[1])
