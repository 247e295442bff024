"""The part of the suite for stores that is about graphs, runs, start keys and leases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from pyagent.errors import LeaseHeld, LeaseLost, NotFound, StoreError
from pyagent.store.base import (
    Commit,
    KeyTaken,
    Lease,
    RunFilter,
    Store,
)
from pyagent.testing.store_parts import (
    MINUTE,
    OVER,
    entry,
    event,
    new_run,
    started,
    step,
)
from pyagent.testing.store_queue import QueueConformance
from pyagent.testing.store_succession import SuccessionConformance


class RunConformance(QueueConformance, SuccessionConformance):
    """Graphs, runs, start keys, leases, and who is to be taken next."""

    @pytest.fixture
    def store(self) -> Store:
        """An open, empty store: override this."""
        raise NotImplementedError

    @pytest.fixture
    def peer(self, store: Store) -> Store:
        """Another open handle on the data of `store`: override this where there can be one."""
        pytest.skip("this store has one handle only")

    # graphs

    async def test_a_graph_version_is_found_by_its_hash(self, store: Store) -> None:
        await store.put_graph("triage", "hash-1", "id: triage # 1")
        version = await store.get_graph("hash-1")
        assert (version.graph_id, version.text) == ("triage", "id: triage # 1")
        with pytest.raises(NotFound) as caught:
            await store.get_graph("hash-2")
        assert caught.value.code == "graph.not_found"

    async def test_the_latest_version_is_the_one_put_last_even_if_it_is_an_old_one(self, store: Store) -> None:
        await store.put_graph("triage", "hash-1", "one")
        await store.put_graph("other", "hash-o", "other")
        await store.put_graph("triage", "hash-2", "two")
        assert (await store.latest_graph("triage")).text == "two"
        await store.put_graph("triage", "hash-1", "one, put again")
        assert (await store.latest_graph("triage")).text == "one"
        with pytest.raises(NotFound):
            await store.latest_graph("unknown")

    async def test_the_versions_of_a_graph_are_listed_with_the_one_put_last_first(self, store: Store) -> None:
        for graph_id, hash in (("triage", "hash-1"), ("other", "hash-o"), ("triage", "hash-2"), ("triage", "hash-1")):
            await store.put_graph(graph_id, hash, f"text of {hash}")
        assert [(one.hash, one.text) for one in await store.graph_versions("triage")] == [
            ("hash-1", "text of hash-1"),
            ("hash-2", "text of hash-2"),
        ]
        assert [one.hash for one in await store.graph_versions("triage", 1)] == ["hash-1"]
        assert await store.graph_versions("unknown") == []

    # runs

    async def test_a_created_run_is_queued_and_keeps_all_it_was_given(self, store: Store) -> None:
        given = new_run(labels={"team": "a"}, parent_run="p", parent_step="s", forked_from="f", production=False)
        created = await store.create_run(given)
        assert created == await store.get_run(given.id)
        assert (created.status, created.log_length, created.adoptions) == ("queued", 0, 0)
        assert created.lease_owner is None
        assert created.started_at is None
        assert created.outputs is None
        for name in (
            "graph_id",
            "graph_hash",
            "trigger",
            "inputs",
            "production",
            "labels",
            "parent_run",
            "forked_from",
        ):
            assert getattr(created, name) == getattr(given, name), name

    async def test_a_run_id_is_used_once(self, store: Store) -> None:
        run = await store.create_run(new_run())
        with pytest.raises(StoreError) as caught:
            await store.create_run(new_run(id=run.id))
        assert caught.value.code == "store.run_exists"

    async def test_a_unique_prefix_of_six_characters_finds_a_run(self, store: Store) -> None:
        first = await store.create_run(new_run(id="abcdef-111"))
        await store.create_run(new_run(id="abcdeg-222"))
        assert await store.get_run("abcdef") == first
        for name in ("abcde", "abcdef-112", "", "abcdef-1111"):
            with pytest.raises(NotFound):
                await store.get_run(name)

    async def test_a_prefix_of_several_runs_finds_none_and_says_which_there_are(self, store: Store) -> None:
        for identity in ("abcdef-1", "abcdef-2"):
            await store.create_run(new_run(id=identity))
        with pytest.raises(NotFound) as caught:
            await store.get_run("abcdef")
        assert sorted(caught.value.details["runs"]) == ["abcdef-1", "abcdef-2"]
        await store.create_run(new_run(id="abcdef"))
        assert (await store.get_run("abcdef")).id == "abcdef"

    async def test_runs_are_listed_newest_first_and_by_pages(self, store: Store) -> None:
        identities = [(await store.create_run(new_run())).id for _ in range(5)]
        first = await store.list_runs(RunFilter(limit=2))
        second = await store.list_runs(RunFilter(limit=2, before=first[-1].id))
        third = await store.list_runs(RunFilter(limit=2, before=second[-1].id))
        assert [run.id for run in (*first, *second, *third)] == identities[::-1]

    async def test_the_last_runs_of_graphs_are_found_however_many_others_have(self, store: Store) -> None:
        rare = await store.create_run(new_run(graph_id="rare"))
        busy = [(await store.create_run(new_run(graph_id="busy"))).id for _ in range(5)]
        found = await store.last_runs(["rare", "none", "busy"], 2)
        assert [run.id for run in found] == [rare.id, busy[4], busy[3]]
        assert await store.last_runs([], 2) == []

    async def test_runs_are_listed_by_graph_status_and_owner(self, store: Store) -> None:
        run, _ = await started(store, graph_id="a", owner="ann")
        await store.create_run(new_run(graph_id="a"))
        await store.create_run(new_run(graph_id="b", owner="ann"))
        found = await store.list_runs(RunFilter(graph_id="a", statuses=("running", "failed"), owner="ann"))
        assert [one.id for one in found] == [run.id]
        assert len(await store.list_runs(RunFilter(graph_id="a"))) == 2
        assert len(await store.list_runs(RunFilter(statuses=("queued",)))) == 2

    async def test_runs_are_listed_by_key_text_and_time(self, store: Store) -> None:
        first = await store.create_run(new_run(graph_id="mail", key="Order 7% É", actor="ann"))
        second = await store.create_run(new_run(graph_id="other", key="b", trigger="hook"))

        async def ids(**chosen: Any) -> list[str]:
            return [run.id for run in await store.list_runs(RunFilter(**chosen))]

        assert await ids(key="Order 7% É") == [first.id]
        assert await ids(key="order 7% É") == []
        for text in ("ORDER 7%", "É", "mAIl", "ann", first.id.upper()):
            assert first.id in await ids(text=text), text
        assert await ids(text="hook") == [second.id]
        for text in ("order_7", "é", "mailann", "nothing"):
            assert await ids(text=text) == [], text
        assert await ids(since=first.created_at) == [second.id, first.id]
        assert await ids(until=first.created_at) == []
        later = second.created_at + timedelta(seconds=1)
        assert await ids(since=later) == []
        assert await ids(until=later) == [second.id, first.id]

    async def test_times_follow_the_status(self, store: Store) -> None:
        run, lease = await started(store)
        begun = await store.get_run(run.id)
        assert begun.started_at is not None
        assert begun.ended_at is None
        await store.commit(lease, Commit(status="waiting", wake_at=begun.created_at))
        waiting = await store.get_run(run.id)
        assert (waiting.started_at, waiting.wake_at) == (begun.started_at, begun.created_at)
        await store.commit(lease, Commit(events=[event()]))
        assert (await store.get_run(run.id)).wake_at == begun.created_at
        await store.commit(lease, Commit(status="failed", error={"code": "node.failed"}, outputs=b"null"))
        ended = await store.get_run(run.id)
        assert (ended.wake_at, ended.error, ended.outputs) == (None, {"code": "node.failed"}, b"null")
        assert ended.ended_at is not None
        assert ended.started_at == begun.started_at

    # start keys

    async def test_a_start_key_that_is_held_is_rejected(self, store: Store) -> None:
        holder = await store.create_run(new_run(key="k"))
        with pytest.raises(KeyTaken) as caught:
            await store.create_run(new_run(key="k"))
        assert caught.value.details["run"] == holder.id
        await store.create_run(new_run(key="k", graph_id="other"))
        await store.create_run(new_run(key="k", owner="ann"))
        await store.create_run(new_run())

    async def test_an_existing_run_is_returned_for_its_key(self, store: Store) -> None:
        holder = await store.create_run(new_run(key="k"))
        assert await store.create_run(new_run(key="k", key_policy="existing")) == holder
        assert len(await store.list_runs()) == 1

    async def test_a_replaced_run_is_asked_to_cancel_and_loses_its_key(self, store: Store) -> None:
        old = await store.create_run(new_run(key="k"))
        new = await store.create_run(new_run(key="k", key_policy="replace", actor="ann"))
        (message,) = await store.messages(old.id)
        assert (message.kind, message.actor) == ("cancel", "ann")
        assert (await store.create_run(new_run(key="k", key_policy="existing"))).id == new.id
        assert await store.messages(new.id) == []

    async def test_a_key_is_free_when_its_run_ended_longer_ago_than_its_window(self, store: Store) -> None:
        for window, free in ((timedelta(0), True), (timedelta(hours=1), False)):
            run, lease = await started(store, key=f"k{window}", key_window=window)
            await store.commit(lease, Commit(status="completed"))
            again = await store.create_run(new_run(key=f"k{window}", key_policy="existing"))
            assert (again.id != run.id) is free

    # leases

    async def test_a_lease_keeps_others_away_until_it_is_released(self, store: Store) -> None:
        run = await store.create_run(new_run())
        lease = await store.claim(run.id, "one", MINUTE)
        assert not lease.adopted
        assert lease.expires_at > await store.now()
        with pytest.raises(LeaseHeld):
            await store.claim(run.id, "two", MINUTE)
        await store.release(lease)
        second = await store.claim(run.id, "two", MINUTE)
        assert second.token > lease.token
        assert not second.adopted

    async def test_tokens_begin_with_one_and_only_grow_however_a_lease_ended(self, store: Store) -> None:
        run, other = await store.create_run(new_run()), await store.create_run(new_run())
        first = await store.claim(run.id, "one", MINUTE)
        assert (await store.renew(first, MINUTE)).token == first.token == 1
        await store.release(first)
        tokens = [first.token]
        for owner, ttl in (("two", OVER), ("three", MINUTE), ("three", MINUTE)):
            tokens.append((await store.claim(run.id, owner, ttl)).token)
        assert sorted(set(tokens)) == tokens
        assert (await store.claim(other.id, "one", MINUTE)).token == 1

    async def test_an_expired_lease_is_adopted_and_its_old_owner_can_do_nothing(self, store: Store) -> None:
        run = await store.create_run(new_run())
        old = await store.claim(run.id, "one", OVER)
        new = await store.claim(run.id, "two", MINUTE)
        assert new.adopted
        assert new.adoptions == 1
        for refused in (store.commit(old, Commit(entries=[entry(1)], events=[event()])), store.renew(old, MINUTE)):
            with pytest.raises(LeaseLost):
                await refused
        await store.release(old)
        kept = await store.get_run(run.id)
        assert (kept.lease_owner, kept.log_length) == ("two", 0)
        assert await store.read_events() == []

    async def test_an_expired_lease_that_nobody_took_can_commit_and_be_renewed(self, store: Store) -> None:
        run = await store.create_run(new_run())
        lease = await store.claim(run.id, "one", OVER)
        await store.commit(lease, Commit(entries=[entry(1)]))
        renewed = await store.renew(lease, MINUTE)
        assert renewed.token == lease.token
        assert renewed.expires_at > lease.expires_at
        with pytest.raises(LeaseHeld):
            await store.claim(run.id, "two", MINUTE)

    async def test_a_released_lease_can_do_nothing(self, store: Store) -> None:
        run = await store.create_run(new_run())
        first = await store.claim(run.id, "one", MINUTE)
        await store.release(first)
        second = await store.claim(run.id, "one", MINUTE)
        await store.commit(second, Commit(release=True))
        for lease in (first, second):
            with pytest.raises(LeaseLost):
                await store.commit(lease, Commit(entries=[entry(1)]))
            with pytest.raises(LeaseLost):
                await store.renew(lease, MINUTE)

    async def test_an_owner_that_claims_again_ends_its_own_old_lease(self, store: Store) -> None:
        run = await store.create_run(new_run())
        old = await store.claim(run.id, "one", MINUTE)
        new = await store.claim(run.id, "one", MINUTE)
        assert new.adopted
        with pytest.raises(LeaseLost):
            await store.commit(old, Commit())
        await store.commit(new, Commit())

    async def test_adoptions_are_counted_until_the_next_commit(self, store: Store) -> None:
        run = await store.create_run(new_run())
        lease = await store.claim(run.id, "owner 0", OVER)
        for adoptions in range(1, 4):
            lease = await store.claim(run.id, f"owner {adoptions}", OVER)
            assert lease.adoptions == adoptions
        assert (await store.get_run(run.id)).adoptions == 3
        await store.commit(lease, Commit(events=[event()]))
        assert (await store.get_run(run.id)).adoptions == 0
        assert (await store.claim(run.id, "next", OVER)).adoptions == 1

    async def test_a_reserved_run_is_for_one_worker_alone_and_its_claim_is_no_adoption(self, store: Store) -> None:
        run = await store.create_run(new_run(reserved_for="one"))
        assert await store.claimable() == []
        with pytest.raises(LeaseHeld):
            await store.claim(run.id, "two", MINUTE)
        lease = await store.claim(run.id, "one", MINUTE)
        assert (lease.adopted, lease.adoptions) == (False, 0)
        await store.commit(lease, Commit(status="running"))
        await store.renew(lease, OVER)
        assert (await store.claim(run.id, "two", MINUTE)).adopted

    async def test_an_unknown_run_cannot_be_claimed(self, store: Store) -> None:
        with pytest.raises(NotFound):
            await store.claim("unknown", "one", MINUTE)

    async def test_of_many_claims_at_once_one_wins(self, store: Store, peer: Store) -> None:
        for _ in range(10):
            run = await store.create_run(new_run())
            claims = [(store, peer)[i % 2].claim(run.id, f"owner {i}", MINUTE) for i in range(8)]
            results = await asyncio.gather(*claims, return_exceptions=True)
            assert sum(isinstance(result, Lease) for result in results) == 1
            assert sum(isinstance(result, LeaseHeld) for result in results) == 7

    # claimable

    async def test_runs_whose_worker_died_are_claimable_oldest_first_and_then_those_that_are_queued(
        self, store: Store
    ) -> None:
        queued = await store.create_run(new_run())
        held = await store.create_run(new_run())
        await store.claim(held.id, "one", MINUTE)
        dead, lease = await started(store)
        await store.renew(lease, OVER)
        drained, lease = await started(store)
        await store.release(lease)
        _, lease = await started(store)
        await store.commit(lease, Commit(status="completed", release=True))
        assert await store.claimable() == [dead.id, drained.id, queued.id]
        assert await store.claimable(limit=2) == [dead.id, drained.id]

    async def test_a_waiting_run_is_claimable_when_its_timer_is_due(self, store: Store) -> None:
        now = await store.now()
        due, lease = await started(store)
        await store.commit(lease, Commit(status="waiting", wake_at=now, release=True))
        for wake_at in (now + timedelta(hours=1), None):
            _, lease = await started(store)
            await store.commit(lease, Commit(status="waiting", wake_at=wake_at, release=True))
        assert await store.claimable() == [due.id]

    @pytest.mark.parametrize("status", ["waiting", "paused"])
    async def test_a_waiting_run_is_claimable_for_a_message_until_it_has_seen_it(
        self, store: Store, status: Any
    ) -> None:
        run, lease = await started(store)
        await store.commit(lease, Commit(status=status, release=True))
        assert await store.claimable() == []
        early = await store.post(run.id, "signal", name="later")
        assert await store.claimable() == [run.id]
        lease = await store.claim(run.id, "one", MINUTE)
        assert await store.claimable() == []
        await store.commit(lease, Commit(seen=early, release=True))
        assert await store.claimable() == []
        assert [message.id for message in await store.messages(run.id)] == [early]
        await store.post(run.id, "resume")
        assert await store.claimable() == [run.id]

    async def test_a_message_that_comes_while_the_worker_parks_is_not_missed(self, store: Store) -> None:
        run, lease = await started(store)
        looked = max((message.id for message in await store.messages(run.id)), default=0)
        await store.post(run.id, "cancel")
        await store.commit(lease, Commit(status="waiting", seen=looked, release=True))
        assert await store.claimable() == [run.id]

    async def test_an_unaddressed_signal_makes_the_run_that_waits_for_it_claimable(self, store: Store) -> None:
        runs: list[str] = []
        for key in ("a", "b"):
            run, lease = await started(store)
            waits = step(status="waiting", wait={"kind": "signal", "name": "paid", "key": key})
            await store.commit(lease, Commit(status="waiting", steps=[waits], release=True))
            runs.append(run.id)
        await store.post(None, "signal", name="paid", key="c")
        assert await store.claimable() == []
        await store.post(None, "signal", name="paid", key="b")
        assert await store.claimable() == [runs[1]]
        lease = await store.claim(runs[1], "one", MINUTE)
        await store.commit(lease, Commit(steps=[step(status="cancelled")], release=True))
        assert await store.claimable() == []
