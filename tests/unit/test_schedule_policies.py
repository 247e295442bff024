"""`flow.schedule`: what becomes of times while a run is alive, and of those that passed while nobody watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pyagent.runtime.activation import activate, start_occurrence
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.live_triggers import LiveTrigger, live_triggers
from pyagent.runtime.triggers import TriggerHost
from pyagent.sdk import Occurrence
from pyagent.sdk.sources import MOST_MISSED
from pyagent.store.base import Run, RunFilter
from pyagent.store.sqlite import SqliteStore
from pyagent.testing.sources import TestSource, occurrences
from pyagent_nodes.flow.schedule import schedule

START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
GRAPH = """\
pyagent: 1
id: report
nodes:
  - {id: times, use: flow.schedule@1, with: {WITH}}
  - {id: wait, use: flow.wait@1, with: {signal: go}}
edges: [times -> wait]
"""


def ago(**time: float) -> datetime:
    return START - timedelta(**time)


async def given(params: dict[str, Any], count: int, *, started: set[str] = frozenset(), **more: Any) -> list[str]:  # type: ignore[assignment]
    context = TestSource(now=START, since=more.pop("since", ago(days=30)), started=started)
    found = await occurrences(schedule, {"every": "1h", **params}, context, count)
    return [f"{one.at:%d %H:%M}" for one in found if one.at is not None]


@pytest.mark.parametrize(
    ("params", "started", "expected"),
    [
        ({}, set(), ["05 13:00"]),
        ({"catch_up": "last"}, set(), ["05 12:00", "05 13:00"]),
        ({"catch_up": "last"}, {"2026-01-05T12:00:00Z"}, ["05 13:00"]),
        ({"catch_up": "last"}, {"2026-01-05T10:00:00Z"}, ["05 12:00", "05 13:00"]),
        ({"catch_up": "all"}, {"2026-01-05T09:00:00Z"}, ["05 10:00", "05 11:00", "05 12:00", "05 13:00"]),
        ({"catch_up": "all"}, {"2026-01-05T12:00:00Z"}, ["05 13:00"]),
        ({"catch_up": "all", "catch_up_within": "2h"}, set(), ["05 11:00", "05 12:00", "05 13:00"]),
        ({"catch_up": "all", "catch_up_within": "1m"}, set(), ["05 12:00", "05 13:00"]),
        ({"catch_up": "all", "catch_up_within": "10s"}, set(), ["05 13:00"]),
    ],
)
async def test_times_that_passed_are_made_up_for_as_the_graph_says(
    params: dict[str, Any], started: set[str], expected: list[str]
) -> None:
    assert await given(params, len(expected), started=started) == expected


async def test_nothing_from_before_the_graph_was_activated_is_made_up_for() -> None:
    found = await given({"catch_up": "all"}, 3, since=ago(hours=1, minutes=45))
    assert found == ["05 11:00", "05 12:00", "05 13:00"]


async def test_of_very_many_times_the_newest_are_made_up_for() -> None:
    context = TestSource(now=START, since=ago(days=30))
    params = {"every": "1s", "catch_up": "all", "catch_up_within": "1h"}
    found = await occurrences(schedule, params, context, MOST_MISSED)
    assert (found[0].at, found[-1].at) == (START - timedelta(seconds=MOST_MISSED - 1), START)


async def test_what_was_missed_while_the_machine_slept_is_made_up_for_too() -> None:
    context = TestSource(now=START, since=START)
    context.jumps.append((START + timedelta(minutes=10), timedelta(hours=3)))
    found = await occurrences(schedule, {"every": "1h", "catch_up": "all"}, context, 4)
    assert [f"{one.at:%H:%M}" for one in found if one.at] == ["13:00", "14:00", "15:00", "16:00"]


# with an engine


class World:
    """Engines on one store whose schedules live in virtual time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SqliteStore(folder / "store.db")
        self.engine = self.another()
        self.time = START

    def another(self) -> Engine:
        return Engine(self.store, library=GraphLibrary([self.folder]))

    async def activated(self, params: str) -> LiveTrigger:
        (self.folder / "report.yaml").write_text(GRAPH.replace("WITH", params))
        activation = await activate(self.engine, "report")
        document = await self.engine.document("report")
        (trigger,) = live_triggers(self.engine.registry, document.spec, activation)
        return trigger

    async def at(self, trigger: LiveTrigger, key: str, engine: Engine | None = None, overlap: Any = None) -> Run:
        given = overlap or trigger.params.model_dump()["overlap"]
        return await start_occurrence(engine or self.engine, trigger, Occurrence(key=key, overlap=given))

    async def alive(self) -> list[str]:
        found = RunFilter(statuses=("queued", "running", "waiting"), limit=100)
        return [run.key or "" for run in reversed(await self.store.list_runs(found))]

    @asynccontextmanager
    async def host(self) -> AsyncIterator[None]:
        async def sleep(seconds: float) -> None:
            self.time += timedelta(seconds=seconds)
            await asyncio.sleep(0)

        task = asyncio.create_task(TriggerHost(self.another(), clock=lambda: self.time, sleep=sleep).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.store.open()
    yield made
    await made.store.close()


async def test_allow_starts_runs_beside_one_another(world: World) -> None:
    trigger = await world.activated("every: 1h")
    for key in ("1", "2"):
        assert (await world.engine.drive((await world.at(trigger, key)).id)).status == "waiting"
    assert await world.alive() == ["times/1", "times/2"]


async def test_skip_starts_nothing_while_a_run_is_alive_and_keeps_that_it_did(world: World) -> None:
    trigger = await world.activated("every: 1h, overlap: skip")
    first = await world.at(trigger, "1")
    assert (await world.engine.drive(first.id)).status == "waiting"
    second = await world.at(trigger, "2")
    again = await world.at(trigger, "2", world.another())

    assert (second.status, again.id) == ("cancelled", second.id)
    (told,) = [event for event in await world.store.read_events(0, second.id) if event.kind == "run.cancelled"]
    assert first.id in told.data["reason"]
    await world.engine.signal("go")
    assert (await world.engine.drive(first.id)).status == "completed"
    assert (await world.at(trigger, "3")).status == "queued"


async def test_queued_runs_begin_one_after_the_other_in_the_order_of_their_times(world: World) -> None:
    trigger = await world.activated("every: 1h, overlap: queue")
    runs = [await world.at(trigger, key) for key in ("1", "2", "3")]
    for number, run in enumerate(runs):
        assert await world.store.claimable() == [run.id]
        assert (await world.engine.drive(run.id)).status == "waiting"
        assert await world.alive() == [f"times/{each}" for each in range(number + 1, 4)]
        await world.engine.signal("go", run_id=run.id)
        assert (await world.engine.drive(run.id)).status == "completed"


async def test_others_are_cancelled_and_have_ended_before_the_new_run_begins(world: World) -> None:
    trigger = await world.activated("every: 1h, overlap: cancel_other")
    first = await world.at(trigger, "1")
    await world.engine.drive(first.id)
    second = await world.at(trigger, "2")
    assert await world.store.claimable() == [first.id]
    assert (await world.engine.drive(first.id)).status == "cancelled"
    assert await world.store.claimable() == [second.id]
    assert (await world.engine.drive(second.id)).status == "waiting"
    (told,) = [event for event in await world.store.read_events(0, first.id) if event.kind == "run.cancelling"]
    assert second.id in told.data["reason"]


async def test_runs_that_were_started_by_hand_are_nobodys_overlap(world: World) -> None:
    trigger = await world.activated("every: 1h, overlap: skip")
    by_hand = await world.engine.run("report")
    assert by_hand.status == "waiting"
    assert (await world.at(trigger, "1")).status == "queued"


async def test_two_workers_that_look_at_once_have_one_run_at_work(world: World) -> None:
    trigger = await world.activated("every: 1h, overlap: skip")
    other = world.another()
    made = await asyncio.gather(
        *(world.at(trigger, str(number), (world.engine, other)[number % 2]) for number in range(8))
    )
    claimable = await world.store.claimable()
    assert len(claimable) == 1
    assert {run.status for run in made} <= {"queued", "cancelled"}


async def test_two_hosts_make_up_for_each_missed_time_once_and_a_deleted_run_stays_deleted(world: World) -> None:
    await world.activated("every: 1h, catch_up: all, overlap: queue")
    activations = await world.store.activations()
    world.time = activations[0].since + timedelta(hours=5, minutes=10)

    async def made(count: int) -> list[Run]:
        async with asyncio.timeout(20):
            while True:
                mark = world.store.mark()
                found = (await world.store.list_runs(RunFilter(limit=100)))[::-1]
                if len(found) >= count:
                    return found
                await world.store.changed(1, mark)

    async with world.host(), world.host():
        first = await made(6)
    keys = [run.key for run in first]
    assert len(set(keys)) == len(keys)
    assert keys[:5] == sorted(filter(None, keys))[:5]
    gone = first[0]
    await world.store.delete_run(gone.id)
    async with world.host():
        later = await made(len(first) + 1)
    assert gone.key not in [run.key for run in later]
    assert len({run.key for run in later}) == len(later)


async def test_runs_of_a_schedule_keep_to_the_limit_that_their_graph_sets(world: World) -> None:
    text = GRAPH.replace("id: report", "id: report\nsettings: {concurrency: {key: all, limit: 1}}", 1)
    (world.folder / "report.yaml").write_text(text.replace("WITH", "every: 1h"))
    activation = await activate(world.engine, "report")
    document = await world.engine.document("report")
    (trigger,) = live_triggers(world.engine.registry, document.spec, activation)
    first, _ = [await world.at(trigger, key) for key in ("1", "2")]
    assert await world.store.claimable() == [first.id]
