"""Threads for what takes long, as large graphs do: few, and shared, so that nobody who asks takes all of them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyagent.server.errors import Refused

T = TypeVar("T")
_THREADS = 2
_LARGE = 64 * 1024
"""Characters of graphs above which work at them is done here: of less it takes no longer than other requests do."""
_MOST_WAITING = 8
"""Requests of one asker that wait: each holds its body."""
_SOON = 2
"""Seconds after which to come again."""


class Workers:
    """A few threads. Who asks has one of them at a time, and waits behind nobody's requests but their own.

    Threads of the event loop's own pool would be taken by whoever asks most, and everything else that waits for a
    thread would stand behind them.
    """

    def __init__(self, threads: int = _THREADS, most_waiting: int = _MOST_WAITING) -> None:
        self._threads = threads
        self._most_waiting = most_waiting
        self._pool: ThreadPoolExecutor | None = None
        self._running: Counter[str] = Counter()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def by_size(self, size: int, who: str, work: Callable[[], T]) -> T:
        """As `run` where `work` looks through graphs of many characters, else in a thread of the event loop's own."""
        return await (self.run(who, work) if size > _LARGE else asyncio.to_thread(work))

    async def run(self, who: str, work: Callable[[], T]) -> T:
        """What `work` returns, done in a thread when it is `who`'s turn.

        Raises `Refused` (`server.busy`) where too many of theirs wait already.
        """
        await self._turn(who)
        try:
            self._pool = self._pool or ThreadPoolExecutor(self._threads, thread_name_prefix="graphs")
            running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:
            self._end(who)
            raise
        # A request that is given up does not stop its thread: the turn ends with the work.
        running.add_done_callback(lambda _: self._end(who))
        return await asyncio.shield(running)

    async def _turn(self, who: str) -> None:
        if self._may(who):
            self._running[who] += 1
            return
        if sum(1 for other, _ in self._waiting if other == who) >= self._most_waiting:
            raise Refused(
                "too many requests about graphs wait already",
                code="server.busy",
                hint="Wait as long as `Retry-After` says (seconds), and for the answer to one before the next.",
                details={"retry_after": _SOON},
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((who, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end(who)
            else:
                self._waiting.remove((who, turn))
            raise

    def _may(self, who: str) -> bool:
        return self._running.total() < self._threads and not self._running[who]

    def _end(self, who: str) -> None:
        """Give a turn back, and to the first who may have it."""
        self._running[who] -= 1
        self._running += Counter()  # drops the zeros
        for waits in list(self._waiting):
            other, turn = waits
            if self._may(other) and not turn.done():
                self._waiting.remove(waits)
                self._running[other] += 1
                turn.set_result(None)


__all__ = ["Workers"]
