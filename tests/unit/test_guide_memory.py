"""The guide to memory does what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.engine import Engine
from pyagent.sdk import Registry
from pyagent.testing import MemoryStore

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "memory.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


async def test_the_example_gives_what_the_guide_says(tmp_path: Path) -> None:
    (graph,) = blocks("yaml")
    inputs, outputs = (json.loads(block) for block in blocks("json"))
    store = MemoryStore()
    await store.open()
    engine = Engine(store)

    run = await engine.run(graph, {**inputs, "folder": str(tmp_path)})

    assert run.status == "completed", run.error
    assert await engine.outputs(run.id) == outputs
    assert GraphChecker().check_text(graph) == []


async def test_the_python_finds_what_links_lead_to(tmp_path: Path) -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    assert await names["main"](tmp_path) == ["sea", "fox"]


def test_every_memory_node_stands_in_the_table() -> None:
    known = {found.name for found in Registry.installed().all() if found.name.startswith("memory.")}
    assert known == set(re.findall(r"\| `(memory\.\w+)` \|", GUIDE))
