"""The suite that every store must pass.

Subclass it and override the `store` fixture; where several handles can share the data, `peer` too:

    class TestMyStore(StoreConformance):
        @pytest.fixture
        async def store(self):
            store = MyStore(...)
            await store.open()
            yield store
            await store.close()

The tests are coroutines: pytest-asyncio runs them (`asyncio_mode = "auto"` for the fixtures).
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from pyagent.errors import LeaseHeld, LeaseLost, NotFound, StoreError
from pyagent.store.base import (
    Commit,
    Lease,
    LogConflict,
    MessageTaken,
    Store,
)
from pyagent.store.blobs import digest_of
from pyagent.testing.store_events import EventConformance
from pyagent.testing.store_parts import (
    MINUTE,
    OVER,
    PATIENCE,
    collect,
    entry,
    event,
    new_run,
    random_bytes,
    started,
    step,
)
from pyagent.testing.store_retention import RetentionConformance
from pyagent.testing.store_runs import RunConformance
from pyagent.testing.store_statistics import StatisticsConformance
from pyagent.testing.store_upkeep import UpkeepConformance

__all__ = [
    "MINUTE",
    "OVER",
    "PATIENCE",
    "StoreConformance",
    "collect",
    "entry",
    "event",
    "new_run",
    "random_bytes",
    "started",
    "step",
]


class StoreConformance(
    StatisticsConformance, UpkeepConformance, RetentionConformance, EventConformance, RunConformance
):
    """What the contract in `pyagent.store.base` promises, one test a promise."""

    # log and commit

    async def test_a_log_grows_by_contiguous_entries_and_keeps_every_byte(self, store: Store) -> None:
        run, lease = await started(store)
        bodies = [b"", b"{}", bytes(range(256)) * 40, random_bytes(100_000, 1), "ä\u0000€".encode()]
        for seq, body in enumerate(bodies, 1):
            await store.commit(lease, Commit(entries=[entry(seq, body)]))
        await store.commit(lease, Commit(entries=[entry(6), entry(7, step="é@1.2")]))
        log = await store.read_log(run.id)
        assert [one.seq for one in log] == [1, 2, 3, 4, 5, 6, 7]
        assert [one.body for one in log[:5]] == bodies
        assert log[6] == entry(7, step="é@1.2")
        assert await store.read_log(run.id, after=5) == log[5:]
        assert await store.read_log(run.id, after=7) == []
        assert (await store.get_run(run.id)).log_length == 7

    async def test_a_long_log_is_read_whole(self, store: Store) -> None:
        run, lease = await started(store)
        await store.commit(lease, Commit(entries=[entry(seq) for seq in range(1, 2501)]))
        assert [one.seq for one in await store.read_log(run.id)] == list(range(1, 2501))

    @pytest.mark.parametrize("seqs", [[2], [0], [1, 3], [1, 1], [2, 1]])
    async def test_entries_that_do_not_follow_the_log_commit_nothing(self, store: Store, seqs: list[int]) -> None:
        run, lease = await started(store)
        with pytest.raises(LogConflict):
            await store.commit(lease, Commit(entries=[entry(seq) for seq in seqs], events=[event()], status="failed"))
        assert (await store.get_run(run.id)).status == "running"
        assert await store.read_log(run.id) == []
        assert await store.read_events() == []

    async def test_a_commit_that_fails_at_its_last_part_keeps_no_part(self, store: Store) -> None:
        run, lease = await started(store)
        message = await store.post(run.id, "signal", name="a")
        before = await store.get_run(run.id)
        blob = b"content"
        whole: dict[str, Any] = {
            "entries": [entry(1)],
            "events": [event()],
            "steps": [step()],
            "blobs": [(digest_of(blob), blob)],
            "status": "completed",
            "release": True,
        }
        with pytest.raises(MessageTaken):
            await store.commit(lease, Commit(**whole, consumed=[message, message + 1000]))
        with pytest.raises(NotFound):
            await store.commit(lease, Commit(**whole, refers=[digest_of(b"unknown")]))
        assert await store.get_run(run.id) == before
        assert await store.read_log(run.id) == []
        assert await store.steps(run.id) == []
        assert await store.read_events() == []
        assert len(await store.messages(run.id)) == 1
        with pytest.raises(NotFound):
            await store.get_blob(digest_of(blob))
        await store.commit(lease, Commit(**whole, consumed=[message]))

    async def test_a_run_can_begin_with_a_log_that_nobody_sees_it_without(self, store: Store) -> None:
        run = new_run()
        created = await store.create_run(run, [], Commit(entries=[entry(1), entry(2)], status="queued"))

        assert (created.log_length, created.status, created.lease_owner) == (2, "queued", None)
        assert [record.seq for record in await store.read_log(run.id)] == [1, 2]
        assert await store.claimable() == [run.id]

    async def test_a_run_whose_first_commit_fails_is_not_there(self, store: Store) -> None:
        run = new_run()
        with pytest.raises(LogConflict):
            await store.create_run(run, [], Commit(entries=[entry(2)], status="queued"))

        assert await store.claimable() == []

    async def test_a_durable_commit_is_a_commit(self, store: Store) -> None:
        run, lease = await started(store)
        await store.commit(lease, Commit(entries=[entry(1)], durable=True))
        assert len(await store.read_log(run.id)) == 1

    async def test_what_is_not_json_is_refused(self, store: Store) -> None:
        run, lease = await started(store)
        with pytest.raises(StoreError) as caught:
            await store.commit(lease, Commit(entries=[entry(1)], events=[event(value=object())]))
        assert caught.value.code == "store.not_json"
        assert await store.read_log(run.id) == []

    async def test_steps_are_listed_in_the_order_of_their_first_commit(self, store: Store) -> None:
        run, lease = await started(store)
        now = await store.now()
        await store.commit(lease, Commit(steps=[step("b"), step("z@1.2", node="z", scope="1.2")]))
        await store.commit(lease, Commit(steps=[step("a", status="waiting", wait={"kind": "timer"})]))
        done = step("b", status="completed", attempt=2, started_at=now, ended_at=now, items_in=3, items_out={"out": 2})
        failed = step("c", status="failed", error={"code": "node.failed", "details": {"n": [1, None, 2.5]}})
        await store.commit(lease, Commit(steps=[failed, done]))
        steps = await store.steps(run.id)
        assert [one.step for one in steps] == ["b", "z@1.2", "a", "c"]
        assert (steps[0], steps[3], steps[2].wait) == (done, failed, {"kind": "timer"})

    async def test_the_last_record_of_a_step_is_its_state_also_within_one_commit(self, store: Store) -> None:
        run, lease = await started(store)
        wait = {"kind": "signal", "name": "paid", "key": "1"}
        await store.commit(lease, Commit(steps=[step("a", status="waiting", wait=wait), step("b")], status="waiting"))
        await store.commit(lease, Commit(steps=[step("b", attempt=2), step("b", status="completed"), step("c")]))
        await store.release(lease)
        kept = await store.steps(run.id)
        assert [(one.step, one.status, one.attempt) for one in kept] == [
            ("a", "waiting", 1),
            ("b", "completed", 1),
            ("c", "running", 1),
        ]
        await store.post(None, "signal", name="paid", key="1")
        assert await store.claimable() == [run.id]
        lease = await store.claim(run.id, "one", MINUTE)
        await store.commit(lease, Commit(steps=[step("a", status="completed")], release=True))
        assert await store.claimable() == []

    @pytest.mark.parametrize("seed", range(6))
    async def test_stale_tokens_never_commit_whatever_the_order(self, store: Store, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        run = await store.create_run(new_run())
        held: list[Lease] = []
        valid: int | None = None
        length = 0
        for _ in range(80):
            action = chance.choice(["claim", "commit", "commit", "commit", "renew", "release"])
            if action == "claim" or not held:
                held.append(await store.claim(run.id, chance.choice(["one", "two"]), OVER))
                valid = held[-1].token
                continue
            lease = chance.choice(held[-4:])
            if action == "release":
                await store.release(lease)
                valid = None if lease.token == valid else valid
                continue
            change = (
                store.renew(lease, OVER)
                if action == "renew"
                else store.commit(lease, Commit(entries=[entry(length + 1)], events=[event()]))
            )
            if lease.token == valid:
                await change
                length += action == "commit"
            else:
                with pytest.raises(LeaseLost):
                    await change
        assert len(await store.read_log(run.id)) == len(await store.read_events()) == length
        assert len({lease.token for lease in held}) == len(held)

    # messages

    async def test_messages_stay_until_a_commit_consumes_them(self, store: Store) -> None:
        run, lease = await started(store)
        first = await store.post(run.id, "answer", step="approve@1", name="n", key="k", body=b'{"ok":1}', actor="ann")
        second = await store.post(run.id, "pause")
        messages = await store.messages(run.id)
        assert [message.id for message in messages] == [first, second]
        assert second > first
        one = messages[0]
        assert (one.run_id, one.kind, one.step, one.name, one.key) == (run.id, "answer", "approve@1", "n", "k")
        assert (one.body, one.actor) == (b'{"ok":1}', "ann")
        await store.commit(lease, Commit(consumed=[first]))
        assert [message.id for message in await store.messages(run.id)] == [second]

    async def test_a_message_to_an_unknown_run_is_refused(self, store: Store) -> None:
        with pytest.raises(NotFound):
            await store.post("unknown", "cancel")

    async def test_a_message_that_a_run_sends_once_is_left_once(self, store: Store) -> None:
        run, lease = await started(store)
        sender, _ = await started(store)
        first = await store.post(run.id, "signal", name="paid", sent_by=sender.id, once="a")
        assert await store.post(run.id, "signal", name="paid", sent_by=sender.id, once="a") == first
        await store.commit(lease, Commit(consumed=[first]))
        assert await store.post(run.id, "signal", name="paid", sent_by=sender.id, once="a") == first
        assert await store.messages(run.id) == []
        other = await store.post(run.id, "signal", name="paid", sent_by=sender.id, once="b")
        own = await store.post(run.id, "signal", name="paid", sent_by=run.id, once="a")
        assert [message.id for message in await store.messages(run.id)] == [other, own]
        with pytest.raises(NotFound):
            await store.post(run.id, "signal", name="paid", sent_by="unknown", once="a")

    async def test_unaddressed_signals_are_found_by_name_and_key(self, store: Store) -> None:
        run, _ = await started(store)
        other, _ = await started(store)
        await store.post(other.id, "cancel")
        paid = await store.post(None, "signal", name="paid", key="7")
        own = await store.post(run.id, "signal", name="paid", key="8")
        await store.post(None, "signal", name="paid", key="9")
        assert [message.id for message in await store.messages(run.id)] == [own]
        found = await store.messages(run.id, [("paid", "7"), ("sent", "7"), ("paid", "7")])
        assert [(message.id, message.run_id) for message in found] == [(paid, None), (own, run.id)]

    async def test_one_signal_reaches_one_run(self, store: Store) -> None:
        _, first = await started(store)
        _, second = await started(store)
        signal = await store.post(None, "signal", name="paid")
        await store.commit(first, Commit(consumed=[signal], entries=[entry(1)]))
        with pytest.raises(MessageTaken):
            await store.commit(second, Commit(consumed=[signal], entries=[entry(1)]))
        assert await store.read_log(second.run_id) == []

    async def test_a_signal_that_several_runs_take_at_once_reaches_one_of_them(self, store: Store, peer: Store) -> None:
        leases = [(await started(store))[1] for _ in range(4)]
        for number in range(1, 9):
            signal = await store.post(None, "signal", name="paid")
            made = [
                Commit(consumed=[signal], entries=[entry(1 + len(await store.read_log(of.run_id)))]) for of in leases
            ]
            taken = await asyncio.gather(
                *(of.commit(lease, commit) for of, lease, commit in zip((store, peer) * 2, leases, made, strict=True)),
                return_exceptions=True,
            )
            assert sorted(type(found).__name__ for found in taken) == ["MessageTaken"] * 3 + ["NoneType"], taken
            assert sum([len(await store.read_log(lease.run_id)) for lease in leases]) == number

    async def test_a_message_is_not_consumed_by_another_run(self, store: Store) -> None:
        run, _ = await started(store)
        _, other = await started(store)
        message = await store.post(run.id, "cancel")
        with pytest.raises(MessageTaken):
            await store.commit(other, Commit(consumed=[message]))

    # blobs

    @pytest.mark.parametrize("size", [0, 100, 60_000, 70_000, 3_000_000])
    async def test_blobs_of_every_size_come_back(self, store: Store, size: int) -> None:
        run, lease = await started(store)
        before, within = (random_bytes(size, which) for which in (1, 2))
        await store.put_blob(run.id, digest_of(before), before)
        await store.put_blob(run.id, digest_of(before), before)
        await store.commit(lease, Commit(blobs=[(digest_of(within), within)]))
        for content in (before, within):
            assert await store.get_blob(digest_of(content)) == content
            assert store.blob_now(digest_of(content)) == content
        with pytest.raises(NotFound) as caught:
            await store.get_blob(digest_of(b"unknown"))
        assert caught.value.code == "blob.not_found"
        with pytest.raises(NotFound) as caught:
            await asyncio.to_thread(store.blob_now, digest_of(b"unknown"))
        assert caught.value.code == "blob.not_found"

    @pytest.mark.parametrize("size", [0, 100, 65_536, 3_000_000])
    async def test_a_files_content_is_a_blob_as_any_other(self, store: Store, tmp_path: Path, size: int) -> None:
        run, _ = await started(store)
        content = random_bytes(size, 3)
        path = tmp_path / "content"
        path.write_bytes(content)
        assert await store.put_blob_file(run.id, path) == (digest_of(content), size)
        assert await store.put_blob_file(run.id, path) == (digest_of(content), size)
        assert await store.get_blob(digest_of(content)) == content
        with pytest.raises(NotFound):
            await store.put_blob_file("unknown", path)
        with pytest.raises(FileNotFoundError):
            await store.put_blob_file(run.id, tmp_path / "none")

    @pytest.mark.parametrize("size", [0, 100, 70_000, 3_000_000])
    async def test_a_range_of_a_blob_is_read_without_the_rest(self, store: Store, size: int) -> None:
        run, _ = await started(store)
        content = random_bytes(size // 2, 4) + b"x" * (size - size // 2)
        digest = digest_of(content)
        await store.put_blob(run.id, digest, content)
        assert await store.blob_size(digest) == size
        places = [0, 1, size // 2, size - 1, size, size + 1, 1 << 20, (1 << 20) + 1, 2 << 20]
        for start in places:
            for end in places:
                if start >= 0 and end >= 0:
                    assert await store.read_blob(digest, start, end) == content[start:end]
        with pytest.raises(ValueError, match="no range"):
            await store.read_blob(digest, -1, 1)
        for missing in (store.blob_size(digest_of(b"unknown")), store.read_blob(digest_of(b"unknown"), 0, 1)):
            with pytest.raises(NotFound) as caught:
                await missing
            assert caught.value.code == "blob.not_found"

    async def test_a_blob_whose_digest_does_not_fit_is_refused(self, store: Store) -> None:
        run, lease = await started(store)
        for content in (b"content", b"content" * 20_000):
            for refused in (
                store.put_blob(run.id, digest_of(b"other"), content),
                store.commit(lease, Commit(blobs=[(digest_of(b"other"), content)], entries=[entry(1)])),
            ):
                with pytest.raises(StoreError) as caught:
                    await refused
                assert caught.value.code == "store.blob_digest"
        assert await store.read_log(run.id) == []

    async def test_a_blob_for_an_unknown_run_is_refused(self, store: Store) -> None:
        for content in (b"small", b"large" * 20_000):
            with pytest.raises(NotFound):
                await store.put_blob("unknown", digest_of(content), content)

    @pytest.mark.parametrize("size", [10, 100_000])
    async def test_a_deleted_run_takes_along_the_blobs_that_no_other_run_refers_to(
        self, store: Store, size: int
    ) -> None:
        contents = [letter * size for letter in (b"a", b"b", b"c")]
        own, shared, forked = (digest_of(content) for content in contents)
        first, lease = await started(store)
        second, other = await started(store)
        for content in contents:
            await store.put_blob(first.id, digest_of(content), content)
        await store.put_blob(second.id, shared, contents[1])
        await store.commit(other, Commit(refers=[forked]))
        await store.release(lease)
        await store.delete_run(first.id)
        assert await store.get_blob(shared) == contents[1]
        assert await store.get_blob(forked) == contents[2]
        with pytest.raises(NotFound):
            await store.get_blob(own)
        await store.release(other)
        await store.delete_run(second.id)
        for digest in (shared, forked):
            with pytest.raises(NotFound):
                await store.get_blob(digest)
        assert await store.sweep() == 0

    # deletion

    async def test_a_deleted_run_is_gone_with_all_its_data(self, store: Store) -> None:
        run, lease = await started(store, key="k")
        await store.post(run.id, "pause")
        await store.commit(lease, Commit(entries=[entry(1)], events=[event()], steps=[step()], release=True))
        cursor = await store.last_cursor()
        await store.delete_run(run.id)
        for read in (store.get_run, store.read_log, store.steps, store.messages, store.delete_run):
            with pytest.raises(NotFound):
                await read(run.id)
        assert await store.read_events() == []
        assert await store.list_runs() == []
        with pytest.raises(LeaseLost):
            await store.commit(lease, Commit())
        await store.create_run(new_run(key="k"), [event()])
        assert await store.last_cursor() > cursor

    async def test_a_run_that_a_worker_holds_is_not_deleted(self, store: Store) -> None:
        run, lease = await started(store)
        with pytest.raises(LeaseHeld):
            await store.delete_run(run.id)
        await store.renew(lease, OVER)
        await store.delete_run(run.id)

    # opening and closing

    async def test_a_store_is_closed_twice_without_harm_and_keeps_its_data(self, store: Store) -> None:
        run, _ = await started(store)
        await store.close()
        await store.close()
        with pytest.raises(StoreError) as caught:
            await store.get_run(run.id)
        assert caught.value.code == "store.unavailable"
        await store.open()
        assert (await store.get_run(run.id)).status == "running"
