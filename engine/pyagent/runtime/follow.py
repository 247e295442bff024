"""From one step to the next inside a superstep: pure steps are fused, others are started where they would wait.

LangGraph's superstep is a barrier. A step that becomes ready while others still run is therefore started at once, as
a LangGraph task of its own; one that becomes ready when nothing else runs is left to the next superstep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pyagent.errors import PyAgentError, StoreError
from pyagent.runtime.frames import Changes
from pyagent.runtime.journal import event
from pyagent.runtime.light import run_light
from pyagent.runtime.live import LiveRun
from pyagent.runtime.log import Entry, StepKey, timestamp
from pyagent.runtime.step import Step, StepInterrupted

Spawn = Callable[[StepKey], Awaitable[None]]
"""Start a step as a LangGraph task of its own in the running superstep, and return when it has begun."""


async def run_step(live: LiveRun, key: StepKey, spawn: Spawn | None) -> None:
    """Execute a step and whatever may follow it in the same task. Raises `StoreError`.

    `spawn` is None where each step must wait for the next superstep: a checkpointer of LangGraph's can only keep
    what a superstep's own tasks wrote.
    """
    while True:
        try:
            changes = await run_light(live, key) if spawn is not None else None
            if changes is None:
                changes = await Step(live, key).execute()
        except StepInterrupted:
            return
        following = await follow(live, changes, spawn)
        if following is None:
            return
        key = following


async def follow(live: LiveRun, changes: Changes, spawn: Spawn | None) -> StepKey | None:
    """Deal with what an entry brought about; returns a pure step that the caller should run next in its own task."""
    await finish_frames(live, changes)
    state = live.state
    if state.ending or state.paused:
        return None
    ready = [key for key in changes.ready if key in state.startable and key not in live.running]
    pure = [key for key in ready if live.fuse and state.node(key).pure]
    for key in pure:
        live.claim(key)
    if spawn is not None and live.running:
        for key in ready:
            # One that was spawned before may have ended meanwhile, and with it what this one is part of.
            if key not in live.running and key in state.startable and not state.ending:
                live.claim(key)
                await spawn(key)
    if len(pure) == 1:
        return pure[0]
    if pure:
        await asyncio.gather(*(run_step(live, key, spawn) for key in pure))
    return None


async def finish_frames(live: LiveRun, changes: Changes) -> None:
    """Evaluate the outputs of graphs that have ended; what a called graph's end brings about is added to `changes`."""
    while changes.finished:
        name = changes.finished.pop(0)
        frame = live.state.frames.get(name)
        if frame is None or name not in live.state.awaiting:
            continue
        if frame.parent is None:
            finish_run(live)
            return
        try:
            data = {"element": frame.element, "outputs": live.values.outputs(name, datetime.now(UTC))}
            more = live.record(Entry("frame.ended", frame.parent, data))
        except StoreError:
            raise
        except PyAgentError as error:
            data = {"element": frame.element, "error": {"node": frame.parent.node, **error.as_dict()}}
            more = live.record(Entry("frame.ended", frame.parent, data))
        changes.ready.extend(more.ready)
        changes.finished.extend(more.finished)


def finish_run(live: LiveRun) -> None:
    """Evaluate the run's outputs and record that it has completed, or failed if they cannot be evaluated."""
    at = timestamp(datetime.now(UTC))
    try:
        outputs = live.values.outputs("", datetime.now(UTC))
        entry = Entry("run.ended", None, {"status": "completed", "outputs": outputs, "at": at})
        live.record(entry, [event("run.completed", outputs=outputs)])
        live.outputs = outputs
    except StoreError:
        raise
    except PyAgentError as error:
        found = error.as_dict()
        entry = Entry("run.ended", None, {"status": "failed", "error": found, "at": at})
        live.record(entry, [event("run.failed", error=found)])
