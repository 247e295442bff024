"""Neo4j that is down, goes away, comes back, refuses, is slow or newer: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine_lab import graph
from neo4j_server import Neo4jServer, free_port
from pyagent.errors import LeaseHeld, LeaseLost, StoreError
from pyagent.runtime.engine import Engine
from pyagent.runtime.store_check import check_store
from pyagent.sdk import Context, Item, NodeParams, Registry, node
from pyagent.store.base import Commit, Lease, StepRecord, StoreUnavailable, Successor
from pyagent.store.blobs import digest_of
from pyagent.store.neo4j import Neo4jStore, connection
from pyagent.store.neo4j.connection import do, rows
from pyagent.testing.store_parts import MINUTE, OVER, entry, event, new_run, random_bytes, started
from tcp_proxy import TcpProxy

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Neo4jStore]:
    store = Neo4jStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(neo4j: Neo4jServer) -> AsyncIterator[Neo4jStore]:
    async with opened(neo4j.url) as store:
        yield store


@pytest.fixture
async def proxy(neo4j: Neo4jServer) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(neo4j.port) as proxy:
        yield proxy


def by_proxy(neo4j: Neo4jServer, proxy: TcpProxy) -> str:
    """The server's address by the proxy; `bolt`, because `neo4j` asks the server for its own address."""
    return neo4j.url.replace("neo4j://", "bolt://").replace(f":{neo4j.port}", f":{proxy.port}")


async def command(url: str, *arguments: str) -> tuple[int, str]:
    """Exit code and error of a command line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pyagent.cli", *arguments),
        env={**os.environ, "PYAGENT_STORE": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


# -- at the start -------------------------------------------------------------------------------------------------


async def test_a_server_that_is_down_is_told_with_what_to_do(neo4j: Neo4jServer) -> None:
    url = neo4j.url.replace(str(neo4j.port), str(free_port()))
    code, said = await command(url, "runs")
    assert code == 5
    assert "store.unavailable" in said
    assert "Start the Neo4j server" in said
    assert neo4j.password not in said
    assert "Traceback" not in said


async def test_a_wrong_password_is_told_and_not_shown(neo4j: Neo4jServer) -> None:
    code, said = await command(neo4j.url.replace(neo4j.password, "not-the-password"), "runs")
    assert code == 5
    assert "refuses the user neo4j" in said
    assert "PYAGENT_STORE" in said
    assert "not-the-password" not in said


async def test_doctor_and_settings_know_the_server_and_show_no_password(neo4j: Neo4jServer) -> None:
    for arguments in (("doctor",), ("doctor", "--json"), ("settings",), ("settings", "--json"), ("runs", "--json")):
        code, said = await command(neo4j.url, *arguments)
        assert code == 0, said
        assert neo4j.password not in said
    _, said = await command(neo4j.url, "doctor")
    assert f"neo4j:***@127.0.0.1:{neo4j.port} answers" in said


async def test_a_newer_schema_is_left_alone(neo4j: Neo4jServer, store: Neo4jStore) -> None:
    async def to_version(number: int) -> None:
        query = "MATCH (s:Schema {name: 'pyagent'}) SET s.version = $version"
        await store.connection.write(lambda to: do(to, query, version=number))

    [found] = await store.connection.read(lambda of: rows(of, "MATCH (s:Schema) RETURN s.version AS version"))
    await to_version(999)
    try:
        with pytest.raises(StoreError, match=r"schema 999") as raised:
            async with opened(neo4j.url):
                pass
        assert raised.value.code == "store.schema_newer"
        assert "upgrade" in (raised.value.hint or "")
    finally:
        await to_version(found["version"])


# -- while a run is at work ----------------------------------------------------------------------------------------


class CountParams(NodeParams):
    """Parameters of `fault.once` and `fault.idempotent`."""


_done: list[tuple[str, str, str]] = []
"""Effects outside of the store: the run, the step, and the key."""


@node("fault.once", title="Once", effects="once")
async def act_once(items: list[Item], params: CountParams, ctx: Context) -> list[Item]:
    """Do something outside that must happen once."""
    _done.append((ctx.run_id, ctx.step, ctx.idempotency_key))
    return [item.derive({"n": item.json.get("n", 0) + 1}, index) for index, item in enumerate(items)]


@node("fault.idempotent", title="Idempotent", effects="idempotent")
async def act(items: list[Item], params: CountParams, ctx: Context) -> list[Item]:
    """Do something outside that may happen again."""
    return [item.derive({"n": item.json.get("n", 0) + 1}, index) for index, item in enumerate(items)]


def registry() -> Registry:
    found = Registry.installed()
    found.add(act_once)
    found.add(act)
    return found


LENGTH = 30
CHAIN = graph(
    {f"n{index}": {"use": ("fault.once", "fault.idempotent")[index % 2]} for index in range(LENGTH)},
    [f"n{index} -> n{index + 1}" for index in range(LENGTH - 1)],
    id="faults",
    outputs={"n": f"{{{{ $('n{LENGTH - 1}').first().json.n }}}}"},
)


async def assert_whole(engine: Engine, run_id: str) -> None:
    """Every step once, every effect once, every event once, and the store in order."""
    run = await engine.store.get_run(run_id)
    assert run.status == "completed", run.error
    assert json.loads(run.outputs or b"{}") == {"n": LENGTH}
    done = Counter(key for where, _, key in _done if where == run_id)
    assert len(done) == LENGTH // 2
    assert set(done.values()) == {1}
    ended = Counter(str(found.step) for found in await engine.log(run_id) if found.kind == "step.ended")
    assert ended == {f"n{index}": 1 for index in range(LENGTH)}
    told = Counter(
        found.step
        for found in await engine.store.read_events(run_id=run_id, limit=10_000)
        if found.kind == "step.completed"
    )
    assert told == ended
    runs, faults = await check_store(engine.store)
    assert runs > 0
    assert [fault for fault in faults if fault.run in ("", run_id)] == []


async def carried(engine: Engine, run_id: str) -> None:
    """Drive a run to its end, as a worker does, and settle what is unknown, as a person does who looks outside.

    A worker that cannot reach the store for as long as its lease lasts stops, and takes the run up again afterwards.
    """
    while True:
        try:
            run = await engine.drive(run_id)
            if run.status != "waiting":
                return
            for step in await engine.store.steps(run_id):
                if step.status == "unknown":
                    done = any(where == run_id and at == step.step for where, at, _ in _done)
                    items = [{"n": int(step.step.removeprefix("n")) + 1}] if done else None
                    await engine.resolve(run_id, step.step, "done" if done else "retry", items=items)
        except (LeaseLost, LeaseHeld, StoreUnavailable):
            await asyncio.sleep(0.2)


async def after(engine: Engine, run_id: str, count: int) -> None:
    """Return when so many steps have ended."""
    seen = 0
    async for events in engine.store.follow(0, run_id):
        seen += sum(found.kind == "step.completed" for found in events)
        if seen >= count:
            return


async def test_a_run_goes_on_when_the_server_was_away_for_a_while(neo4j: Neo4jServer, proxy: TcpProxy) -> None:
    async with opened(by_proxy(neo4j, proxy)) as store, opened(neo4j.url) as watching:
        engine = Engine(store, registry=registry())
        run = await engine.start(CHAIN, {"n": 0})
        work = asyncio.create_task(carried(engine, run.id))
        for count in (5, 12):
            await after(Engine(watching), run.id, count)
            await proxy.stop()
            await asyncio.wait([work], timeout=2)
            assert not work.done()
            await proxy.start()
        await work
        await assert_whole(engine, run.id)


async def test_a_run_goes_on_when_the_server_is_killed_and_started_again(neo4j: Neo4jServer) -> None:
    async with opened(neo4j.url) as store:
        engine = Engine(store, registry=registry())
        run = await engine.start(CHAIN, {"n": 0})
        work = asyncio.create_task(carried(engine, run.id))
        await after(engine, run.id, 8)
        await asyncio.to_thread(neo4j.kill)
        await asyncio.to_thread(neo4j.start)
        await work
        await assert_whole(engine, run.id)


async def test_a_run_that_gave_up_on_the_server_is_resumed(
    neo4j: Neo4jServer, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_SECONDS", 0.5)
    async with opened(by_proxy(neo4j, proxy)) as store, opened(neo4j.url) as watching:
        # Longer than a server that has just begun needs for a commit: the worker would lose its lease by that.
        engine = Engine(store, registry=registry(), lease=timedelta(seconds=5))
        run = await engine.start(CHAIN, {"n": 0})
        work = asyncio.create_task(engine.drive(run.id))
        seen = asyncio.create_task(after(Engine(watching), run.id, 8))
        await asyncio.wait({work, seen}, return_when=asyncio.FIRST_COMPLETED)
        assert seen.done()
        await proxy.stop()
        with pytest.raises(StoreError):
            await work
        other = Engine(watching, registry=registry())
        await carried(other, run.id)
        await assert_whole(other, run.id)


async def test_nothing_that_was_acknowledged_is_missing_after_a_kill_under_eight_writers(neo4j: Neo4jServer) -> None:
    async with opened(neo4j.url) as store:
        leases = [(await started(store))[1] for _ in range(8)]
        acknowledged: dict[str, int] = {}
        killed = asyncio.Event()

        async def write(lease: Lease) -> None:
            for seq in itertools.count(1):
                await store.commit(lease, Commit(entries=[entry(seq)], events=[event(n=seq)]))
                acknowledged[lease.run_id] = seq
                if killed.is_set():
                    return

        writers = [asyncio.create_task(write(lease)) for lease in leases]
        while sum(acknowledged.values()) < 100:
            await store.changed(1.0)
        await asyncio.to_thread(neo4j.kill)
        starting = asyncio.to_thread(neo4j.start)
        killed.set()
        await asyncio.gather(starting, *writers)
        for lease in leases:
            log = await store.read_log(lease.run_id)
            assert [found.seq for found in log] == list(range(1, acknowledged[lease.run_id] + 1))
            events = await store.read_events(run_id=lease.run_id, limit=10_000)
            assert [found.data["n"] for found in events] == [found.seq for found in log]


# -- a commit whose outcome nobody knows ----------------------------------------------------------------------------


@pytest.mark.parametrize("blobs", [False, True], ids=["in one query", "in a transaction"])
async def test_a_commit_whose_answer_is_lost_is_applied_once(
    neo4j: Neo4jServer, proxy: TcpProxy, store: Neo4jStore, blobs: bool
) -> None:
    async with opened(by_proxy(neo4j, proxy)) as cut:
        run, lease = await started(store)
        for seq in range(1, 6):
            data = random_bytes(100, seq)
            kept = [(digest_of(data), data)] if blobs else []
            # With blobs the COMMIT message (signature 0x12) is what the server does not get to answer.
            proxy.cut_answers((lambda sent: sent.endswith(b"\x00\x02\xb0\x12\x00\x00")) if blobs else _is_commit)
            await cut.commit(
                lease,
                Commit(entries=[entry(seq)], events=[event(n=seq)], steps=[StepRecord(
                    step=f"s{seq}", node="s", scope="", status="completed")], blobs=kept),
            )  # fmt: skip
        # A commit of events alone has no place in the log to tell it by.
        proxy.cut_answers(_is_commit)
        await cut.commit(lease, Commit(events=[event(n=6)]))
        assert proxy.cuts == 6
        assert [found.seq for found in await store.read_log(run.id)] == [1, 2, 3, 4, 5]
        assert [found.data["n"] for found in await store.read_events(run_id=run.id)] == [1, 2, 3, 4, 5, 6]
        assert [found.step for found in await store.steps(run.id)] == [f"s{seq}" for seq in range(1, 6)]
        assert len(await store.blobs_of(run.id)) == (5 if blobs else 0)


def _is_commit(sent: bytes) -> bool:
    """Whether a request carries a commit's query."""
    return b"log_length = r.log_length + size($entries)" in sent


async def test_a_run_whose_creation_is_not_answered_is_created_once(
    neo4j: Neo4jServer, proxy: TcpProxy, store: Neo4jStore
) -> None:
    async with opened(by_proxy(neo4j, proxy)) as cut:
        proxy.cut_answers(lambda sent: sent.endswith(b"\x00\x02\xb0\x12\x00\x00"))
        run = await cut.create_run(new_run(key=f"k{datetime.now(UTC)}"), [event("run.queued")])
        assert proxy.cuts == 1
        assert run.status == "queued"
        assert len(await store.read_events(run_id=run.id)) == 1


# -- others at the same time ----------------------------------------------------------------------------------------


async def test_transactions_that_lock_one_another_out_are_tried_again(neo4j: Neo4jServer) -> None:
    async with opened(neo4j.url) as store:
        first, second = [(await started(store))[0] for _ in range(2)]
        tries = Counter[int]()
        inside = asyncio.Barrier(2)

        async def cross(number: int, order: list[str]) -> None:
            async def work(to: Any) -> None:
                tries[number] += 1
                await do(to, "MATCH (l:Lease {run: $run}) SET l.locked = true", run=order[0])
                if tries[number] == 1:
                    await inside.wait()
                await do(to, "MATCH (l:Lease {run: $run}) SET l.locked = true", run=order[1])

            await store.connection.write(work)

        await asyncio.gather(cross(0, [first.id, second.id]), cross(1, [second.id, first.id]))
        assert sum(tries.values()) >= 3


async def test_transactions_of_the_store_wait_for_one_another_and_never_in_a_circle(
    neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    tried = connection._again_if_gone

    def noted(work: Any) -> Any:
        async def noting(transaction: Any) -> Any:
            try:
                return await tried(work)(transaction)
            except Exception as error:
                refused.append(str(error))
                raise

        return noting

    monkeypatch.setattr(connection, "_again_if_gone", noted)
    async with opened(neo4j.url) as store:

        async def work(number: int) -> None:
            for _ in range(6):
                handed = new_run(fairness=str(number))
                await store.create_run(handed, [event()], first=Commit(status="queued", events=[event()]))
                for lease in await store.take(f"worker-{number}", MINUTE, limit=3):
                    if number % 2:
                        await store.release(lease)
                    else:
                        await store.commit(lease, Commit(events=[event()], release=True))
                _, lease = await started(store)
                successor = Successor(run=new_run(), events=[event()], first=Commit(status="queued", events=[event()]))
                await store.commit(lease, Commit(status="completed", successor=successor, release=True))

        await asyncio.gather(*map(work, range(6)))
    assert [error for error in refused if "deadlock" in error.lower()] == []


async def test_a_server_that_changes_its_leader_is_asked_again(
    neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single server has no leader to change: the driver's error for it is raised in its place."""
    from neo4j import AsyncManagedTransaction
    from neo4j.exceptions import Neo4jError

    async with opened(neo4j.url) as store:
        run, lease = await started(store)
        left = 2

        async def not_the_leader(*_: Any, **__: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise Neo4jError._hydrate_neo4j(  # pyright: ignore[reportPrivateUsage]
                    code="Neo.ClientError.Cluster.NotALeader", message="not the leader"
                )
            return await original(*_, **__)

        original = AsyncManagedTransaction.run
        monkeypatch.setattr(AsyncManagedTransaction, "run", not_the_leader)
        data = random_bytes(10, 1)
        await store.commit(lease, Commit(entries=[entry(1)], blobs=[(digest_of(data), data)]))
        assert left == 0
        assert len(await store.read_log(run.id)) == 1


async def test_a_server_that_takes_no_writes_is_told(neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Community edition has no users with fewer rights; a database can be made read-only while it runs."""
    monkeypatch.setattr(connection, "RETRY_SECONDS", 0.5)
    async with opened(neo4j.url) as store:
        _, lease = await started(store)

        async def setting(value: str) -> None:
            query = "CALL dbms.setConfigValue('server.databases.read_only', $value)"
            driver: Any = store.connection._driver  # pyright: ignore[reportPrivateUsage]
            await driver.execute_query(query, {"value": value}, database_="system")

        try:
            await setting("neo4j")
        except Exception as refused:  # the edition decides which settings can be changed
            pytest.skip(f"this server cannot be made read-only while it runs: {refused}")
        try:
            with pytest.raises(StoreUnavailable) as raised:
                await store.commit(lease, Commit(entries=[entry(1)]))
            assert raised.value.hint
        finally:
            await setting("")


# -- stale tokens and clocks ----------------------------------------------------------------------------------------


async def test_of_thousands_of_stale_commits_none_is_accepted(neo4j: Neo4jServer) -> None:
    async with opened(neo4j.url) as mine, opened(neo4j.url) as theirs:
        run = await mine.create_run(new_run())
        accepted: list[tuple[int, int]] = []
        refused = 0
        seq = 0
        stale: list[Lease] = []
        for turn in range(20):
            store, other = (mine, theirs) if turn % 2 else (theirs, mine)
            lease = await store.claim(run.id, f"worker-{turn}", MINUTE if turn == 19 else OVER)

            async def late(where: Neo4jStore, old: Lease, seq: int = seq, lease: Lease = lease) -> None:
                nonlocal refused
                try:
                    # It fits the log as it is, or as it will be; nothing but the token is wrong.
                    commit = Commit(entries=[entry(seq + 1 + refused % 2)], events=[event()], status="failed")
                    await where.commit(old, commit)
                    accepted.append((old.token, lease.token))
                except LeaseLost:
                    refused += 1

            # While the lease's owner commits, the others try with every token that there was, on both stores.
            tries = [late(where, old) for old in stale for where in (mine, theirs) for _ in range(6)]
            for batch in itertools.batched(tries, 60) if sys.version_info >= (3, 12) else _batches(tries, 60):
                seq += 1
                commit = Commit(entries=[entry(seq)], events=[event(n=seq)], status="running")
                await asyncio.gather(other.commit(lease, commit), *batch)
            stale.append(lease)
        assert accepted == []
        assert refused >= 2000
        assert [found.seq for found in await mine.read_log(run.id)] == list(range(1, seq + 1))
        assert (await mine.get_run(run.id)).status == "running"


def _batches(tries: list[Any], size: int) -> list[list[Any]]:
    return [tries[start : start + size] for start in range(0, len(tries), size)]


@pytest.mark.parametrize("step", [timedelta(hours=5), timedelta(hours=-5)], ids=["forward", "back"])
async def test_the_servers_clock_decides_whatever_the_clients_says(
    store: Neo4jStore, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    import time

    import pyagent.store.neo4j.leases as leases

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step.total_seconds())
    assert not hasattr(leases, "datetime")
    _, lease = await started(store)
    assert abs((lease.expires_at - MINUTE - datetime.now(UTC)).total_seconds()) < 30
    stale = replace(lease, expires_at=lease.expires_at + step)
    # The lease is what the server's clock says, not what the client's or the lease itself does.
    await store.commit(stale, Commit(entries=[entry(1)]))
    renewed = await store.renew(stale, MINUTE)
    assert abs((renewed.expires_at - lease.expires_at).total_seconds()) < 30
    assert lease.run_id not in await store.claimable(1000)
    expired = await store.create_run(new_run())
    await store.claim(expired.id, "gone", OVER)
    assert expired.id in await store.claimable(1000)


# -- large payloads -------------------------------------------------------------------------------------------------


async def test_a_payload_of_50_megabytes_comes_back(store: Neo4jStore, tmp_path: Path) -> None:
    run = await store.create_run(new_run())
    data = random_bytes(50_000_000, 1)
    path = tmp_path / "large"
    path.write_bytes(data)
    digest, size = await store.put_blob_file(run.id, path)
    assert size == len(data)
    assert await store.read_blob(digest, 41_999_990, 42_000_010) == data[41_999_990:42_000_010]
    assert await store.get_blob(digest) == data
    await store.delete_run(run.id)
    assert (await store.connection.read(lambda of: rows(of, "MATCH (c:Chunk) RETURN count(c) AS left")))[0]["left"] == 0


async def test_an_item_of_50_megabytes_goes_through_a_run(store: Neo4jStore) -> None:
    large = graph(
        {
            "make": {"use": "code.python", "with": {"code": "return [{'text': 'ab' * 25_000_000}]"}},
            "count": {"use": "data.set", "with": {"fields": {"size": "{{ $json.text.length }}"}}},
        },
        ["make -> count"],
        id="large",
        outputs={"size": "{{ $('count').first().json.size }}"},
    )
    engine = Engine(store, registry=registry())
    run = await engine.run(large, {})
    assert run.status == "completed", run.error
    assert await engine.outputs(run.id) == {"size": 50_000_000}
    await store.delete_run(run.id)
