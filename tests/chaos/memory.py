"""Cases on the store in memory, in virtual time: a case is a few milliseconds of real time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from chaos.cases import Case, make_case
from chaos.invariants import check, check_deletion, check_stream
from chaos.virtual import VirtualLoop, run_virtually
from chaos.world import Stage, Told
from pyagent.testing import MemoryStore


async def _played(case: Case) -> Told:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    ahead = timedelta(0)

    def shift(seconds: float) -> None:
        nonlocal ahead
        ahead = timedelta(seconds=seconds)

    store = MemoryStore(clock=lambda: loop.now() + ahead)
    await store.open()
    stage = Stage(case, store, begin_shift=shift)
    told = await stage.run()
    await check(told, stage.person)
    await check_stream(told)
    await asyncio.sleep(60)  # leases of claims whose answers were lost run out
    await check_deletion(stage)
    return told


def play_case(seed: int) -> Told:
    """Make and play the case of a seed. Raises `AssertionError` where something does not hold."""
    told: Told = run_virtually(_played(make_case(seed)))
    return told
