"""The part of the suite for stores that is about the order in which workers take runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyagent.errors import LeaseHeld
from pyagent.store.base import Commit, Lease, Run, Store
from pyagent.testing.store_parts import MINUTE, OVER, new_run, started


async def queued(store: Store, *groups: str, **changes: Any) -> list[Run]:
    """A queued run for each letter, of the group that it names, in their order."""
    return [await store.create_run(new_run(fairness=name, **changes)) for names in groups for name in names]


async def groups_taken(store: Store, *limits: int) -> list[str]:
    """The groups of the runs that are taken, so many at a time."""
    leases = [lease for limit in limits for lease in await store.take("worker", MINUTE, limit)]
    return [(await store.get_run(lease.run_id)).fairness for lease in leases]


class QueueConformance:
    """`take`: priorities, groups that take turns, slots; the order is that of `pyagent.store.queue`."""

    async def test_a_run_keeps_its_place_in_the_queue_and_its_group_is_its_graph_unless_it_says_another(
        self, store: Store
    ) -> None:
        run = await store.create_run(new_run(priority=7, fairness="team", weight=3))
        assert (run.priority, run.fairness, run.weight) == (7, "team", 3)
        plain = await store.create_run(new_run(graph_id="report"))
        assert (plain.priority, plain.fairness, plain.weight) == (0, "report", 1)

    async def test_a_run_that_is_taken_is_leased_and_nobody_elses(self, store: Store, peer: Store) -> None:
        run = await store.create_run(new_run())
        [lease] = await store.take("one", MINUTE)
        assert (lease.run_id, lease.owner, lease.adopted, lease.adoptions) == (run.id, "one", False, 0)
        assert (await peer.get_run(run.id)).lease_owner == "one"
        assert await peer.take("two", MINUTE) == []
        assert await peer.claimable() == []
        with pytest.raises(LeaseHeld):
            await peer.claim(run.id, "two", MINUTE)
        await store.commit(lease, Commit(status="running"))

    async def test_taking_takes_what_is_claimable_in_that_order_and_no_more_than_asked_for(self, store: Store) -> None:
        await queued(store, "aab")
        claimable = await store.claimable()
        assert await store.take("worker", MINUTE, 0) == []
        taken = [*await store.take("worker", MINUTE, 2), *await store.take("worker", MINUTE, 9)]
        assert [lease.run_id for lease in taken] == claimable

    async def test_what_is_excluded_is_left_to_others(self, store: Store) -> None:
        first, second = await queued(store, "aa")
        dead, lease = await started(store)
        await store.renew(lease, OVER)
        taken = await store.take("one", MINUTE, 9, excluding=[dead.id, first.id, "unknown"])
        assert [lease.run_id for lease in taken] == [second.id]
        assert [lease.run_id for lease in await store.take("two", MINUTE, 9)] == [dead.id, first.id]

    async def test_a_run_whose_worker_died_is_adopted(self, store: Store) -> None:
        dead, lease = await started(store)
        await store.renew(lease, OVER)
        [taken] = await store.take("other", MINUTE, 9)
        assert (taken.run_id, taken.adopted, taken.adoptions) == (dead.id, True, 1)
        assert taken.token > lease.token

    async def test_higher_priorities_go_first_whatever_their_group_and_age(self, store: Store) -> None:
        low, none, high, higher = [await store.create_run(new_run(priority=level)) for level in (-5, 0, 1, 100)]
        assert await store.claimable() == [higher.id, high.id, none.id, low.id]
        assert [lease.run_id for lease in await store.take("worker", MINUTE, 3)] == [higher.id, high.id, none.id]

    async def test_runs_that_have_begun_go_before_queued_ones_of_their_priority_and_after_higher_ones(
        self, store: Store
    ) -> None:
        fresh, urgent = [await store.create_run(new_run(priority=level)) for level in (0, 1)]
        dead, lease = await started(store)
        await store.renew(lease, OVER)
        waiting, lease = await started(store)
        await store.commit(lease, Commit(status="waiting", wake_at=await store.now(), release=True))
        unimportant, lease = await started(store, priority=-1)
        await store.release(lease)
        expected = [urgent.id, dead.id, waiting.id, fresh.id, unimportant.id]
        assert await store.claimable() == expected
        assert [lease.run_id for lease in await store.take("worker", MINUTE, 9)] == expected

    async def test_groups_take_turns_and_within_a_group_the_oldest_goes_first(self, store: Store) -> None:
        runs = await queued(store, "aaaa", "bb", "c")
        expected = [runs[index].id for index in (0, 4, 6, 1, 5, 2, 3)]
        assert await store.claimable() == expected
        assert [lease.run_id for lease in await store.take("worker", MINUTE, 9)] == expected

    @pytest.mark.parametrize("limit", [1, 2, 3])
    async def test_turns_go_on_from_one_taking_to_the_next(self, store: Store, peer: Store, limit: int) -> None:
        await queued(store, "aaaa", "bb", "c")
        taken: list[str] = []
        while found := await groups_taken((store, peer)[len(taken) % 2], limit):
            taken += found
        assert "".join(taken) == "abcabaa"

    async def test_a_group_that_comes_later_waits_for_no_more_turns_than_there_are_groups(self, store: Store) -> None:
        await queued(store, "aaaaaa")
        assert await groups_taken(store, 2) == ["a", "a"]
        await queued(store, "b")
        assert await groups_taken(store, 2) == ["a", "b"]

    async def test_a_group_that_has_come_to_its_end_begins_anew_at_the_end_of_the_line(self, store: Store) -> None:
        await queued(store, "aaa", "b", "cc")
        assert await groups_taken(store, 2) == ["a", "b"]
        await queued(store, "b")
        assert await groups_taken(store, 9) == ["c", "a", "b", "c", "a"]

    async def test_a_group_begins_as_many_runs_in_a_turn_as_its_weight_says(self, store: Store) -> None:
        await queued(store, "aaaaa", weight=3)
        await queued(store, "bbb")
        assert "".join(await groups_taken(store, 1, 1, 2, 9)) == "aaabaabb"

    async def test_each_priority_has_a_line_of_its_own(self, store: Store) -> None:
        await queued(store, "aa", "b", priority=1)
        await queued(store, "ab")
        assert "".join(await groups_taken(store, *[1] * 5)) == "abaab"

    async def test_runs_whose_slot_is_full_are_passed_over_and_keep_their_groups_place(self, store: Store) -> None:
        first, second = [await store.create_run(new_run(fairness="a", slot="s")) for _ in range(2)]
        free = await store.create_run(new_run(fairness="a"))
        [other] = await queued(store, "b")
        taken = await store.take("worker", MINUTE, 9)
        assert [lease.run_id for lease in taken] == [first.id, other.id, free.id]
        assert await store.take("worker", MINUTE, 9) == []
        await queued(store, "b")
        await store.commit(taken[0], Commit(status="completed", release=True))
        assert [lease.run_id for lease in await store.take("worker", MINUTE)] == [second.id]

    async def test_those_behind_many_that_wait_for_a_slot_begin_all_the_same(self, store: Store) -> None:
        crowd = await queued(store, "a" * 80, slot="s")
        [other] = await queued(store, "a", slot="t", slots=2)
        [free] = await queued(store, "a")
        [second] = await queued(store, "a", slot="t", slots=2)
        low = await store.create_run(new_run(priority=-1))
        taken: list[Lease] = []
        while found := await store.take("worker", MINUTE, 9):  # a store may stop early, but not change the order
            taken += found
        assert [lease.run_id for lease in taken] == [crowd[0].id, other.id, free.id, second.id, low.id]
        await store.commit(taken[0], Commit(status="completed", release=True))
        assert [lease.run_id for lease in await store.take("worker", MINUTE, 9)] == [crowd[1].id]

    async def test_of_runs_with_the_same_slot_the_higher_priority_goes_first_and_groups_take_turns(
        self, store: Store
    ) -> None:
        runs = await queued(store, "aa", "b", slot="s", slots=3)
        high = await store.create_run(new_run(priority=1, slot="s", slots=3))
        assert await store.claimable() == [high.id, runs[0].id, runs[2].id]
        taken = await store.take("worker", MINUTE, 9)
        assert [lease.run_id for lease in taken] == [high.id, runs[0].id, runs[2].id]

    async def test_a_run_that_was_given_back_before_it_began_is_queued_again(self, store: Store) -> None:
        [run] = await queued(store, "a")
        [lease] = await store.take("worker", MINUTE)
        await store.release(lease)
        [lease] = await store.take("worker", MINUTE)
        assert lease.run_id == run.id
        await store.commit(lease, Commit(release=True))
        assert [lease.run_id for lease in await store.take("worker", MINUTE)] == [run.id]

    async def test_a_run_that_is_queued_again_stands_in_line(self, store: Store) -> None:
        run, lease = await started(store, fairness="a")
        await store.commit(lease, Commit(status="failed", release=True))
        lease = await store.claim(run.id, "worker", MINUTE)
        await store.commit(lease, Commit(status="queued", release=True))
        assert [lease.run_id for lease in await store.take("worker", MINUTE)] == [run.id]

    async def test_a_group_whose_runs_went_otherwise_holds_up_nobody(self, store: Store) -> None:
        claimed, deleted = await queued(store, "ab")
        [run] = await queued(store, "c")
        await store.claim(claimed.id, "worker", MINUTE)
        await store.delete_run(deleted.id)
        assert [lease.run_id for lease in await store.take("worker", MINUTE, 9)] == [run.id]
        assert await store.take("worker", MINUTE, 9) == []
        await queued(store, "ba")
        assert await groups_taken(store, 9) == ["b", "a"]

    async def test_of_many_that_take_at_once_each_run_goes_to_one(self, store: Store, peer: Store) -> None:
        runs = await queued(store, "abc" * 8)
        takes = [(store, peer)[i % 2].take(f"owner {i}", MINUTE, 2) for i in range(16)]
        taken = [lease for leases in await asyncio.gather(*takes) for lease in leases]
        assert all(isinstance(lease, Lease) for lease in taken)
        assert sorted(lease.run_id for lease in taken) == sorted(run.id for run in runs)

    async def test_of_many_that_take_at_once_as_many_get_a_run_as_there_are_slots(
        self, store: Store, peer: Store
    ) -> None:
        await queued(store, "abcdefgh", slot="s", slots=3)
        takes = [(store, peer)[i % 2].take(f"owner {i}", MINUTE, 2) for i in range(8)]
        assert sum(len(leases) for leases in await asyncio.gather(*takes)) == 3
