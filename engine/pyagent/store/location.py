"""Which store an address means: `PYAGENT_STORE`, a URL or a path."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from pyagent.settings import STORE, data_folder, is_neo4j, store_file
from pyagent.store.base import Store
from pyagent.store.checkpoint_rows import CheckpointDatabase
from pyagent.store.sqlite import SqliteStore
from pyagent.store.sqlite.checkpoints import SqliteCheckpointDatabase
from pyagent.store.sqlite.database import Database


def default_path() -> Path:
    """`pyagent/pyagent.db` in the user's data folder (XDG_DATA_HOME)."""
    return data_folder() / "pyagent" / "pyagent.db"


def sqlite_path(url: str | None = None) -> Path:
    """The file that an address means, as `settings.store_file`. Raises `StoreError` `store.unknown_scheme`."""
    return store_file(url)


def open_store(url: str | None = None) -> Store:
    """The store that an address means; `await store.open()` is the caller's.

    A path or `sqlite:///path`, or `neo4j://user:password@host:7687` (also `bolt`, `+s` for TLS). None: PYAGENT_STORE,
    else a SQLite file in the user's data folder. Raises `StoreError` `store.unknown_scheme`.
    """
    address = url or STORE.text()
    if is_neo4j(address):
        from pyagent.store.neo4j import Neo4jStore  # the driver takes a while to import: only for those who want it

        return Neo4jStore(address)
    return SqliteStore(sqlite_path(url))


@asynccontextmanager
async def open_checkpoints(url: str | None = None) -> AsyncGenerator[CheckpointDatabase]:
    """The checkpoints of the store that an address means, open inside the block."""
    address = url or STORE.text()
    if is_neo4j(address):
        from pyagent.store.neo4j.checkpoints import Neo4jCheckpointDatabase

        async with Neo4jCheckpointDatabase.opened(address) as found:
            yield found
        return
    database = Database(sqlite_path(url))
    await database.open()
    try:
        yield SqliteCheckpointDatabase(database)
    finally:
        database.close()
