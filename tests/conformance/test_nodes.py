"""Every shipped node type keeps to what the conformance kit asks of node types.

Cases come from the example graphs (`test_node_examples.py`): each is run, and the calls of the node are written down
and tried again by the kit. The nodes of `pipeline` need repositories and environments; how they behave is tested in
tests/unit/nodes/pipeline, here it is how they are declared.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_node_examples import ROOT, SHOWN_BY_GRAPHS, about, filled, parameters

from pyagent.graph.yaml import load_file
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import NodeType, Registry
from pyagent.testing import CaseRecorder, NodeCase, declared_problems, node_problems

OWN = {"flow.restart": [NodeCase(params={"items": "inputs", "inputs": {"n": 1}}, items=[{"n": 1}], name="again")]}
"""Cases that an example does not come by: a successor is a run of its own."""


def shipped() -> list[NodeType]:
    found = Registry.installed().all()
    return [each for each in found if each.function.__module__.startswith("pyagent_nodes.")]


@pytest.mark.parametrize("node_type", shipped(), ids=lambda found: found.use)
def test_it_is_declared_with_words_and_types_that_hold(node_type: NodeType) -> None:
    assert [str(found) for found in declared_problems(node_type) if found.severity == "error"] == []


@pytest.mark.parametrize("example", list(parameters()))
async def test_it_behaves_as_it_says_in_the_cases_of_its_example(
    example: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = about(example)
    given = {"folder": str(tmp_path / "given")}
    (tmp_path / "given").mkdir()
    for need in said.get("needs", ()):
        given |= request.getfixturevalue(f"example_{need}")
    monkeypatch.setenv("PYAGENT_WORK", str(tmp_path / "work"))
    recorder = CaseRecorder(library=GraphLibrary([example.parent, ROOT / "graphs"]))
    await recorder.run(load_file(example), filled(said.get("inputs", {}), given), filled(said.get("sends", []), given))
    name = f"{example.parents[1].name}.{example.stem}"

    cases = [
        (found, [*recorder.cases(found.use), *OWN.get(found.name, [])]) for found in shipped() if found.name == name
    ]

    assert any(found for _, found in cases), "the example never runs its node"
    problems = [found for node_type, made in cases for found in await node_problems(node_type, made, repeat_once=True)]
    assert [str(found) for found in problems if found.severity == "error"] == []


def test_every_shipped_node_type_has_a_case() -> None:
    named = {f"{parameter.values[0].parents[1].name}.{parameter.values[0].stem}" for parameter in parameters()}
    without = [found.name for found in shipped() if found.name.partition(".")[0] not in SHOWN_BY_GRAPHS]
    assert sorted(set(without) - named) == []
