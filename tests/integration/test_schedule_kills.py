"""Schedules of a server that is killed: what passed meanwhile is made up for, each time once, none beside another."""

from __future__ import annotations

import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pyagent.store.base import RunFilter
from pyagent.store.sqlite import SqliteStore
from server_process import PYAGENT, ServerProcess, environment

pytestmark = pytest.mark.integration

GRAPH = """\
pyagent: 1
id: tick
nodes:
  - {id: times, use: flow.schedule@1, with: {every: 1s, overlap: queue, catch_up: all}}
  - {id: end, use: flow.noop@1}
edges: [times -> end]
"""


async def keys(folder: Path, at_least: int) -> list[str]:
    """The start keys of completed runs, in the order in which they were made, when there are so many."""
    store = SqliteStore(folder / "store.db")
    await store.open()
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            mark = store.mark()
            runs = await store.list_runs(RunFilter(limit=1000))
            done = [run.key or "" for run in reversed(runs) if run.status == "completed"]
            if len(done) >= at_least:
                return done
            await store.changed(1, mark)
        raise AssertionError(f"only {len(done)} runs")
    finally:
        await store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the graph, activated."""
    (tmp_path / "tick.yaml").write_text(GRAPH)
    subprocess.run([*PYAGENT, "activate", "tick"], env=environment(tmp_path), cwd=tmp_path, check=True, timeout=60)
    return tmp_path


async def test_a_killed_server_misses_no_time_and_starts_none_twice(folder: Path) -> None:
    with ServerProcess(folder) as first:
        before = await keys(folder, 2)
        first.kill()
        first.process.wait(30)
    with ServerProcess(folder), ServerProcess(folder) as other:
        await keys(folder, len(before) + 5)
        other.kill()
        found = await keys(folder, len(before) + 9)
    assert len(set(found)) == len(found)
    # Every second since the first one that was due: none is left out.
    assert sorted(found) == found
    seconds = [int(key[-3:-1]) for key in found]
    assert all((later - earlier) % 60 == 1 for earlier, later in pairwise(seconds))
