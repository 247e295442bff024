"""A process that saves a graph's file is killed at any moment: the file is whole, and nothing is left beside it."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from pyagent.graph.yaml import load_text
from pyagent.runtime.graph_files import save_graph, text_hash
from pyagent.runtime.library import GraphLibrary

pytestmark = pytest.mark.integration

WRITER = """
import asyncio
import sys
from pathlib import Path

from pyagent.runtime.graph_files import save_graph, text_hash
from pyagent.runtime.library import GraphLibrary


async def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    text = (folder / "long.yaml").read_text()
    while True:
        number += 1
        lines = text.splitlines()
        changed = "\\n".join([*lines[:2], f"name: save {number}", *lines[3:]]) + "\\n"
        await save_graph(GraphLibrary([folder]), "long", changed, base=text_hash(text))
        text = changed
        print(number, flush=True)


asyncio.run(main())
"""
NODES = "".join(f"  - {{id: node_{number}, use: flow.noop@1}}\n" for number in range(300))


async def test_a_killed_save_leaves_the_file_as_it_was_or_as_it_shall_be(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(f"pyagent: 1\nid: long\nname: save 0\nnodes:\n{NODES}edges: []\n")
    chance, number = random.Random(7), 0
    for _ in range(4):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path), str(number), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        wanted = number + chance.randrange(1, 6)
        while number < wanted:
            number = int(await process.stdout.readline())
        # Somewhere inside of the next save.
        await asyncio.sleep(chance.random() * 0.02)
        process.kill()
        number = max([number, *(int(line) for line in (await process.stdout.read()).splitlines())])
        await process.wait()

        document = load_text(file.read_text())
        assert len(document.spec.nodes) == 300
        # The save that was cut short may stand as well.
        assert document.spec.name in (f"save {number}", f"save {number + 1}")
        number = int(document.spec.name.split()[1])

    (tmp_path / ".long.yaml.pyagent-half").write_text("pyagent: 1\nid: lo")
    text = file.read_text()
    await save_graph(GraphLibrary([tmp_path]), "long", text + "# the end\n", base=text_hash(text))
    assert [path.name for path in tmp_path.iterdir()] == ["long.yaml"]
