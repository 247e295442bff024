"""Followers of a Neo4j store get every event once and in order, whoever commits, and their own process's unread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from neo4j_server import Neo4jServer
from pyagent.store.base import Commit, Event, Lease
from pyagent.store.neo4j import Neo4jStore
from pyagent.testing.store_parts import entry, event, started

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

COMMITS = 40


@pytest.fixture
async def stores(neo4j: Neo4jServer) -> AsyncIterator[tuple[Neo4jStore, Neo4jStore]]:
    """Two objects, as two processes have them."""
    one, other = Neo4jStore(neo4j.url), Neo4jStore(neo4j.url)
    await one.open()
    await other.open()
    yield one, other
    await one.close()
    await other.close()


async def write(store: Neo4jStore, lease: Lease) -> None:
    for seq in range(1, COMMITS + 1):
        await store.commit(lease, Commit(entries=[entry(seq)], events=[event(n=seq), event(n=-seq)]))


async def told(store: Neo4jStore, after: int, count: int, run_id: str | None = None) -> list[Event]:
    found: list[Event] = []
    async for batch in store.follow(after, run_id):
        found += batch
        if len(found) >= count:
            return found
    return found


async def test_a_lone_run_is_followed_without_reading_its_commits_back(
    stores: tuple[Neo4jStore, Neo4jStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores
    reads = 0
    original = store.read_events

    async def read_events(*given: Any) -> Sequence[Event]:
        nonlocal reads
        reads += 1
        return await original(*given)

    run, lease = await started(store)
    monkeypatch.setattr(store, "read_events", read_events)
    following = asyncio.create_task(told(store, await store.last_cursor(), 2 * COMMITS, run.id))
    await write(store, lease)
    found = await following
    assert reads < COMMITS / 4
    monkeypatch.undo()
    assert found == await store.read_events(found[0].cursor - 1, run.id)


async def test_commits_of_two_processes_at_the_same_time_are_told_once_and_in_order(
    stores: tuple[Neo4jStore, Neo4jStore],
) -> None:
    leases = [(store, (await started(store))[1]) for store in (*stores, *stores)]
    after = await stores[0].last_cursor()
    count = 2 * COMMITS * len(leases)
    following = [asyncio.create_task(told(store, after, count)) for store in stores]
    of_one = [asyncio.create_task(told(store, after, 2 * COMMITS, leases[0][1].run_id)) for store in stores]
    await asyncio.gather(*(write(store, lease) for store, lease in leases))
    everything = await stores[0].read_events(after)
    assert [found.cursor for found in everything] == list(range(after + 1, after + count + 1))
    for task in following:
        assert await task == everything
    for task in of_one:
        assert await task == [found for found in everything if found.run_id == leases[0][1].run_id]
