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
from typing import Any

from langgraph.func import task as langgraph_task

from pyagent.runtime.finish import finish_frames
from pyagent.runtime.frames import Changes
from pyagent.runtime.light import run_light, settles
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
        self._queue: deque[StepKey] = deque()
        """Claimed steps with effects, for which there was no turn: `settings.parallel`."""
        self.carry_on = live.recorded is None
        """A task may execute one step after another."""

    async def start(self, key: StepKey) -> None:
        """Have a claimed step executed: by a lane that has nothing to do, or else by a new one. A step that would only
        wait there for its turn is left to the lanes that there are."""
        live = self._live
        if self._idle:
            self._idle.popleft().set_result(key)
            return
        if self.carry_on and live.limit is not None and live.limit.locked() and self._acts(key):
            self._queue.append(key)
            live.crowded = True
            return
        begun = asyncio.Event()
        self._begin(_STEP, self._live, key, begun, self)
        await begun.wait()

    async def more(self) -> StepKey | None:
        """The next step for a lane that has nothing left to do; None when the superstep is to end."""
        if not self.carry_on:
            return None
        if self._queue:
            return self._next()
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

    async def take_turns(self, key: StepKey | None) -> StepKey | None:
        """What a task goes on with whose step has ended, where others wait for their turn: with the one that has waited
        longest, and `key`, what it would have gone on with, is the last of them, if it needs a turn itself."""
        if not self._queue:
            return key
        if key is None:
            return self._next()
        if not self._acts(key):
            await self.start(self._next())
            return key
        self._queue.append(key)
        return self._next()

    def _acts(self, key: StepKey) -> bool:
        """Whether the step needs a turn: what it was part of, and with it the step, may have ended meanwhile."""
        state = self._live.state
        return key in state.startable and state.node(key).effects != "none"

    def _next(self) -> StepKey:
        key = self._queue.popleft()
        self._live.crowded = bool(self._queue)
        return key

    async def listen(self) -> None:
        """Have a task start the steps that messages and timers make ready while others run."""
        if self._live.awaits and self._live.running and not self._live.listening:
            begun = asyncio.Event()
            self._live.listening = True
            self._begin(_LISTEN, self._live, begun, self)
            await begun.wait()

    def _begin(self, body: Any, *arguments: Any) -> None:
        # The future is LangGraph's: its superstep waits for the task, once begun, and is told of its error. What nobody
        # asks the future for would be printed at its end.
        future: asyncio.Future[Any] = self._context.run(body, *arguments)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())


async def run_lane(live: LiveRun, key: StepKey, lanes: Lanes) -> None:
    """Execute a step and what follows it, and then what other lanes pass on. Raises `StoreError`."""
    following: StepKey | None = key
    while following is not None:
        await run_step(live, following, lanes)
        following = await lanes.more()


async def run_step(live: LiveRun, key: StepKey, lanes: Lanes | None, aside: Callable[[], None] | None = None) -> None:
    """Execute a step and whatever may follow it in the same task. Raises `StoreError`.

    `lanes` is None where each step must wait for the next superstep: a checkpointer of LangGraph's can only keep
    what a superstep's own tasks wrote. `aside` is called before the task waits for anything.
    """
    while True:
        try:
            await live.breathe()
        except BaseException:
            live.leave(key)
            raise
        try:
            changes = await run_light(live, key, aside) if lanes is not None else None
            if changes is None:
                if aside is not None:
                    aside()
                if key in live.state.startable:
                    changes = await Step(live, key).execute()
                else:
                    # What it was part of ended while it was on its way to a lane.
                    live.leave(key)
                    changes = Changes()
        except StepInterrupted:
            changes = Changes()
        following = await _follow(live, changes, lanes, aside)
        if live.crowded and lanes is not None:
            following = await lanes.take_turns(following)
        if lanes is not None:
            await lanes.listen()
        # At the end of a run the driver commits it, with how the run stands.
        if live.journal.owes and live.state.ended is None and not (following and _settles(live, following)):
            if aside is not None:
                aside()
            await live.journal.flush()
        if following is None:
            return
        key = following


def _settles(live: LiveRun, key: StepKey) -> bool:
    """Whether a step commits what was gathered before it acts."""
    return key in live.state.startable and settles(live, live.state.node(key))


async def _follow(
    live: LiveRun, changes: Changes, lanes: Lanes | None, aside: Callable[[], None] | None
) -> StepKey | None:
    """Deal with what an entry brought about; returns a step that the caller should run next in its own task."""
    await finish_frames(live, changes)
    state = live.state
    if state.ending or state.paused:
        return None
    ready = [key for key in changes.ready if key in state.startable and key not in live.running]
    pure = [key for key in ready if live.fuse and state.node(key).pure]
    for key in pure:
        live.claim(key)
    following: StepKey | None = None
    if lanes is not None and (lanes.carry_on or live.running):
        for key in ready:
            # One that was started before may have ended meanwhile, and with it what this one is part of.
            if key in live.running or key not in state.startable or state.ending:
                continue
            live.claim(key)
            if lanes.carry_on and not pure and key == ready[-1]:
                following = key
            else:
                if aside is not None:
                    aside()
                await lanes.start(key)
    if len(pure) == 1:
        return pure[0]
    if pure:
        if aside is not None:
            aside()
        if lanes is not None:
            # Others need not wait for what may take long: not those in the queue, not the answers, not the commit.
            await lanes.take_turns(pure[0])
            await lanes.listen()
        if live.journal.owes:
            await live.journal.flush()
        await _beside(live, pure, lanes)
    return following


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


async def _step(live: LiveRun, key: StepKey, begun: asyncio.Event, lanes: Lanes) -> None:
    begun.set()
    await run_lane(live, key, lanes)


async def _listen(live: LiveRun, begun: asyncio.Event, lanes: Lanes) -> None:
    """Start steps that became ready from outside, until nothing else runs in this superstep."""
    begun.set()
    try:
        while live.running or live.outside:
            while live.outside:
                key, state = live.outside.pop(0), live.state
                # It may have been started meanwhile, and wait or have been expanded since: once is enough.
                waits = key in state.parked or key in state.expansions
                if key in state.startable and not waits and key not in live.running and not state.ending:
                    live.claim(key)
                    await lanes.start(key)
            if live.running:
                live.woken.clear()
                await live.woken.wait()
    finally:
        live.listening = False


# LangGraph looks at a task's signature once if it finds the plain function under its name, else at each call.
_LISTEN: Any = langgraph_task(name="listen")(_listen)
_STEP: Any = langgraph_task(name="step")(_step)
