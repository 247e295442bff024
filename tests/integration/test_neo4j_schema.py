"""Migrations of the store on a real Neo4j: older schemas go on, a newer one is left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from neo4j_server import Neo4jServer
from pyagent.errors import StoreError
from pyagent.runtime.engine import Engine
from pyagent.store.neo4j import Neo4jStore
from pyagent.store.neo4j.schema import MIGRATIONS

pytestmark = pytest.mark.integration

GRAPH = """
pyagent: 1
id: asks
nodes:
  - {id: first, use: flow.noop@1}
  - {id: ask, use: flow.approve@1}
edges: [first -> ask]
"""
AGED = (
    # What the migrations after the first have added, and removed.
    "MATCH (g:Group) DETACH DELETE g",
    "MATCH (c:Counter {name: 'line'}) DELETE c",
    "MATCH (r:Run) REMOVE r.priority, r.fairness, r.weight",
    "DROP CONSTRAINT pyagent_group IF EXISTS",
    "DROP INDEX pyagent_group_line IF EXISTS",
    "DROP INDEX pyagent_key_until IF EXISTS",
    "DROP INDEX pyagent_run_queued IF EXISTS",
    "DROP INDEX pyagent_run_wake IF EXISTS",
    "DROP INDEX pyagent_run_busy IF EXISTS",
    "DROP INDEX pyagent_lease_owner IF EXISTS",
    "CREATE CONSTRAINT pyagent_attempt IF NOT EXISTS FOR (n:Attempt) REQUIRE (n.run, n.step, n.number) IS UNIQUE",
    "MATCH (s:Schema) SET s.version = 1",
)
CONTENT = "MATCH (n) RETURN labels(n) AS labels, properties(n) AS values ORDER BY elementId(n)"


@pytest.fixture
async def driver(neo4j: Neo4jServer) -> AsyncIterator[Any]:
    from neo4j import AsyncGraphDatabase

    async with AsyncGraphDatabase.driver(neo4j.address, auth=("neo4j", neo4j.password)) as driver:
        await driver.execute_query("MATCH (n) DETACH DELETE n")
        yield driver


async def content(driver: Any) -> list[Any]:
    """Everything that is in the database."""
    return [record.data() for record in (await driver.execute_query(CONTENT)).records]


async def test_a_database_of_the_first_schema_is_brought_up_to_date_and_its_runs_go_on(
    neo4j: Neo4jServer, driver: Any
) -> None:
    async with Engine.open(neo4j.url) as engine:
        ended, waiting = await engine.run(GRAPH), await engine.run(GRAPH)
        queued = await engine.start(GRAPH)
        await engine.answer(ended.id, "", {"approved": True})
        assert (await engine.drive(ended.id)).status == "completed"
        events = await engine.store.read_events(0)
    for statement in AGED:
        await driver.execute_query(statement)

    async with Engine.open(neo4j.url) as engine:
        assert [run.status for run in await engine.store.list_runs()] == ["queued", "waiting", "completed"]
        assert await engine.store.read_events(0) == events
        assert await engine.store.claimable() == [queued.id]
        for run in (queued, waiting):
            if run is queued:
                assert (await engine.drive(run.id)).status == "waiting"
            await engine.answer(run.id, "", {"approved": True})
            assert (await engine.drive(run.id)).status == "completed"
        assert await engine.store.faults() == []
    found = await driver.execute_query("MATCH (s:Schema) RETURN s.version AS version")
    assert found.records[0]["version"] == len(MIGRATIONS)


@pytest.mark.parametrize("died_after", range(1, 4))
async def test_a_migration_that_died_halfway_is_done_again(
    neo4j: Neo4jServer, driver: Any, died_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyagent.store.neo4j import schema

    async with Engine.open(neo4j.url) as engine:
        run = await engine.start(GRAPH)
    for statement in AGED:
        await driver.execute_query(statement)
    statements = [statement for script in MIGRATIONS[1:] for statement in script]
    dies = "RETURN 1 / 0"
    place = died_after * len(statements) // 4
    with monkeypatch.context() as half:
        half.setattr(schema, "MIGRATIONS", (MIGRATIONS[0], (*statements[:place], dies)))
        with pytest.raises(StoreError):
            await Neo4jStore(neo4j.url).open()

    async with Engine.open(neo4j.url) as engine:
        assert (await engine.drive(run.id)).status == "waiting"
        assert await engine.store.faults() == []


async def test_a_schema_of_a_newer_program_is_refused_and_nothing_is_changed(neo4j: Neo4jServer, driver: Any) -> None:
    async with Engine.open(neo4j.url) as engine:
        await engine.start(GRAPH)
    await driver.execute_query("MATCH (s:Schema) SET s.version = 1000")
    before = await content(driver)
    with pytest.raises(StoreError) as refused:
        await Neo4jStore(neo4j.url).open()

    assert (refused.value.code, refused.value.details["schema"]) == ("store.schema_newer", 1000)
    assert refused.value.hint
    assert await content(driver) == before
