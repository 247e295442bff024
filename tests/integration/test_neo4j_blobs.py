"""Large blobs of a Neo4j store in a folder and on S3: the store's contract, and nothing is lost or left behind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from blob_cases import BlobPlaceCases, OpenedStore, Place, folder_place
from neo4j_server import Neo4jServer
from pyagent.store.neo4j import Neo4jStore
from pyagent.testing.store import StoreConformance
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
