"""A run's scratch directory goes when the run has ended, and nobody waits for that."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from pyagent.runtime.engine import Engine
from pyagent.sdk import Context, Items, NoParams, Registry, node
from pyagent.testing import MemoryStore

GRAPH = "pyagent: 1\nid: works\nnodes: [{id: work, use: scratch.work@1}]\nedges: []\n"


@node("scratch.work", title="Work", effects="idempotent")
async def work(items: Items, params: NoParams, ctx: Context) -> None:
    """Leaves a file in the run's directory."""
    (await asyncio.to_thread(lambda: ctx.work_dir) / "left").write_text("x")


async def test_a_scratch_directory_is_removed_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path))
    removed: list[tuple[Path, bool]] = []
    rmtree = shutil.rmtree

    def remove(path: Path, *, ignore_errors: bool) -> None:
        assert (path / "left").read_text() == "x"
        removed.append((path, threading.current_thread() is threading.main_thread()))
        rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr("pyagent.runtime.scratch.shutil.rmtree", remove)
    registry = Registry({})
    registry.add(work)
    store = MemoryStore()
    await store.open()
    run = await Engine(store, registry=registry).run(GRAPH)
    await store.close()
    assert run.status == "completed"
    assert removed == [(tmp_path / run.id, False)]
    assert list(tmp_path.iterdir()) == []
