"""The whole engine on Neo4j: the cases of the semantics, and a graph that Cypher can ask about afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from engine_case import run_case
from pyagent.graph.yaml import load_file
from pyagent.runtime.engine import Engine
from pyagent.store.neo4j import Neo4jStore

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CASES: list[dict[str, Any]] = YAML(typ="safe").load(ROOT / "tests/conformance/semantics_cases.yaml")["cases"]
RUN = [case for case in CASES if not case["gives"]["end"].startswith("graph.")]


@pytest.mark.parametrize("effects", ["idempotent", "once"])
@pytest.mark.parametrize("case", RUN, ids=lambda case: case["case"])
async def test_the_engine_gives_the_steps_of_the_case(
    case: dict[str, Any], effects: str, neo4j_store: Neo4jStore
) -> None:
    seen = await run_case(case, neo4j_store, gated=True, effects=effects)

    gives = case["gives"]
    assert seen.end == gives["end"]
    assert seen.steps == sorted(gives["steps"])


async def test_a_run_stands_in_the_database_as_a_graph(neo4j_store: Neo4jStore) -> None:
    from neo4j import AsyncManagedTransaction

    from pyagent.store.neo4j.connection import rows

    example = load_file(ROOT / "nodes/pyagent_nodes/flow/examples/if.yaml")
    run = await Engine(neo4j_store).run(example, {"people": [{"name": "Ada", "born": 1815}]})

    async def ask(of: AsyncManagedTransaction) -> list[dict[str, Any]]:
        return await rows(
            of,
            "MATCH (:Graph {id: 'example_if'})-[:HAS_VERSION]->(v:Version)<-[:OF]-(r:Run {id: $run})"
            "-[:HAS_STEP]->(s:Step)-[:EXECUTES]->(n:Node)<-[:HAS_NODE]-(v)"
            " RETURN n.id AS node, n.use AS use, s.status AS status ORDER BY n.id",
            run=run.id,
        )

    assert run.status == "completed"
    assert [tuple(one.values()) for one in await neo4j_store.connection.read(ask)] == [
        ("century", "flow.if@1", "completed"),
        ("old", "flow.noop@1", "completed"),
        ("split", "data.split@1", "completed"),
        ("young", "flow.noop@1", "skipped"),
    ]
