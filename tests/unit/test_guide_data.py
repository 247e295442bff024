"""The guide to data does what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.engine import Engine
from pyagent.sdk import Registry
from pyagent.testing import MemoryStore
from pyagent_nodes.code.shell import shell

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "data.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


async def test_the_example_gives_what_the_guide_says():
    graph, _ = blocks("yaml")
    inputs, outputs = (json.loads(block) for block in blocks("json"))
    store = MemoryStore()
    await store.open()
    engine = Engine(store)

    run = await engine.run(graph, inputs)

    assert run.status == "completed", run.error
    assert await engine.outputs(run.id) == outputs
    assert GraphChecker().check_text(graph) == []


def test_every_data_node_stands_in_the_table():
    known = {found.name for found in Registry.installed().all() if found.name.startswith(("data.", "code."))}
    assert known <= set(re.findall(r"`((?:data|code)\.\w+)`", GUIDE))


def test_the_shell_s_parameters_are_right():
    from ruamel.yaml import YAML

    shell.validate_params(YAML(typ="safe").load(blocks("yaml")[1])["with"])
