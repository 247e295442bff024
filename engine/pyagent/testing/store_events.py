"""The part of the suite for stores that is about events, who follows them, and who waits for changes."""

from __future__ import annotations

import asyncio
import random

import pytest

from pyagent.store.base import Commit, Lease, Store
from pyagent.testing.store_parts import MINUTE, PATIENCE, collect, entry, event, new_run, started


class EventConformance:
    """The one stream of events, and `changed`."""

    # events

    async def test_events_have_one_cursor_over_all_runs_in_the_order_of_commits(self, store: Store) -> None:
        assert await store.last_cursor() == 0
        created = await store.create_run(new_run(), [event("run.created")])
        first = await store.claim(created.id, "one", MINUTE)
        other, second = await started(store)
        await store.commit(first, Commit(events=[event(n=1), event(n=2)]))
        await store.commit(second, Commit(events=[event(n=3)]))
        await store.commit(first, Commit(events=[event(n=4)]))
        events = await store.read_events()
        assert [one.data.get("n") for one in events] == [None, 1, 2, 3, 4]
        cursors = [one.cursor for one in events]
        assert cursors == sorted(set(cursors))
        assert cursors[-1] == await store.last_cursor()
        assert [one.data["n"] for one in await store.read_events(run_id=other.id)] == [3]
        assert await store.read_events(after=cursors[1], limit=2) == events[2:4]
        assert await store.read_events(after=cursors[-1]) == []

    async def test_an_event_keeps_its_time_and_data(self, store: Store) -> None:
        _, lease = await started(store)
        given = event("step.log", text="ä" * 2000, deep={"list": [1, 2.5, None, True, {"a": []}], "big": 2**70 + 1})
        await store.commit(lease, Commit(events=[given]))
        (kept,) = await store.read_events()
        assert (kept.kind, kept.step, kept.at, kept.data) == (given.kind, given.step, given.at, given.data)
        assert kept.run_id == lease.run_id

    async def test_a_follower_gets_what_there_is_and_then_what_comes(self, store: Store) -> None:
        _, lease = await started(store)
        await store.commit(lease, Commit(events=[event(n=n) for n in range(3)]))
        follower = asyncio.create_task(collect(store.follow(after=1), 5))
        for n in range(3, 6):
            await asyncio.sleep(0)
            await store.commit(lease, Commit(events=[event(n=n)]))
        assert [one.data["n"] for one in await follower] == [1, 2, 3, 4, 5]

    async def test_a_reader_may_begin_and_end_within_one_commits_events(self, store: Store) -> None:
        run, lease = await started(store)
        _, other = await started(store)
        await store.commit(lease, Commit(events=[event(n=n, big=2**70 if n == 3 else 0) for n in range(1200)]))
        await store.commit(other, Commit(events=[event(n=-1)]))
        await store.commit(lease, Commit(events=[event(n=n) for n in range(1200, 1210)]))
        everything = await store.read_events(limit=5000)
        assert [one.data["n"] for one in everything] == [*range(1200), -1, *range(1200, 1210)]
        assert everything[3].data["big"] == 2**70
        for after in (0, 1, 499, 500, 501, 1199, 1200, 1201, 1210, 1211):
            for limit in (0, 1, 2, 600):
                assert await store.read_events(after, limit=limit) == everything[after:][:limit]
            of_one = [one for one in everything[after:] if one.run_id == run.id]
            assert await store.read_events(after, run.id, 600) == of_one[:600]
        follower = asyncio.create_task(collect(store.follow(700), 511))
        assert await follower == everything[700:]
        assert await store.read_events(2**62) == []

    async def test_a_deleted_runs_events_are_gone_and_their_cursors_are_not_used_again(self, store: Store) -> None:
        run, lease = await started(store)
        other, second = await started(store)
        for n in range(2):
            await store.commit(lease, Commit(events=[event(n=n)]))
            await store.commit(second, Commit(events=[event(n=n)]))
        await store.commit(lease, Commit(events=[event(n=2), event(n=3)], release=True))
        last = await store.last_cursor()
        await store.delete_run(run.id)
        left = await store.read_events()
        assert [(one.run_id, one.data["n"]) for one in left] == [(other.id, 0), (other.id, 1)]
        await store.commit(second, Commit(events=[event(n=4)]))
        (new,) = await store.read_events(after=last)
        assert (new.run_id, new.data["n"]) == (other.id, 4)

    async def test_a_follower_gets_events_of_every_origin_at_once(self, store: Store, peer: Store) -> None:
        _, lease = await started(store)
        _, second = await started(peer)
        followed = store.follow()
        for n in range(8):
            if n % 4 == 0:
                await store.commit(lease, Commit(events=[event(n=n)]))
            elif n % 4 == 1:
                await store.create_run(new_run(), [event(n=n)])
            elif n % 4 == 2:
                await peer.commit(second, Commit(events=[event(n=n)]))
            else:
                await peer.create_run(new_run(), [event(n=n)])
            (received,) = await asyncio.wait_for(anext(followed), PATIENCE)
            assert received.data["n"] == n

    @pytest.mark.parametrize("seed", range(3))
    async def test_followers_of_two_handles_that_both_commit_miss_nothing(
        self, store: Store, peer: Store, seed: int
    ) -> None:
        chance = random.Random(seed)  # noqa: S311
        handles = (store, peer)
        begun = [await started(handle) for handle in handles for _ in range(2)]
        # 40 commits of each run, 3 events each
        followers = [
            asyncio.create_task(collect(handle.follow(40 * n), 480 - 40 * n)) for handle in handles for n in range(3)
        ]
        of_runs = [
            asyncio.create_task(collect(handle.follow(run_id=run.id), 120)) for handle in handles for run, _ in begun
        ]

        async def work(handle: Store, lease: Lease) -> None:
            for n in range(40):
                await handle.commit(lease, Commit(events=[event(n=n) for _ in range(3)]))
                for _ in range(chance.choice((0, 0, 1, 5))):
                    await asyncio.sleep(0)

        await asyncio.gather(*(work(handles[n // 2], lease) for n, (_, lease) in enumerate(begun)))
        everything = await store.read_events(limit=1000)
        assert len(everything) == 480
        for n, follower in enumerate(followers):
            assert await follower == everything[40 * (n % 3) :]
        for n, follower in enumerate(of_runs):
            assert await follower == [one for one in everything if one.run_id == begun[n % 4][0].id]

    async def test_a_follower_of_one_run_gets_no_other_runs_events(self, store: Store) -> None:
        run, lease = await started(store)
        _, other = await started(store)
        follower = asyncio.create_task(collect(store.follow(run_id=run.id), 2))
        for n in range(2):
            await store.commit(other, Commit(events=[event(n=-1)]))
            await store.commit(lease, Commit(events=[event(n=n)]))
        assert [one.data["n"] for one in await follower] == [0, 1]

    async def test_followers_at_different_places_miss_nothing_while_runs_commit_at_once(self, store: Store) -> None:
        leases = [(await started(store))[1] for _ in range(5)]

        async def work(lease: Lease) -> None:
            for n in range(20):
                await store.commit(lease, Commit(entries=[entry(n + 1)], events=[event(n=n)]))
                await asyncio.sleep(0)

        followers = [asyncio.create_task(collect(store.follow(after=after), 100 - after)) for after in (0, 0, 30)]
        await asyncio.gather(*map(work, leases))
        everything = await store.read_events()
        assert len(everything) == 100
        for follower, after in zip(followers, (0, 0, 30), strict=True):
            assert await follower == everything[after:]

    async def test_a_follower_sees_what_another_handle_commits(self, store: Store, peer: Store) -> None:
        _, lease = await started(store)
        follower = asyncio.create_task(collect(peer.follow(), 3))
        await asyncio.sleep(0)
        for n in range(3):
            await store.commit(lease, Commit(events=[event(n=n)]))
        assert [one.data["n"] for one in await follower] == [0, 1, 2]

    # changes

    async def test_a_change_wakes_who_waits_for_one(self, store: Store) -> None:
        run, lease = await started(store)
        for change in (
            store.post(run.id, "pause"),
            store.commit(lease, Commit(events=[event()])),
            store.create_run(new_run()),
        ):
            waiting = asyncio.create_task(store.changed(PATIENCE))
            await asyncio.sleep(0)
            await change
            assert await waiting

    async def test_a_change_between_look_and_wait_is_not_missed(self, store: Store) -> None:
        run, _ = await started(store)
        mark = store.mark()
        await store.post(run.id, "pause")
        assert await store.changed(0, since=mark)

    async def test_without_a_change_the_wait_ends_at_its_time(self, store: Store) -> None:
        await started(store)
        assert await store.changed(0) is False
        assert await store.changed(0.01) is False

    async def test_a_change_by_another_handle_wakes_too(self, store: Store, peer: Store) -> None:
        run, _ = await started(store)
        mark = peer.mark()
        while await peer.changed(0.2, since=mark):  # what the handle hears late of the lines above
            mark = peer.mark()
        waiting = asyncio.create_task(peer.changed(PATIENCE))
        await asyncio.sleep(0)
        await store.post(run.id, "pause")
        assert await waiting
        assert len(await peer.messages(run.id)) == 1
