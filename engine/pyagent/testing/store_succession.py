"""The part of the suite for stores that is about successors of runs, and runs that take turns."""

from __future__ import annotations

import asyncio

import pytest

from pyagent.errors import LeaseLost, StoreError
from pyagent.store.base import Commit, NewRun, SlotTaken, Store, Successor
from pyagent.testing.store_activations import ActivationConformance
from pyagent.testing.store_parts import MINUTE, OVER, entry, event, new_run, started


def ended(run: NewRun, **changes: object) -> Commit:
    """The commit that ends a run and begins this one."""
    first = Commit(entries=[entry(1, b"first")], status="queued")
    successor = Successor(run=run, events=[event("run.queued")], first=first)
    return Commit(status="completed", release=True, successor=successor, **changes)  # type: ignore[arg-type]


class SuccessionConformance(ActivationConformance):
    """`Commit.successor` and slots."""

    # successors

    async def test_a_successor_begins_as_its_run_ends(self, store: Store) -> None:
        run, lease = await started(store)
        new = new_run(labels={"a": "b"})
        await store.commit(lease, ended(new, entries=[entry(1)], events=[event("run.completed")]))
        old, successor = await store.get_run(run.id), await store.get_run(new.id)
        assert (old.status, old.continues, old.continued_as) == ("completed", None, new.id)
        assert (successor.status, successor.continues, successor.continued_as) == ("queued", run.id, None)
        assert successor.labels == {"a": "b"}
        assert [record.body for record in await store.read_log(new.id)] == [b"first"]
        assert [found.kind for found in await store.read_events(0, new.id)] == ["run.queued"]
        assert await store.claimable() == [new.id]
        assert [found.continued_as for found in await store.list_runs()] == [None, new.id]

    async def test_of_two_workers_that_end_a_run_one_begins_its_successor(self, store: Store) -> None:
        run, lease = await started(store)
        await store.renew(lease, OVER)
        other = await store.claim(run.id, "other", MINUTE)
        with pytest.raises(LeaseLost):
            await store.commit(lease, ended(new_run()))
        await store.commit(other, ended(new_run()))
        with pytest.raises(LeaseLost):
            await store.commit(other, ended(new_run()))
        assert len(await store.list_runs()) == 2

    async def test_a_run_whose_successor_cannot_begin_does_not_end(self, store: Store) -> None:
        run, lease = await started(store, key="k")
        taken = await store.create_run(new_run())
        with pytest.raises(StoreError) as caught:
            await store.commit(lease, ended(new_run(id=taken.id), entries=[entry(1)]))
        assert caught.value.code == "store.run_exists"
        kept = await store.get_run(run.id)
        assert (kept.status, kept.log_length, kept.continued_as, kept.key) == ("running", 0, None, "k")

    async def test_the_start_key_goes_on_to_the_successor(self, store: Store) -> None:
        run, lease = await started(store, key="k")
        new = new_run()
        await store.commit(lease, ended(new))
        assert (await store.get_run(new.id)).key == "k"
        assert (await store.create_run(new_run(key="k", key_policy="existing"))).id == new.id
        await store.delete_run(run.id)
        assert (await store.create_run(new_run(key="k", key_policy="existing"))).id == new.id

    async def test_a_run_that_has_lost_its_start_key_has_none_to_hand_on(self, store: Store) -> None:
        _, lease = await started(store, key="k")
        holder = await store.create_run(new_run(key="k", key_policy="replace"))
        new = new_run()
        await store.commit(lease, ended(new))
        assert (await store.get_run(new.id)).key is None
        assert [message.kind for message in await store.messages(new.id)] == ["cancel"]
        assert (await store.create_run(new_run(key="k", key_policy="existing"))).id == holder.id

    async def test_messages_that_nobody_has_consumed_go_on_to_the_successor(self, store: Store) -> None:
        run, lease = await started(store)
        consumed = await store.post(run.id, "signal", name="a")
        kept = await store.post(run.id, "signal", name="b")
        new = new_run()
        await store.commit(lease, ended(new, consumed=[consumed], seen=kept))
        assert await store.messages(run.id) == []
        assert [(message.id, message.run_id) for message in await store.messages(new.id)] == [(kept, new.id)]
        assert await store.claimable() == [new.id]

    # slots

    async def test_runs_with_the_same_slot_take_turns_in_the_order_of_their_creation(self, store: Store) -> None:
        runs = [await store.create_run(new_run(slot="s", slots=2)) for _ in range(4)]
        other = await store.create_run(new_run(slot="t"))
        ids = [run.id for run in runs]
        assert (runs[0].slot, runs[0].slots) == ("s", 2)
        assert await store.claimable() == [ids[0], ids[1], other.id]
        with pytest.raises(SlotTaken):
            await store.claim(ids[2], "worker", MINUTE)
        first = await store.claim(ids[0], "worker", MINUTE)
        second = await store.claim(ids[1], "worker", MINUTE)
        await store.commit(second, Commit(status="waiting", release=True))
        assert await store.claimable() == [other.id]
        await store.commit(first, Commit(status="completed", release=True))
        assert await store.claimable() == [ids[2], other.id]
        await store.claim(ids[2], "worker", MINUTE)
        with pytest.raises(SlotTaken):
            await store.claim(ids[3], "worker", MINUTE)

    async def test_a_run_that_is_cancelled_before_its_turn_need_not_wait(self, store: Store) -> None:
        first, second, third = [await store.create_run(new_run(slot="s")) for _ in range(3)]
        await store.post(second.id, "cancel")
        assert await store.claimable() == [second.id, first.id]
        lease = await store.claim(second.id, "worker", MINUTE)
        await store.commit(lease, Commit(status="cancelled", release=True))
        with pytest.raises(SlotTaken):
            await store.claim(third.id, "worker", MINUTE)

    async def test_a_slot_is_kept_through_its_workers_death_and_until_its_run_is_deleted(self, store: Store) -> None:
        dead, waiting = [await store.create_run(new_run(slot="s")) for _ in range(2)]
        lease = await store.claim(dead.id, "worker", MINUTE)
        await store.renew(lease, OVER)
        assert await store.claimable() == [dead.id]
        lease = await store.claim(dead.id, "other", MINUTE)
        await store.release(lease)
        await store.delete_run(dead.id)
        assert await store.claimable() == [waiting.id]

    async def test_of_workers_that_claim_at_once_as_many_get_a_run_as_there_are_slots(self, store: Store) -> None:
        runs = [await store.create_run(new_run(slot="s", slots=3)) for _ in range(8)]

        async def claim(run_id: str) -> bool:
            try:
                await store.claim(run_id, f"worker-{run_id}", MINUTE)
            except SlotTaken:
                return False
            return True

        got = await asyncio.gather(*(claim(run.id) for run in reversed(runs)))
        assert sum(got) == 3

    async def test_a_successor_takes_its_turn_as_every_run_does(self, store: Store) -> None:
        _, lease = await started(store, slot="s")
        waiting = await store.create_run(new_run(slot="s"))
        new = new_run(slot="s")
        await store.commit(lease, ended(new))
        assert await store.claimable() == [waiting.id]
        with pytest.raises(SlotTaken):
            await store.claim(new.id, "worker", MINUTE)
