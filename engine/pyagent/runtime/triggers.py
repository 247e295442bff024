"""Runs the sources of active graphs and starts a run for each occurrence."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from pyagent.errors import ExpressionError, InputError, PyAgentError, Where
from pyagent.runtime.activation import ActiveGraphs, has_started, start_occurrence
from pyagent.runtime.engine import Engine
from pyagent.runtime.live_triggers import LiveTrigger
from pyagent.runtime.log import encode
from pyagent.sdk.outcome import as_error
from pyagent.sdk.sources import Occurrence
from pyagent.store.base import KeySpent, StoreFull, StoreUnavailable

logger = logging.getLogger("pyagent.triggers")
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds between the starts of a source that fails; they double."""
_LOOK = 0.2
"""Seconds between looks for what was activated: every commit of a run wakes who waits for changes."""
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Identity = tuple[str, str, str, bytes]
"""Graph, node, node type and parameters: as long as these stay, a new version of the graph keeps its source."""


@dataclass(kw_only=True)
class _Running:
    trigger: LiveTrigger
    task: asyncio.Task[None]


class TriggerHost:
    """Runs what starts active graphs on one engine; any number of hosts may share a store."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], datetime] = partial(datetime.now, UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` and `sleep`: what sources see of time, for tests in virtual time."""
        self.engine = engine
        self.clock = clock
        self.sleep = sleep
        self._graphs = ActiveGraphs(engine)
        self._running: dict[Identity, _Running] = {}
        self._told: dict[tuple[str, str], Mapping[str, Any]] = {}
        """What this host has said to be wrong with a trigger, by graph and node."""

    async def run(self) -> None:
        """Follow what is activated and deactivated, also by other processes, until cancelled."""
        try:
            while True:
                mark = self.engine.store.mark()
                try:
                    self._follow(await self._graphs.triggers())
                except StoreUnavailable as error:
                    logger.error("%s", error)
                await asyncio.sleep(_LOOK)
                await self.engine.store.changed(5.0, mark)
        finally:
            tasks = [running.task for running in self._running.values()]
            self._running = {}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self, triggers: list[LiveTrigger]) -> None:
        """Start and stop sources, so that those run that are wanted now."""
        wanted = {_identity(trigger): trigger for trigger in triggers if trigger.type.source is not None}
        for identity in [identity for identity in self._running if identity not in wanted]:
            self._running.pop(identity).task.cancel()
        for identity, trigger in wanted.items():
            if (running := self._running.get(identity)) is not None:
                if running.trigger.activation != trigger.activation:
                    self._told.pop((trigger.graph.id, trigger.node.id), None)
                running.trigger = trigger
            else:
                self._told.pop((trigger.graph.id, trigger.node.id), None)
                name = f"trigger {trigger.graph.id}/{trigger.node.id}"
                task = asyncio.create_task(self._keep_running(identity), name=name)
                self._running[identity] = _Running(trigger=trigger, task=task)

    async def _keep_running(self, identity: Identity) -> None:
        """Run a source to its end; when it fails, again, after a pause that grows until it works."""
        await asyncio.sleep(0)  # until it is among those that run
        running = self._running[identity]
        pause = FIRST_PAUSE
        while True:
            context = _Context(self, running)
            try:
                await self._listen(running, context)
                return
            except Exception as error:
                # whatever a source raises is its trigger's problem and must not end the others
                failure = as_error(error, node_id=running.trigger.node.id)
                await context.settle()
                await self._problem(running.trigger, failure)
                pause = FIRST_PAUSE if context.worked else pause
            await self.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen(self, running: _Running, context: _Context) -> None:
        source = running.trigger.type.source
        assert source is not None
        async with aclosing(cast("Any", source(running.trigger.params, context))) as occurrences:
            async for occurrence in occurrences:
                await self._start(running, occurrence)
                context.worked = True

    async def _start(self, running: _Running, occurrence: Occurrence) -> None:
        """Start the run; an occurrence waits for a store that is out of reach, one that does not fit is told of."""
        pause = FIRST_PAUSE
        while True:
            trigger = running.trigger
            try:
                run = await start_occurrence(self.engine, trigger, occurrence)
                logger.debug("%s started %s for %s", trigger.node.id, run.id, occurrence.key)
                await self.works(trigger, refused=True)
                return
            except KeySpent:
                logger.debug("%s has begun a run for %s that is deleted", trigger.node.id, occurrence.key)
                return
            except (StoreUnavailable, StoreFull) as error:
                logger.error("%s/%s waits with %s: %s", trigger.graph.id, trigger.node.id, occurrence.key, error)
            except (InputError, ExpressionError) as error:
                error.where = Where(node=trigger.node.id, field=error.where.field)
                await self._problem(trigger, error, refused=occurrence.key)
                return
            await self.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _problem(self, trigger: LiveTrigger, error: PyAgentError, **more: Any) -> None:
        logger.error("trigger %s of %s: %s", trigger.node.id, trigger.graph.id, error)
        name = (trigger.graph.id, trigger.node.id)
        problem = error.as_dict() | {"at": self.clock().isoformat()} | more
        self._told[name] = problem
        with suppress(PyAgentError):  # said in the log already
            await self.engine.store.set_problem(*name, problem)

    async def works(self, trigger: LiveTrigger, *, refused: bool = False) -> None:
        """Take back what was said to be wrong with a trigger. `refused`: also that its last occurrence did not fit."""
        assert trigger.activation is not None
        name = (trigger.graph.id, trigger.node.id)
        problem = self._told.get(name) or trigger.activation.problems.get(trigger.node.id)
        if problem is not None and (refused or "refused" not in problem):
            self._told.pop(name, None)
            with suppress(PyAgentError):
                await self.engine.store.set_problem(*name, None)


class _Context:
    """What a source sees."""

    def __init__(self, host: TriggerHost, running: _Running) -> None:
        self._host = host
        self._running = running
        self._telling: set[asyncio.Task[None]] = set()
        self.worked = False
        trigger = running.trigger
        assert trigger.activation is not None
        self.graph_id = trigger.graph.id
        self.node_id = trigger.node.id
        self.timezone = trigger.timezone
        self.since = trigger.activation.since

    def now(self) -> datetime:
        return self._host.clock()

    async def sleep(self, seconds: float) -> None:
        await self._host.sleep(seconds)

    async def started(self, key: str) -> bool:
        return await has_started(self._host.engine, self.graph_id, self._running.trigger.key(key))

    def ready(self) -> None:
        self.worked = True
        task = asyncio.create_task(self._host.works(self._running.trigger))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def settle(self) -> None:
        """Wait until what `ready` has said is kept."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    def log(self, message: str, *, level: Literal["debug", "info", "warning", "error"] = "info", **more: Any) -> None:
        said = " ".join(f"{name}={value}" for name, value in more.items())
        logger.log(_LEVELS[level], "%s/%s: %s %s", self.graph_id, self.node_id, message, said)


def _identity(trigger: LiveTrigger) -> Identity:
    given = encode({"params": trigger.node.params, "timezone": trigger.timezone})
    return trigger.graph.id, trigger.node.id, str(trigger.node.use), given


__all__ = ["TriggerHost"]
