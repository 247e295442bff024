"""`io.http` through the engine: memory stays bounded, large bodies come whole, what may have been done is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostile_server import hostile_server
from pyagent.runtime.engine import Engine
from pyagent.testing import MemoryStore

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]
PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path

import pyagent
from pyagent.runtime.engine import Engine

GRAPH = '''
pyagent: 1
id: fetch
inputs: {url: {type: string}, size: {type: string}}
outputs: {size: "{{ $('get').first().json.size }}"}
nodes:
  - id: get
    use: io.http@1
    with: {url: "{{ $inputs.url }}", max_size: "{{ $inputs.size }}", as: AS}
'''

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) >> 10

async def main():
    url, size, kind, folder = sys.argv[1:]
    store = pyagent.open_store(f"{folder}/store.db")
    await store.open()
    engine = Engine(store)
    # What is imported and cached at first is not the body's doing.
    await engine.run(GRAPH.replace("AS", kind), {"url": f"{url.rpartition('/')[0]}/honest", "size": "1 MiB"})
    before = peak()
    run = await engine.run(GRAPH.replace("AS", kind), {"url": url, "size": size})
    print(json.dumps({
        "status": run.status, "code": (run.error or {}).get("code"), "grown": peak() - before,
        "outputs": await engine.outputs(run.id) if run.status == "completed" else None,
        "left": [str(path) for path in Path(os.environ["PYAGENT_WORK"]).rglob("*.part")],
    }))
    await store.close()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("path", "size", "kind", "code", "most"),
    [
        ("gigabytes", "64 MiB", "binary", "node.http_size", 40),
        ("gigabytes-chunked", "16 MiB", "json", "node.http_size", 40),
        ("gigabytes-of-error", "16 MiB", "json", "node.http_server", 20),
        ("bomb", "64 MiB", "binary", "node.http_size", 40),
        ("huge-header", "16 MiB", "json", "node.http_broken", 20),
        ("endless-headers", "16 MiB", "json", "node.http_broken", 20),
        ("megabytes", "200 MiB", "binary", None, 60),
    ],
)
async def test_memory_stays_bounded_whatever_is_sent(
    path: str, size: str, kind: str, code: str | None, most: int, tmp_path: Path
) -> None:
    async with hostile_server() as server:
        found = await _in_a_process(f"{server.url}/{path}", size, kind, tmp_path)
    assert found["code"] == code
    assert found["left"] == []
    assert found["grown"] < most, f"{found['grown']} MiB"
    if code is None:
        assert found["outputs"] == {"size": 1600 * 65_536}


async def test_a_post_without_an_answer_waits_for_a_person_and_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYAGENT_ALLOW_PRIVATE", "127.0.0.1")
    store = MemoryStore()
    await store.open()
    engine = Engine(store)
    graph = """
pyagent: 1
id: send
inputs: {url: {type: string}}
outputs: {}
nodes:
  - id: send
    use: io.http@1
    with: {url: "{{ $inputs.url }}", method: POST, body: {json: {a: 1}}, timeouts: {read: 300ms}}
    retry: {attempts: 3, initial: 10ms}
"""
    async with hostile_server() as server:
        silent = await engine.run(graph, {"url": f"{server.url}/silent"})
        broken = await engine.run(graph, {"url": f"{server.url}/breaks-off"})
        assert (silent.status, broken.status) == ("waiting", "waiting")
        assert server.requests == ["POST /silent", "POST /breaks-off"]
        gone = server.url
    # Where nothing was sent, it may be tried again as often as the node says.
    refused = await engine.run(graph, {"url": f"{gone}/silent"})
    assert (refused.status, (refused.error or {})["code"]) == ("failed", "node.http_connect")


async def _in_a_process(url: str, size: str, kind: str, folder: Path) -> dict[str, Any]:
    import asyncio

    environment = {**os.environ, "PYAGENT_ALLOW_PRIVATE": "127.0.0.1", "PYAGENT_WORK": str(folder / "work")}
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, url, size, kind, str(folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    said, wrong = await done.communicate()
    assert done.returncode == 0, wrong.decode()
    return json.loads(said)
