"""A SQLite store that is compacted: killed in the middle of it nothing is lost, and other processes go on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from pyagent.store.base import Commit
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store_parts import entry, new_run, random_bytes, started

pytestmark = pytest.mark.integration


async def compacting(path: Path) -> asyncio.subprocess.Process:
    """Another process that compacts the store."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pyagent.cli", "store", "compact", "--json"),
        env={**os.environ, "PYAGENT_STORE": str(path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def filled(store: SqliteStore, runs: int) -> list[str]:
    """Runs with three megabytes each, of which every other one is deleted; the ids of those that stay."""
    made: list[str] = []
    for number in range(runs):
        blobs = [random_bytes(50_000, 100 * number + each) for each in range(60)]
        first = Commit(status="completed", entries=[entry(1)], blobs=[(digest_of(blob), blob) for blob in blobs])
        made.append((await store.create_run(new_run(), first=first)).id)
    for run_id in made[::2]:
        await store.delete_run(run_id)
    return made[1::2]


async def test_a_process_that_is_killed_while_it_compacts_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    kept = await filled(store, 16)
    await store.close()
    log = path.with_name("store.db-wal")
    for size in (2_000_000, 10_000_000):
        process = await compacting(path)
        while process.returncode is None and not (log.exists() and log.stat().st_size > size):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        if process.returncode is None:
            process.kill()
        await process.communicate()
        store = SqliteStore(path)
        await store.open()
        assert await store.faults() == []
        for run_id in kept:
            assert len(await store.blobs_of(run_id)) == 60
            assert [record.seq for record in await store.read_log(run_id)] == [1]
        await store.close()
    out, error = await (await compacting(path)).communicate()
    assert json.loads(out)["after"] < 30_000_000, error


async def test_another_process_compacts_while_a_run_is_at_work_here(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    try:
        await filled(store, 16)
        run, lease = await started(store)
        process = await compacting(path)
        done = asyncio.create_task(process.communicate())
        written = 0
        while not done.done():
            written += 1
            await store.commit(lease, Commit(entries=[entry(written)]))
            await asyncio.sleep(0.001)
        out, error = await done
        told = json.loads(out)
        assert process.returncode == 0, error
        assert told["after"] < told["before"]
        assert [record.seq for record in await store.read_log(run.id)] == list(range(1, written + 1))
        assert await store.faults() == []
    finally:
        await store.close()
