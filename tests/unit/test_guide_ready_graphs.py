"""The guide to the ready graphs is tried: its commands, its tables of inputs, its copy of a graph."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pyagent.graph.yaml import load_file, load_text
from pyagent.runtime.checking import GraphChecker
from pyagent.runtime.inputs import checked_inputs
from pyagent.sdk import Registry

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "ready-graphs.md").read_text(encoding="utf-8")
GRAPHS = {path.stem: load_file(path) for path in (ROOT / "graphs").glob("*.yaml")}
TABLED = ["convert_folder", "api_to_spreadsheet", "nightly_check"]


def section(graph: str) -> str:
    return next(part for part in GUIDE.split("\n## ") if f"run {graph}" in part)


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    return [words for words in lines if words[0] == "pyagent"]


def test_the_runs_of_the_guide_give_inputs_that_their_graphs_take() -> None:
    runs = [words for words in commands() if words[1] == "run"]
    assert {words[2] for words in runs} == set(TABLED)
    for words in runs:
        given: dict[str, Any] = dict(word.split("=", 1) for word in words[3:] if word != "--input")
        given = {name: {"true": True}.get(value, value.replace("$", "/")) for name, value in given.items()}
        checked_inputs(GRAPHS[words[2]].spec, given)


def test_other_commands_of_the_guide_name_graphs_that_are_there() -> None:
    for words in commands():
        if words[1] in ("activate", "graph"):
            assert words[-1] in GRAPHS
    for name in GRAPHS:
        assert f"`{name}`" in GUIDE or f"run {name}" in GUIDE or name == "code_repair"


@pytest.mark.parametrize("name", TABLED)
def test_a_table_has_every_input_with_its_default(name: str) -> None:
    rows = re.findall(r"^\| (`[^|]*) \|([^|]*)\|", section(name), re.MULTILINE)
    told = {input: default.strip() for names, default in rows for input in re.findall(r"`(\w+)`", names)}
    inputs = GRAPHS[name].spec.inputs
    assert list(told) == list(inputs)
    for input, default in told.items():
        if default.startswith("`"):
            assert default == f"`{str(inputs[input]['default']).replace('False', 'false')}`"


def test_a_copy_changed_as_the_guide_says_has_no_problems() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    change = YAML(typ="safe").load(block)
    text = GRAPHS["nightly_check"].text
    copy = re.sub(r"^id: .*$", f"id: {change['id']}", text, count=1, flags=re.MULTILINE)
    [node] = change["nodes"]
    lines = block[block.index("  - id:") :]
    copy = re.sub(rf"  - id: {node['id']}\n(    .*\n)+", lambda _: lines, copy, count=1)
    assert copy.count("my_nightly") == 1
    document = load_text(copy)
    assert document.spec.by_id["night"].params["inputs"]["ask"] == "always"
    assert [problem.as_dict() for problem in GraphChecker(Registry.installed()).check(document)] == []
    checked_inputs(document.spec, document.spec.by_id["night"].params["inputs"])
