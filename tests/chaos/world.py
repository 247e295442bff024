"""Runs a case: workers that fail on one store, the world outside that steps act on, and the person who is asked."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, cast

from chaos.cases import Case, Part
from chaos.virtual import VirtualLoop, skew, worker
from pyagent.errors import NotFound, PyAgentError, RunError
from pyagent.graph.yaml import dump
from pyagent.runtime.engine import Engine
from pyagent.runtime.journal import event
from pyagent.runtime.library import GraphLibrary
from pyagent.runtime.log import StepKey
from pyagent.sdk import Call, Context, Item, Items, Map, NodeError, NodeParams, Registry, Restart, Result, Wait, node
from pyagent.sdk.items import ItemSource
from pyagent.store.base import ENDED, Commit, Event, Lease, Run, Store
from pyagent.testing.faulty_store import Fault, FaultyStore
from reference.generator import Play

LEASE = timedelta(seconds=10)
LATE = 25.0
"""Seconds that a late call takes: its worker's lease has run out meanwhile."""
PATIENCE = 3600.0
"""Virtual seconds after which a run that has not ended has lost a step."""
MAX_COMMITS = 5000
LARGE = "x" * 9000


class ChaosParams(NodeParams):
    ports: list[str] = ["out"]
    effects: Literal["none", "idempotent", "once"] = "none"
    seed: int = 0
    """Of the case that the graph is of."""


@dataclass
class Effect:
    """Something that took place outside."""

    key: str
    run: str
    step: str
    effects: str
    made: dict[str, list[dict[str, Any]]]


class Worlds:
    """The world outside, and what the case's steps do to it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.ledger: list[Effect] = []

    def registry(self) -> Registry:
        """The case's node types."""

        async def act(items: Items, params: ChaosParams, ctx: Context) -> Any:
            return await self.act(items, params, ctx)

        registry = Registry({})
        for kind in ("trigger", "action", "map", "call"):
            declare: Any = node(
                f"chaos.{'act' if kind == 'action' else kind}",
                title=kind,
                kind=cast(Any, kind),
                ports_out=lambda params: params.ports,
                effects=lambda params: params.effects,
            )
            registry.add(declare(act))
        return registry

    async def act(self, items: Items, params: ChaosParams, ctx: Context) -> Any:
        """What every node does."""
        key, part = StepKey.parse(ctx.step), self.case.parts[ctx.node_id]
        if part.role in ("timer", "signal", "approval") and ctx.answer is None:
            if part.role == "timer":
                return Wait(kind="time", until=ctx.now + timedelta(seconds=part.takes[0] or 4.0 * self.case.pace))
            if part.role == "signal":
                return Wait(kind="signal", signal="go", key=ctx.node_id)
            return Wait(kind="approval", title="Go on?")
        if part.role == "map":
            size = max(1, -(-len(items) // 3))
            return Map(elements=[items[at : at + size] for at in range(0, len(items), size)], parallel=2)
        if part.role == "call":
            return Call(graph=self.case.called_spec.id, inputs={"from": ctx.step})
        if part.role == "restart":
            # A run that began anew twice has done so often enough; where no item says how often it was, it does not.
            turn = items[0].json.get("turn") if len(items) else None
            if turn is None or turn >= 2:
                return Result({})
            return Restart(items=[Item({**item.json, "turn": turn + 1}) for item in items])
        before, after = part.takes
        if before:
            await asyncio.sleep(before)
        play, inner = self.play_of(key)
        step = (key.node, key.scope)
        if not inner and step in play.fails:
            raise NodeError("the case says so")
        if ctx.attempt <= part.failing:
            raise NodeError("a try fails", code="node.chaos")
        counts, more = self.case.counts(play, step, inner=inner)
        made = {
            port: [self._item(items, ctx.step, port, number, part) for number in range(count)]
            for port, count in counts.items()
        }
        kept = {port: [item.json for item in found] for port, found in made.items()}
        self.keep(Effect(ctx.idempotency_key, ctx.run_id, ctx.step, part.effects, kept))
        if after:
            await asyncio.sleep(after)
        return Result(made, more)

    def keep(self, effect: Effect) -> None:
        """Something took place."""
        self.ledger.append(effect)

    def play_of(self, key: StepKey) -> tuple[Play, bool]:
        """The play of the graph that a step is in, and whether that is a body or a called graph."""
        if not key.frame:
            return self.case.play, False
        if key.frame.endswith("()"):
            return self.case.called, True
        return self.case.bodies[StepKey.owner_of(key.frame).node], True

    def _item(self, items: Items, step: str, port: str, number: int, part: Part) -> Item:
        json: dict[str, Any] = {"by": [step, port, number]}
        if part.large:
            json["pad"] = LARGE
        if not len(items):
            return Item(json)
        index = number % len(items)
        given = items[index].json
        turn = given.get("turn", 0 if "by" not in given and not self.play_of(StepKey.parse(step))[1] else None)
        json |= {"from": given.get("by")} | ({"turn": turn} if turn is not None else {})
        return Item(json, None, (ItemSource(index),))


@dataclass
class Told:
    """What a case gave."""

    case: Case
    world: Worlds
    store: Store
    runs: list[Run] = field(default_factory=list[Run])
    """The case's runs and their successors."""
    followed: list[Event] = field(default_factory=list[Event])
    """The events as a follower that comes and goes got them."""
    kills: int = 0
    stale: int = 0
    """Commits tried with an old token."""
    accepted: int = 0
    """Of these."""
    commits: int = 0
    left: list[str] = field(default_factory=list[str])
    """Tasks that outlived their workers."""
    faults: Counter[str] = field(default_factory=Counter[str])
    """That took place."""
    commits_of: Counter[str] = field(default_factory=Counter[str])


class Stage:
    """A case being run."""

    def __init__(
        self,
        case: Case,
        store: Store,
        *,
        begin_shift: Callable[[float], None] = lambda _: None,
        world: Worlds | None = None,
        sure: float = 30.0,
    ) -> None:
        """`begin_shift` sets how many seconds the store's clock is ahead. `sure`: seconds after which nobody who has
        begun a try of unknown outcome can be at it still."""
        self.case = case
        self.store = store
        self.sure = sure
        self.world = world or Worlds(case)
        self.told = Told(case, self.world, store)
        self.chance = random.Random(case.seed * 7919 + 1)
        self.shift = begin_shift
        self.number = 0
        self.calls = 0
        self.pending = self._plan()
        self.workers: dict[str, tuple[FaultyStore, asyncio.Task[None]]] = {}
        self.person = Engine(store, registry=self.world.registry(), library=GraphLibrary([]), peer="person")
        self.context = copy_context()
        self.over = False

    def _plan(self) -> dict[int, Fault]:
        """Faults by the number of the call that they befall, over all workers."""
        found: dict[int, Fault] = {}
        reach = self.chance.choice([12, 25, 60])
        for name, count in self.case.faults.items():
            for _ in range(count if name != "kill" else 0):
                found[self.chance.randrange(1, reach)] = cast(Fault, name)
        return found

    def choose(self, method: str) -> Fault | None:
        """The fault of the next call. Commits are what most faults are for."""
        if method not in ("commit", "claim", "take", "renew", "put_blob", "release"):
            return None
        self.calls += 1
        self.told.commits += method == "commit"
        if self.told.commits > MAX_COMMITS:
            raise AssertionError("the workers spin: more than 5,000 commits")
        fault = self.pending.pop(self.calls, None)
        if fault is not None:
            self.told.faults[fault] += 1
        return fault

    # -- workers ------------------------------------------------------------------------------------------------

    def start_worker(self) -> None:
        """One more worker, with a peer of its own."""
        self.number += 1
        name = f"w{self.number}"
        seen = FaultyStore(self.store, self.choose, delay=LATE, on_cut=lambda: self._cut(name))
        engine = Engine(
            cast(Store, seen), registry=self.world.registry(), library=GraphLibrary([]), peer=name, lease=LEASE
        )
        skews = self.case.skews
        named, skewed = worker.set(name), skew.set(timedelta(seconds=skews[self.number % 8] if skews else 0))
        self.workers[name] = (seen, asyncio.create_task(engine.work(limit=4)))
        skew.reset(skewed)
        worker.reset(named)

    def _cut(self, name: str) -> None:
        """The worker is cut off: it dies at once, or does not know yet."""
        after = 0.0 if self.chance.random() < 0.7 else 30.0
        loop = asyncio.get_running_loop()
        # In a context that is nobody's: who kills a worker must not die with it.
        loop.call_later(after, lambda: asyncio.ensure_future(self.kill(name)), context=self.context)

    async def kill(self, name: str) -> None:
        """End a worker as `kill -9` does: nothing more of it reaches the store or the world."""
        if name not in self.workers:
            return
        seen, _ = self.workers.pop(name)
        seen.cut = True
        self.told.kills += 1
        await self._end(name)
        if not self.over:
            await asyncio.sleep(self.chance.choice([0.0, 1.0, 12.0]))
            if not self.over:
                self.start_worker()

    async def _end(self, name: str) -> None:
        loop = cast(VirtualLoop, asyncio.get_running_loop())
        mine = loop.owned.get(name, set())
        for _ in range(200):
            if not mine:
                return
            for task in list(mine):
                task.cancel()
            await asyncio.sleep(0.1)
        self.told.left += [f"{name}: {task.get_coro()}" for task in mine]

    async def stop(self) -> None:
        """End the workers that are left, as SIGTERM does; nothing may be left of them."""
        self.over = True
        tasks = [task for _, task in self.workers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in list(self.workers):
            loop = cast(VirtualLoop, asyncio.get_running_loop())
            for _ in range(100):
                if not (mine := loop.owned.get(name)):
                    break
                await asyncio.sleep(0.1)
            else:
                self.told.left += [f"{name}: {task.get_coro()}" for task in mine or ()]
        self.workers.clear()

    # -- the world ----------------------------------------------------------------------------------------------

    async def run(self) -> Told:
        """The whole case, to the end of its runs. Raises `AssertionError` where a run does not end."""
        loop = asyncio.get_running_loop()
        spec, called = self.case.spec, self.case.called_spec
        await self.store.put_graph(called.id, called.hash(), dump(called))
        ids = [(await self.person.start(spec, {})).id for _ in range(self.case.runs)]
        follower = asyncio.create_task(self._follow())
        for name, part in self.case.parts.items():
            if part.role == "signal" and self.chance.random() < 0.5:
                await self.person.signal("go", "early", key=name)
        for _ in range(self.case.workers):
            self.start_worker()
        kills = sorted(self.chance.uniform(0, 8) for _ in range(self.case.faults.get("kill", 0)))
        requests = sorted(self.case.requests)
        clocks = sorted(self.case.steps_of_clock)
        seen_unknown: dict[tuple[str, str], float] = {}
        killing: list[asyncio.Task[None]] = []
        paused_until = max((at for at, what in requests if what == "resume"), default=0.0)
        while True:
            now = loop.time()
            while kills and kills[0] <= now:
                kills.pop(0)
                if self.workers:
                    killing.append(asyncio.create_task(self.kill(self.chance.choice(sorted(self.workers)))))
            while clocks and clocks[0][0] <= now:
                self.shift(clocks.pop(0)[1])
            while requests and requests[0][0] <= now:
                await self._ask(ids[0], requests.pop(0)[1])
            ids = await self._chain(ids)
            runs = [await self.store.get_run(run_id) for run_id in ids]
            if all(run.status in ENDED and run.continued_as in (None, *ids) for run in runs) and not (
                now < paused_until and requests
            ):
                break
            if now > PATIENCE:
                raise AssertionError(f"after an hour: {[(run.id, run.status) for run in runs]}")
            for run in runs:
                if run.status == "paused" and now >= paused_until:
                    await self.person.resume(run.id)
                elif run.status not in ENDED:
                    await self._answer(run, seen_unknown, now)
            await self._try_stale(runs)
            await asyncio.sleep(self.chance.choice([0.1, 0.5, 2.0]))
        await self.stop()
        ids = await self._chain(ids)
        self.told.runs = [await self.store.get_run(run_id) for run_id in ids]
        last = await self.store.last_cursor()
        while not self.told.followed or self.told.followed[-1].cursor < last:  # noqa: ASYNC110  the follower has no word for it
            await asyncio.sleep(0.1)
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        return self.told

    async def _chain(self, ids: list[str]) -> list[str]:
        """The runs and their successors, of which only some begin anew."""
        found: list[str] = []
        for run_id in ids:
            if run_id not in found:
                found.append(run_id)
            run = await self.store.get_run(run_id)
            if run.continued_as is not None and run.continued_as not in ids:
                found.append(run.continued_as)
                if len(ids) > 6:
                    await self.person.cancel(run.continued_as, reason="enough")
        return found

    async def _ask(self, run_id: str, what: str) -> None:
        try:
            match what:
                case "pause":
                    await self.person.pause(run_id)
                case "cancel":
                    await self.person.cancel(run_id)
                case _:
                    run = await self.store.get_run(run_id)
                    if run.status not in ENDED:
                        await self.person.resume(run_id)
        except RunError:
            return

    async def _answer(self, run: Run, seen_unknown: dict[tuple[str, str], float], now: float) -> None:
        """Answer what waits, some of it twice; settle what is unknown by looking at the world outside."""
        for record in await self.store.steps(run.id):
            wait = dict(record.wait or {})
            kind = wait.get("kind")
            if record.status == "waiting" and kind == "approval":
                for _ in range(self.chance.choice([0, 1, 1, 2])):
                    await self._quietly(self.person.answer(run.id, record.step, {"approved": True}))
            elif record.status == "waiting" and kind == "signal":
                for _ in range(self.chance.choice([0, 1, 1, 2])):
                    await self.person.signal("go", "late", key=wait["key"])
            elif record.status == "unknown":
                first = seen_unknown.setdefault((run.id, record.step), now)
                if now - first < self.sure:
                    # Whoever began the try may be at it still, cut off from the store.
                    continue
                seen_unknown.pop((run.id, record.step))
                done = [effect for effect in self.world.ledger if (effect.run, effect.step) == (run.id, record.step)]
                if done:
                    await self._quietly(self.person.resolve(run.id, record.step, "done", items=done[0].made or None))
                else:
                    await self._quietly(self.person.resolve(run.id, record.step, "retry"))

    async def _quietly(self, asked: Any) -> None:
        try:
            await asked
        except (NotFound, RunError):
            return

    async def _try_stale(self, runs: list[Run]) -> None:
        """Commit with leases of owners before: none may be accepted."""
        for run in runs:
            if run.lease_owner is None:
                continue
            # Each adoption that is in the log had a token of its own, and there was one before.
            adoptions = sum(record.kind == "run.adopted" for record in await self.store.read_log(run.id))
            old = Lease(
                run_id=run.id,
                owner=run.lease_owner,
                token=self.chance.randint(0, adoptions),
                expires_at=await self.store.now() + LEASE,
            )
            self.told.stale += 1
            try:
                await self.store.commit(old, Commit(events=[event("step.log", "n0", level="info", message="too late")]))
            except PyAgentError:
                continue
            self.told.accepted += 1

    async def _follow(self) -> None:
        """Read the stream, losing the connection now and then."""
        after = 0
        while True:
            left = self.chance.choice([1, 2, 5, 50])
            async for events in self.store.follow(after):
                self.told.followed += events
                after = events[-1].cursor
                left -= 1
                if not left:
                    break
