"""Commits as batches in SQLite: cursors, places, and what a process hands on from memory."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyagent.store import Commit, StoreUnavailable
from pyagent.store.sqlite import SqliteStore, batches
from pyagent.testing.store import entry, event, random_bytes, started


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    yield store
    await store.close()


async def test_a_deleted_runs_cursors_are_never_used_again(store: SqliteStore) -> None:
    for expected in (3, 6):
        run, lease = await started(store)
        await store.commit(lease, Commit(events=[event(n=n) for n in range(3)], release=True))
        await store.delete_run(run.id)
        assert await store.last_cursor() == expected
        await store.close()
        await store.open()
    run, lease = await started(store)
    await store.commit(lease, Commit(events=[event()]))
    assert [one.cursor for one in await store.read_events()] == [7]

    def batches_of_nobody(connection: sqlite3.Connection) -> int:
        return connection.execute("SELECT count(*) FROM batches WHERE run IS NULL").fetchone()[0]

    assert await store.database.read(batches_of_nobody) == 1


async def test_a_deleted_runs_events_are_not_handed_out_from_memory(store: SqliteStore) -> None:
    _, kept = await started(store)
    run, lease = await started(store)
    follower = store.follow()
    await store.commit(kept, Commit(events=[event(n=0)]))
    await anext(follower)
    await store.commit(lease, Commit(events=[event(n=1)], release=True))
    await store.commit(kept, Commit(events=[event(n=2)]))
    await store.delete_run(run.id)
    (left,) = await anext(follower)
    assert left.data["n"] == 2


async def test_followers_of_a_closed_store_are_told(store: SqliteStore) -> None:
    _, lease = await started(store)
    follower = store.follow()
    for n in range(2):
        await store.commit(lease, Commit(events=[event(n=n)]))
        await anext(follower)
    waiting = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await waiting


async def test_recent_events_are_bounded_and_slow_followers_read_the_file(store: SqliteStore) -> None:
    run, lease = await started(store)
    _, other = await started(store)
    everything, of_one = store.follow(), store.follow(run_id=run.id)
    await store.commit(lease, Commit(events=[event(n=0)]))
    assert [one.data["n"] for one in await anext(everything)] == [0]
    assert [one.data["n"] for one in await anext(of_one)] == [0]
    for n in range(1, 60):
        text = random_bytes(5000, n).hex()
        events = [event(n=n), event(n=n + 0.5, text=text)]
        await store.commit(lease if n % 2 else other, Commit(events=events))
    assert store._recent.after(1, None) is None
    found: list[float] = []
    while len(found) < 118:
        found += [one.data["n"] for one in await anext(everything)]
    assert found == [n / 2 for n in range(2, 120)]
    found = []
    while len(found) < 60:
        found += [one.data["n"] for one in await anext(of_one)]
    assert found == [n / 2 for n in range(2, 120) if n // 2 % 2]


async def test_a_place_without_room_leaves_a_cursor_out(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CURSOR", 4)
    run, lease = await started(store)
    await store.commit(lease, Commit(events=[event(n=1)]))
    for n in range(1, 7):
        await store.commit(lease, Commit(entries=[entry(n)]))
    await store.commit(lease, Commit(events=[event(n=2)]))
    assert [one.data["n"] for one in await store.read_events()] == [1, 2]
    assert [one.cursor for one in await store.read_events()] == [1, 3]
    assert len(await store.read_log(run.id)) == 6
