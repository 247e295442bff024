"""The store on a real Neo4j keeps the contract that every store keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from neo4j import AsyncManagedTransaction

from growing_channels import check_growing_channel
from neo4j_server import Neo4jServer
from pyagent.errors import NotFound
from pyagent.runtime.store_check import check_store
from pyagent.store.blobs import digest_of
from pyagent.store.checkpoints import StoreSaver, langgraph_saver
from pyagent.store.neo4j import Neo4jStore
from pyagent.store.neo4j.connection import rows
from pyagent.testing.store import StoreConformance, new_run
from pyagent.testing.store_parts import MINUTE
from pyagent.vault import Vault
from sealed_store import CANARY, LARGE, digests_of, files_with, fill, sealed

pytestmark = pytest.mark.integration


async def emptied(neo4j: Neo4jServer) -> Neo4jStore:
    """A store without anything in it."""
    await neo4j.empty()
    store = Neo4jStore(neo4j.url)
    await store.open()
    return store


class TestNeo4jStore(StoreConformance):
    @pytest.fixture
    async def store(self, neo4j: Neo4jServer) -> AsyncIterator[Neo4jStore]:
        store = await emptied(neo4j)
        yield store
        await store.close()

    @pytest.fixture
    async def peer(self, store: Neo4jStore, neo4j: Neo4jServer) -> AsyncIterator[Neo4jStore]:
        peer = Neo4jStore(neo4j.url)
        await peer.open()
        yield peer
        await peer.close()


class TestSealedNeo4jStore(TestNeo4jStore):
    @pytest.fixture(autouse=True)
    def vault(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
        return sealed(tmp_path, monkeypatch)


async def test_nothing_that_a_sealed_store_has_on_the_server_holds_a_payload_or_its_hash(
    neo4j: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(tmp_path, monkeypatch)
    store = await emptied(neo4j)
    run_id = await fill(store)
    forbidden = [CANARY.encode(), *digests_of(LARGE, CANARY.encode())]
    assert files_with(neo4j.home / "data", *forbidden) == []

    # Short texts lie packed in the server's files: here each property is looked at.
    async def properties(of: AsyncManagedTransaction) -> list[dict[str, Any]]:
        return await rows(of, "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN n {.*} AS n, r {.*} AS r")

    for found in await store.connection.read(properties):
        for value in [*found["n"].values(), *(found["r"] or {}).values()]:
            content = value if isinstance(value, bytes | bytearray) else str(value).encode()
            assert not [one for one in forbidden if one in content], found
    assert await store.get_blob(digest_of(LARGE)) == LARGE
    assert store.blob_now(digest_of(LARGE)) == LARGE
    assert {digest_of(LARGE), digest_of(CANARY.encode())} <= set(await store.blobs_of(run_id))
    assert (await check_store(store))[1] == []
    await store.delete_run(run_id)
    with pytest.raises(NotFound):
        await store.get_blob(digest_of(LARGE))
    await store.close()


async def test_langgraphs_suite_passes_with_every_capability_it_knows(neo4j: Neo4jServer) -> None:
    @checkpointer_test(name="StoreSaver on Neo4j")
    async def fresh_saver() -> AsyncIterator[StoreSaver]:
        await (await emptied(neo4j)).close()
        async with langgraph_saver(neo4j.url) as saver:
            yield saver

    report = await validate(fresh_saver)
    assert {name for name, result in report.results.items() if result.detected} == {
        *("put", "put_writes", "get_tuple", "list", "delete_thread"),
        *("delete_for_runs", "copy_thread", "prune"),
    }
    failures = {name: result.failures for name, result in report.results.items() if not result.passed}
    assert failures == {}
    assert sum(result.tests_passed for result in report.results.values()) >= 81


async def test_a_growing_channel_is_kept_as_differences_that_are_read_pruned_copied_and_begun_anew(
    neo4j: Neo4jServer,
) -> None:
    await (await emptied(neo4j)).close()
    async with langgraph_saver(neo4j.url) as saver, langgraph_saver(neo4j.url) as later:
        await check_growing_channel(saver, later)


async def test_runs_that_an_older_program_queued_stand_in_line(neo4j: Neo4jServer) -> None:
    from neo4j import AsyncGraphDatabase

    store = await emptied(neo4j)
    runs = [await store.create_run(new_run(graph_id=graph)) for graph in "aab"]
    await store.close()
    async with AsyncGraphDatabase.driver(neo4j.address, auth=("neo4j", neo4j.password)) as driver:
        await driver.execute_query("MATCH (n:Group|Counter) WHERE n:Group OR n.name = 'line' DELETE n")
        await driver.execute_query("MATCH (r:Run) REMOVE r.priority, r.fairness, r.weight")
        await driver.execute_query("MATCH (s:Schema) SET s.version = 2")

    store = Neo4jStore(neo4j.url)
    await store.open()
    try:
        assert [run.fairness for run in reversed(await store.list_runs())] == ["a", "a", "b"]
        late = await store.create_run(new_run(graph_id="c"))
        taken = await store.take("worker", MINUTE, 9)
        assert [lease.run_id for lease in taken] == [runs[0].id, runs[2].id, late.id, runs[1].id]
    finally:
        await store.close()
