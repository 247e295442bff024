"""Awaits a node's function within its time limits, and stops it when that is asked for (SEMANTICS 17, 21)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pyagent.errors import NodeCancelled, NodeTimeout
from pyagent.runtime.live import Token

T = TypeVar("T")
PATIENCE = 0.2
"""Seconds that a step which was asked to stop gets before its task is cancelled."""


async def unbounded(call: Awaitable[T], token: Token, *, grace: float) -> T:
    """Await a call that only computes, in this very task. A stop that is asked for cancels it.

    Raises `NodeCancelled` when it was stopped.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    cancelled = False

    def cancel() -> None:
        nonlocal cancelled
        cancelled = True
        if task is not None:
            task.cancel()

    def stop() -> None:
        nonlocal timer
        timer = loop.call_later(min(PATIENCE, grace), cancel)

    token.stop = stop
    try:
        return await call
    except asyncio.CancelledError:
        if not cancelled:
            raise
        raise NodeCancelled(f"the step was stopped: {token.reason}") from None
    finally:
        token.stop = None
        if timer is not None:
            timer.cancel()
        if cancelled and task is not None:
            # Whether the call heeded it or not: other steps follow in this task.
            task.uncancel()


async def bounded(
    call: Coroutine[Any, Any, T],
    token: Token,
    *,
    grace: float,
    finishes: bool,
    deadline: datetime | None = None,
    timeout: timedelta | None = None,
    idle: timedelta | None = None,
    heard: Callable[[], datetime] | None = None,
) -> T:
    """Await a call until its deadline, while it shows progress, and until a stop is asked for.

    `heard` says when it last showed progress, which `idle` needs. `grace` is in seconds. With `finishes` (a `once` try)
    a stop leaves it the whole grace time to come to its end, and that end counts. Raises `NodeTimeout`,
    `NodeCancelled`, and what the call raises.
    """
    loop = asyncio.get_running_loop()
    # Done when there is something to look at: the call's end, a stop, or a limit that may have passed.
    looked = loop.create_future()

    def look() -> None:
        if not looked.done():
            looked.set_result(None)

    async def watched() -> T:
        try:
            return await call
        finally:
            # Sooner than the task's own callbacks, by a turn of the event loop.
            look()

    task = loop.create_task(watched())
    token.stop = look
    if token.reason:
        look()
    timer: asyncio.TimerHandle | None = None
    try:
        while True:
            if deadline is not None or idle is not None:
                limits = [limit for limit in (deadline, heard() + idle if idle and heard else None) if limit]
                timer = loop.call_later(max(0.0, (min(limits) - datetime.now(UTC)).total_seconds()), look)
            await looked
            looked = loop.create_future()
            if timer is not None:
                timer.cancel()
            if task.done():
                return task.result()
            if token.reason:
                # What comes to its end after the lease is lost cannot be recorded, and another worker may be at it.
                finishes = finishes and token.reason != "lease_lost"
                await _cancel(task, grace if finishes else min(PATIENCE, grace), grace)
                if finishes and not task.cancelled() and task.done() and task.exception() is None:
                    return task.result()
                raise NodeCancelled(f"the step was stopped: {token.reason}")
            now = datetime.now(UTC)
            if deadline is not None and now >= deadline:
                token.set("timeout")
                await _cancel(task, 0, grace)
                raise _too_long("took longer than", timeout)
            if idle is not None and heard is not None and now >= heard() + idle:
                token.set("idle_timeout")
                await _cancel(task, 0, grace)
                raise _too_long("showed no progress for", idle)
    finally:
        token.stop = None
        if timer is not None:
            timer.cancel()
        if not task.done():
            await _cancel(task, 0, grace)
        if task.done():
            # One that was stopped before it began would be missed as never awaited.
            call.close()


async def _cancel(task: asyncio.Task[T], patience: float, grace: float) -> None:
    """Give a task that was asked to stop some time to clean up, then cancel it and wait once more."""
    # What a stopped call raises at its end is nobody's concern, and must not be printed as forgotten.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    if patience:
        await asyncio.wait({task}, timeout=patience)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=grace)


def _too_long(what: str, limit: timedelta | None) -> NodeTimeout:
    seconds = limit.total_seconds() if limit else 0
    return NodeTimeout(f"the try {what} {seconds:g} s", details={"limit_seconds": seconds})
