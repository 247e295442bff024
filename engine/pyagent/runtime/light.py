"""Executes ordinary steps one after the other without what only special ones need (SEMANTICS 17-19; ADR 0008).

A step that only computes has no turn to wait for and no beginning to commit: its function is called in this very
task, and if it returns without having waited, nothing else ran meanwhile. One with effects commits first what it
depends on, and is called in a task of its own, so that it can be stopped. What is recorded is what `runtime.step`
records: an entry, two events and a row for each step. Whatever is out of the ordinary (an error, a command, a stop) is
handed to `runtime.step`, which knows what follows from it.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from pyagent.runtime.context import StepContext
from pyagent.runtime.frames import Changes
from pyagent.runtime.limits import bounded, unbounded
from pyagent.runtime.live import LiveRun, Token, step_row
from pyagent.runtime.log import Entry, Outputs, StepKey, timestamp
from pyagent.runtime.program import NodeProgram
from pyagent.runtime.step import Step, as_items, call_items
from pyagent.sdk.commands import Command
from pyagent.sdk.items import Item, Items, Result
from pyagent.sdk.later import Later
from pyagent.sdk.outcome import mark, normalise
from pyagent.sdk.pages import PAGE_ITEMS
from pyagent.sdk.params import NodeParams
from pyagent.store.base import NewEvent, StepRecord


class _Commanded(Exception):
    """The node returned a command."""


def nobody() -> None:
    """For a task that nobody waits beside."""


async def run_light(live: LiveRun, key: StepKey, aside: Callable[[], None] = nobody) -> Changes | None:
    """Execute the step, which is claimed, and those that follow one by one; what follows from the last of them.

    None, and nothing is done, if the step is not light. `aside` is called before this task waits for anything. Raises
    as `Step.execute` does.
    """
    state = live.state
    node = _light(live, key)
    token = live.running.get(key)
    if node is None or token is None or token.reason or key not in state.startable:
        return None
    now = datetime.now(UTC)
    said = timestamp(now)
    journal, time = live.journal, asyncio.get_running_loop().time
    sync = state.program.graph.settings.durability == "sync"
    while True:
        began, began_said = now, said
        step = str(key)
        ports = {port: mark(items, port=port) for port, items in state.inputs_of(key).items()}
        if len(ports) == 1:
            (items,) = ports.values()
        else:
            items = Items.concat(list(ports.values())) if ports else Items.of(())
        items_in = len(items)
        found: Result | Command | None = None
        try:
            call = _call(live, key, node, ports, items, began)
            if node.effects == "none":
                journal.tell(_started(step, began, items_in))
                try:
                    waits_for = call.send(None)
                except StopIteration as stopped:
                    returned = stopped.value
                else:
                    aside()
                    journal.show(step_row(key, "running", started_at=began, items_in=items_in))
                    returned = await unbounded(_resumed(call, waits_for), token, grace=live.grace)
            else:
                aside()
                try:
                    turn = await _turn(live, key, node, began_said, token)
                except BaseException:
                    call.close()
                    raise
                try:
                    journal.tell(_started(step, began, items_in))
                    journal.show(step_row(key, "running", started_at=began, items_in=items_in))
                    once = node.effects == "once"
                    returned = await bounded(call, token, grace=live.grace, finishes=once)
                finally:
                    if turn is not None:
                        turn.release()
                journal.owes = journal.owes or once or sync
            outputs = _plain(node, returned)
            if outputs is None:
                found = returned if node.type.each_item else normalise(returned, node.type, node.ports_out, items)
                if not isinstance(found, Result):
                    raise _Commanded
                outputs = {port: as_items(made) for port, made in found.outputs.items() if len(made)}
            now = datetime.now(UTC)
            said = timestamp(now)
            counts = {port: len(made) for port, made in outputs.items()}
            data: dict[str, Any] = {"status": "completed", "attempt": 1, "started_at": began_said, "ended_at": said}
            if found is not None and found.more:
                data["more"] = True
            seconds = round((now - began).total_seconds(), 6)
            told = NewEvent(
                kind="step.completed", step=step, at=now, data={"items": counts, "seconds": seconds, "attempt": 1}
            )
            row = StepRecord(
                step=step,
                node=key.node,
                scope=".".join(map(str, key.scope)) if key.scope else "",
                status="completed",
                started_at=began,
                ended_at=now,
                items_in=items_in,
                items_out=counts,
            )
            changes = live.record(Entry("step.ended", key, data, outputs), (told,), (row,))
        except (Exception, asyncio.CancelledError) as raised:
            aside()
            outcome = _given(cast(Command, found)) if isinstance(raised, _Commanded) else _raised(raised)
            return await Step(live, key, node=node, ports=ports).settle(began, outcome)
        ready = changes.ready
        if len(ready) != 1 or changes.finished or state.ending or state.paused or live.queued:
            live.leave(key)
            return changes
        following = ready[0]
        node = _light(live, following)
        if node is None or following in live.running or following in live.doomed or not live.fuse:
            live.leave(key)
            return changes
        live.running.pop(key, None)
        if token.reason:
            live.claim(following)
        else:
            live.running[following] = token
        key, token = following, live.running[following]
        if journal.owes or time() >= live.breathe_at:
            # It may be long before this task waits by itself.
            aside()
            try:
                if journal.owes and not settles(live, node):
                    await journal.flush()
                await live.breathe()
            except BaseException:
                live.leave(key)
                raise
            now = datetime.now(UTC)
            said = timestamp(now)
        if token.reason or key not in state.startable:
            aside()
            return await Step(live, key).execute()


def _light(live: LiveRun, key: StepKey) -> NodeProgram | None:
    """The step's node, if nothing about the step needs more than this module does."""
    state = live.state
    frame = state.frames.get(key.frame)
    if frame is None:
        return None
    node = frame.program.nodes[key.node]
    if not node.light or live.recorded is not None or live.told is not None:
        return None
    if not live.production and state.program.graph.pins:
        return None
    if key in state.reusable or key in state.tries or key in state.answers or key in state.item_outcomes:
        return None
    # A try that was begun and whose worker was lost.
    return node if key not in state.begun else None


def settles(live: LiveRun, node: NodeProgram) -> bool:
    """Whether a step of the node commits what was gathered before it acts."""
    if node.effects == "none":
        return False
    return node.effects == "once" or live.state.program.graph.settings.durability == "sync"


def _started(step: str, at: datetime, items: int) -> NewEvent:
    return NewEvent(kind="step.started", step=step, at=at, data={"attempt": 1, "items": items})


async def _turn(live: LiveRun, key: StepKey, node: NodeProgram, said: str, token: Token) -> asyncio.Semaphore | None:
    """Wait until a step with effects may act, and commit what it depends on and, for `once`, its beginning.

    Returns what is to be released after it. Raises `StoreError`, `NodeCancelled`.
    """
    once, limit, journal = node.effects == "once", live.limit, live.journal
    if settles(live, node) and (not once or (limit is not None and limit.locked())):
        await journal.settle()
    if limit is not None:
        await limit.acquire()
    try:
        # A stop may have been asked for meanwhile: then it must not act.
        if limit is not None:
            live.await_resume(token)
        token.check()
        if once:
            live.session_begun.add(key)
            live.record(Entry("step.begun", key, {"attempt": 1, "at": said}))
            await journal.flush(durable=True)
    except BaseException:
        if limit is not None:
            limit.release()
        raise
    return limit


def _call(
    live: LiveRun, key: StepKey, node: NodeProgram, ports: dict[str, Items], items: Items, began: datetime
) -> Any:
    """The call of the node's function, not begun. Raises `ExpressionError`, or pydantic's `ValidationError`."""
    params = node.params
    kept: dict[int, NodeParams] = {}

    def params_for(index: int) -> NodeParams:
        if params is not None:
            return params
        if index not in kept:
            if len(kept) == PAGE_ITEMS:
                kept.clear()
            kept[index] = node.type.validate_params(live.values.params(key, index, ports, items, began))
        return kept[index]

    context = StepContext(
        live,
        key,
        attempt=1,
        now=began + live.ahead if live.ahead else began,
        token=live.running[key],
        ports=ports,
        params_for=params_for,
        deadline=None,
    )
    if node.type.each_item:
        return call_items(node, items, params_for, context)
    try:
        first = params_for(0)
    except Later as later:
        return _after(later, partial(_call, live, key, node, ports, items, began))
    call: Any = node.type.function(items, first, context)
    return cast(Any, call) if isinstance(call, types.CoroutineType) else _awaited(call)


async def _after(later: Later, call: Callable[[], Any]) -> Any:
    """A call whose parameters take long."""
    await later.settle()
    return await call()


def _plain(node: NodeProgram, returned: Any) -> Outputs | None:
    """The outputs, if what was returned is a list of items that say what they came from: what `normalise` would make
    of it."""
    made: list[Any] = returned
    if type(made) is not list or not node.ports_out:
        return None
    for item in made:
        if type(item) is not Item or not item.sources or type(item.json) is not dict:
            return None
    return {node.ports_out[0]: Items.of(made)} if made else {}


@types.coroutine
def _resumed(call: Any, waits_for: Any) -> Generator[Any, Any, Any]:
    """The rest of a call that waits already."""
    while True:
        try:
            yield waits_for
        except BaseException as raised:
            go_on = partial(call.throw, raised)
        else:
            go_on = partial(call.send, None)
        try:
            waits_for = go_on()
        except StopIteration as stopped:
            return stopped.value


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


async def _given(found: Command) -> Result | Command:
    return found


async def _raised(error: BaseException) -> Result | Command:
    raise error
