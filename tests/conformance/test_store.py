"""Both stores keep the contract: the suite on each, and random histories on both that must agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyagent.store.sqlite import SqliteStore
from pyagent.testing.memory_store import MemoryStore
from pyagent.testing.store import StoreConformance


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(tmp_path / "pyagent.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def peer(self, store: SqliteStore) -> AsyncIterator[SqliteStore]:
        peer = SqliteStore(store.path)
        await peer.open()
        yield peer
        await peer.close()


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[MemoryStore]:
        store = MemoryStore()
        await store.open()
        yield store
        await store.close()
