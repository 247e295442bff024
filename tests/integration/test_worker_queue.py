"""Three `pyagent worker` processes on one store: priorities, turns between graphs and keyed limits hold across them."""

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

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
PYAGENT = str(Path(sys.executable).parent / "pyagent")
PATIENCE = 120.0
WORKERS = 3
HANDS = 2
"""Of each worker."""
NODES = {"split": {"use": "flow.noop"}, "end": {"use": "flow.noop"}}
NOISY = graph(NODES, ["split -> end"], id="noisy")
QUIET = graph(NODES, ["split -> end"], id="quiet")
# A line as each begins to act and one as it ends: the file is outside of whatever the workers believe.
NOTE = """
import os, time
file = os.open(items[0]["folder"] + "/notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(file, f"begin {items[0]['n']}\\n".encode())
time.sleep(0.1)
os.write(file, f"end {items[0]['n']}\\n".encode())
return items
"""
LIMITED = graph(
    {"note": {"use": "code.python", "with": {"code": NOTE, "write": ["{{ $inputs.folder }}"]}, "effects": "once"}},
    [],
    id="limited",
    inputs={"n": {"type": "integer"}, "folder": {"type": "string"}},
    settings={"concurrency": {"key": "{{ $inputs.folder }}", "limit": 2}, "fairness": {"key": "{{ $inputs.n % 3 }}"}},
)


@pytest.fixture(params=["sqlite", "neo4j"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/work.db"
    return request.getfixturevalue("neo4j").url


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    store = open_store(url)
    await store.open()
    try:
        yield Engine(store, library=GraphLibrary([]))
    finally:
        await store.close()


@asynccontextmanager
async def workers(url: str, folder: Path) -> AsyncIterator[None]:
    """Workers that have all begun; they end with the block."""
    environment = {**os.environ, "PYAGENT_STORE": url, "XDG_CACHE_HOME": str(folder / "cache")}
    line = [PYAGENT, "worker", "--json", "--limit", str(HANDS)]
    processes: list[Process] = []
    try:
        for _ in range(WORKERS):
            processes.append(await asyncio.create_subprocess_exec(*line, stdout=PIPE, stderr=PIPE, env=environment))
        for process in processes:
            assert process.stdout is not None
            assert json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))["worker"]
        yield
        for process in processes:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_the_runs_of_a_noisy_graph_do_not_delay_those_of_a_quiet_one_nor_urgent_ones(
    engine: Engine, url: str, tmp_path: Path
) -> None:
    for _ in range(300):
        last = await engine.start(NOISY)
    quiet = [await engine.start(QUIET) for _ in range(3)]
    urgent = [await engine.start(NOISY, priority=5) for _ in range(3)]

    async with workers(url, tmp_path):
        for run in (*urgent, *quiet, last):
            assert (await asyncio.wait_for(engine.wait(run.id), PATIENCE)).status == "completed"

    begun = [event.run_id for event in await engine.store.read_events(limit=100_000) if event.kind == "run.started"]
    assert len(begun) == len(set(begun)) == 306
    # Taken in order; what is taken at the same time may begin in any order.
    at_once = WORKERS * HANDS
    assert max(begun.index(run.id) for run in urgent) < 3 + at_once
    assert max(begun.index(run.id) for run in quiet) < 3 + 2 * 3 + at_once


async def test_a_keyed_limit_holds_over_processes(engine: Engine, url: str, tmp_path: Path) -> None:
    runs = [await engine.start(LIMITED, {"n": n, "folder": str(tmp_path)}) for n in range(15)]

    async with workers(url, tmp_path):
        for run in runs:
            assert (await asyncio.wait_for(engine.wait(run.id), PATIENCE)).status == "completed"

    at_work, most = set[str](), 0
    lines = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
    for what, number in lines:
        (at_work.add if what == "begin" else at_work.remove)(number)
        most = max(most, len(at_work))
    assert most == 2
    assert sorted(int(number) for what, number in lines if what == "begin") == list(range(15))
