"""Large blobs of a Neo4j store in a folder and on S3: the store's contract, and nothing is lost or left behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from neo4j import AsyncDriver, AsyncGraphDatabase

from blob_cases import LARGE, BlobPlaceCases, OpenedStore, Place, folder_place
from neo4j_server import USER, Neo4jServer
from pyagent.store.blobs import digest_of
from pyagent.store.neo4j import Neo4jStore
from pyagent.testing.store import StoreConformance
from pyagent.testing.store_parts import random_bytes, started
from s3_server import S3Server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as s3:
        yield s3


@pytest.fixture(autouse=True)
async def emptied(neo4j: Neo4jServer) -> None:
    await neo4j.empty()


class TestNeo4jStoreWithAFolder(StoreConformance):
    @pytest.fixture
    async def store(self, neo4j: Neo4jServer, tmp_path: Path) -> AsyncIterator[Neo4jStore]:
        store = Neo4jStore(neo4j.url, blobs=str(tmp_path / "blobs"))
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def peer(self, store: Neo4jStore, neo4j: Neo4jServer) -> AsyncIterator[Neo4jStore]:
        peer = Neo4jStore(neo4j.url, blobs=store.outside.base)
        await peer.open()
        yield peer
        await peer.close()


class OnNeo4j(BlobPlaceCases):
    test_two_stores_at_one_place_leave_one_another_alone = None  # type: ignore[assignment]  # one database a server

    @pytest.fixture
    def made(self, neo4j: Neo4jServer) -> Callable[[str, str], OpenedStore]:
        return lambda _, setting: Neo4jStore(neo4j.url, blobs=setting)


class TestFolder(OnNeo4j):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return folder_place(tmp_path / "blobs")


class TestS3(OnNeo4j):
    @pytest.fixture
    def place(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in s3.variables().items():
            monkeypatch.setenv(name, value)
        return s3.place(tmp_path.name)


@pytest.mark.parametrize("size", [LARGE, 10], ids=["large", "small"])
@pytest.mark.parametrize("where", ["outside", "in the database"])
async def test_a_blob_that_is_deleted_as_it_is_put_again_is_kept(
    neo4j: Neo4jServer, tmp_path: Path, size: int, where: str
) -> None:
    content = random_bytes(size, 1)
    digest = digest_of(content)
    store = Neo4jStore(neo4j.url, blobs=str(tmp_path / "blobs") if where == "outside" else "")
    await store.open()
    try:
        first, _ = await started(store)
        second, _ = await started(store)
        await store.put_blob(first.id, digest, content)
        async with (
            AsyncGraphDatabase.driver(neo4j.address, auth=(USER, neo4j.password)) as driver,
            driver.session() as session,
            await session.begin_transaction() as deleting,
        ):
            await (await deleting.run("MATCH (b:Blob) SET b.locked = true")).consume()
            putting = asyncio.create_task(store.put_blob(second.id, digest, content))
            while not await is_one_blocked(driver):
                pass
            await (await deleting.run("MATCH (b:Blob) OPTIONAL MATCH (b)--(c:Chunk) DETACH DELETE c, b")).consume()
            await deleting.commit()
        await putting
        assert await store.get_blob(digest) == content
    finally:
        await store.close()


async def is_one_blocked(driver: AsyncDriver) -> bool:
    """Whether one of the server's transactions waits for a lock."""
    query = "SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN count(*) AS blocked"
    return bool((await driver.execute_query(query)).records[0]["blocked"])
