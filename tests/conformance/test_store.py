"""Both stores keep the contract: the suite on each, and random histories on both that must agree."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyagent.errors import PyAgentError
from pyagent.store import Commit, Lease, NewEvent, RunFilter, StepRecord, Store
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.memory_store import MemoryStore
from pyagent.testing.store import StoreConformance, entry, new_run
from pyagent.vault import Vault
from sealed_store import sealed


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


class TestSealedSqliteStore(TestSqliteStore):
    @pytest.fixture(autouse=True)
    def vault(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
        return sealed(tmp_path, monkeypatch)


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[MemoryStore]:
        store = MemoryStore()
        await store.open()
        yield store
        await store.close()


# Random histories, the same on both stores in virtual time: whatever one answers, the other must.

RUNS = st.sampled_from(["run-aaa-1", "run-aaa-2", "run-bbb-1", "run-bbb-2"])
OWNERS = st.sampled_from(["one", "two"])
NAMES = st.sampled_from(["", "paid", "sent"])
SECONDS = st.sampled_from([0, 5, 60])
BLOBS = [b"blob" * 10, b"large" * 20_000]
WAITS = st.sampled_from([None, {"kind": "timer"}, {"kind": "signal", "name": "paid", "key": "sent"}])
STEPS = st.tuples(st.sampled_from("ab"), st.sampled_from(["waiting", "completed"]), WAITS)
POLICIES = st.sampled_from(["reject", "existing", "replace"])
COMMITS = st.fixed_dictionaries(
    {},
    optional={
        "entries": st.lists(st.integers(0, 2), max_size=2),
        "events": st.integers(1, 2),
        "steps": st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from(["waiting", "completed"]), WAITS), max_size=2
        ),
        "status": st.sampled_from(["running", "waiting", "paused", "completed", "failed"]),
        "wake": SECONDS,
        "consumed": st.lists(st.integers(1, 8), max_size=2),
        "seen": st.integers(0, 8),
        "blobs": st.lists(st.integers(0, 1), max_size=2),
        "refers": st.lists(st.integers(0, 1), max_size=1),
        "release": st.booleans(),
    },
)
QUEUES = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.sampled_from([-1, 5]),
        "fairness": st.sampled_from(["a", "b"]),
        "weight": st.just(2),
        "slot": st.sampled_from("st"),
        "slots": st.integers(1, 2),
    },
)
BEGINNING = [("create", "run-aaa-1", None, "reject", {}), ("claim", "run-aaa-1", "one", 5)]
OPERATIONS = st.one_of(
    st.tuples(st.just("create"), RUNS, st.sampled_from([None, "k"]), POLICIES, QUEUES),
    st.tuples(st.just("take"), OWNERS, SECONDS, st.integers(0, 3), st.lists(RUNS, max_size=1)),
    st.tuples(st.just("claim"), RUNS, OWNERS, SECONDS),
    st.tuples(st.just("commit"), st.integers(0, 9), COMMITS),
    st.tuples(st.just("commit"), st.just(0), COMMITS),
    st.tuples(
        st.just("commit"), st.just(0), COMMITS.map(lambda drawn: {**drawn, "status": "waiting", "release": True})
    ),
    st.tuples(st.just("renew"), st.integers(0, 9), SECONDS),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("post"), st.none() | RUNS, st.sampled_from(["cancel", "signal"]), NAMES, NAMES),
    st.tuples(st.just("put_blob"), RUNS, st.integers(0, 1)),
    st.tuples(st.just("delete"), RUNS),
    st.tuples(st.just("later"), SECONDS),
)


class History:
    """Applies operations to one store; its clock goes only when told."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.leases: list[Lease] = []

    async def apply(self, store: Store, operation: tuple[Any, ...]) -> object:
        """The answer, an error's code in its place."""
        try:
            return await self._apply(store, *operation)
        except PyAgentError as error:
            return error.code

    async def _apply(self, store: Store, name: str, *given: Any) -> object:
        match name, given:
            case "create", (run, key, policy, queue):
                window = timedelta(seconds=5)
                wanted = new_run(id=run, key=key, key_policy=policy, key_window=window, **queue)
                return await store.create_run(wanted, [NewEvent(kind="run.created", at=self.now)])
            case "claim", (run, owner, seconds):
                self.leases.insert(0, await store.claim(run, owner, timedelta(seconds=seconds)))
                return self.leases[0]
            case "take", (owner, seconds, limit, excluding):
                taken = await store.take(owner, timedelta(seconds=seconds), limit, excluding)
                self.leases[:0] = taken
                return taken
            case "post", (run, kind, signal, key):
                return await store.post(run, kind, name=signal, key=key)
            case "put_blob", (run, which):
                return await store.put_blob(run, digest_of(BLOBS[which]), BLOBS[which])
            case "delete", (run,):
                return await store.delete_run(run)
            case "later", (seconds,):
                self.now += timedelta(seconds=seconds)
                return None
            case _:
                lease = self.leases[given[0]] if given[0] < len(self.leases) else None
        if lease is None:
            return None
        if name == "renew":
            return await store.renew(lease, timedelta(seconds=given[1]))
        if name == "release":
            return await store.release(lease)
        return await store.commit(lease, await self._commit(store, lease, given[1]))

    async def _commit(self, store: Store, lease: Lease, drawn: dict[str, Any]) -> Commit:
        length = next((run.log_length for run in await store.list_runs() if run.id == lease.run_id), 0)
        return Commit(
            entries=[entry(length + offset) for offset in drawn.get("entries", [])],
            events=[NewEvent(kind="step.log", at=self.now)] * drawn.get("events", 0),
            steps=[
                StepRecord(step=step, node=step, scope="", status=status, wait=wait)
                for step, status, wait in drawn.get("steps", [])
            ],
            status=drawn.get("status"),
            wake_at=self.now + timedelta(seconds=drawn["wake"]) if "wake" in drawn else None,
            consumed=drawn.get("consumed", []),
            seen=drawn.get("seen", 0),
            blobs=[(digest_of(BLOBS[which]), BLOBS[which]) for which in drawn.get("blobs", [])],
            refers=[digest_of(BLOBS[which]) for which in drawn.get("refers", [])],
            release=drawn.get("release", False),
        )


async def everything(store: Store) -> list[object]:
    """All that a store can be asked."""
    found: list[object] = [await store.list_runs(), await store.claimable(), await store.last_cursor()]
    found.append(await store.read_events())
    for run in await store.list_runs(RunFilter(limit=5)):
        found += [await store.read_log(run.id), await store.steps(run.id)]
        found.append(await store.messages(run.id, [("paid", "sent"), ("", "")]))
    for blob in BLOBS:
        try:
            found.append(await store.get_blob(digest_of(blob)))
        except PyAgentError as error:
            found.append(error.code)
    return found


@given(st.lists(OPERATIONS, max_size=40))
@settings(max_examples=250, deadline=None)
def test_both_stores_answer_alike_to_every_history(operations: list[tuple[Any, ...]]) -> None:
    async def compare(path: str) -> None:
        one, two = History(), History()
        sqlite = SqliteStore(Path(path) / "pyagent.db", clock=lambda: one.now)
        memory = MemoryStore(clock=lambda: two.now)
        await sqlite.open()
        await memory.open()
        try:
            for operation in (*BEGINNING, *operations):
                assert await one.apply(sqlite, operation) == await two.apply(memory, operation), operation
                assert await everything(sqlite) == await everything(memory), operation
        finally:
            await sqlite.close()

    memory = "/dev/shm"  # no flushes: this is about answers
    with tempfile.TemporaryDirectory(dir=memory if Path(memory).is_dir() else None) as path:
        asyncio.run(compare(path))
