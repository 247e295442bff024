"""Stores are copied, checked and pruned: whole runs, compared; what kept runs come from stays."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from engine_lab import graph
from pyagent.runtime.engine import Engine
from pyagent.runtime.store_check import check_store
from pyagent.runtime.store_copy import CARRIER, copy_store
from pyagent.runtime.store_prune import Policy, prune_store
from pyagent.store.base import Commit, NewRun, Run, RunFilter, Store, StoreFull
from pyagent.store.blobs import digest_of
from pyagent.store.sqlite import SqliteStore
from pyagent.store.sqlite.compact import RunsAtWork
from pyagent.testing.store_parts import entry, event, new_run, random_bytes, started

CHAIN = graph(
    {
        "make": {"use": "data.set", "with": {"fields": {"text": "{{ 'x'.repeat(20000) }}"}}},
        "each": {"use": "flow.map", "body": ({"inner": {"use": "flow.noop"}}, [])},
        "ask": {"use": "flow.approve", "with": {"title": "Go on?"}},
    },
    ["make -> each", "each -> ask"],
    id="chain",
)


async def kept(store: Store) -> set[str]:
    return {run.id for run in await store.list_runs(RunFilter(limit=1000))}


async def old(store: Store, age: timedelta, **changes: object) -> Run:
    """A completed run that ended so long ago."""
    run = await store.create_run(new_run(**changes), first=Commit(status="completed", entries=[entry(1)]))
    moved = replace(run, created_at=run.created_at - age, ended_at=run.updated_at - age)
    await store.restore(moved)
    return moved


class TestCopy:
    async def test_a_copied_run_goes_on_where_it_was(self, source: SqliteStore, target: Store) -> None:
        engine = Engine(source)
        run = await engine.run(CHAIN, {"n": 1})
        assert run.status == "waiting"
        done = await copy_store(engine, target)
        assert (done.runs, done.graphs, done.without_lineage) == ([run.id], 1, [])
        other = Engine(target)
        await other.answer(run.id, "", True)
        assert (await other.drive(run.id)).status == "completed"
        assert (await source.get_run(run.id)).status == "waiting"

    async def test_all_that_belongs_to_a_store_is_copied(self, source: SqliteStore, target: Store) -> None:
        engine = Engine(source)
        run = await engine.run(CHAIN, {"n": 1})
        large = random_bytes(3_000_000, 1)
        await source.put_blob(run.id, digest_of(large), large)
        await source.post(run.id, "answer", step="ask", body=b"true", actor="ada")
        await source.post(None, "signal", name="paid", key="7", body=b"1")
        await source.activate("chain", run.graph_hash, claims=["POST /x"], actor="ada")
        await source.set_problem("chain", "hook", {"code": "x", "message": "y"})
        await copy_store(engine, target)
        assert await target.get_blob(digest_of(large)) == large
        assert [(found.kind, found.actor) for found in await target.messages(run.id)] == [("answer", "ada")]
        assert [(found.name, found.key) for found in await target.signals()] == [("paid", "7")]
        [active] = await target.activations()
        assert (active.graph_id, active.claims, dict(active.problems)) == (
            "chain",
            ("POST /x",),
            {"hook": {"code": "x", "message": "y"}},
        )
        copied = await target.get_run(run.id)
        assert replace(copied, lease_owner=None) == await source.get_run(run.id)
        assert not await target.list_runs(RunFilter(graph_id=CARRIER))
        assert (await check_store(target))[1] == []

    async def test_a_second_copy_copies_what_is_new_and_nothing_twice(self, source: SqliteStore, target: Store) -> None:
        engine = Engine(source)
        first = await engine.run(CHAIN, {"n": 1})
        await source.post(None, "signal", name="paid")
        await copy_store(engine, target)
        second = await engine.run(CHAIN, {"n": 2})
        done = await copy_store(engine, target)
        assert (done.runs, done.there, done.graphs, done.signals) == ([second.id], 1, 0, 0)
        assert await kept(target) == {first.id, second.id}

    async def test_a_copy_that_is_cut_short_goes_on(self, source: SqliteStore, target: Store) -> None:
        engine = Engine(source)
        runs = [await engine.run(CHAIN, {"n": n}) for n in range(4)]
        large = random_bytes(1_000_000, 1)
        for run in runs:
            await source.put_blob(run.id, digest_of(large), large)
        told: list[str] = []

        def cut(run: Run) -> None:
            told.append(run.id)
            if len(told) == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await copy_store(engine, target, cut)
        # As a kill leaves it: what carries the large blobs is still there.
        await target.create_run(
            NewRun(id="copyleft", graph_id=CARRIER, graph_hash="", trigger="", inputs=b"{}"),
            first=Commit(status="completed"),
        )
        done = await copy_store(engine, target)
        assert (done.runs, done.there) == ([run.id for run in runs[2:]], 2)
        assert await kept(target) == {run.id for run in runs}

    async def test_runs_at_work_are_left_out(self, source: SqliteStore, target: Store) -> None:
        run, _ = await started(source)
        done = await copy_store(Engine(source), target)
        assert (done.runs, done.at_work) == ([], [run.id])

    async def test_a_run_that_is_another_one_there_is_left_as_it_is(self, source: SqliteStore, target: Store) -> None:
        run = await source.create_run(new_run(), first=Commit(status="completed", entries=[entry(1)]))
        await target.create_run(new_run(id=run.id), first=Commit(status="failed"))
        done = await copy_store(Engine(source), target)
        assert done.differs == [run.id]
        assert (await target.get_run(run.id)).status == "failed"


class TestCheck:
    async def test_a_store_that_was_used_is_in_order(self, source: SqliteStore) -> None:
        await Engine(source).run(CHAIN, {"n": 1})
        assert await check_store(source) == (1, [])

    async def test_damaged_and_missing_blobs_are_told_with_their_runs(self, source: SqliteStore) -> None:
        await source.put_graph("triage", "hash-1", "text")
        run, lease = await started(source)
        small, large = random_bytes(100, 1), random_bytes(300_000, 2)
        await source.commit(lease, Commit(blobs=[(digest_of(small), small), (digest_of(large), large)]))
        file = next(path for path in source.path.parent.rglob(digest_of(large)))
        file.write_bytes(file.read_bytes()[:1000])
        with sqlite3.connect(source.path) as connection:
            connection.execute("UPDATE blobs SET data = ? WHERE digest = ?", (b"\0other", digest_of(small)))
        _, faults = await check_store(source)
        assert [fault.run for fault in faults] == [run.id, run.id]
        assert {digest in " ".join(fault.what for fault in faults) for digest in map(digest_of, (small, large))} == {
            True
        }
        file.unlink()
        _, faults = await check_store(source)
        assert f"The file of blob {digest_of(large)} is gone." in [fault.what for fault in faults]

    async def test_logs_with_gaps_and_odd_leases_are_told(self, source: SqliteStore) -> None:
        run, lease = await started(source)
        await source.commit(lease, Commit(entries=[entry(1), entry(2)]))
        with sqlite3.connect(source.path) as connection:
            connection.execute("UPDATE run_state SET log_length = 5, lease_expires_at = lease_expires_at * 2")
        _, faults = await check_store(source)
        assert [fault.what.partition(" until")[0] for fault in faults] == [
            "Its log has 2 entries and should have 5.",
            f"It is running, and its graph {run.graph_hash[:12]} is not kept.",
            "worker holds it",
        ]


class TestPrune:
    async def test_runs_go_by_age_and_status_and_living_ones_stay(self, target: Store) -> None:
        ancient = await old(target, timedelta(days=40))
        await old(target, timedelta(days=3))
        alive, _ = await started(target)
        failed = await target.create_run(new_run(), first=Commit(status="failed"))
        policy = Policy(older_than=timedelta(days=30))
        assert (await prune_store(target, policy, dry_run=True)).runs == [ancient.id]
        assert len(await kept(target)) == 4
        assert (await prune_store(target, replace(policy, statuses=["failed"]))).runs == []
        assert (await prune_store(target, policy)).runs == [ancient.id]
        assert (await prune_store(target, Policy(keep=0, statuses=["failed"]))).runs == [failed.id]
        assert alive.id in await kept(target)

    async def test_of_each_graph_the_newest_runs_stay(self, target: Store) -> None:
        runs = [await old(target, timedelta(days=5 - n), graph_id="ab"[n % 2]) for n in range(5)]
        await prune_store(target, Policy(keep=1))
        assert await kept(target) == {runs[3].id, runs[4].id}

    async def test_the_oldest_runs_go_until_the_rest_is_small_enough(self, target: Store) -> None:
        runs = [await old(target, timedelta(days=5 - n)) for n in range(4)]
        for number, run in enumerate(runs):
            data = random_bytes(100_000, number)
            await target.put_blob(run.id, digest_of(data), data)
        done = await prune_store(target, Policy(max_bytes=250_000))
        assert done.runs == [runs[0].id, runs[1].id]
        assert (await target.stats()).blobs == 2

    async def test_what_kept_runs_come_from_stays_with_its_blobs(self, target: Store) -> None:
        data = random_bytes(1000, 1)
        root = await old(target, timedelta(days=9))
        await target.put_blob(root.id, digest_of(data), data)
        caller = await old(target, timedelta(days=8), forked_from=root.id)
        other = await old(target, timedelta(days=7))
        fork = await target.create_run(
            new_run(parent_run=caller.id), [event()], Commit(status="completed", refers=[digest_of(data)])
        )
        done = await prune_store(target, Policy(older_than=timedelta(days=1)))
        assert (done.runs, done.kept) == ([other.id], [caller.id, root.id])
        await prune_store(target, Policy(keep=0))
        assert await kept(target) == set()
        assert (await target.stats()).blobs == 0
        assert fork.id not in await kept(target)

    async def test_runs_go_by_how_they_ended_alone(self, target: Store) -> None:
        failed = await target.create_run(new_run(), first=Commit(status="failed"))
        cancelled = await target.create_run(new_run(), first=Commit(status="cancelled"))
        await old(target, timedelta(days=1))
        assert (await prune_store(target, Policy(statuses=["failed", "cancelled"]))).runs == [failed.id, cancelled.id]
        assert (await prune_store(target, Policy())).runs == []
        assert len(await kept(target)) == 1

    async def test_what_kept_runs_come_from_stays_in_whatever_order_runs_came_here(self, target: Store) -> None:
        # A fork was imported before its source, and that before what it was forked from.
        fork = await target.create_run(new_run(forked_from="source0000"))
        source = await old(target, timedelta(days=9), id="source0000", forked_from="root000000")
        root = await old(target, timedelta(days=9), id="root000000")
        done = await prune_store(target, Policy(older_than=timedelta(days=1)))
        assert (done.runs, set(done.kept)) == ([], {source.id, root.id})
        assert await kept(target) == {fork.id, source.id, root.id}


class TestCompact:
    async def test_what_was_deleted_is_given_back_to_the_disk(self, source: SqliteStore) -> None:
        runs = [await source.create_run(new_run(), first=Commit(status="completed")) for _ in range(40)]
        for number, run in enumerate(runs):
            small, large = random_bytes(50_000, number), random_bytes(200_000, 100 + number)
            await source.put_blob(run.id, digest_of(small), small)
            await source.put_blob(run.id, digest_of(large), large)
        await prune_store(source, Policy(keep=2))
        done = await source.compact()
        assert done.before is not None
        assert done.after is not None
        assert done.before > 1_500_000
        assert done.after < done.before / 2
        assert done.after == (await source.stats()).bytes
        assert done.notes == []
        assert await kept(source) == {runs[-1].id, runs[-2].id}
        assert (await check_store(source))[1] == []

    async def test_others_read_and_write_meanwhile(self, source: SqliteStore) -> None:
        other = SqliteStore(source.path)
        await other.open()
        try:
            run, lease = await started(other)
            for number in range(60):
                made = await source.create_run(new_run(), first=Commit(status="completed"))
                data = random_bytes(50_000, number)
                await source.put_blob(made.id, digest_of(data), data)
            await prune_store(source, Policy(keep=0))
            compacting = asyncio.create_task(source.compact())
            written = 0
            while not compacting.done():
                written += 1
                await other.commit(lease, Commit(entries=[entry(written)]))
                assert len(await other.read_log(run.id)) == written
                await asyncio.sleep(0)
            done = await compacting
            assert written
            assert done.after is not None
            assert done.before is not None
            assert done.after < done.before
            assert len(await source.read_log(run.id)) == written
        finally:
            await other.close()
        assert await source.faults() == []

    async def test_without_room_on_the_disk_nothing_is_done(
        self, source: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await source.create_run(new_run())
        full = shutil.disk_usage(source.path.parent)._replace(free=1000)
        monkeypatch.setattr("shutil.disk_usage", lambda _: full)
        with pytest.raises(StoreFull, match="1,000 are free") as raised:
            await source.compact()
        assert "SQLITE_TMPDIR" in raised.value.hint

    async def test_runs_at_work_do_not_wait_for_long(
        self, source: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, lease = await started(source)
        monkeypatch.setattr("pyagent.store.sqlite.compact.PER_SECOND", 10)
        with pytest.raises(RunsAtWork) as raised:
            await source.compact()
        assert raised.value.details["runs"] == 1
        await source.commit(lease, Commit(status="completed", release=True))
        await source.compact()
        assert (await source.get_run(run.id)).status == "completed"
