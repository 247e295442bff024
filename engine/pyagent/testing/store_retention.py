"""The part of the suite of stores that is about what is kept how long: start keys of deleted runs, forgotten events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

import pytest

from pyagent.store.base import Commit, EventsForgotten, KeySpent, KeyTaken, Store
from pyagent.testing.store_parts import PATIENCE, entry, event, new_run, started, step

LONG = timedelta(days=400)


class RetentionConformance:
    """Tests of what outlives its run, or goes before it; `StoreConformance` has them."""

    async def test_a_start_key_stays_taken_for_its_window_when_its_run_is_deleted(
        self, store: Store, peer: Store
    ) -> None:
        run, lease = await started(store, key="file-7", key_window=LONG)
        await store.commit(lease, Commit(status="completed", release=True))
        assert await store.key_holder("local", "triage", "file-7") == run.id
        await store.delete_run(run.id)

        assert await peer.key_holder("local", "triage", "file-7") == run.id
        for policy in ("reject", "existing"):
            with pytest.raises(KeySpent) as raised:
                await peer.create_run(new_run(key="file-7", key_policy=policy))
            assert raised.value.details["run"] == run.id
        assert isinstance(raised.value, KeyTaken)
        for elsewhere in ({"graph_id": "other"}, {"owner": "ann"}, {"key": "file-8"}):
            await peer.create_run(new_run(**{"key": "file-7", **elsewhere}))

    async def test_a_spent_start_key_can_be_replaced_and_belongs_to_the_new_run(self, store: Store) -> None:
        run, lease = await started(store, key="file-7", key_window=LONG)
        await store.release(lease)
        await store.delete_run(run.id)
        again = await store.create_run(new_run(key="file-7", key_policy="replace"))
        assert again.status == "queued"
        assert await store.key_holder("local", "triage", "file-7") == again.id
        assert (await store.create_run(new_run(key="file-7", key_policy="existing"))).id == again.id
        await store.delete_run(again.id)
        assert await store.key_holder("local", "triage", "file-7") is None

    async def test_a_start_key_without_a_window_is_free_when_its_run_is_deleted(self, store: Store) -> None:
        run = await store.create_run(new_run(key="nightly"))
        await store.delete_run(run.id)
        assert await store.key_holder("local", "triage", "nightly") is None
        again = await store.create_run(new_run(key="nightly"))
        other, lease = await started(store, key="x", key_window=timedelta(microseconds=1))
        await store.commit(lease, Commit(status="completed", release=True))
        await store.delete_run(other.id)
        assert (await store.create_run(new_run(key="x"))).status == again.status == "queued"

    async def test_a_run_that_has_lost_its_start_key_spends_none(self, store: Store) -> None:
        first = await store.create_run(new_run(key="k", key_window=LONG))
        second = await store.create_run(new_run(key="k", key_policy="replace"))
        await store.delete_run(first.id)
        assert await store.key_holder("local", "triage", "k") == second.id
        await store.delete_run(second.id)
        assert await store.key_holder("local", "triage", "k") is None

    async def test_forgotten_events_are_gone_and_all_else_is_as_it_was(self, store: Store) -> None:
        run, lease = await started(store)
        await store.commit(lease, Commit(entries=[entry(1)], events=[event("a"), event("b")], steps=[step()]))
        await store.commit(lease, Commit(entries=[entry(2)], events=[event("c"), event("d"), event("e")]))
        a, b, c, d, e = [found.cursor for found in await store.read_events(0, run.id)]
        assert await store.forgotten() == 0
        await store.forget_events(c)

        assert await store.forgotten() == c
        assert [found.cursor for found in await store.read_events()] == [d, e]
        assert [found.kind for found in await store.read_events(c, run.id)] == ["d", "e"]
        assert [found.seq for found in await store.read_log(run.id)] == [1, 2]
        assert [found.step for found in await store.steps(run.id)] == ["decide"]
        assert await store.last_cursor() == e
        await store.forget_events(b)
        assert await store.forgotten() == c
        await store.commit(lease, Commit(events=[event("f")]))
        assert [found.cursor for found in await store.read_events(e)] == [e + 1]
        assert a < b

    async def test_a_reader_whose_cursor_is_forgotten_is_told_so(self, store: Store, peer: Store) -> None:
        run, lease = await started(store)
        await store.commit(lease, Commit(events=[event(each) for each in "abcd"]))
        a, _, c, _ = [found.cursor for found in await store.read_events(0, run.id)]
        await store.forget_events(c)

        for reader in (store, peer):
            for of in (None, run.id):
                with pytest.raises(EventsForgotten) as raised:
                    await reader.read_events(a, of)
                assert raised.value.details == {"after": a, "kept_after": c}
        async with aclosing(cast("Any", peer.follow(a))) as following, asyncio.timeout(PATIENCE):
            with pytest.raises(EventsForgotten):
                await anext(following)

    async def test_all_events_may_be_forgotten_and_cursors_go_on(self, store: Store) -> None:
        _, lease = await started(store)
        await store.commit(lease, Commit(events=[event("a")]))
        last = await store.last_cursor()
        await store.forget_events(last + 1000)
        assert await store.forgotten() == last
        assert await store.read_events() == []
        assert await store.read_events(last) == []
        await store.commit(lease, Commit(events=[event("b")]))
        assert [found.cursor for found in await store.read_events(last)] == [last + 1]

    async def test_runs_that_have_not_ended_are_counted_by_status(self, store: Store) -> None:
        assert await store.count_alive() == {}
        await store.create_run(new_run())
        await store.create_run(new_run())
        _, lease = await started(store)
        _, other = await started(store)
        await store.commit(other, Commit(status="waiting", release=True))
        assert await store.count_alive() == {"queued": 2, "running": 1, "waiting": 1}
        await store.commit(lease, Commit(status="failed", release=True))
        assert await store.count_alive() == {"queued": 2, "waiting": 1}
