"""The ready-made graphs of the pipeline: they pass the checks and are written in the one style."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyagent.graph.yaml import load_file
from pyagent.graph.yaml_format import fmt
from pyagent.runtime.checking import GraphChecker
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
