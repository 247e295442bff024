"""What all streams of the server have in common: when they say that they are alive, and when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from pyagent.server.capabilities import still_opens
from pyagent.server.context import ServerContext

HEARTBEAT = 15.0
"""Seconds without news after which a stream says that it is alive."""
T = TypeVar("T")


async def until_closed(server: ServerContext, take: Callable[[], Awaitable[T]]) -> AsyncGenerator[T | None]:
    """What is taken, one after the other, until the server stops or the reader's token ends; None after `HEARTBEAT`
    seconds without any. Raises what `take` raises."""
    stopping = asyncio.create_task(server.stopping.wait())
    taking: asyncio.Future[T] | None = None
    try:
        while not server.stopping.is_set() and await still_opens():
            taking = taking or asyncio.ensure_future(take())
            await asyncio.wait({taking, stopping}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                yield None
                continue
            done, taking = taking, None
            yield done.result()
    finally:
        open_: list[asyncio.Future[Any]] = [task for task in (taking, stopping) if task is not None]
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
