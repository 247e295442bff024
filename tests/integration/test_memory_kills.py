"""A memory index whose writers are killed: what was acknowledged is there, and the index goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyagent.sdk.memory import MemoryIndex

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

WRITER = """
import asyncio, sys
from pathlib import Path
from pyagent.sdk.memory import Memory, MemoryIndex

async def main(folder, name):
    index = await MemoryIndex.open(Path(folder))
    for turn in range(100_000):
        many = 700 if turn % 5 == 4 else 3
        text = "word " * 5 + str(turn)
        vector = [1.0, float(turn)]
        memories = [Memory(id=f"{name}-{turn}-{each}", text=text, vector=vector) for each in range(many)]
        await index.upsert(memories)
        if turn % 7 == 6:
            await index.delete([f"{name}-{turn - 1}-0"])
            print("deleted", turn - 1, flush=True)
        print("written", turn, many, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    dice = random.Random(5)
    written: dict[str, int] = {}
    deleted: set[str] = set()
    rounds = 8
    for number in range(rounds):
        writers = [
            subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this process
                [sys.executable, "-c", WRITER, str(folder), f"{number}{name}"], stdout=subprocess.PIPE, text=True
            )
            for name in ("a", "b")
        ]
        first, second = writers
        assert first.stdout is not None
        assert second.stdout is not None
        lines = {"a": [first.stdout.readline() for _ in range(dice.randrange(5, 60))]}
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        lines["a"] += first.stdout.read().splitlines()
        lines["b"] = second.stdout.read().splitlines()
        for writer in writers:
            writer.wait()
        for name, said in lines.items():
            for line in said:
                kind, turn, *many = line.split()
                if kind == "written":
                    written[f"{number}{name}-{turn}"] = int(many[0])
                else:
                    deleted.add(f"{number}{name}-{turn}-0")
        index = await MemoryIndex.open(folder, create=False)
        await index.verify()
        for start in range(0, len(written), 200):
            turns = list(written)[start : start + 200]
            ids = [f"{turn}-{each}" for turn in turns for each in range(written[turn])]
            found = await index.get(ids)
            missing = {id for id, memory in zip(ids, found, strict=True) if memory is None}
            # The last delete of a writer may have been done and not said.
            assert all(id in deleted or (id.endswith("-0") and int(id.split("-")[1]) % 7 == 5) for id in missing)
            assert not deleted & {memory.id for memory in found if memory is not None}
    stats = await index.stats()
    assert stats.segments >= 1, "segments were written, too"
    hits = await index.search("word", limit=5)
    assert len(hits) == 5
