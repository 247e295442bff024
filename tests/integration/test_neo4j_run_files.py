"""One run as one file, to and from a real Neo4j; what the database takes on the disk, and what compacting does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine_lab import graph
from neo4j_server import Neo4jServer
from pyagent.runtime.engine import Engine
from pyagent.runtime.imported import is_imported
from pyagent.runtime.run_export import export_run
from pyagent.runtime.run_import import import_run
from pyagent.runtime.store_check import check_store
from pyagent.store.neo4j import Neo4jStore
from pyagent.store.neo4j.connection import rows
from pyagent.store.sqlite import SqliteStore

pytestmark = pytest.mark.integration

LINEAGE = """
MATCH (s:Step {run: $run})-[edge:USED|PRODUCED|INSIDE|EXECUTES]->(other)
RETURN s.step AS step, type(edge) AS edge, coalesce(other.step, other.digest, other.id) AS other
ORDER BY step, edge, other
"""
CHAIN = graph(
    {
        "make": {"use": "data.set", "with": {"fields": {"text": "{{ 'x'.repeat(20000) }}"}}},
        "each": {"use": "flow.map", "body": ({"inner": {"use": "flow.noop"}}, [])},
        "ask": {"use": "flow.approve", "with": {"title": "Go on?"}},
    },
    ["make -> each", "each -> ask"],
    id="chain",
)


async def lineage(neo4j_store: Neo4jStore, run_id: str) -> list[tuple[str, ...]]:
    found = await neo4j_store.connection.read(lambda of: rows(of, LINEAGE, run=run_id))
    return [(one["step"], one["edge"], one["other"]) for one in found]


async def test_a_run_goes_from_neo4j_to_sqlite_and_back_with_its_lineage(
    neo4j_store: Neo4jStore, tmp_path: Path
) -> None:
    engine = Engine(neo4j_store)
    run = await engine.run(CHAIN, {"n": 1})
    await export_run(engine, run.id, tmp_path / "one.zip")
    sqlite = SqliteStore(tmp_path / "other.db")
    await sqlite.open()
    try:
        assert (await import_run(Engine(sqlite), tmp_path / "one.zip")).replayed
        await export_run(Engine(sqlite), run.id, tmp_path / "two.zip")
    finally:
        await sqlite.close()
    done = await import_run(engine, tmp_path / "two.zip", as_new=True)
    there = await neo4j_store.get_run(done.runs[0])
    assert (there.status, is_imported(there), done.replayed) == ("cancelled", True, True)
    assert await neo4j_store.read_log(there.id) == await neo4j_store.read_log(run.id)
    assert len(await lineage(neo4j_store, run.id)) > 3
    assert await lineage(neo4j_store, there.id) == await lineage(neo4j_store, run.id)
    assert there.id not in await neo4j_store.claimable()
    assert (await check_store(neo4j_store))[1] == []


async def test_the_size_of_the_database_is_reckoned_about_right(neo4j: Neo4jServer, neo4j_store: Neo4jStore) -> None:
    chain = graph(
        {f"n{number}": {"use": "data.set", "with": {"fields": {"n": number}}} for number in range(50)},
        [f"n{number} -> n{number + 1}" for number in range(49)],
        id="long",
    )
    for number in range(40):
        await Engine(neo4j_store).run(chain, {"n": number})
    stats = await neo4j_store.stats()
    assert not stats.bytes_exact
    assert stats.bytes is not None
    done = await neo4j_store.compact()
    assert done.after is not None
    assert "store copy" in done.notes[1]
    await neo4j_store.close()
    await asyncio.to_thread(neo4j.stop)  # so that all is in its files
    taken = sum(path.stat().st_size for path in (neo4j.home / "data/databases/neo4j").rglob("*") if path.is_file())
    await asyncio.to_thread(neo4j.start)
    assert taken / 2 < stats.bytes < taken * 2
