"""SEMANTICS 19 for the worker that loses its lease, and for clocks that differ: the store's clock decides."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from engine_lab import Lab, graph
from pyagent.errors import LeaseLost
from pyagent.runtime.engine import Engine
from pyagent.store.base import Store
from pyagent.testing import FaultyStore
from pyagent.testing.faulty_store import Fault

LEASE = timedelta(seconds=0.5)
ONE = graph({"act": {"effects": "once"}})


def faulty(lab: Lab, faults: dict[str, Fault], delay: float) -> Engine:
    """An engine of its own whose first calls of these methods have these faults."""
    seen = FaultyStore(lab.store, lambda method: faults.pop(method, None), delay=delay)
    return lab.another_engine(store=cast(Store, seen), lease=LEASE, peer="faulty")


@pytest.mark.parametrize("effects", ["none", "idempotent", "once"])
async def test_a_worker_that_cannot_renew_its_lease_stops_its_steps_within_a_second(lab: Lab, effects: str) -> None:
    stopped: list[float] = []
    loop = asyncio.get_running_loop()

    @lab.on("act")
    async def act(items: Any, ctx: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(loop.time())

    engine = faulty(lab, {"renew": "late"}, delay=1000)
    run = await lab.engine.start(graph({"act": {"effects": effects}}))
    begun = loop.time()
    with pytest.raises(LeaseLost):
        await lab.drive(run, engine)

    assert len(stopped) == 1
    assert stopped[0] - begun < LEASE.total_seconds() + 1


async def test_what_a_worker_does_after_its_lease_has_run_out_is_not_recorded(lab: Lab) -> None:
    cut, taken_over = asyncio.Event(), asyncio.Event()

    @lab.on("act")
    async def act(items: Any, ctx: Any) -> Any:
        if not cut.is_set():
            cut.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                # It does not heed the stop, and comes to an end of its own.
                await taken_over.wait()
                return {"out": [{"by": "the old worker"}]}
        return {"out": [{"by": "the new worker"}]}

    old = faulty(lab, {"renew": "late"}, delay=1000)
    run = await lab.engine.start(graph({"act": {}}, outputs={"by": "{{ $('act').first().json.by }}"}))
    driving = lab.driving(run, old)
    await cut.wait()
    while run.id not in await lab.store.claimable():
        await lab.store.changed(0.05)
    new = lab.driving(run, lab.another_engine(lease=LEASE))
    await lab.called("act", 2)
    taken_over.set()

    assert (await new).status == "completed"
    with pytest.raises(LeaseLost):
        await driving
    assert await lab.outputs(run) == {"by": "the new worker"}
    assert len(await lab.log(run, "step.ended")) == 1


async def test_a_run_that_another_worker_has_ended_meanwhile_is_not_ended_again(lab: Lab) -> None:
    late = faulty(lab, {"claim": "late"}, delay=0.3)
    run = await lab.engine.start(ONE)
    driving = lab.driving(run, late)
    assert (await lab.drive(run)).status == "completed"

    assert (await driving).status == "completed"
    assert len(await lab.events(run, "run.completed")) == 1
    assert (await lab.store.get_run(run.id)).lease_owner is None


async def test_a_worker_goes_on_when_the_store_is_back(lab: Lab) -> None:
    engine = faulty(lab, {"claimable": "refused", "take": "refused", "claim": "refused", "commit": "refused"}, delay=0)
    run = await lab.engine.start(ONE)
    working = asyncio.create_task(engine.work())
    try:
        assert (await asyncio.wait_for(lab.engine.wait(run.id), 20)).status == "completed"
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize("ahead", [-5, 5])
async def test_a_clock_that_is_five_seconds_wrong_neither_shortens_waits_nor_takes_runs_up_in_vain(
    lab: Lab, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=ahead)

    for name, module in list(sys.modules.items()):
        if name.startswith("pyagent.runtime.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Wrong)
    begun = datetime.now(UTC)
    run = await lab.run(graph({"wait": {"use": "flow.wait", "with": {"for": "500ms"}}}))
    assert run.status == "waiting"
    assert abs((cast(datetime, run.wake_at) - begun).total_seconds()) < 2
    working = asyncio.create_task(lab.engine.work())
    try:
        await lab.until(run, "run.completed")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    assert len(await lab.events(run, "run.waiting")) == 1
