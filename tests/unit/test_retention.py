"""What a server forgets by itself, and what stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from pyagent.errors import SetupError
from pyagent.runtime.retention import Kept, Retention, forget, keep_forgetting, retention_from_environment
from pyagent.runtime.store_prune import Policy
from pyagent.store.base import Commit, NewEvent, NewRun, Run, RunStatus
from pyagent.testing import MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[MemoryStore]:
    made = MemoryStore(clock=clock)
    await made.open()
    yield made
    await made.close()


async def ended(store: MemoryStore, name: str, status: RunStatus = "completed", **more: str) -> Run:
    events = [NewEvent(kind="run.queued", at=await store.now(), data={})]
    new = NewRun(id=name * 8, graph_id="g", graph_hash="h", trigger="", inputs=b"{}", **more)  # type: ignore[arg-type]
    return await store.create_run(new, events, Commit(status=status))


async def left(store: MemoryStore) -> str:
    return "".join(sorted(run.id[0] for run in await store.list_runs()))


@pytest.mark.parametrize(
    ("runs", "events", "expected"),
    [
        ("", "", Retention()),
        ("30d", "", Retention(runs=(Policy(older_than=30 * DAY),))),
        ("1000", "7d, 500", Retention(runs=(Policy(keep=1000),), events=Kept(age=7 * DAY, count=500))),
        (
            "completed 7d, failed 90d, 20",
            "",
            Retention(
                runs=(
                    Policy(older_than=7 * DAY, statuses=("completed",)),
                    Policy(older_than=90 * DAY, statuses=("failed",)),
                    Policy(keep=20),
                )
            ),
        ),
    ],
)
def test_the_settings_say_what_is_kept(
    runs: str, events: str, expected: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYAGENT_KEEP_RUNS", runs)
    monkeypatch.setenv("PYAGENT_KEEP_EVENTS", events)
    assert retention_from_environment() == expected


@pytest.mark.parametrize("wrong", ["soon", "running 7d", "7", "-1", "completed", "7 days"])
def test_what_nobody_understands_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYAGENT_KEEP_RUNS", wrong)
    if wrong == "7":
        assert retention_from_environment().forgets
        return
    with pytest.raises(SetupError, match="PYAGENT_KEEP_RUNS"):
        retention_from_environment()


async def test_old_runs_go_and_what_kept_ones_come_from_stays(store: MemoryStore, clock: Clock) -> None:
    source = await ended(store, "a")
    await ended(store, "b")
    await ended(store, "c", "waiting")
    await ended(store, "d", "failed")
    clock.now = START + 20 * DAY
    await ended(store, "f", forked_from=source.id)
    clock.now = START + 31 * DAY
    assert await forget(store, Retention(runs=[Policy(older_than=30 * DAY, statuses=("completed",))])) == 1
    assert await left(store) == "acdf"


async def test_of_each_graph_the_newest_stay(store: MemoryStore) -> None:
    for name in "abcde":
        await ended(store, name)
    await forget(store, Retention(runs=[Policy(keep=2)]))
    assert await left(store) == "de"


@pytest.mark.parametrize(("days", "kept"), [(0.5, 1), (2.5, 3), (100, 10)])
async def test_events_go_by_their_age(store: MemoryStore, clock: Clock, days: float, kept: int) -> None:
    for number, name in enumerate("abcdefghij"):
        clock.now = START + number * DAY
        await ended(store, name)
    for _ in range(2):  # the second time there is nothing more to do
        await forget(store, Retention(events=Kept(age=timedelta(days=days))))
        assert len(await store.read_events()) == kept
        assert await store.forgotten() == 10 - kept
    assert await left(store) == "abcdefghij"


async def test_events_go_by_their_number(store: MemoryStore) -> None:
    for name in "abcdef":
        await ended(store, name)
    await forget(store, Retention(events=Kept(count=2)))
    assert [event.run_id[0] for event in await store.read_events()] == ["e", "f"]
    await forget(store, Retention(events=Kept(count=10)))
    assert await store.forgotten() == 4


async def test_a_server_looks_again_and_again_also_after_its_store_was_out_of_reach(
    store: MemoryStore, clock: Clock
) -> None:
    slept: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += timedelta(seconds=seconds)
        if len(slept) == 1:
            await store.close()
        elif len(slept) == 2:
            await store.open()
            await ended(store, "b")
        elif len(slept) == 3:
            done.set()
        await asyncio.sleep(0)

    await ended(store, "a")
    task = asyncio.create_task(keep_forgetting(store, Retention(runs=[Policy(keep=0)]), sleep=sleep))
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await left(store) == ""
    assert slept[0] == 3600


async def test_without_limits_nothing_is_ever_looked_for() -> None:
    await asyncio.wait_for(keep_forgetting(MemoryStore(), Retention()), 5)
