"""Random cases on a real store with nobody being killed: two engines of one process run them, many at a time."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from chaos.cases import Case, make_case
from chaos.invariants import check_stream
from chaos.kills import KilledWorlds, Killing
from chaos.world import Told, Worlds
from pyagent.runtime.engine import Engine
from pyagent.runtime.library import GraphLibrary
from pyagent.sdk import Context, Items, Registry
from pyagent.store import open_store
from pyagent.store.base import Store

AT_ONCE = {"sqlite": 24, "neo4j": 8}
"""Cases that are being run at the same time."""


class CalmWorlds(KilledWorlds):
    """The world outside, in the memory of the process that the steps are in."""

    def read(self, runs: set[str]) -> None:
        """Nothing: it is known."""


class Calm(Killing):
    """One store, and the cases that two engines run on it."""

    def __init__(self, store: Store, url: str, chance: random.Random) -> None:
        super().__init__(store, url, Path(), chance)
        self.worlds: dict[int, CalmWorlds] = {}

    def _world(self, case: Case) -> CalmWorlds:
        return self.worlds.setdefault(case.seed, CalmWorlds(case))

    def registry(self) -> Registry:
        """The node types of all cases."""
        worlds = self.worlds

        class AnyWorlds(Worlds):
            async def act(self, items: Items, params: Any, ctx: Context) -> Any:
                return await worlds[params.seed].act(items, params, ctx)

        return AnyWorlds(make_case(0, calm=True)).registry()

    async def play(self, cases: int, first: int, until: float) -> Counter[str]:
        """Play so many cases, or as many as there is time for."""
        follower = asyncio.create_task(self._follow())
        engines = [
            Engine(self.store, registry=self.registry(), library=GraphLibrary([]), peer=f"calm{number}")
            for number in range(2)
        ]
        working = [asyncio.create_task(engine.work()) for engine in engines]
        seeds = iter(range(first, first + cases))
        try:
            await asyncio.gather(*(self._play_some(seeds, until) for _ in range(AT_ONCE[self.url.partition(":")[0]])))
            last = await self.store.last_cursor()
            while not self.followed or self.followed[-1].cursor < last:  # noqa: ASYNC110  the follower has no word for it
                await asyncio.sleep(0.02)
            await check_stream(Told(make_case(0), Worlds(make_case(0)), self.store, followed=self.followed))
        finally:
            for task in [follower, *working]:
                task.cancel()
            await asyncio.gather(follower, *working, return_exceptions=True)
        return self.found

    async def _play_some(self, seeds: Any, until: float) -> None:
        for seed in seeds:
            if time.monotonic() > until:
                return
            try:
                await self._play(seed)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error


async def play_on(url: str, cases: int, first: int, seconds: float) -> Counter[str]:
    """Play so many cases on the store at `url`, or as many as there is time for. Raises `AssertionError`."""
    store = open_store(url)
    await store.open()
    try:
        return await Calm(store, url, random.Random(first)).play(cases, first, time.monotonic() + seconds)
    finally:
        await store.close()
