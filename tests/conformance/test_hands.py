"""An engine that works executes what begins in its process at once, as long as nobody else waits for its hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from engine_lab import Lab, graph
from pyagent.runtime.engine import Engine
from pyagent.runtime.hands import Hands

ONE = graph({"act": {"effects": "idempotent"}})
PATIENCE = 20


@asynccontextmanager
async def working(engine: Engine, limit: int = 8) -> AsyncGenerator[None]:
    task = asyncio.create_task(engine.work(limit=limit))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_begins_in_a_working_engine_is_its_own_at_once(lab: Lab) -> None:
    gate = lab.gate("act")
    async with working(lab.engine):
        run = await lab.engine.start(ONE, {})
        driving = lab.engine.under_way(run.id)
        assert driving is not None
        assert run.lease_owner == lab.engine.peer
        assert run.id not in await lab.store.claimable()
        gate.set()
        ended = await asyncio.wait_for(driving, PATIENCE)
    assert ended is not None
    assert ended.status == "completed"
    kept = await lab.store.get_run(run.id)
    assert (kept.status, kept.lease_owner, kept.adoptions) == ("completed", None, 0)
    assert lab.engine.under_way(run.id) is None


async def test_an_engine_that_does_not_work_leaves_a_run_to_whoever_comes(lab: Lab) -> None:
    run = await lab.engine.start(ONE, {})
    assert lab.engine.under_way(run.id) is None
    assert await lab.store.claimable() == [run.id]


async def test_runs_that_found_no_free_hand_go_before_those_that_begin_later(lab: Lab) -> None:
    gate = lab.gate("act")
    async with working(lab.engine, limit=1):
        first = await lab.engine.start(ONE, {})
        second = await lab.engine.start(ONE, {})
        third = await lab.engine.start(ONE, {})
        assert lab.engine.under_way(first.id) is not None
        assert lab.engine.under_way(second.id) is None
        assert (second.lease_owner, third.lease_owner) == (None, None)
        gate.set()
        for run in (first, second, third):
            assert (await asyncio.wait_for(lab.engine.wait(run.id), PATIENCE)).status == "completed"
    runs = [await lab.store.get_run(run.id) for run in (first, second, third)]
    began = [run.started_at for run in runs if run.started_at is not None]
    assert began == sorted(began)
    assert len(began) == 3


async def test_a_hand_that_is_free_again_takes_the_next_run_without_waiting_for_news(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed_or = Hands.freed_or

    async def freed_only(hands: Hands, news: Coroutine[Any, Any, bool]) -> None:
        news.close()
        await freed_or(hands, asyncio.Event().wait())

    monkeypatch.setattr(Hands, "freed_or", freed_only)
    lab.gate("act").set()
    runs = [await lab.engine.start(ONE, {}) for _ in range(12)]
    async with working(lab.engine, limit=1):
        for run in runs:
            assert (await asyncio.wait_for(lab.engine.wait(run.id), PATIENCE)).status == "completed"


async def test_an_engine_that_stops_leaves_what_it_has_in_hand_to_the_next(lab: Lab) -> None:
    gate = lab.gate("act")
    async with working(lab.engine):
        run = await lab.engine.start(ONE, {})
        await asyncio.wait_for(lab.called("act"), PATIENCE)
        gate.set()
    assert (await lab.store.get_run(run.id)).lease_owner is None
    ended = await asyncio.wait_for(lab.another_engine().drive(run.id), PATIENCE)
    assert ended.status == "completed"
    assert lab.tries()["act"] == 1


async def test_a_start_key_that_is_taken_begins_nothing_here(lab: Lab) -> None:
    gate = lab.gate("act")
    held = await lab.engine.start(ONE, {}, key="one")
    other = lab.another_engine(peer="other")
    async with working(other):
        same = await other.start(ONE, {}, key="one", key_policy="existing")
        gate.set()
        assert same.id == held.id
        assert (await asyncio.wait_for(lab.engine.wait(held.id), PATIENCE)).status == "completed"
    assert lab.tries()["act"] == 1
