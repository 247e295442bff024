"""A process that seals and rotates keys is killed at any moment: nothing that it has said is lost or in the clear."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from pyagent.runtime.store_check import check_store
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from sealed_store import files_with, sealed

pytestmark = pytest.mark.integration

CANARY = "canary-of-the-killed"
WRITER = """
import asyncio, sys
from pathlib import Path
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store import new_run
from pyagent.vault import require_vault

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    await store.put_graph("triage", "hash-1", "pyagent: 1")
    number = int(sys.argv[2])
    while True:
        number += 1
        text = f"canary-of-the-killed {number} ".encode()
        await store.create_run(new_run(id=f"run-{number:04}", inputs=text))
        await store.put_blob(f"run-{number:04}", digest_of(text * 5000), text * 5000)
        if number % 3 == 0:
            require_vault().rotate()
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_killed_writer_of_a_sealed_store_loses_nothing_that_it_has_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(tmp_path, monkeypatch)
    path, number, chance = tmp_path / "pyagent.db", 0, random.Random(11)
    said: set[int] = set()
    for _ in range(6):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), str(number), stdout=asyncio.subprocess.PIPE, env=os.environ
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 8)):
            said.add(int(await process.stdout.readline()))
        process.kill()
        said |= {int(line) for line in (await process.stdout.read()).splitlines()}
        await process.wait()
        assert files_with(tmp_path, CANARY.encode()) == []

        store = SqliteStore(path)
        await store.open()
        for written in said:
            text = f"{CANARY} {written} ".encode()
            assert (await store.get_run(f"run-{written:04}")).inputs == text
            assert await store.get_blob(digest_of(text * 5000)) == text * 5000
        assert (await check_store(store))[1] == []
        # The one that it had begun may stand as well, or a part of it.
        number = max(int(run.id[4:]) for run in await store.list_runs())
        await store.close()
