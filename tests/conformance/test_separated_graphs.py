"""A graph whose nodes the designer has moved into a graph of their own gives what it gave before, node by node.

`separated_graphs.json` is what the designer's own code made of all selections of some graphs that it did not refuse
(`web/src/graph/separate.test.ts` writes it, and fails where it says something else).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyagent.graph.spec import GraphSpec
from pyagent.graph.yaml import dump, load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Registry
from pyagent.testing import MemoryStore

TOLD: dict[str, Any] = json.loads(Path(__file__).with_name("separated_graphs.json").read_text())
SAMPLES = {sample["graph"]["id"]: sample for sample in TOLD["samples"]}
PAIRS = [pytest.param(pair, id=f"{pair['graph']}-{'-'.join(pair['taken'])}") for pair in TOLD["pairs"]]


async def ran(graph: dict[str, Any], inputs: dict[str, Any], folder: Path) -> tuple[str, Any, dict[str, Any]]:
    """How a run ends, what it gives, and what each of its nodes has put out, in the order of its steps."""
    store = MemoryStore()
    await store.open()
    engine = Engine(store, library=GraphLibrary([folder]))
    run = await engine.run(GraphSpec.model_validate(graph), inputs)
    made: dict[str, list[Any]] = {}
    for entry in await engine.log(run.id):
        if entry.kind == "step.ended" and entry.step is not None:
            outputs = {port: [item.json for item in items] for port, items in (entry.outputs or {}).items()}
            made.setdefault(entry.step.node, []).append(outputs)
    return run.status, await engine.outputs(run.id), {node: sorted(told, key=str) for node, told in made.items()}


@pytest.mark.parametrize("pair", PAIRS)
async def test_what_each_node_puts_out_is_the_same(pair: dict[str, Any], tmp_path: Path) -> None:
    sample = SAMPLES[pair["graph"]]
    called = GraphSpec.model_validate(pair["called"])
    (tmp_path / f"{called.id}.yaml").write_text(dump(called))
    (call,) = {node["id"] for node in every(pair["caller"])} - {node["id"] for node in every(sample["graph"])}
    added = {node["id"] for node in every(pair["called"])} - {node["id"] for node in every(sample["graph"])}

    for inputs in sample["inputs"]:
        status, outputs, made = await ran(sample["graph"], inputs, tmp_path)
        assert status == "completed", inputs
        again, same, others = await ran(pair["caller"], inputs, tmp_path)

        assert (again, same) == (status, outputs)
        assert {node: told for node, told in others.items() if node not in {call, *added}} == made


@pytest.mark.parametrize("pair", PAIRS)
def test_neither_graph_has_problems(pair: dict[str, Any]) -> None:
    checker = GraphChecker(Registry.installed())

    def problems(graph: dict[str, Any]) -> set[str]:
        return {problem.code for problem in checker.check(load_text(dump(GraphSpec.model_validate(graph))))}

    before = problems(SAMPLES[pair["graph"]]["graph"])
    assert problems(pair["caller"]) <= before
    assert problems(pair["called"]) <= before


def every(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a graph and of its bodies."""
    found = list(graph.get("nodes", []))
    return found + [inner for node in found for inner in every(node.get("body", {}))]
