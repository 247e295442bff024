"""Servers and stores that several modules share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from neo4j_server import Neo4jServer
from pyagent.store.neo4j import Neo4jStore


@pytest.fixture(scope="module")
def neo4j() -> Iterator[Neo4jServer]:
    """A server of the module's own, empty at its beginning."""
    with Neo4jServer() as server:
        yield server


@pytest.fixture
async def neo4j_store(neo4j: Neo4jServer) -> AsyncIterator[Neo4jStore]:
    """A store on the module's server, open for one test."""
    store = Neo4jStore(neo4j.url)
    await store.open()
    yield store
    await store.close()
