"""Virtual time: an event loop whose clock jumps to the next timer whenever nothing else is to be done.

`datetime.now` in the project's own modules follows that clock, shifted by `skew` for the tasks of a worker whose clock
is wrong. Nothing here waits for real time, threads or sockets: for code that only computes and awaits.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
skew: ContextVar[timedelta] = ContextVar("skew", default=timedelta(0))
"""How far the clock of the worker that this task belongs to is ahead."""
worker: ContextVar[str] = ContextVar("worker", default="")
"""The worker that this task belongs to."""


class Stuck(Exception):
    """Nothing can ever happen any more, and the case has not ended."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time that knows which tasks belong to which worker."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        """Seconds since the beginning."""
        self.owned: dict[str, set[asyncio.Task[Any]]] = {}
        self.set_task_factory(self._made)

    def time(self) -> float:
        return self.passed

    def now(self) -> datetime:
        """The time that all clocks would show if they were right."""
        return BEGIN + timedelta(seconds=self.passed)

    def _made(self, loop: Any, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=self, **more)
        mine = self.owned.setdefault(worker.get(), set())
        mine.add(task)
        task.add_done_callback(mine.discard)
        return task

    def _run_once(self) -> None:
        scheduled: Any = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        if not self._ready:  # type: ignore[attr-defined]
            if not scheduled:
                # Ends `run_until_complete`, which would wait for ever.
                raise Stuck("nothing is ready and no timer runs")
            self.passed = max(self.passed, scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


class _AnyTime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class VirtualDatetime(datetime, metaclass=_AnyTime):
    """`datetime` whose `now` is the loop's."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return loop.now() + skew.get()


@contextmanager
def virtual_clocks() -> Iterator[None]:
    """Let the project's modules read the loop's clock."""
    patched = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("pyagent.") and module.__dict__.get("datetime") is datetime
    ]
    for module in patched:
        module.__dict__["datetime"] = VirtualDatetime
    try:
        yield
    finally:
        for module in patched:
            module.__dict__["datetime"] = datetime


def run_virtually(case: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in virtual time. Raises `Stuck` where it would wait for ever."""
    loop = VirtualLoop()
    try:
        with virtual_clocks():
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(case)
    finally:
        asyncio.set_event_loop(None)
        left = [task for tasks in loop.owned.values() for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            with suppress(Stuck):
                loop.run_until_complete(asyncio.wait(left))
        loop.close()
