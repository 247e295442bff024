"""Several processes on one SQLite file: nothing is missed, nothing is doubled, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from pyagent.store.sqlite import SqliteStore
from pyagent.testing.store import collect, new_run

pytestmark = pytest.mark.integration

PRELUDE = """
import asyncio, json, sys
from datetime import UTC, datetime, timedelta
from pyagent.errors import LeaseHeld
from pyagent.store import Commit, LogRecord, NewEvent, open_store

def say(*words):
    print(*words, flush=True)

def change(seq, writer):
    event = NewEvent(kind="step.log", at=datetime.now(UTC), data={"writer": writer, "n": seq})
    return Commit(entries=[LogRecord(seq=seq, kind="test", step=writer, body=b"x" * 600)], events=[event, event])

async def main(store, *words):
"""
POSTLUDE = """
async def opened():
    store = open_store(sys.argv[1])
    await store.open()
    await main(store, *sys.argv[2:])
    await store.close()

asyncio.run(opened())
"""
WRITER = """
    run, other, count = words
    lease = await store.claim(run, run, timedelta(minutes=1))
    say("ready")
    sys.stdin.readline()
    theirs, seen = store.follow(run_id=other), 0
    for seq in range(1, int(count) + 1):
        await store.commit(lease, change(seq, run))
        while seen < seq - 10:  # else each commits all of its own in one turn
            seen = (await anext(theirs))[-1].data["n"]
"""
FOLLOWER = """
    left = int(words[0])
    say("ready")
    async for batch in store.follow():
        for event in batch:
            say(json.dumps([event.cursor, event.run_id, event.data["n"]]))
        left -= len(batch)
        if left <= 0:
            break
"""
ENDLESS_WRITER = """
    lease = await store.claim(words[0], "writer", timedelta(0))
    seq = (await store.get_run(words[0])).log_length
    while True:
        seq += 1
        await store.commit(lease, change(seq, "writer"))
        say(seq)
"""
RIVAL = """
    run, owner, count = words
    say("ready")
    sys.stdin.readline()
    for _ in range(int(count)):
        while True:
            try:
                lease = await store.claim(run, owner, timedelta(seconds=30))
                break
            except LeaseHeld:
                continue  # there is no event to wait for: a lease ends silently
        length = (await store.get_run(run)).log_length
        await store.commit(lease, change(length + 1, owner))
        await store.release(lease)
        say(lease.token)
"""


@asynccontextmanager
async def process(body: str, path: Path, *words: str) -> AsyncIterator[Process]:
    program = PRELUDE + body + POSTLUDE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), *words, stdin=PIPE, stdout=PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def line(child: Process) -> str:
    assert child.stdout is not None
    return (await asyncio.wait_for(child.stdout.readline(), 60)).decode().strip()


async def go(*children: Process) -> None:
    """Let processes that said `ready` begin at once."""
    for child in children:
        assert await line(child) == "ready"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "pyagent.db")
    await store.open()
    yield store
    await store.close()


async def test_a_third_process_follows_two_that_commit_at_once(store: SqliteStore) -> None:
    runs, count = ["run-one", "run-two"], 300
    for run in runs:
        await store.create_run(new_run(id=run))
    total = len(runs) * count * 2
    async with (
        process(FOLLOWER, store.path, str(total)) as follower,
        process(WRITER, store.path, *runs, str(count)) as one,
        process(WRITER, store.path, *reversed(runs), str(count)) as two,
    ):
        assert await line(follower) == "ready"
        here = asyncio.create_task(collect(store.follow(), total))
        await go(one, two)
        there = [json.loads(await line(follower)) for _ in range(total)]
        assert await asyncio.gather(one.wait(), two.wait(), follower.wait()) == [0, 0, 0]
    kept = await store.read_events(limit=total + 1)
    assert [[event.cursor, event.run_id, event.data["n"]] for event in kept] == there
    assert await here == kept
    assert [event.cursor for event in kept] == sorted({event.cursor for event in kept})
    for run in runs:
        assert [n for _, of, n in there if of == run] == [n for n in range(1, count + 1) for _ in range(2)]
        assert len(await store.read_log(run)) == count
    # They did write at once, or this has shown nothing.
    assert sum(before != after for (_, before, _), (_, after, _) in pairwise(there)) > 10


async def test_processes_that_fight_for_one_run_take_turns(store: SqliteStore) -> None:
    await store.create_run(new_run(id="run-one"))
    async with (
        process(RIVAL, store.path, "run-one", "ann", "40") as one,
        process(RIVAL, store.path, "run-one", "bob", "40") as two,
    ):
        await go(one, two)
        tokens = [int(await line(child)) for child in (one, two) for _ in range(40)]
        assert await asyncio.gather(one.wait(), two.wait()) == [0, 0]
    assert sorted(tokens) == list(range(1, 81))
    assert [record.seq for record in await store.read_log("run-one")] == list(range(1, 81))
    assert len(await store.read_events()) == 160


async def test_a_writer_killed_twenty_times_loses_nothing_it_was_told_is_kept(store: SqliteStore) -> None:
    await store.create_run(new_run(id="run-one"))
    chance = random.Random(20)
    acknowledged = 0
    for _ in range(20):
        async with process(ENDLESS_WRITER, store.path, "run-one") as child:
            for _ in range(chance.randint(1, 60)):
                acknowledged = int(await line(child))
            child.kill()
            while told := await line(child):
                acknowledged = int(told)
            await child.wait()
        log = await store.read_log("run-one")
        assert [record.seq for record in log] == list(range(1, len(log) + 1))
        assert acknowledged <= len(log) <= acknowledged + 1  # one may be kept of which nobody was told
        acknowledged = len(log)
    numbers = [event.data["n"] for event in await store.read_events(limit=10 * acknowledged)]
    assert numbers == [n for n in range(1, acknowledged + 1) for _ in range(2)]
    assert acknowledged > 100
