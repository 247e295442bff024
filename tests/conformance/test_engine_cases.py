"""The whole engine on SQLite gives the steps that the cases of the semantics demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from engine_case import case_graph, case_registry, run_case
from pyagent.errors import GraphError
from pyagent.runtime.program import Program
from pyagent.store import open_store

CASES: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("semantics_cases.yaml"))["cases"]
REFUSED = [case for case in CASES if case["gives"]["end"].startswith("graph.")]
RUN = [case for case in CASES if case not in REFUSED]


@pytest.mark.parametrize("effects", ["idempotent", "none", "once"])
@pytest.mark.parametrize("case", RUN, ids=lambda case: case["case"])
async def test_the_engine_gives_the_steps_of_the_case(case: dict[str, Any], effects: str, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/case.db")
    await store.open()
    try:
        seen = await run_case(case, store, gated=effects != "none", effects=effects)
    finally:
        await store.close()

    gives = case["gives"]
    assert seen.end == gives["end"]
    if effects == "none" and "takes" in case:
        return  # pure steps take no time that a gate could give them, so who comes first is not the case's
    assert seen.steps == sorted(gives["steps"])
    if "skipped" in gives:
        assert seen.skipped == sorted(gives["skipped"])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["case"])
def test_a_graph_that_the_rules_refuse_is_refused_before_it_runs(case: dict[str, Any]) -> None:
    program = Program(case_graph(case), case_registry())

    with pytest.raises(GraphError) as refused:
        program.root()

    assert refused.value.code == case["gives"]["end"]
