"""Waiting for changes in a store: tasks of one event loop wait here until a commit, or a poll, says there is news."""

from __future__ import annotations

import asyncio


class Changes:
    """A counter of changes that tasks can wait on. Not for several event loops."""

    def __init__(self) -> None:
        self.count = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def awaited(self) -> bool:
        """Whether any task waits."""
        return bool(self._waiters)

    def notify(self) -> None:
        """Something changed: wake all that wait."""
        self.count += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            _wake(waiter)

    async def wait(self, since: int, timeout: float | None = None) -> bool:
        """Wait until the count is beyond `since`, at most `timeout` seconds; returns whether it is."""
        if self.count > since:
            return True
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiters.add(waiter)
        end = None if timeout is None else loop.call_later(timeout, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if end is not None:
                end.cancel()
        return self.count > since


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
