"""`pyagent worker` in processes of their own: they share the runs, hand them over, and end with their exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine_lab import graph
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.store import open_store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
PYAGENT = str(Path(sys.executable).parent / "pyagent")
PATIENCE = 60.0
# A line for each execution; `begun` tells the test that it runs.
NOTE = """
import os, time
file = os.open(items[0]["folder"] + "/notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(file, f"{items[0]['n']}\\n".encode())
time.sleep(items[0]["seconds"])
return items
"""
WORK = graph(
    {
        "note": {"use": "code.python", "with": {"code": NOTE, "write": ["{{ $inputs.folder }}"]}, "effects": "once"},
        "after": {"use": "flow.noop"},
    },
    ["note -> after"],
    id="work",
    inputs={"n": {"type": "integer"}, "folder": {"type": "string"}, "seconds": {"type": "number"}},
    outputs={"n": "{{ $json.n }}"},
)


@asynccontextmanager
async def store_and_engine(folder: Path) -> AsyncIterator[Engine]:
    store = open_store(f"sqlite:///{folder}/work.db")
    await store.open()
    try:
        yield Engine(store, library=GraphLibrary([]))
    finally:
        await store.close()


async def worker(folder: Path, *options: str) -> Process:
    """A worker that has begun."""
    environment = {
        **os.environ,
        "PYAGENT_STORE": f"sqlite:///{folder}/work.db",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    line = [PYAGENT, "worker", "--json", *options]
    process = await asyncio.create_subprocess_exec(*line, stdout=PIPE, stderr=PIPE, env=environment)
    assert process.stdout is not None
    told = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
    assert told["worker"]
    return process


async def stop(process: Process, number: signal.Signals) -> int:
    process.send_signal(number)
    return await asyncio.wait_for(process.wait(), PATIENCE)


async def begun(folder: Path, lines: int) -> None:
    """Return when so many steps have begun to act."""
    notes = folder / "notes"
    for _ in range(int(PATIENCE / 0.02)):
        if notes.exists() and len(notes.read_text().splitlines()) >= lines:
            return
        await asyncio.wait([asyncio.create_task(asyncio.sleep(0.02))])
    raise AssertionError("no step has begun")


async def test_two_workers_share_the_runs_and_none_is_done_twice(tmp_path: Path) -> None:
    async with store_and_engine(tmp_path) as engine:
        runs = [await engine.start(WORK, {"n": n, "folder": str(tmp_path), "seconds": 0.05}) for n in range(24)]
        workers = [await worker(tmp_path, "--limit", "2") for _ in range(2)]
        ended = [await asyncio.wait_for(engine.wait(run.id), PATIENCE) for run in runs]

        assert {run.status for run in ended} == {"completed"}
        assert sorted(map(int, (tmp_path / "notes").read_text().split())) == list(range(24))
        assert [await stop(process, signal.SIGTERM) for process in workers] == [0, 0]


async def test_a_worker_that_is_asked_to_stop_hands_its_runs_over(tmp_path: Path) -> None:
    async with store_and_engine(tmp_path) as engine:
        nodes = {"split": {"use": "flow.noop"}, "wait": {"use": "flow.wait", "with": {"for": "1s"}}}
        waiting = await engine.start(graph(nodes, ["split -> wait"], id="waits"))
        run = await engine.start(WORK, {"n": 1, "folder": str(tmp_path), "seconds": 1})
        first = await worker(tmp_path)
        await begun(tmp_path, 1)
        assert await stop(first, signal.SIGTERM) == 0
        assert (await engine.store.get_run(run.id)).lease_owner is None

        second = await worker(tmp_path)
        for each in (run, waiting):
            async for events in engine.store.follow(0, each.id):
                if any(event.kind == "run.completed" for event in events):
                    break
        assert (tmp_path / "notes").read_text().split() == ["1"]
        assert await stop(second, signal.SIGINT) == 0


async def test_a_second_signal_ends_a_worker_at_once(tmp_path: Path) -> None:
    async with store_and_engine(tmp_path) as engine:
        run = await engine.start(WORK, {"n": 1, "folder": str(tmp_path), "seconds": 60})
        process = await worker(tmp_path)
        await begun(tmp_path, 1)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while b"Handing" not in await asyncio.wait_for(process.stderr.readline(), PATIENCE):
            pass
        assert await stop(process, signal.SIGTERM) == 130
        assert (await engine.store.get_run(run.id)).status == "running"


async def test_a_worker_without_its_store_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "PYAGENT_STORE": "neo4j://nobody:nothing@127.0.0.1:1"}
    line = [PYAGENT, "worker"]
    process = await asyncio.create_subprocess_exec(*line, stdout=PIPE, stderr=PIPE, env=environment)
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)

    assert process.returncode == 5
    assert b"store.unavailable" in said or b"cannot" in said
