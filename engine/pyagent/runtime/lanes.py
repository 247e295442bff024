"""From one step to the next inside a superstep: which LangGraph task executes it (ADR 0011).

LangGraph's superstep is a barrier, and each of its tasks costs more than most steps. So where the engine drives, a
task is a **lane**: it executes a step and then whatever that made ready, one after the other. What becomes ready
beside that goes to a lane that has nothing to do, or to a new one, and at once: no branch waits for another. The
superstep ends when nothing runs.

Where LangGraph's own API drives (`pyagent.compile`), each step with effects stays a task of its own: one that becomes
ready while others run is started at once, one that becomes ready when nothing else runs is left to the next superstep.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, NamedTuple

from langgraph.config import get_config
from langgraph.func import task as langgraph_task

from pyagent.runtime.finish import finish_frames
from pyagent.runtime.frames import Changes
from pyagent.runtime.light import nobody, run_light, settles
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import StepKey
from pyagent.runtime.step import Step, StepInterrupted


class Lanes:
    """The tasks of one superstep that were started inside it, all of them as children of one of its own tasks.

    LangGraph names a task by the path of those that called it: were each one called by the step before it, the names,
    and with them the cost of a step, would grow with the length of the run.
    """

    def __init__(self, live: LiveRun) -> None:
        """To be made in one of the superstep's own tasks."""
        self._live = live
        self._context = copy_context()
        self._idle: deque[asyncio.Future[StepKey | None]] = deque()
        self._tasks = 0
        """LangGraph's tasks that execute steps, or are about to."""
        self._most: int | None = get_config().get("max_concurrency")
        self.carry_on = live.recorded is None
        """A task may execute one step after another."""

    async def start(self, key: StepKey) -> None:
        """Have a claimed step executed: by a lane that has nothing to do, or else by a new one. A step that would only
        wait there for its turn is left to the lanes that there are."""
        if self._idle:
            self._idle.popleft().set_result(key)
        elif self._must_wait(key):
            self._live.queued.append(key)
        else:
            await self._begin(_STEP, key)

    def _must_wait(self, key: StepKey) -> bool:
        # LangGraph keeps a task beyond its `max_concurrency` from beginning, and who waits for that has a place itself.
        if self._most and self._tasks >= self._most:
            return True
        limit = self._live.limit
        return self.carry_on and limit is not None and limit.locked() and self._acts(key)

    async def run(self, key: StepKey) -> None:
        """Be a lane: execute a claimed step and what follows it, and then what others pass on. Raises `StoreError`."""
        self._tasks += 1
        try:
            following: StepKey | None = key
            while following is not None:
                await run_step(self._live, following, self)
                following = await self._more()
        finally:
            self._tasks -= 1

    async def _more(self) -> StepKey | None:
        """The next step for a lane that has nothing left to do; None when it is to end."""
        if (key := self._next()) is not None or not self.carry_on:
            return key
        if not self._live.running:
            while self._idle:
                self._idle.popleft().set_result(None)
            return None
        waiting: asyncio.Future[StepKey | None] = asyncio.get_running_loop().create_future()
        self._idle.append(waiting)
        try:
            return await waiting
        finally:
            if not waiting.done() or waiting.cancelled():
                self._idle.remove(waiting)

    async def take_turns(self, here: list[StepKey]) -> list[StepKey]:
        """What a task goes on with whose step has ended, where others wait for their turn: with the one that has waited
        longest, and what it would have gone on `here` with is the last of them, if it needs a turn itself."""
        live = self._live
        if not live.queued:
            return here
        if here and not self._acts(here[0]):
            if (longest := self._next()) is not None:
                await self.start(longest)
            return here
        live.queued.extend(here)
        longest = self._next()
        return [] if longest is None else [longest]

    def _acts(self, key: StepKey) -> bool:
        """Whether the step needs a turn."""
        return stands(self._live, key) and self._live.state.node(key).effects != "none"

    def _next(self) -> StepKey | None:
        """The step that has waited longest."""
        live = self._live
        while live.queued:
            key = live.queued.popleft()
            if stands(live, key):
                return key
            live.leave(key)
        return None

    async def listen(self) -> None:
        """Have a task start the steps that messages and timers, which the engine looks for, make ready while others
        run."""
        live = self._live
        if self.carry_on and live.awaits and live.running and not live.listening:
            live.listening = True
            await self._begin(_LISTEN)

    async def _begin(self, body: Any, *arguments: Any) -> None:
        """Start a task inside the superstep, and wait until it has begun: a superstep whose other tasks have ended does
        not wait for it before."""
        begun = asyncio.Event()
        # The future is LangGraph's: its superstep waits for the task, once begun, and is told of its error. What nobody
        # asks the future for would be printed at its end.
        future: asyncio.Future[Any] = self._context.run(body, begun, self, *arguments)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        await begun.wait()

    async def listened(self) -> None:
        """Start steps that became ready from outside, until nothing else runs in this superstep."""
        live = self._live
        try:
            while live.running or live.outside:
                while live.outside:
                    key, state = live.outside.pop(0), live.state
                    # It may have been started meanwhile, and wait or have been expanded since: once is enough.
                    waits = key in state.parked or key in state.expansions
                    if key in state.startable and not waits and key not in live.running and not state.ending:
                        live.claim(key)
                        await self.start(key)
                if live.running:
                    live.woken.clear()
                    await live.woken.wait()
        finally:
            live.listening = False


async def run_step(live: LiveRun, key: StepKey, lanes: Lanes | None, aside: Callable[[], None] = nobody) -> None:
    """Execute a step and whatever may follow it in the same task. Raises `StoreError`.

    `lanes` is None where each step must wait for the next superstep: a checkpointer of LangGraph's can only keep
    what a superstep's own tasks wrote. `aside` is called before the task waits for anything.
    """
    while True:
        changes = await _executed(live, key, lanes, aside)
        await finish_frames(live, changes)
        here, beside = _follow(live, changes, lanes)
        if lanes is not None:
            if beside or live.queued:
                aside()
            for each in beside:
                if _goes_on(live, each):
                    await lanes.start(each)
            if beside:
                here = [each for each in here if _goes_on(live, each)]
            here = await lanes.take_turns(here)
            await lanes.listen()
        # At the end of a run the driver commits it, with how the run stands.
        if live.journal.owes and live.state.ended is None and not (here and _settles(live, here[0])):
            aside()
            await live.journal.flush()
        if len(here) > 1:
            # Last of all: those in the queue, the answers and the commit need not wait for what may take long.
            aside()
            await _beside(live, here, lanes)
        if len(here) != 1:
            return
        (key,) = here


async def _executed(live: LiveRun, key: StepKey, lanes: Lanes | None, aside: Callable[[], None]) -> Changes:
    """Execute a claimed step, and those that follow it on the short path: what follows from the last of them."""
    try:
        await live.breathe()
    except BaseException:
        live.leave(key)
        raise
    try:
        changes = await run_light(live, key, aside) if lanes is not None else None
        if changes is not None:
            return changes
        aside()
        if stands(live, key):
            return await Step(live, key).execute()
        live.leave(key)
    except StepInterrupted:
        pass
    return Changes()


def stands(live: LiveRun, key: StepKey) -> bool:
    """Whether a claimed step may begin still: what it was part of may have ended while it was on its way to a lane."""
    return key in live.state.startable


def _goes_on(live: LiveRun, key: StepKey) -> bool:
    """Whether a claimed step is to begin, although others were begun meanwhile; if not, it is left."""
    if stands(live, key) and not live.state.ending:
        return True
    live.leave(key)
    return False


def _settles(live: LiveRun, key: StepKey) -> bool:
    """Whether a step commits what was gathered before it acts."""
    return stands(live, key) and settles(live, live.state.node(key))


class _Following(NamedTuple):
    """Claimed steps that are to begin now."""

    here: list[StepKey]
    """The one that the task goes on with, or several that only compute."""
    beside: list[StepKey]
    """Those that other lanes begin with."""


def _follow(live: LiveRun, changes: Changes, lanes: Lanes | None) -> _Following:
    """Claim what an entry made ready, as far as this superstep executes it."""
    state = live.state
    if not changes.ready or state.ending or state.paused:
        return _Following([], [])
    ready = [key for key in changes.ready if stands(live, key) and key not in live.running]
    here = [key for key in ready if live.fuse and state.node(key).pure]
    for key in here:
        live.claim(key)
    if lanes is None or not (lanes.carry_on or live.running):
        return _Following(here, [])
    beside = [key for key in ready if key not in live.running]
    for key in beside:
        live.claim(key)
    if lanes.carry_on and not here and beside:
        here.append(beside.pop())
    return _Following(here, beside)


async def _beside(live: LiveRun, keys: Sequence[StepKey], lanes: Lanes | None) -> None:
    """Execute pure steps side by side. Most of them never wait, and need no task of their own: where one does wait, the
    next task goes on with those that have not begun. Raises `StoreError`."""
    left = deque(keys)
    tasks: list[asyncio.Task[None]] = []

    async def run() -> None:
        while left:
            passed = False

            def aside() -> None:
                nonlocal passed
                if left and not passed:
                    passed = True
                    tasks.append(asyncio.create_task(run()))

            await run_step(live, left.popleft(), lanes, aside)
            if passed:
                return

    try:
        await run()
        while tasks:
            await tasks.pop(0)
    finally:
        for task in tasks:
            task.cancel()


async def _step(begun: asyncio.Event, lanes: Lanes, key: StepKey) -> None:
    begun.set()
    await lanes.run(key)


async def _listen(begun: asyncio.Event, lanes: Lanes) -> None:
    begun.set()
    await lanes.listened()


# LangGraph looks at a task's signature once if it finds the plain function under its name, else at each call.
_LISTEN: Any = langgraph_task(name="listen")(_listen)
_STEP: Any = langgraph_task(name="step")(_step)
