"""Workers in processes of their own, killed by `kill -9` at any moment, on SQLite and on a real Neo4j."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

from chaos.cases import Case, make_case
from chaos.invariants import check, check_stream
from chaos.world import Effect, Stage, Told, Worlds
from neo4j_server import Neo4jServer
from pyagent.graph.yaml import dump
from pyagent.store import open_store
from pyagent.store.base import ENDED, Event, Store

LEASE = 0.5
PACE = 0.05
"""Steps that take 2 s in virtual time take 0.1 s here."""
AT_ONCE = 6
"""Cases that are being run at the same time."""
WORKERS = 3
PATIENCE = 120.0
"""Seconds after which a case that has not ended has lost a step."""
PROGRAM = Path(__file__).parents[1] / "programs" / "chaos_worker.py"


class KilledWorlds(Worlds):
    """What workers' steps did outside, read from their file."""

    path: Path

    def read(self, runs: set[str]) -> None:
        """Read what was done for these runs."""
        text = self.path.read_text() if self.path.exists() else ""
        # The last line may be half written: it is read the next time.
        found = [Effect(**json.loads(line)) for line in text.split("\n")[:-1]]
        self.ledger = [effect for effect in found if effect.run in runs]


class Killing:
    """One store, workers on it that are killed, and the cases that they run."""

    def __init__(self, store: Store, url: str, folder: Path, chance: random.Random) -> None:
        self.store, self.url, self.chance = store, url, chance
        # On a server, a worker needs longer to come to anything that it can be killed at.
        self.lives = (0.05, 0.5) if url.startswith("sqlite") else (0.3, 1.8)
        """Seconds between two kills."""
        self.ledger = folder / "effects.jsonl"
        self.followed: list[Event] = []
        self.found: Counter[str] = Counter()
        self.workers: list[int] = []
        self.over = False

    async def run(self, kills: int, first: int, until: float) -> Counter[str]:
        """Play cases, one after the other, until so many workers have been killed."""
        line = [sys.executable, str(PROGRAM), self.url, str(LEASE), str(self.ledger), str(PACE)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        forks = await asyncio.create_subprocess_exec(*line, stdin=PIPE, stdout=PIPE, env=environment)
        assert forks.stdin is not None
        assert forks.stdout is not None
        assert await forks.stdout.readline() == b"ready\n"

        async def fork() -> None:
            assert forks.stdin is not None
            assert forks.stdout is not None
            forks.stdin.write(b"\n")
            self.workers.append(int(await forks.stdout.readline()))

        follower = asyncio.create_task(self._follow())
        for _ in range(WORKERS):
            await fork()
        seeds = iter(range(first, first + 10**6))
        playing = [asyncio.create_task(self._play_all(seeds)) for _ in range(AT_ONCE)]
        try:
            while self.found["kill -9"] < kills and time.monotonic() < until:
                await asyncio.sleep(self.chance.uniform(*self.lives))
                killed = self.workers.pop(self.chance.randrange(len(self.workers)))
                os.kill(killed, signal.SIGKILL)
                self.found["kill -9"] += 1
                await fork()
            self.over = True
            await asyncio.gather(*playing)
            told = Told(make_case(0), Worlds(make_case(0)), self.store, followed=self.followed)
            last = await self.store.last_cursor()
            while not self.followed or self.followed[-1].cursor < last:  # noqa: ASYNC110  the follower has no word for it
                await asyncio.sleep(0.05)
            await check_stream(told)
        finally:
            for task in [follower, *playing]:
                task.cancel()
            await asyncio.gather(follower, *playing, return_exceptions=True)
            for worker in self.workers:
                os.kill(worker, signal.SIGKILL)
            forks.kill()
            await forks.wait()
        return self.found

    async def _follow(self) -> None:
        async for events in self.store.follow(0):
            self.followed += events

    async def _play_all(self, seeds: object) -> None:
        while not self.over:
            seed = next(seeds)  # type: ignore[call-overload]
            try:
                await self._play(seed)
            except AssertionError as error:
                self.found["broken runs"] += 1
                self.found["doubled"] += "twice" in str(error)
                self.found["lost"] += "lost" in str(error) or "not ended" in str(error)
                print(f"killed, seed {seed}: {str(error)[:400] or traceback.format_exc()[-600:]}", flush=True)

    def _world(self, case: Case) -> KilledWorlds:
        world = KilledWorlds(case)
        world.path = self.ledger
        return world

    async def _play(self, seed: int) -> None:
        case = make_case(seed, calm=True, pace=PACE)
        world = self._world(case)
        stage = Stage(case, self.store, world=world, sure=2 * LEASE)
        called = case.called_spec
        await self.store.put_graph(called.id, called.hash(), dump(called))
        ids = [(await stage.person.start(case.spec, {})).id for _ in range(case.runs)]
        unknown: dict[tuple[str, str], float] = {}
        begun = time.monotonic()
        while True:
            ids = await stage._chain(ids)
            runs = [await self.store.get_run(run_id) for run_id in ids]
            if all(run.status in ENDED and run.continued_as in (None, *ids) for run in runs):
                break
            assert time.monotonic() - begun < PATIENCE, f"not ended: {[(run.id, run.status) for run in runs]}"
            world.read(set(ids))
            for run in runs:
                if run.status not in ENDED:
                    await stage._answer(run, unknown, time.monotonic())
            await stage._try_stale(runs)
            await asyncio.sleep(0.1)
        world.read(set(ids))
        told = dataclasses.replace(stage.told, runs=runs)
        last = await self.store.last_cursor()
        while not self.followed or self.followed[-1].cursor < last:  # noqa: ASYNC110  the follower has no word for it
            await asyncio.sleep(0.02)
        told.followed = [event for event in self.followed if event.run_id in ids]
        self.found["cases"] += 1
        self.found["stale commits tried"] += told.stale
        self.found["stale commits accepted"] += told.accepted
        self.found["unknown settled"] += sum(event.kind == "step.resolved" for event in told.followed)
        self.found["adoptions"] += sum(event.kind == "run.adopted" for event in told.followed)
        loops = [run for run in runs if (run.error or {}).get("code") == "run.crash_loop"]
        self.found["crash loops"] += len(loops)
        told.runs = [run for run in runs if run not in loops]
        if told.runs:
            await check(told, stage.person)


async def kill_on(url: str, kills: int, first: int, until: float) -> Counter[str]:
    """Kill so many workers on the store at `url`; what came of it."""
    store = open_store(url)
    await store.open()
    try:
        with tempfile.TemporaryDirectory() as folder:
            killing = Killing(store, url, Path(folder), random.Random(first))
            return await killing.run(kills, first, until)
    finally:
        await store.close()


async def kill_workers(kills: int, first: int, until: float) -> Counter[str]:
    """Half of the kills on SQLite, half on a real Neo4j."""
    with tempfile.TemporaryDirectory() as folder:
        found = await kill_on(f"sqlite:///{folder}/chaos.db", kills // 2, first, until)
    print(f"SQLite: {dict(found)}", flush=True)
    with Neo4jServer() as server:
        more = await kill_on(server.url, kills - kills // 2, first, until)
    print(f"Neo4j: {dict(more)}", flush=True)
    found.update(more)
    return found
