"""The part of the suite of stores that is about their upkeep: what copies, checks and figures are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pyagent.errors import NotFound
from pyagent.store.base import Commit, Store
from pyagent.store.blobs import digest_of
from pyagent.testing.store_parts import entry, event, new_run, random_bytes, started


class UpkeepConformance:
    """Tests of `Upkeep`; `StoreConformance` has them."""

    async def test_the_graphs_with_versions_are_told_in_the_order_of_the_alphabet(self, store: Store) -> None:
        for graph_id, version in (("b", "1"), ("a", "2"), ("b", "3")):
            await store.put_graph(graph_id, f"hash-{version}", "text")
        assert await store.graph_ids() == ["a", "b"]

    async def test_unaddressed_signals_are_told_until_they_are_consumed(self, store: Store) -> None:
        run, lease = await started(store)
        first = await store.post(None, "signal", name="paid", key="7", body=b"1", actor="ada")
        second = await store.post(None, "signal", name="sent")
        await store.post(run.id, "signal", name="paid", key="7")
        assert [(found.id, found.name, found.key, found.actor) for found in await store.signals()] == [
            (first, "paid", "7", "ada"),
            (second, "sent", "", "local"),
        ]
        await store.commit(lease, Commit(entries=[entry(1)], consumed=[first]))
        assert [found.id for found in await store.signals()] == [second]

    async def test_the_blobs_of_a_run_are_told_with_their_sizes(self, store: Store) -> None:
        run, lease = await started(store)
        small, large = random_bytes(10, 1), random_bytes(200_000, 2)
        await store.put_blob(run.id, digest_of(large), large)
        await store.commit(lease, Commit(blobs=[(digest_of(small), small)]))
        assert await store.blobs_of(run.id) == {digest_of(small): 10, digest_of(large): 200_000}
        other = await store.create_run(new_run())
        assert await store.blobs_of(other.id) == {}
        with pytest.raises(NotFound):
            await store.blobs_of("nobody")

    async def test_a_copied_run_gets_its_times_its_key_and_what_it_continues(self, store: Store) -> None:
        old = await store.create_run(new_run(), first=Commit(status="completed"))
        copy = await store.create_run(new_run(), first=Commit(status="completed"))
        day = timedelta(days=1)
        wanted = replace(
            copy,
            key="nightly",
            continues=old.id,
            created_at=copy.created_at - 3 * day,
            started_at=copy.created_at - 2 * day,
            ended_at=copy.created_at - day,
            updated_at=copy.created_at - day,
        )
        await store.restore(wanted)
        await store.restore(wanted)
        assert await store.get_run(copy.id) == wanted
        assert (await store.get_run(old.id)).continued_as == copy.id
        # The key is only told: another run may begin with it.
        assert (await store.create_run(new_run(key="nightly"))).key == "nightly"
        with pytest.raises(NotFound):
            await store.restore(replace(wanted, id="nobody"))

    async def test_a_store_that_was_used_has_no_faults_and_tells_how_much_there_is(self, store: Store) -> None:
        assert (await store.stats()).oldest is None
        await store.put_graph("triage", "hash-1", "text")
        run, lease = await started(store)
        data = random_bytes(100_000, 1)
        await store.commit(
            lease, Commit(entries=[entry(1), entry(2)], events=[event(), event()], blobs=[(digest_of(data), data)])
        )
        await store.create_run(new_run(), first=Commit(status="completed"))
        await store.post(run.id, "cancel")
        stats = await store.stats()
        assert dict(stats.runs) == {"running": 1, "completed": 1}
        assert (stats.graphs, stats.versions, stats.entries, stats.events, stats.messages) == (1, 1, 2, 2, 1)
        assert (stats.blobs, stats.blob_bytes) == (1, 100_000)
        assert stats.oldest == run.created_at
        assert await store.faults() == []

    async def test_a_store_that_is_compacted_keeps_all_that_there_is(self, store: Store) -> None:
        run, lease = await started(store)
        data = random_bytes(100_000, 1)
        await store.commit(lease, Commit(entries=[entry(1)], events=[event()], blobs=[(digest_of(data), data)]))
        gone = await store.create_run(new_run(), first=Commit(status="completed"))
        await store.delete_run(gone.id)
        done = await store.compact()
        if done.before is not None and done.after is not None:
            assert done.after <= done.before
        assert (await store.stats()).bytes is None or done.after is not None
        assert [record.seq for record in await store.read_log(run.id)] == [1]
        assert await store.get_blob(digest_of(data)) == data
        await store.commit(lease, Commit(entries=[entry(2)], events=[event()]))
        assert len(await store.read_events()) == 2
        assert await store.faults() == []
