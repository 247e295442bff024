"""P12, P13 and P16: what it costs to start, to serve nothing, and to have many runs wait."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.frame import Bar, Row, Side
from bench.measure import ROOT

TINY = str(ROOT / "tests" / "bench" / "tiny.yaml")

WAITING = 20_000


def _resident(process: int) -> float:
    """Megabytes of memory that a process has."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@asynccontextmanager
async def idle(folder: str) -> AsyncGenerator[Any]:
    """Megabytes of a server that was asked once and has nothing to do."""
    import httpx

    line = [str(Path(sys.executable).with_name("pyagent")), "serve", "--port", "0"]
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this process
        line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        printed = ""
        while (found := re.search(r"(http://127\.0\.0\.1:\d+)/\?once=\S+", printed)) is None:
            line_read = process.stdout.readline()
            assert line_read, printed
            printed += line_read
        async with httpx.AsyncClient() as client:
            (await client.get(f"{found[1]}/healthz")).raise_for_status()

        async def sample() -> float:
            return _resident(process.pid)

        yield sample
    finally:
        process.terminate()
        process.wait(timeout=20)


@asynccontextmanager
async def waiting(scan: bool, folder: str) -> AsyncGenerator[Any]:
    """Megabytes that many waiting runs add to an engine that works on their store, or milliseconds of a look for those
    that are to be woken."""
    from pyagent.store import open_store
    from pyagent.store.base import Commit, NewRun, StepRecord

    store = open_store()
    await store.open()
    try:
        await store.claimable()
        before = _resident(os.getpid())
        later = datetime.now(UTC) + timedelta(days=1)
        wait = {"kind": "signal", "name": "paid", "key": ""}
        for number in range(WAITING):
            run = NewRun(id=f"{number:020d}", graph_id="bench", graph_hash="hash", trigger="", inputs=b"{}")
            await store.create_run(run)
            lease = await store.claim(run.id, "bench", timedelta(seconds=30))
            step = StepRecord(step="wait", node="wait", scope="", status="waiting", wait={**wait, "key": str(number)})
            await store.commit(lease, Commit(status="waiting", steps=[step], wake_at=later, release=True))

        async def sample() -> float:
            started = time.perf_counter()
            assert await store.claimable() == []
            taken = (time.perf_counter() - started) * 1000
            return taken if scan else max(0.0, _resident(os.getpid()) - before)

        yield sample
    finally:
        await store.close()


ROWS = [
    Row(
        id="P12",
        work="cold start of pyagent --version",
        unit="s",
        ours=Side(name="PyAgent", command=["{bin}/pyagent", "--version"]),
        limit=Side(name="python -c pass", command=["{python}", "-c", "pass"]),
        bar=Bar(text="≤ 0.15 s", value=0.15),
        samples=11,
    ),
    Row(
        id="P12b",
        work="pyagent run of a tiny graph",
        unit="s",
        ours=Side(name="PyAgent", command=["{bin}/pyagent", "run", TINY]),
        peer=Side(name="import langgraph.pregel", command=["{python}", "-c", "import langgraph.pregel"]),
        bar=Bar(text="≤ 1.3 times the peer", ratio=1 / 1.3),
        samples=9,
    ),
    Row(
        id="P13",
        work="memory of an idle server on SQLite",
        unit="MB",
        ours=Side(name="PyAgent", sampler="bench.starts:idle"),
        bar=Bar(text="≤ 120", value=120),
        samples=3,
    ),
    Row(
        id="P16",
        work=f"memory that {WAITING:,} waiting runs add",
        unit="MB",
        ours=Side(name="PyAgent", sampler="bench.starts:waiting", options={"scan": False}),
        bar=Bar(text="≤ 5", value=5),
        samples=3,
    ),
    Row(
        id="P16b",
        work=f"a look for runs to wake among {WAITING:,}",
        unit="ms",
        ours=Side(name="PyAgent", sampler="bench.starts:waiting", options={"scan": True}),
        bar=Bar(text="≤ 50", value=50),
        samples=5,
    ),
]
