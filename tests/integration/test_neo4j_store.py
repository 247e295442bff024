"""The store on a real Neo4j keeps the contract that every store keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from neo4j_server import Neo4jServer
from pyagent.store.checkpoints import StoreSaver, langgraph_saver
from pyagent.store.neo4j import Neo4jStore
from pyagent.testing.store import StoreConformance

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[Neo4jServer]:
    with Neo4jServer() as server:
        yield server


async def emptied(server: Neo4jServer) -> Neo4jStore:
    """A store without anything in it."""
    from neo4j import AsyncGraphDatabase

    async with AsyncGraphDatabase.driver(server.address, auth=("neo4j", server.password)) as driver:
        await driver.execute_query("MATCH (n) DETACH DELETE n")
    store = Neo4jStore(server.url)
    await store.open()
    return store


class TestNeo4jStore(StoreConformance):
    @pytest.fixture
    async def store(self, server: Neo4jServer) -> AsyncIterator[Neo4jStore]:
        store = await emptied(server)
        yield store
        await store.close()

    @pytest.fixture
    async def peer(self, store: Neo4jStore, server: Neo4jServer) -> AsyncIterator[Neo4jStore]:
        peer = Neo4jStore(server.url)
        await peer.open()
        yield peer
        await peer.close()


async def test_langgraphs_suite_passes_with_every_capability_it_knows(server: Neo4jServer) -> None:
    @checkpointer_test(name="StoreSaver on Neo4j")
    async def fresh_saver() -> AsyncIterator[StoreSaver]:
        await (await emptied(server)).close()
        async with langgraph_saver(server.url) as saver:
            yield saver

    report = await validate(fresh_saver)
    assert {name for name, result in report.results.items() if result.detected} == {
        *("put", "put_writes", "get_tuple", "list", "delete_thread"),
        *("delete_for_runs", "copy_thread", "prune"),
    }
    failures = {name: result.failures for name, result in report.results.items() if not result.passed}
    assert failures == {}
    assert sum(result.tests_passed for result in report.results.values()) >= 81
