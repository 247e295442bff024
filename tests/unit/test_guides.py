"""The guides are tried: their examples run."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pyagent.runtime.engine import Engine
from pyagent.sdk import Registry
from pyagent.sdk.process import run_process
from pyagent.testing import MemoryStore

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
CONCEPTS = GUIDES.parent / "concepts"


def blocks(guide: str, language: str) -> list[str]:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


async def test_the_nodes_of_write_a_node_are_found_and_pass_their_tests(tmp_path: Path, monkeypatch):
    for block in blocks("write-a-node.md", "python"):
        name = re.match(r"# (\S+\.py)\n", block)
        assert name is not None
        path = tmp_path / name[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")
    (tmp_path / "text" / "__init__.py").touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\npythonpath = .\n")

    result = await run_process(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path, timeout=60
    )
    assert result.ok, result.text + result.error_text
    assert "6 passed" in result.text

    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry({"text": "text"})
    [graph] = blocks("write-a-node.md", "yaml")
    for used in YAML(typ="safe").load(graph)["nodes"]:
        node_type = registry.get(used["use"])
        assert node_type is not None
        node_type.validate_params(used["with"])
    assert [found.name for found in registry.all()] == ["text.lines", "text.longest", "text.words"]


@pytest.mark.integration
async def test_the_first_minute_of_write_a_node_goes_as_it_says(tmp_path: Path):
    [program] = blocks("write-a-node.md", "sh")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYAGENT_STORE": str(tmp_path / "store.db"),
    }

    result = await run_process(["bash", "-euxc", program], cwd=tmp_path, env=environment, timeout=100)

    assert result.ok, result.text + result.error_text
    assert "text.shout@1" in result.text
    assert "HELLO!" in result.text
    assert "4 passed" in result.text


async def test_the_examples_of_langgraph_print_what_they_say():
    for block in blocks("langgraph.md", "python"):
        expected = [line.partition("  # ")[2] for line in block.splitlines() if "  # " in line]

        result = await run_process([sys.executable, "-c", block], timeout=60)

        assert result.ok, result.error_text
        assert result.text.splitlines() == expected


@pytest.mark.integration
async def test_the_commands_of_the_command_lines_guide_run_one_after_the_other(tmp_path: Path):
    """In a folder of their own, with an empty store."""
    program = "\n".join(blocks("cli.md", "sh"))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYAGENT_STORE": str(tmp_path / "store.db"),
        "PYAGENT_WORK": str(tmp_path / "work"),
    }

    result = await run_process(["bash", "-euxc", program], cwd=tmp_path, env=environment, timeout=100)

    assert result.ok, result.text + result.error_text
    assert "Hello Ada" in result.text
    assert "Hello Grace" in result.text
    assert "deleted" in result.text


async def test_the_graphs_of_the_graph_file_page_do_what_they_say():
    text = (CONCEPTS / "graph-file.md").read_text(encoding="utf-8")
    triage, pieces = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "nodes:" in block][:2]
    store = MemoryStore()
    await store.open()
    engine = Engine(store)

    urgent = await engine.run(triage, {"mail": {"id": 1, "score": 0.9}})
    other = await engine.run(triage, {"mail": {"id": 2, "score": 0.1}})
    waiting = await engine.run(pieces, {"list": [1, 2, 3]})
    await engine.answer(waiting.id, "ask", {"approved": True})
    kept = await engine.drive(waiting.id)

    assert await engine.outputs(urgent.id) == {"verdict": "urgent"}
    assert await engine.outputs(other.id) == {"verdict": None}
    assert waiting.status == "waiting"
    assert await engine.outputs(kept.id) == {"tens": [10, 20, 30], "batches": 3}
