"""Runs blocking work in a thread that stops soon after its step is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from pyagent.errors import NodeCancelled
from pyagent.sdk.context import CancelToken

T = TypeVar("T")
Check = Callable[[], None]
"""Raises `NodeCancelled` when the work is to stop; call it between pieces of some milliseconds."""


async def in_thread(work: Callable[[Check], T], cancel: CancelToken) -> T:
    """Run `work` in a thread; it is handed a check to call often.

    Raises what `work` raises, and `NodeCancelled` when the step is cancelled. The thread has ended, or ends at its
    next check, when this returns.
    """
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise NodeCancelled("the step was asked to stop")

    cancel.check()
    working = asyncio.create_task(asyncio.to_thread(work, check))
    asked = asyncio.create_task(cancel.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            stop.set()
        return await working
    finally:
        stop.set()
        asked.cancel()
