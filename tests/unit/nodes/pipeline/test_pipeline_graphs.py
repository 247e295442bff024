"""The ready-made graphs of the pipeline: they pass the checks and are written in the one style."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyagent.graph.yaml import load_file
from pyagent.graph.yaml_format import fmt
from pyagent.runtime.checking import GraphChecker
from pyagent_nodes.pipeline import fetch
from pyagent_nodes.pipeline.sources import Requirement

GRAPHS = Path(__file__).parents[4] / "graphs"
NAMES = ("code_test_audit_docs", "code_repair")


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_passes_all_checks(name: str) -> None:
    text = (GRAPHS / f"{name}.yaml").read_text()
    assert GraphChecker().check_text(text, name) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_is_written_in_the_one_style(name: str) -> None:
    text = (GRAPHS / f"{name}.yaml").read_text()
    assert fmt(text) == text


def test_the_default_repository_is_pinned_by_hash() -> None:
    spec = load_file(GRAPHS / "code_test_audit_docs.yaml").spec
    requirement = Requirement.parse(spec.inputs["repository"]["default"])
    assert requirement is not None
    assert requirement.sha256


def test_the_repair_loop_is_a_loop_of_the_graph() -> None:
    spec = load_file(GRAPHS / "code_repair.yaml").spec
    header = next(node for node in spec.nodes if node.id == "check")
    assert header.loop is not None
    assert header.loop.max > next(node for node in spec.nodes if node.id == "revert").params["rounds"]
    assert ("revert", "check") in {(edge.source, edge.target) for edge in spec.edges}


def test_the_guides_example_passes_all_checks() -> None:
    guide = (GRAPHS.parent / "docs" / "guides" / "main-graph.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert GraphChecker().check_text(example, "guide") == []


def test_the_guide_names_every_code_and_every_input() -> None:
    guide = (GRAPHS.parent / "docs" / "guides" / "main-graph.md").read_text()
    sources = Path(fetch.__file__).parent.glob("*.py")
    codes = {code for path in sources for code in re.findall(r'code = "(pipeline\.[a-z_.]+)"', path.read_text())}
    internal = {"pipeline.fetch.failed", "pipeline.audit.failed"}
    missing = {code for code in codes - internal if code not in guide and f"`.{code.rpartition('.')[2]}`" not in guide}
    assert not missing
    for name in load_file(GRAPHS / "code_test_audit_docs.yaml").spec.inputs:
        assert f"| `{name}` |" in guide
